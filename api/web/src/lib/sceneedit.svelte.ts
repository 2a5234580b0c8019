// An edit of a scene. It lands on preview: a scene that is on air is edited as
// a copy, until the operator says otherwise.
import { call, type Layer, type Scene } from "./api";
import type { Desk } from "./desk.svelte";
import { title } from "./format";
import { used } from "./layouts";
import { layouts } from "./layoutstore.svelte";
import { attempt, notices } from "./notices.svelte";
import { Conflict, replace, same } from "./revise";
import { server } from "./server.svelte";

/** How long after a change it is sent, in milliseconds. */
const sendAfter = 120;

export class SceneEdit {
  scene = $state<Scene>({ id: "" });
  /** The scene that this one is a copy of, while that is on air. */
  original = $state("");
  selected = $state(0);
  saving = $state(false);

  #base?: Scene; // what the node has of the scene; undefined where it has none yet
  #originalBase?: Scene; // likewise of the original, when the copy was made
  #changes = 0;
  #sent = 0; // of the changes
  #timer = 0;
  #sending?: Promise<void>;

  constructor(private readonly desk: Desk) {}

  get channel(): string {
    return this.desk.id;
  }

  get layers(): Layer[] {
    return this.scene.layers ?? [];
  }

  get layer(): Layer | undefined {
    return this.layers[this.selected];
  }

  open(id: string): void {
    const found = this.desk.scene(id);
    if (!found) return;
    this.#take(found);
    const original = this.desk.scene(id.endsWith("-edit") ? id.slice(0, -5) : undefined);
    this.original = original?.id ?? "";
    this.#originalBase = original;
    this.selected = 0;
    if (id !== this.desk.state?.program) void this.desk.preview(id);
  }

  /** Shows what another operator made of the scene, unless a change of one's own is on its way. */
  follow(found: Scene | undefined): void {
    if (!found || this.#changes > this.#sent || found.id !== this.scene.id || same(found, this.#base)) return;
    this.#take(found);
  }

  /** Changes the scene, and sends it soon. */
  change(edit: (scene: Scene) => void): void {
    if (this.scene.id === this.desk.state?.program) this.#copy();
    this.#changes++;
    edit(this.scene);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#send(), sendAfter);
  }

  changeLayer(edit: (layer: Layer) => void): void {
    this.change((scene) => {
      const layer = scene.layers?.[this.selected];
      if (layer) edit(layer);
    });
  }

  addLayer(source: string): void {
    this.change((scene) => {
      const top = Math.max(0, ...(scene.layers ?? []).map((layer) => layer.z ?? 0));
      scene.layers = [...(scene.layers ?? []), { source, rect: { x: 0.3, y: 0.3, w: 0.4, h: 0.4 }, z: top + 1 }];
      this.selected = scene.layers.length - 1;
    });
  }

  removeLayer(): void {
    if (this.layers.length < 2) return;
    this.change((scene) => {
      scene.layers?.splice(this.selected, 1);
      this.selected = 0;
    });
  }

  /** Turns the cells of a built-in layout into layers that can be moved. */
  free(): void {
    this.change((scene) => {
      const cells = layouts.cells(this.desk.id, scene.layout ?? "", used(scene.slots));
      scene.layers = cells.flatMap(({ rect, fit }, i) => (scene.slots?.[i] ? [{ source: scene.slots[i]!, rect: { ...rect }, fit, z: i }] : []));
      delete scene.layout;
      delete scene.slots;
      this.selected = 0;
    });
  }

  /** Puts the copy in the place of the scene it came from: this one changes on air, at a tick. */
  async apply(): Promise<void> {
    const base = this.#originalBase;
    if (!base) return;
    const scene: Scene = { ...($state.snapshot(this.scene) as Scene), id: this.original, name: base.name };
    const done = await this.#replace(base, scene);
    if (done) this.#originalBase = done;
    await server.refresh("channels");
  }

  async create(name: string, id: string): Promise<void> {
    const source = this.desk.sources[0];
    if (!source) return;
    const scene: Scene = { id, name, layers: [{ source, rect: { x: 0, y: 0, w: 1, h: 1 }, z: 0 }] };
    if (!(await attempt(() => call<Scene>("POST", `/v1/channels/${this.desk.id}/scenes`, scene)))) return;
    await server.refresh("channels");
    this.open(id);
  }

  async remove(): Promise<void> {
    const { id } = this.scene;
    if (await attempt(() => call("DELETE", `/v1/channels/${this.desk.id}/scenes/${id}`, undefined, { ifMatch: "*" }).then(() => true))) {
      await server.refresh("channels");
      this.open(this.desk.scenes.find((scene) => scene.id !== id)?.id ?? "");
    }
  }

  #take(found: Scene): void {
    this.#base = found;
    this.scene = structuredClone($state.snapshot(found)) as Scene;
    this.selected = Math.min(this.selected, Math.max(0, this.layers.length - 1));
  }

  #copy(): void {
    const { id } = this.scene;
    this.original = id;
    this.#originalBase = this.#base;
    this.scene = { ...this.scene, id: `${id.slice(0, 35)}-edit`, name: `${title(this.scene)} (edit)` };
    this.#base = this.desk.scene(this.scene.id);
  }

  async #send(): Promise<void> {
    await this.#sending;
    this.saving = true;
    this.#sending = this.#put($state.snapshot(this.scene) as Scene, this.#changes);
    await this.#sending;
    this.saving = false;
  }

  async #put(scene: Scene, changes: number): Promise<void> {
    const base = this.#base;
    const made = base ? await this.#replace(base, scene) : await attempt(() => call<Scene>("POST", `/v1/channels/${this.desk.id}/scenes`, scene));
    this.#sent = changes;
    if (!made) return;
    this.#base = made;
    await server.refresh("channels");
    if (this.desk.state?.preview !== scene.id) await this.desk.preview(scene.id);
  }

  /** Replaces a scene; where somebody else has changed it, theirs is shown. */
  async #replace(base: Scene, next: Scene): Promise<Scene | undefined> {
    try {
      return await replace(title(base), `/v1/channels/${this.desk.id}/scenes/${next.id}`, base, next);
    } catch (error) {
      notices.error(error);
      if (error instanceof Conflict) {
        const theirs = error.theirs as Scene;
        if (theirs.id === this.scene.id) this.#take(theirs);
        else this.#originalBase = theirs;
      }
      return undefined;
    }
  }
}

/** What a layer shows, in a word or two. */
export function layerTitle(layer: Layer): string {
  return layer.source ? title(server.source(layer.source), layer.source) : layer.text || layer.kind || "empty";
}
