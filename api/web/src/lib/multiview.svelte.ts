// The server-made picture of preview, program and sources: one stream, of which
// each tile on the page shows its part.
import { untrack } from "svelte";
import { call, type MultiviewTile, type Rect } from "./api";
import { viewer } from "../rtc/whep";

export class Multiview {
  stream = $state.raw<MediaStream>();
  tiles = $state.raw<MultiviewTile[]>([]);
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
    this.tiles = (await call<{ tiles: MultiviewTile[] }>("GET", `/v1/channels/${this.channel}/multiview`).catch(() => undefined))?.tiles ?? this.tiles;
  }

  /** The part of the picture that shows preview, program or a source. */
  part(kind: MultiviewTile["kind"], source?: string): Rect | undefined {
    return this.tiles.find((tile) => tile.kind === kind && (kind !== "source" || tile.source === source))?.rect;
  }
}
