// Which page is shown: the path of the address bar, and links that change it
// without loading the document again.

class Router {
  path = $state(location.pathname);

  constructor() {
    addEventListener("popstate", () => (this.path = location.pathname));
    document.addEventListener("click", (event) => this.#follow(event));
  }

  go(path: string): void {
    if (path === location.pathname) return;
    history.pushState(null, "", path);
    this.path = path;
    scrollTo(0, 0);
  }

  /** Takes clicks on links to pages of the control room. */
  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest?.("a");
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin || !isPage(link.pathname)) return;
    event.preventDefault();
    this.go(link.pathname);
  }
}

/** Whether a path is a page of the control room; /docs and the API are not. */
export function isPage(path: string): boolean {
  return /^\/($|c\/|sources|outputs|library|recordings|health|alarms|settings|tally\/)/.test(path);
}

/** The parts of a path: "/c/main/dvr" -> ["c", "main", "dvr"]. */
export function parts(path: string): string[] {
  return path.split("/").filter(Boolean).map(decodeURIComponent);
}

export const router = new Router();
