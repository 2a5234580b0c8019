// What the node says, mirrored: the one truth that every page shows. Nothing
// here is ever set from a wish, only from an answer or an event.
import { all, call, Problem, Unreachable } from "./api";
import type { Alarm, Asset, AudioSettings, Capabilities, Channel, ChannelState, Clip, LiveAnswer, Recording, Scope, Session, Source, System } from "./api";
import { Feed, type ServerEvent } from "./feed";
import { Meters, type Reading } from "./meters";
import { notices } from "./notices.svelte";

/** Without a word from the node for this long, its state is not shown as live any more. Milliseconds. */
const lostAfter = 2000;
/** How often things without events are read. Milliseconds. */
const pollEvery = 1000;
const slowPollEvery = 5000;

type Phase = "starting" | "signed-out" | "ready";

class Server {
  phase = $state<Phase>("starting");
  lost = $state(false);
  signInError = $state("");
  session = $state.raw<Session>();
  system = $state.raw<System>();
  capabilities = $state.raw<Capabilities>();
  channels = $state.raw<Channel[]>([]);
  sources = $state.raw<Source[]>([]);
  recordings = $state.raw<Recording[]>([]);
  clips = $state.raw<Clip[]>([]);
  alarms = $state.raw<Alarm[]>([]);
  assets = $state.raw<Asset[]>([]);
  states = $state.raw<Record<string, ChannelState>>({});
  audio = $state.raw<Record<string, Record<string, AudioSettings>>>({});
  /** The node's clock less this machine's, in milliseconds. */
  ahead = $state(0);

  /** Where players pull from, by the name that this page was reached by. */
  mediaOrigin = $derived(originOf(this.system?.mediaUrl));

  readonly meters = new Meters();

