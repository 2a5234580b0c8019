import { describe, expect, it } from "vitest";
import { bitrate, bytes, decibels, duration, rateText, slug } from "./format";

describe("format", () => {
  it.each([
    [0, "00:00"],
    [-5, "00:00"],
    [61_999, "01:01"],
    [3_723_000, "1:02:03"],
    [100 * 3_600_000, "100:00:00"],
  ])("duration of %d ms", (ms, want) => expect(duration(ms)).toBe(want));

  it.each([
    [0, "0.0 dB"],
    [-6, "−6.0 dB"],
    [3.5, "+3.5 dB"],
    [-60, "−∞ dB"],
  ])("decibels of %d", (db, want) => expect(decibels(db)).toBe(want));

  it.each([
    ["Camera 1", "camera-1"],
    ["  Café, Table 2 ", "cafe-table-2"],
    ["日本", ""],
    ["x".repeat(39) + " y", "x".repeat(39)],
  ])("slug of %s", (name, want) => expect(slug(name)).toBe(want));

  it("rates, rates of bits and sizes", () => {
    expect(rateText("30000/1001")).toBe("29.97");
    expect(rateText("25")).toBe("25");
    expect(bitrate(2_800_000)).toBe("2.8 Mb/s");
    expect(bitrate(undefined)).toBe("");
    expect(bytes(1536 * 1024 * 1024)).toBe("1.5 GiB");
  });
});
