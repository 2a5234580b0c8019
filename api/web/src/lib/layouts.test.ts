import { describe, expect, it } from "vitest";
import { placements, used } from "./layouts";

const cell = (x: number, z = 0) => ({ rect: { x, y: 0, w: 0.5, h: 1 }, fit: "cover" as const, z });

describe("layouts", () => {
  it("fills cells in order and leaves empty slots out", () => {
    const scene = { id: "s", layout: "two-up", slots: ["", "b", "c"] };
    expect(placements(scene, [cell(0), cell(0.5)])).toEqual([{ x: 0.5, y: 0, w: 0.5, h: 1, source: "b", z: 0 }]);
  });

  it("draws higher layers later", () => {
    const scene = { id: "s", layers: [{ source: "top", z: 5 }, { source: "below" }] };
    expect(placements(scene, []).map((each) => each.source)).toEqual(["below", "top"]);
  });

  it.each([[undefined, 0], [["a", "", ""], 1], [["", "", "b"], 3]])("%j uses %d slots", (slots, want) => expect(used(slots)).toBe(want));
});
