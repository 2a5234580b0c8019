// The node's figures of the last hour, as long as somebody looks.
import { call, type Figures } from "./api";

/** How often new figures are read, and how long they are shown; milliseconds. */
const every = 10_000;
const shown = 3_600_000;

export class FigureHistory {
  list = $state.raw<Figures[]>([]);
  problem = $state("");

  /** Begins to read, until the answer is called. */
  open(): () => void {
    void this.#read();
    const timer = setInterval(() => void this.#read(), every);
    return () => clearInterval(timer);
  }

  async #read(): Promise<void> {
    const last = this.list.at(-1)?.time;
    try {
      const { items } = await call<{ items: Figures[] }>("GET", `/v1/system/figures${last ? `?since=${encodeURIComponent(last)}` : ""}`);
      const all = [...this.list, ...items.filter((each) => !last || each.time > last)];
      const oldest = new Date(all.at(-1)?.time ?? 0).getTime() - shown;
      this.list = all.filter((each) => new Date(each.time).getTime() > oldest);
      this.problem = "";
    } catch (error) {
      this.problem = (error as Error).message;
    }
  }

  /** One figure over time; where there is none of a moment it is left out. */
  points(of: (figures: Figures) => number | undefined): { time: number; value: number }[] {
    return this.list.flatMap((figures) => {
      const value = of(figures);
      return value === undefined ? [] : [{ time: new Date(figures.time).getTime(), value }];
    });
  }

  /** By how much a counter grew from one moment to the next; one that began again counts from 0. */
  growth(of: (figures: Figures) => number | undefined): { time: number; value: number }[] {
    const points = this.points(of);
    return points.slice(1).map(({ time, value }, i) => ({ time, value: value >= points[i]!.value ? value - points[i]!.value : value }));
  }
}
