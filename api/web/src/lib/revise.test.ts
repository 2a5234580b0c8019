import { afterEach, expect, test, vi } from "vitest";
import { Conflict, replace, same } from "./revise";

afterEach(() => vi.unstubAllGlobals());

test("documents are the same whatever the order of their members", () => {
  expect(same({ a: 1, b: [{ x: 1, y: 2 }] }, { b: [{ y: 2, x: 1 }], a: 1 })).toBe(true);
  expect(same({ a: 1, b: undefined }, { a: 1 })).toBe(true);
  expect(same({ a: [1, 2] }, { a: [2, 1] })).toBe(false);
  expect(same({ a: 1 }, { a: 1, b: 2 })).toBe(false);
  expect(same([], {})).toBe(false);
  expect(same(null, {})).toBe(false);
});

/** A node with one document, of which somebody changes other things: the first puts are stale. */
function node(stored: unknown, stale: number): { puts: string[] } {
  const seen = { puts: [] as string[] };
  let revision = 7;
  vi.stubGlobal("fetch", async (_: string, { method, body, headers }: { method: string; body?: string; headers: Record<string, string> }) => {
    if (method === "GET") return new Response(JSON.stringify(stored), { headers: { ETag: `"${revision}"` } });
    seen.puts.push(headers["If-Match"] ?? "");
    if (seen.puts.length > stale) return new Response(body);
    revision++;
    return new Response(JSON.stringify({ title: "stale", status: 412, code: "stale" }), { status: 412 });
  });
  return seen;
}

test("a change beside the document is waited out", async () => {
  const seen = node({ id: "a", z: 1 }, 2);
  expect(await replace("it", "/x", { z: 1, id: "a" }, { z: 2, id: "a" })).toEqual({ z: 2, id: "a" });
  expect(seen.puts).toEqual(['"7"', '"8"', '"9"']);
});

test("a change of the document itself is a conflict, and nothing is put", async () => {
  const seen = node({ id: "a", z: 5 }, 0);
  const failure = await replace("the scene", "/x", { id: "a", z: 1 }, { id: "a", z: 2 }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Conflict);
  expect((failure as Conflict<unknown>).theirs).toEqual({ id: "a", z: 5 });
  expect(seen.puts).toEqual([]);
});
