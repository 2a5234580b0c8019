// An edit of a scene. It lands on preview: a scene that is on air is edited as
// a copy, until the operator says otherwise.
import { call, type Layer, type Scene } from "./api";
import type { Desk } from "./desk.svelte";
import { title } from "./format";
import { used } from "./layouts";
import { layouts } from "./layoutstore.svelte";
import { attempt } from "./notices.svelte";
import { server } from "./server.svelte";

/** How long after a change it is sent, in milliseconds. */
const sendAfter = 120;

export class SceneEdit {
  scene = $state<Scene>({ id: "" });
  /** The scene that this one is a copy of, while that is on air. */
  original = $state("");
  selected = $state(0);
  saving = $state(false);

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
    this.scene = structuredClone($state.snapshot(found)) as Scene;
    this.original = id.endsWith("-edit") && this.desk.scene(id.slice(0, -5)) ? id.slice(0, -5) : "";
    this.selected = 0;
    if (id !== this.desk.state?.program) void this.desk.preview(id);
  }

  /** Changes the scene, and sends it soon. */
  change(edit: (scene: Scene) => void): void {
    if (this.scene.id === this.desk.state?.program) this.#copy();
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
    const scene = { ...($state.snapshot(this.scene) as Scene), id: this.original, name: this.desk.scene(this.original)?.name };
    if (await attempt(() => call<Scene>("PUT", `/v1/channels/${this.desk.id}/scenes/${this.original}`, scene, { ifMatch: "*" }))) await server.refresh("channels");
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

  #copy(): void {
    const { id } = this.scene;
    this.original = id;
    this.scene = { ...this.scene, id: `${id.slice(0, 35)}-edit`, name: `${title(this.scene)} (edit)` };
  }

  async #send(): Promise<void> {
    await this.#sending;
    this.saving = true;
    this.#sending = this.#put($state.snapshot(this.scene) as Scene);
    await this.#sending;
    this.saving = false;
  }

  async #put(scene: Scene): Promise<void> {
    const there = this.desk.scene(scene.id) !== undefined;
    const path = `/v1/channels/${this.desk.id}/scenes`;
    const done = await attempt(() => (there ? call<Scene>("PUT", `${path}/${scene.id}`, scene, { ifMatch: "*" }) : call<Scene>("POST", path, scene)));
    if (!done) return;
    await server.refresh("channels");
    if (this.desk.state?.preview !== scene.id) await this.desk.preview(scene.id);
  }
}

/** What a layer shows, in a word or two. */
export function layerTitle(layer: Layer): string {
  return layer.source ? title(server.source(layer.source), layer.source) : layer.text || layer.kind || "empty";
}
