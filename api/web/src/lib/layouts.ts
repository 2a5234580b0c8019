// Where the slots of a built-in layout stand, for drawings of scenes. The node
// solves layouts itself; this is only what the operator sees of one that is not
// shown as a picture.
import type { Layer, Rect, Scene } from "./api";

export interface Cell extends Rect {
  source: string;
  z: number;
}

const quarter = (x: number, y: number): Rect => ({ x, y, w: 0.5, h: 0.5 });
const cells: Record<string, Rect[]> = {
  solo: [{ x: 0, y: 0, w: 1, h: 1 }],
  "two-up": [quarter(0, 0.25), quarter(0.5, 0.25)],
  "grid-4": [quarter(0, 0), quarter(0.5, 0), quarter(0, 0.5), quarter(0.5, 0.5)],
};

/** The cells of a layout, as fractions of the canvas. */
export function cellsOf(layout: string): Rect[] {
  return cells[layout] ?? [];
}

/** What a scene places where, bottom first. */
export function placements(scene: Scene): Cell[] {
  if (scene.layout) return cellsOf(scene.layout).flatMap((rect, i) => (scene.slots?.[i] ? [{ ...rect, source: scene.slots[i]!, z: 0 }] : []));
  const full: Rect = { x: 0, y: 0, w: 1, h: 1 };
  return (scene.layers ?? []).map((layer: Layer) => ({ ...(layer.rect ?? full), source: layer.source, z: layer.z ?? 0 })).sort((a, b) => a.z - b.z);
}
