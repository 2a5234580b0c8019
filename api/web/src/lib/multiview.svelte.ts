// The server-made picture of preview, program and sources: one stream, of which
// each tile on the page shows its part.
import { untrack } from "svelte";
import { call, type MultiviewPlan, type MultiviewTile, type Rect } from "./api";
import { viewer } from "../rtc/whep";

export class Multiview {
  stream = $state.raw<MediaStream>();
  tiles = $state.raw<MultiviewTile[]>([]);
  #size = { width: 1280, height: 720 }; // pixels
  /** What is wrong, in words; empty while pictures come. */
  note = $state("connecting");

  constructor(private readonly channel: string) {}

  /** Begins to watch, until the answer is called. */
  open(): () => void {
    let next: MediaStream | undefined;
    const connection = viewer({
      endpoint: `/whep/${this.channel}/multiview`,
      shown: (stream) => (next = stream),
      changed: (phase) => {
        if (phase === "connected") this.stream = next; // until then the last pictures stay
        this.note = phase === "connected" ? "" : this.stream ? "last picture, reconnecting" : "connecting";
      },
    });
    untrack(() => connection.open()); // what it says while it begins is nothing to begin anew for
    return () => connection.close();
  }

  /** Reads where the tiles are: they move when the channel gets other sources. */
  async arrange(): Promise<void> {
    const found = await call<MultiviewPlan>("GET", `/v1/channels/${this.channel}/multiview`).catch(() => undefined);
    if (!found) return;
    this.#size = found;
    this.tiles = found.tiles;
  }

  /** The part of the picture that shows preview, program or a source; less its outermost pixels, in which its neighbours' may shine through. */
  part(kind: MultiviewTile["kind"], source?: string): Rect | undefined {
    const rect = this.tiles.find((tile) => tile.kind === kind && (kind !== "source" || tile.source === source))?.rect;
    if (!rect) return undefined;
    const [dx, dy] = [1 / this.#size.width, 1 / this.#size.height];
    return { x: rect.x + dx, y: rect.y + dy, w: rect.w - 2 * dx, h: rect.h - 2 * dy };
  }
}
