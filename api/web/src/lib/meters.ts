// The levels of the channel that is open, 20 times a second. They go to the
// meters directly: a page that is made anew 20 times a second would be slow.

/** One bus or source, in decibels; -120 is silence. */
export interface Level {
  peak: [number, number];
  rms: [number, number];
  truePeak: number;
  momentary: number;
  shortTerm: number;
  integrated: number;
}

export interface Reading {
  frame: number;
  program: Level;
  sources: Record<string, Level>;
}

type Listener = (level: Level | undefined) => void;

/** Without a reading for this long, meters say that they stand still. Milliseconds. */
export const staleAfter = 500;

export class Meters {
  #listeners = new Map<string, Set<Listener>>();

  /** Calls to with every level of a source; of the program where source is "". */
  listen(source: string, to: Listener): () => void {
    const set = this.#listeners.get(source) ?? new Set();
    this.#listeners.set(source, set.add(to));
    return () => set.delete(to);
  }

  take(reading: Reading): void {
    for (const [source, set] of this.#listeners) {
      const level = source ? reading.sources[source] : reading.program;
      for (const to of set) to(level);
    }
  }
}

/** How a peak falls: 20 dB in 1.7 s (IEC 60268-10), by the time since the last value in milliseconds. */
export function fall(before: number, now: number, passed: number): number {
  return Math.max(now, before - (20 / 1700) * passed);
}

/** Where a level stands on a scale from -60 dBFS to 0, as a share of it. */
export function share(db: number): number {
  const at = Math.min(0, Math.max(-60, db));
  return at >= -20 ? 0.5 + ((at + 20) / 20) * 0.5 : ((at + 60) / 40) * 0.5;
}
