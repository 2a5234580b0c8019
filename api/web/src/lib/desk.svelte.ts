// The desk of one channel: what its buttons and keys ask the node to do, and
// what has been asked for and not been answered yet.
import { call, Problem, type AudioSettings, type Channel, type ChannelState, type LiveAnswer, type Overlay, type Recording, type Scene, type TransitionType } from "./api";
import { rateOf, title } from "./format";
import { attempt, notices } from "./notices.svelte";
import { server } from "./server.svelte";

/** What the operator chose for this browser, kept over reloads. */
interface Choices {
  hotCut: boolean;
  strip: string;
  transition: TransitionType;
  durationMs: number;
}

const defaults: Choices = { hotCut: false, strip: "", transition: "mix", durationMs: 500 };

export class Desk {
  readonly id: string;
  /** Requests without an answer, by what they are: "cut", "preview grid". */
  pending = $state<Record<string, boolean>>({});
  hotCut = $state(false);
  /** The audio strip that the keys act on. */
  strip = $state("");
  transition = $state<TransitionType>("mix");
  durationMs = $state(500);

  #sending = new Map<string, Record<string, unknown>>();

  constructor(id: string) {
    this.id = id;
    Object.assign(this, load(id));
  }

  get channel(): Channel | undefined {
    return server.channel(this.id);
  }

  get state(): ChannelState | undefined {
    return server.states[this.id];
  }

  get scenes(): Scene[] {
    return this.channel?.scenes ?? [];
  }

  get sources(): string[] {
    return this.channel?.sources ?? [];
  }

  get overlays(): Overlay[] {
    return this.channel?.overlays ?? [];
  }

  /** How long a frame is, in milliseconds. */
  get frameMs(): number {
    return 1000 / rateOf(this.channel?.canvas.rate ?? "25");
  }

  get recording(): Recording | undefined {
    return server.recordings.find((recording) => recording.channel === this.id && recording.state === "recording");
  }

  scene(id: string | undefined): Scene | undefined {
    return this.scenes.find((scene) => scene.id === id);
  }

  choose(choices: Partial<Choices>): void {
    Object.assign(this, choices);
    localStorage.setItem(`millrace.desk.${this.id}`, JSON.stringify({ hotCut: this.hotCut, strip: this.strip, transition: this.transition, durationMs: this.durationMs }));
  }

  preview(scene: string): Promise<unknown> {
    return this.#live(`preview ${scene}`, "preview", { scene });
  }

  cut(scene?: string): Promise<unknown> {
    return this.#live(scene ? `cut ${scene}` : "cut", "cut", scene ? { scene } : {});
  }

  auto(): Promise<unknown> {
    return this.#live("auto", "auto", { transition: this.transition, durationMs: this.durationMs });
  }

  async tbar(position: number): Promise<void> {
    await this.#live("tbar", "tbar", { position, transition: this.transition });
  }

  fadeToBlack(): Promise<unknown> {
    return this.#live("ftb", "ftb", {});
  }

  toggleOverlay(id: string): Promise<unknown> {
    const shown = this.state?.overlays?.includes(id);
    return this.#live(`overlay ${id}`, `overlays/${id}/${shown ? "off" : "on"}`, {});
  }

  hotCutTo(scene: string): void {
    if (this.hotCut) void this.cut(scene);
    else notices.info("Hot cut is off. Switch it on beside the buses.");
  }

  /** Shows one source alone in preview, by a scene made for it where there is none. */
  async previewSource(source: string): Promise<void> {
    const alone = this.scenes.find((scene) => isAlone(scene, source));
    if (alone) return void (await this.preview(alone.id));
    await this.#previewNew({ id: this.#freeId(source), name: title(server.source(source), source), layout: "solo", slots: [source] });
  }

  /** Shows the sources of the preview in another layout, by a scene of its own: what is on air is not touched. */
  async previewLayout(layout: string): Promise<void> {
    const now = this.scene(this.state?.preview) ?? this.scene(this.state?.program);
    const seen = now ? sourcesOf(now) : [];
    const slots = [...seen, ...this.sources.filter((source) => !seen.includes(source))].slice(0, 16);
    const ids = [`desk-${layout}`, `desk-${layout}-b`];
    const id = ids.find((each) => each !== this.state?.program)!;
    const scene: Scene = { id, name: layoutName(layout), layout, slots };
    if (this.scene(id)) {
      const done = await attempt(() => call<Scene>("PUT", `/v1/channels/${this.id}/scenes/${id}`, scene, { ifMatch: "*" }));
      if (done) await Promise.all([this.preview(id), server.refresh("channels")]);
      return;
    }
    await this.#previewNew(scene);
  }

