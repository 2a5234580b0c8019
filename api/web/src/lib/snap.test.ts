import { describe, expect, it } from "vitest";
import { snapMove, snapSize } from "./snap";

const at = (x: number, y: number, w = 0.25, h = 0.25) => ({ x, y, w, h });

describe("snap", () => {
  it.each([
    ["to the canvas", at(0.01, -0.01), [], at(0, 0)],
    ["with the far edge", at(0.74, 0.76), [], at(0.75, 0.75)],
    ["with the middle", at(0.37, 0.2), [], at(0.375, 0.205)],
    ["to another", at(0.418, 0.15, 0.2, 0.1), [at(0.1, 0, 0.31, 0.16)], at(0.41, 0.16, 0.2, 0.1)],
    ["not from afar", at(0.15, 0.15, 0.1, 0.1), [], at(0.15, 0.15, 0.1, 0.1)],
  ])("%s", (_, rect, others, want) => {
    const got = snapMove(rect, others, 0.015);
    expect(got.x).toBeCloseTo(want.x, 2);
    expect(got.y).toBeCloseTo(want.y, 2);
    expect([got.w, got.h]).toEqual([rect.w, rect.h]);
  });

  it.each([
    ["the right edge to a line", "se", 0.145, 0.4, false, at(0.1, 0.1, 0.4, 0.65)],
    ["the left edge, and leaves the right one", "sw", -0.09, 0, false, at(0, 0.1, 0.35, 0.25)],
    ["the upper edge, and leaves the lower one", "nw", 0, -0.095, false, at(0.1, 0, 0.25, 0.35)],
    ["both and keeps the shape", "ne", 0.15, 0.3, true, at(0.1, -0.05, 0.4, 0.4)],
    ["never to nothing", "se", -0.9, -0.9, false, at(0.1, 0.1, 0.02, 0.02)],
  ] as const)("sizes %s", (_, corner, dx, dy, shape, want) => {
    const got = snapSize(at(0.1, 0.1), corner, dx, dy, [], 0.015, shape);
    for (const side of ["x", "y", "w", "h"] as const) expect(got[side]).toBeCloseTo(want[side], 5);
  });
});
