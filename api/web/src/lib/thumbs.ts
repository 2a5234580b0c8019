// Still pictures of what a channel stores, for the film strip. A segment's
// first part begins with an IDR: one part of the smallest rung, played through
// Media Source Extensions, gives one picture. Nothing is made on the node.

/** Where the smallest rung's segments are and what plays them. */
interface Film {
  base: string;
  codec: string;
  init: ArrayBuffer;
}

const width = 160;

export class Thumbs {
  #film?: Promise<Film | undefined>;
  #video = document.createElement("video");
  #buffer?: SourceBuffer;
  #made = new Map<number, Promise<string | undefined>>();
  #turn: Promise<unknown> = Promise.resolve();
  #over = false;

  /** segmentMs is the exact length of a segment, in milliseconds. */
  constructor(
    private readonly playlist: string,
    private readonly segmentMs: number,
  ) {
    this.#video.muted = true;
  }

  /** An object URL of the picture at or just before a time (milliseconds since the epoch); undefined where there is none. */
  at(time: number): Promise<string | undefined> {
    const k = Math.floor(time / this.segmentMs + 1e-6);
    let made = this.#made.get(k);
    if (!made) {
      made = this.#turn.then(() => this.#make(k)).catch(() => undefined);
      this.#turn = made;
      this.#made.set(k, made);
      void made.then((url) => url === undefined && this.#made.delete(k));
    }
    return made;
  }

  close(): void {
    this.#over = true;
    for (const made of this.#made.values()) void made.then((url) => url && URL.revokeObjectURL(url));
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  async #make(k: number): Promise<string | undefined> {
    if (this.#over) return undefined;
    this.#film ??= this.#open();
    const film = await this.#film;
    const buffer = this.#buffer;
    if (!film || !buffer) return undefined;
    const answer = await fetch(`${film.base}${k}.0.m4s`);
    if (!answer.ok) return undefined;
    await appended(buffer, await answer.arrayBuffer());
    const at = (k * this.segmentMs) / 1000;
    await seeked(this.#video, at + 0.01);
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = Math.round((width * this.#video.videoHeight) / this.#video.videoWidth);
    canvas.getContext("2d")?.drawImage(this.#video, 0, 0, canvas.width, canvas.height);
    buffer.remove(0, Infinity);
    await idle(buffer);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.7));
    return blob ? URL.createObjectURL(blob) : undefined;
  }

  async #open(): Promise<Film | undefined> {
    const main = await text(this.playlist);
    const rungs = [...main.matchAll(/#EXT-X-STREAM-INF:(.*)\n(.+)/g)].map(([, attributes = "", uri = ""]) => ({
      bandwidth: Number(/(?:^|,)BANDWIDTH=(\d+)/.exec(attributes)?.[1] ?? Infinity),
      codec: /CODECS="([^",]+)/.exec(attributes)?.[1] ?? "",
      uri,
    }));
    const rung = rungs.sort((a, b) => a.bandwidth - b.bandwidth)[0];
    if (!rung) return undefined;
    const media = new URL(rung.uri, this.playlist);
    const map = /#EXT-X-MAP:URI="([^"]+)"/.exec(await text(media.href))?.[1];
    const type = `video/mp4; codecs="${rung.codec}"`;
    if (!map || !globalThis.MediaSource?.isTypeSupported(type)) return undefined;
    const initURL = new URL(map, media);
    const film = { base: new URL(".", initURL).href, codec: type, init: await (await fetch(initURL)).arrayBuffer() };
    const source = new MediaSource();
    this.#video.src = URL.createObjectURL(source);
    await once(source, "sourceopen");
    URL.revokeObjectURL(this.#video.src);
    this.#buffer = source.addSourceBuffer(type);
    await appended(this.#buffer, film.init);
    return film;
  }
}

async function text(url: string): Promise<string> {
  const answer = await fetch(url);
  return answer.ok ? answer.text() : "";
}

/** Waits for an event, at most 5 seconds. */
function once(target: EventTarget, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name}`)), 5000);
    target.addEventListener(name, () => (clearTimeout(timer), resolve()), { once: true });
  });
}

const idle = async (buffer: SourceBuffer): Promise<void> => (buffer.updating ? once(buffer, "updateend") : undefined);

async function appended(buffer: SourceBuffer, bytes: ArrayBuffer): Promise<void> {
  buffer.appendBuffer(bytes);
  await idle(buffer);
}

/** Goes to a time and waits until its picture can be drawn; a browser may say "seeked" a little earlier. */
async function seeked(video: HTMLVideoElement, seconds: number): Promise<void> {
  const done = once(video, "seeked");
  const shown = new Promise<void>((resolve) => {
    video.requestVideoFrameCallback?.(() => resolve());
    setTimeout(resolve, 400);
  });
  video.currentTime = seconds;
  await done;
  await shown;
}
