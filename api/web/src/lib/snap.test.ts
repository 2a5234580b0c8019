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

  it("sizes to a line", () => {
    const got = snapSize(at(0.1, 0.1, 0.395, 0.6), [], 0.015);
    expect(got.x + got.w).toBeCloseTo(0.5);
    expect(got.h).toBeCloseTo(0.6);
  });
});
