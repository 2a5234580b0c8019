// The cells of the built-in layouts on each channel's canvas, read once.
import { call, type LayoutCell, type List } from "./api";

type Layouts = Record<string, LayoutCell[]>;

class LayoutStore {
  #known = $state.raw<Record<string, Layouts>>({}); // by channel and number of slots
  #asked = new Set<string>();

  /** The cells of a layout; none until the node has answered. slots matters to auto-grid only. */
  cells(channel: string, layout: string, slots: number): LayoutCell[] {
    const count = layout === "auto-grid" ? Math.min(25, Math.max(1, slots)) : 0;
    const key = `${channel} ${count}`;
    if (!this.#asked.has(key)) {
      this.#asked.add(key);
      queueMicrotask(() => void this.#read(channel, count, key));
    }
    return this.#known[key]?.[layout] ?? [];
  }

  async #read(channel: string, count: number, key: string): Promise<void> {
    try {
      const list = await call<List<{ id: string; cells: LayoutCell[] }>>("GET", `/v1/channels/${channel}/layouts${count ? `?slots=${count}` : ""}`);
      this.#known = { ...this.#known, [key]: Object.fromEntries(list.items.map(({ id, cells }) => [id, cells])) };
    } catch {
      this.#asked.delete(key); // asked again with the next drawing
    }
  }
}

export const layouts = new LayoutStore();
