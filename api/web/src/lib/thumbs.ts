// Still pictures of what a channel stores: the thumbnails track that the origin
// makes of the segments' first pictures (docs/dvr.md), one a segment. A sheet has
// 25 of them; where few are wanted of much time, one alone is cheaper.

/** What to show: a whole image, or a tile of a sheet by column and row. */
export interface Thumb {
  url: string;
  tile?: [column: number, row: number];
}

const columns = 5;
const perSheet = 25;

/** Segments between two pictures from which on one alone is asked for. */
const sparse = 12;

export class Thumbs {
  /** dvr is ".../dvr/CHANNEL"; segmentMs the exact length of a segment, in milliseconds. */
  constructor(
    private readonly dvr: string,
    private readonly segmentMs: number,
  ) {}

  /** The picture of the segment around a time; every is how far apart pictures are wanted; holds whether the segment around a time is stored. */
  at(time: number, every: number, holds: (time: number) => boolean): Thumb | undefined {
    if (!holds(time)) return undefined;
    const k = Math.floor(time / this.segmentMs + 1e-6);
    const first = k - (k % perSheet);
    const whole = holds(this.#middle(first)) && holds(this.#middle(first + perSheet - 1));
    if (every / this.segmentMs >= sparse || !whole) return { url: this.#view(k, k, "poster") };
    return { url: this.#view(first, first + perSheet - 1, "0"), tile: [(k - first) % columns, Math.floor((k - first) / columns)] };
  }

  #middle(k: number): number {
    return (k + 0.5) * this.segmentMs;
  }

  /** Times in the middle of segments: no rounding reaches the next one. */
  #view(from: number, to: number, name: string): string {
    return `${this.dvr}/${(this.#middle(from) / 1000).toFixed(3)}-${(this.#middle(to) / 1000).toFixed(3)}/thumbnails/${name}.jpg`;
  }
}
