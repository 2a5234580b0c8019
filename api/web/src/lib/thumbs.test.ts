import { expect, test } from "vitest";
import { Thumbs } from "./thumbs";

const thumbs = new Thumbs("http://h/dvr/main", 3200);
const all = (): boolean => true;

test("pictures near each other come from one sheet", () => {
  // Segment 1007 is the 8th of the sheet that begins with 1000.
  expect(thumbs.at(1007 * 3200 + 100, 3200, all)).toEqual({ url: "http://h/dvr/main/3201.600-3278.400/thumbnails/0.jpg", tile: [2, 1] });
});
test("pictures far apart come one by one", () => {
  expect(thumbs.at(1007 * 3200, 60_000, all)).toEqual({ url: "http://h/dvr/main/3224.000-3224.000/thumbnails/poster.jpg" });
});
test("a sheet that is not whole is not asked for", () => {
  expect(thumbs.at(1007 * 3200, 3200, (time) => time < 1010 * 3200)?.tile).toBeUndefined();
  expect(thumbs.at(1007 * 3200, 3200, (time) => time > 1002 * 3200)?.tile).toBeUndefined();
});
test("there is no picture of what is not stored", () => {
  expect(thumbs.at(1007 * 3200, 3200, () => false)).toBeUndefined();
});
