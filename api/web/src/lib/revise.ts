// Edits that respect each other: a document is replaced only if it still is what
// the editor began with. A scene's revision is that of its whole channel, so
// that a stale one alone says little: what is compared is the document.
import { call, Problem, read } from "./api";

/** Somebody else has changed the document meanwhile. */
export class Conflict<T> extends Error {
  constructor(
    what: string,
    readonly theirs: T,
  ) {
    super(`Somebody else has changed ${what} since you began. Theirs is in force and shown now; yours was not saved.`);
  }
}

/** How often a change beside this document is waited out. */
const tries = 5;

/** Puts next in the place of base and gives what is stored; throws a Conflict with theirs where it is not base any more. */
export async function replace<T>(what: string, path: string, base: T, next: T): Promise<T> {
  for (let left = tries; ; left--) {
    const { value, etag } = await read<T>(path);
    if (!same(value, base)) throw new Conflict(what, value);
    try {
      return await call<T>("PUT", path, next, { ifMatch: etag });
    } catch (error) {
      const stale = error instanceof Problem && error.status === 412;
      if (!stale || left === 1) throw error;
    }
  }
}

/** Whether two documents say the same; the order of members does not matter. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b || Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [members(a), members(b)];
  return left.length === right.length && left.every(([key, value]) => same(value, (b as Record<string, unknown>)[key]));
}

const members = (of: object): [string, unknown][] => Object.entries(of).filter(([, value]) => value !== undefined);
