// A table that turns into cards where it would not fit: each cell gets the
// heading of its column, and app.css lays the rows out below each other.

/** For `use:cards` on a table with one row of headings. */
export function cards(table: HTMLTableElement): { destroy(): void } {
  table.classList.add("cards");
  const name = (): void => {
    const headings = [...(table.tHead?.rows[0]?.cells ?? [])].map((cell) => (cell.querySelector(".hidden-text") ? "" : (cell.textContent ?? "").trim()));
    for (const body of table.tBodies) {
      for (const row of body.rows) {
        [...row.cells].forEach((cell, i) => {
          const label = cell.colSpan > 1 ? "" : (headings[i] ?? "");
          if (cell.dataset.label !== label) cell.dataset.label = label;
        });
      }
    }
  };
  name();
  const watch = new MutationObserver(name);
  watch.observe(table, { childList: true, subtree: true });
  return { destroy: () => watch.disconnect() };
}
