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

/** Snaps the right and bottom edge of a rectangle that is made larger or smaller. */
export function snapSize(rect: Rect, others: Rect[], within: number): Rect {
  const right = nearest(rect.x + rect.w, lines(others, "x", "w"), within);
  const bottom = nearest(rect.y + rect.h, lines(others, "y", "h"), within);
  return { ...rect, w: right - rect.x, h: bottom - rect.y };
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
