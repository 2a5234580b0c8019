import { describe, expect, it } from "vitest";
import { fall, Meters, share, type Level } from "./meters";

const level = (peak: number): Level => ({ peak: [peak, peak], rms: [peak, peak], truePeak: peak, momentary: peak, shortTerm: peak, integrated: peak });

describe("meters", () => {
  it("hands each source its level, and the program's under no name", () => {
    const got: Record<string, number | undefined> = {};
    const meters = new Meters();
    const stop = meters.listen("cam1", (l) => (got.cam1 = l?.peak[0]));
    meters.listen("", (l) => (got.program = l?.peak[0]));
    meters.listen("gone", (l) => (got.gone = l?.peak[0]));
    meters.take({ frame: 1, program: level(-6), sources: { cam1: level(-20) } });
    expect(got).toEqual({ cam1: -20, program: -6, gone: undefined });
    stop();
    meters.take({ frame: 2, program: level(-7), sources: { cam1: level(-30) } });
    expect(got.cam1).toBe(-20);
  });

  it("falls by 20 dB in 1.7 s and rises at once", () => {
    expect(fall(-10, -60, 1700)).toBeCloseTo(-30);
    expect(fall(-30, -5, 50)).toBe(-5);
  });

  it.each([[0, 1], [3, 1], [-20, 0.5], [-60, 0], [-120, 0]])("%d dBFS stands at %d", (db, want) => expect(share(db)).toBe(want));
});
