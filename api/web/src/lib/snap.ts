// Where a dragged rectangle comes to rest: at the canvas, its middle and
// thirds, and the edges of the others.
import type { Rect } from "./api";

/** Positions are fractions of the canvas; within is how near an edge must be. */
export function snapMove(rect: Rect, others: Rect[], within: number): Rect {
  return {
    ...rect,
    x: rest(rect.x, rect.w, lines(others, "x", "w"), within),
    y: rest(rect.y, rect.h, lines(others, "y", "h"), within),
  };
}

/** A corner of a rectangle: north or south, west or east. */
export type Corner = "nw" | "ne" | "sw" | "se";

/** The least width and height that dragging leaves. */
const least = 0.02;

/** Moves one corner of a rectangle by dx and dy and snaps it; shape keeps width to height as they were. */
export function snapSize(rect: Rect, corner: Corner, dx: number, dy: number, others: Rect[], within: number, shape = false): Rect {
  const west = corner.endsWith("w");
  const north = corner.startsWith("n");
  const [right, bottom] = [rect.x + rect.w, rect.y + rect.h];
  const x = nearest((west ? rect.x : right) + dx, lines(others, "x", "w"), within);
  const y = nearest((north ? rect.y : bottom) + dy, lines(others, "y", "h"), within);
  const w = Math.max(least, west ? right - x : x - rect.x);
  const h = shape ? (w * rect.h) / rect.w : Math.max(least, north ? bottom - y : y - rect.y);
  return { x: west ? right - w : rect.x, y: north ? bottom - h : rect.y, w, h };
}

function lines(others: Rect[], start: "x" | "y", length: "w" | "h"): number[] {
  return [0, 1 / 3, 0.5, 2 / 3, 1, ...others.flatMap((rect) => [rect[start], rect[start] + rect[length]])];
}

function nearest(value: number, to: number[], within: number): number {
  const best = to.reduce((a, b) => (Math.abs(b - value) < Math.abs(a - value) ? b : a));
  return Math.abs(best - value) <= within ? best : value;
}

/** Moves a span so that its start, middle or end meets a line, whichever is nearest. */
function rest(at: number, length: number, to: number[], within: number): number {
  const moves = [0, length / 2, length].map((part) => nearest(at + part, to, within) - (at + part)).filter((move) => move !== 0);
  const least = moves.sort((a, b) => Math.abs(a) - Math.abs(b))[0];
  return at + (least ?? 0);
}