  /** Changes a source's sound. While a change is on its way, only the newest of the next ones is kept. */
  async setAudio(source: string, change: Partial<AudioSettings>): Promise<void> {
    const waiting = this.#sending.get(source);
    if (waiting) return void Object.assign(waiting, change);
    let next: Record<string, unknown> = change;
    while (Object.keys(next).length > 0) {
      const later: Record<string, unknown> = {};
      this.#sending.set(source, later);
      const settings = await attempt(() => call<AudioSettings>("PATCH", `/v1/channels/${this.id}/audio/${source}`, next));
      if (settings) server.setAudio(this.id, source, settings);
      next = later;
    }
    this.#sending.delete(source);
  }

  audio(source: string): Required<Pick<AudioSettings, "gainDb" | "mute" | "mode">> & AudioSettings {
    const settings: AudioSettings = server.audio[this.id]?.[source] ?? {};
    return { ...settings, gainDb: settings.gainDb ?? 0, mute: settings.mute ?? false, mode: settings.mode ?? "follow" };
  }

  async record(): Promise<void> {
    const running = this.recording;
    await this.#busy("record", async () => {
      if (running) await call("POST", `/v1/recordings/${running.id}/stop`);
      else await call("POST", `/v1/channels/${this.id}/recordings`, {});
      await server.refresh("recordings");
    });
  }

  async mark(text: string): Promise<void> {
    await this.#busy("mark", async () => {
      await call("POST", `/v1/channels/${this.id}/marks`, { text });
      notices.info(`Marked: ${text}`);
    });
  }

  async #previewNew(scene: Scene): Promise<void> {
    const made = await attempt(async () => {
      try {
        return await call<Scene>("POST", `/v1/channels/${this.id}/scenes`, scene);
      } catch (error) {
        if (error instanceof Problem && error.code === "exists") return scene; // another operator was quicker
        throw error;
      }
    });
    if (made) await Promise.all([this.preview(scene.id), server.refresh("channels")]);
  }

  #freeId(wanted: string): string {
    for (let n = 1; ; n++) {
      const id = n === 1 ? wanted : `${wanted.slice(0, 36)}-${n}`;
      if (!this.scene(id)) return id;
    }
  }

  #live(name: string, action: string, body: Record<string, unknown>): Promise<unknown> {
    return this.#busy(name, async () => server.acted(this.id, await call<LiveAnswer>("POST", `/v1/channels/${this.id}/${action}`, body)));
  }

  async #busy(name: string, work: () => Promise<void>): Promise<void> {
    this.pending[name] = true;
    await attempt(work);
    delete this.pending[name];
  }
}

/** Whether a scene is one source and nothing else, as large as it can be. */
export function isAlone(scene: Scene, source: string): boolean {
  return scene.layout === "solo" && scene.slots?.[0] === source;
}

/** The sources of a scene in the order of its cells or layers. */
export function sourcesOf(scene: Scene): string[] {
  const list = scene.layout ? (scene.slots ?? []) : (scene.layers ?? []).map((layer) => layer.source ?? "");
  return [...new Set(list.filter(Boolean))];
}

/** "pip-tl" -> "Pip tl"; the words that operators use where there are some. */
export function layoutName(layout: string): string {
  const names: Record<string, string> = {
    solo: "Solo", "two-up": "Two up", "two-up-70-30": "70 / 30", "speaker-slides": "Speaker + slides", "pip-tl": "PiP top left", "pip-tr": "PiP top right",
    "pip-bl": "PiP bottom left", "pip-br": "PiP bottom right", "three-up": "Three up", "speaker-strip": "Speaker strip", "grid-4": "Grid 4", "grid-6": "Grid 6",
    "grid-9": "Grid 9", "auto-grid": "Auto grid", holding: "Holding",
  };
  return names[layout] ?? layout;
}

function load(id: string): Choices {
  try {
    return { ...defaults, ...(JSON.parse(localStorage.getItem(`millrace.desk.${id}`) ?? "{}") as Partial<Choices>) };
  } catch {
    return defaults;
  }
}