  #heard = 0;
  #watched = "";
  #feed = new Feed({
    event: (event) => this.#take(event),
    resync: () => void this.resync(),
    down: () => undefined, // polling goes on until it stands again
  });
  #running = new Map<string, Promise<void>>();
  #again = new Set<string>();

  async start(): Promise<void> {
    addEventListener("hashchange", () => void this.#followLink()); // pasted into a tab that is open
    await this.#followLink();
    if (this.phase === "starting") await this.#enter();
    setInterval(() => this.#watch(), 250);
    setInterval(() => this.#poll(false), pollEvery);
    setInterval(() => this.#poll(true), slowPollEvery);
  }

  /** Signs in with a key or a link's token, or as a user. */
  async signIn(secret: { token: string } | { user: string; password: string }): Promise<void> {
    this.signInError = "";
    try {
      await call<Session>("POST", "/v1/session", secret);
      await this.#enter();
    } catch (error) {
      this.phase = "signed-out";
      const refused = error instanceof Problem && error.status === 401;
      this.signInError = !refused ? (error as Error).message : "token" in secret ? "This key or link is not valid. A link works once, for a day." : "This name and password do not belong together.";
    }
  }

  async signOut(): Promise<void> {
    await call("DELETE", "/v1/session");
    this.#feed.close();
    this.phase = "signed-out";
  }

  /** Whether this session may do what a scope allows. */
  may(scope: Scope): boolean {
    const ladder: Scope[] = ["view", "operate", "manage"];
    return (this.session?.scopes ?? []).some((have) => ladder.indexOf(have) >= ladder.indexOf(scope));
  }

  /** The node's time now, in milliseconds since the epoch. */
  now(): number {
    return Date.now() + this.ahead;
  }

  /** What is wrong and not put aside, the worst first. */
  get active(): Alarm[] {
    const now = this.now();
    const open = this.alarms.filter((alarm) => alarm.state === "active" && !(alarm.shelvedUntil && new Date(alarm.shelvedUntil).getTime() > now));
    return open.sort((a, b) => Number(b.severity === "critical") - Number(a.severity === "critical"));
  }

  channel(id: string): Channel | undefined {
    return this.channels.find((channel) => channel.id === id);
  }

  source(id: string): Source | undefined {
    return this.sources.find((source) => source.id === id);
  }

  /** Follows a channel closely, with its meters, until the answer is called. */
  watch(channel: string): () => void {
    this.#watched = channel;
    this.#feed.meter([channel]);
    return () => {
      if (this.#watched !== channel) return;
      this.#watched = "";
      this.#feed.meter([]);
    };
  }

  /** Reads everything again: after a sign-in and after a break. */
  async resync(): Promise<void> {
    await Promise.all([this.refresh("system"), this.refresh("sources"), this.refresh("channels"), this.refresh("recordings"), this.refresh("clips"), this.refresh("alarms"), this.refresh("assets")]);
    await Promise.all(this.channels.flatMap(({ id }) => [this.refresh(`state ${id}`), this.refresh(`audio ${id}`)]));
  }

  /** Reads one thing again; calls while it is being read make one more read. */
  refresh(what: string): Promise<void> {
    const running = this.#running.get(what);
    if (running) {
      this.#again.add(what);
      return running;
    }
    const work = this.#read(what).finally(() => {
      this.#running.delete(what);
      if (this.#again.delete(what)) void this.refresh(what);
    });
    this.#running.set(what, work);
    return work;
  }

  /** Takes what the node answered to a live action. */
  acted(channel: string, answer: LiveAnswer): void {
    this.#onAir(channel, answer);
    void this.refresh(`state ${channel}`);
  }

  setAudio(channel: string, source: string, settings: AudioSettings): void {
    this.audio = { ...this.audio, [channel]: { ...this.audio[channel], [source]: settings } };
  }

  /** Signs in with the token of a one-time link, which stands in the fragment. */
  async #followLink(): Promise<void> {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (!token) return;
    history.replaceState(null, "", location.pathname);
    await this.signIn({ token: token.trim() });
  }

  async #enter(): Promise<void> {
    try {
      this.session = await call<Session>("GET", "/v1/session");
      this.system = await call<System>("GET", "/v1/system");
      this.#hear();
      this.#setClock(this.system);
      this.capabilities = await call<Capabilities>("GET", "/v1/system/capabilities");
      await this.resync();
      this.phase = "ready";
      this.#feed.open();
    } catch (error) {
      if (!this.#unauthorized(error)) setTimeout(() => void this.#enter(), pollEvery);
    }
  }

  async #read(what: string): Promise<void> {
    const [kind, id = ""] = what.split(" ");
    try {
      await this.#fetch(kind!, id);
      this.#hear();
    } catch (error) {
      if (this.#unauthorized(error) || error instanceof Unreachable) return;
      if (error instanceof Problem && error.status === 404) return void (kind !== "channels" && this.refresh("channels"));
      notices.error(error);
    }
  }

  async #fetch(kind: string, id: string): Promise<void> {
    switch (kind) {
      case "system":
        this.system = await call<System>("GET", "/v1/system");
        return this.#setClock(this.system);
      case "sources":
        this.sources = await all<Source>("/v1/sources");
        return;
      case "channels":
        this.channels = await all<Channel>("/v1/channels");
        return;
      case "recordings":
        this.recordings = await all<Recording>("/v1/recordings");
        return;
      case "clips":
        this.clips = await all<Clip>("/v1/clips");
        return;
      case "alarms":
        this.alarms = await all<Alarm>("/v1/alarms");
        return;
      case "assets":
        this.assets = await all<Asset>("/v1/assets");
        return;
      case "state": {
        const state = await call<ChannelState>("GET", `/v1/channels/${id}/state`);
        this.states = { ...this.states, [id]: state }; // spread after the wait: others are read meanwhile
        return;
      }
      case "audio": {
        const { sources } = await call<{ sources: Record<string, AudioSettings> }>("GET", `/v1/channels/${id}/audio`);
        this.audio = { ...this.audio, [id]: sources };
      }
    }
  }

  /** An event says what has changed; but for tally and sound, the change itself is read. */
  #take(event: ServerEvent): void {
    this.#hear();
    const data = event.data ?? {};
    const id = String(data.channel ?? data.source ?? data.id ?? "");
    switch (event.type) {
      case "channel.program":
      case "channel.preview":
        this.#onAir(id, data as unknown as LiveAnswer);
        return void this.refresh(`state ${id}`);
      case "channel.audio":
        return this.setAudio(id, String(data.source), data.settings as AudioSettings);
      case "meters":
        return this.meters.take(event.data as unknown as Reading);
      case "figures":
      case "heartbeat":
        return;
      case "tally.changed":
        return this.#tally(id, data.sources as Record<string, string>);
    }
    const [kind] = event.type.split(".");
    if (kind === "channel") {
      void this.refresh("channels");
      if (event.type === "channel.changed") void this.refresh("assets"); // which say who uses them
      if (id) void this.refresh(`state ${id}`);
    } else if (["source", "recording", "clip", "alarm", "asset"].includes(kind!)) {
      void this.refresh(`${kind}s`);
    }
  }

  #onAir(id: string, { program, preview, ftb }: LiveAnswer): void {
    const state = this.states[id];
    if (state) this.states = { ...this.states, [id]: { ...state, program, preview, ftb: ftb ?? state.ftb } };
  }

  #tally(id: string, tallies: Record<string, string>): void {
    const state = this.states[id];
    if (!state || !tallies) return;
    const sources = { ...state.sources };
    for (const [source, tally] of Object.entries(tallies)) {
      if (sources[source]) sources[source] = { ...sources[source], tally: tally as "program" | "preview" | "off" };
    }
    this.states = { ...this.states, [id]: { ...state, sources } };
    if (state.transition) void this.refresh(`state ${id}`); // it may be over
  }

  #poll(slow: boolean): void {
    if (this.phase !== "ready") return;
    if (slow) void this.refresh("system");
    const live = this.#feed.live && !slow;
    for (const { id } of this.channels) if (!live || id === this.#watched) void this.refresh(`state ${id}`);
    if (live) return;
    for (const what of ["sources", "channels", "recordings", "clips", "alarms", "assets"]) void this.refresh(what);
    for (const { id } of this.channels) void this.refresh(`audio ${id}`);
  }

  #hear(): void {
    this.#heard = performance.now();
    this.lost = false;
  }

  #watch(): void {
    if (this.phase !== "ready" || document.hidden) return;
    if (performance.now() - this.#heard > lostAfter) this.lost = true;
  }

  #setClock(system: System): void {
    this.ahead = new Date(system.time).getTime() - Date.now();
  }

  #unauthorized(error: unknown): boolean {
    if (!(error instanceof Problem) || error.status !== 401) return false;
    this.#feed.close();
    this.phase = "signed-out";
    return true;
  }
}

function originOf(mediaUrl: string | undefined): string {
  if (!mediaUrl) return "";
  const { protocol, port } = new URL(mediaUrl);
  return `${protocol}//${location.hostname}:${port}`;
}

export const server = new Server();
