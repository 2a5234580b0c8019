// A player of what a channel stores, moved by times on the channel's timeline
// and not by seconds of a file.
import type Player from "hls.js";

/** How much is loaded around the place that is looked at, in milliseconds. */
const before = 30_000;
const after = 300_000;
const rates = [-4, -2, -1, 0, 1, 2, 4];

export class Replay {
  /** The time of the picture that is shown, milliseconds since the epoch; 0 before there is one. */
  at = $state(0);
  playing = $state(false);
  /** 1 is normal speed; below 0 it steps backwards. */
  rate = $state(1);
  note = $state("");

  #player?: Player;
  #from = 0;
  #to = 0;
  #wanted = 0;
  #back = 0;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly dvr: string, // ".../dvr/CHANNEL"
    private readonly frameMs: number,
    private readonly segmentMs: number,
  ) {
    video.addEventListener("timeupdate", () => this.#follow());
    video.addEventListener("seeked", () => this.#follow());
    video.addEventListener("play", () => (this.playing = true));
    video.addEventListener("pause", () => (this.playing = false));
  }

  /** Shows the picture at a time; held is [oldest, newest] of what there is. */
  async show(time: number, held: [number, number]): Promise<void> {
    const to = Math.max(held[0], Math.min(time, held[1] - 1));
    this.at = to;
    if (this.#player && to >= this.#from && to < this.#to - 1000) return this.#seek(to);
    // Near the live edge the playlist goes on with the channel.
    await this.#load(Math.max(held[0], to - before), to + after < held[1] ? to + after : Infinity, to);
  }

  /** One frame further (or back, by -1). */
  step(frames: number): void {
    this.pause();
    const now = this.video.currentTime;
    this.video.currentTime = Math.max(0, now + (frames * this.frameMs) / 1000);
  }

  /** J and L: slower or backwards, faster; K stops. */
  shuttle(direction: -1 | 1): void {
    const now = this.playing || this.#back ? this.rate : 0;
    const index = Math.max(0, Math.min(rates.length - 1, rates.indexOf(now) + direction));
    this.#run(rates[index]!);
  }

  toggle(): void {
    if (this.playing || this.#back) this.pause();
    else this.#run(1);
  }

  pause(): void {
    clearInterval(this.#back);
    this.#back = 0;
    this.video.pause();
    this.rate = 1;
  }

  close(): void {
    this.pause();
    this.#player?.destroy();
    this.#player = undefined;
  }

  #run(rate: number): void {
    this.pause();
    this.rate = rate || 1;
    if (rate > 0) {
      this.video.playbackRate = rate;
      void this.video.play().catch(() => undefined);
    } else if (rate < 0) {
      // Browsers do not play backwards: step, five times a second.
      this.#back = setInterval(() => (this.video.currentTime = Math.max(0, this.video.currentTime + rate / 5)), 200);
    }
  }

  async #load(from: number, to: number, at: number): Promise<void> {
    const { default: Hls } = await import("hls.js");
    if (!Hls.isSupported()) return void (this.note = "This browser has no Media Source Extensions.");
    this.#player?.destroy();
    [this.#from, this.#to, this.#wanted] = [from, to, at];
    const player = new Hls({ enableWorker: false, startPosition: (at - Math.floor(from / this.segmentMs) * this.segmentMs) / 1000, maxBufferLength: 20, lowLatencyMode: false, backBufferLength: 60 });
    this.#player = player;
    this.note = "loading";
    player.on(Hls.Events.FRAG_BUFFERED, () => {
      this.note = "";
      const wanted = this.#wanted;
      this.#wanted = 0;
      if (wanted) this.#seek(wanted);
    });
    player.on(Hls.Events.ERROR, (_, { fatal, details }) => {
      if (fatal) this.note = `no picture here (${details})`;
    });
    player.loadSource(`${this.dvr}/${(from / 1000).toFixed(3)}-${to === Infinity ? "now" : (to / 1000).toFixed(3)}/index.m3u8`);
    player.attachMedia(this.video);
  }

  get #fragments(): { start: number; duration: number; programDateTime?: number | null }[] {
    const player = this.#player;
    const level = player?.levels[player.currentLevel] ?? player?.levels.find((each) => each.details);
    return level?.details?.fragments ?? [];
  }

  #seek(time: number): void {
    const fragment = this.#fragments.findLast((each) => (each.programDateTime ?? Infinity) <= time) ?? this.#fragments[0];
    if (!fragment?.programDateTime) return void (this.#wanted = time);
    this.video.currentTime = fragment.start + Math.min(fragment.duration - 0.001, Math.max(0, (time - fragment.programDateTime) / 1000)) + 0.001;
  }

  #follow(): void {
    const now = this.video.currentTime;
    const fragment = this.#fragments.find((each) => now >= each.start && now < each.start + each.duration);
    if (fragment?.programDateTime) this.at = fragment.programDateTime + (now - fragment.start) * 1000;
  }
}
