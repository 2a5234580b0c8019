// What a scene places where. The node solves its layouts; this asks it for the
// cells and fills them.
import type { LayoutCell, Rect, Scene } from "./api";

export interface Placed extends Rect {
  source: string;
  z: number;
}

const whole: Rect = { x: 0, y: 0, w: 1, h: 1 };

/** How many slots count: all up to the last that is filled. */
export function used(slots: (string | undefined)[] = []): number {
  return slots.findLastIndex(Boolean) + 1;
}

/** The layers or filled cells of a scene, bottom first. */
export function placements(scene: Scene, cells: LayoutCell[]): Placed[] {
  const list = scene.layout
    ? cells.flatMap(({ rect, z }, i) => (scene.slots?.[i] ? [{ ...rect, source: scene.slots[i]!, z }] : []))
    : (scene.layers ?? []).map((layer) => ({ ...(layer.rect ?? whole), source: layer.source ?? "", z: layer.z ?? 0 }));
  return list.sort((a, b) => a.z - b.z);
}
