// The keyboard: which key does what, remapped per browser, off until the tab
// is armed, and never in a text field.
import { untrack } from "svelte";

export interface Command {
  id: string;
  title: string;
  /** Default keys as `keyName` writes them. */
  keys: string[];
  /** Works before the tab is armed: it does not touch what is on air. */
  safe?: boolean;
  run(): void;
  /** Called at release, for keys that are held. */
  release?(): void;
}

const stored = "millrace.keys";

/** How a key press is written: "Space", "Shift+1", "Ctrl+K", "ArrowUp". */
export function keyName(event: Pick<KeyboardEvent, "code" | "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">): string {
  const name = event.code.startsWith("Digit") ? event.code.slice(5) : event.code.startsWith("Key") ? event.code.slice(3) : event.key === "?" ? "?" : event.code || event.key;
  const mods = [event.ctrlKey || event.metaKey ? "Ctrl" : "", event.altKey ? "Alt" : "", event.shiftKey && name !== "?" ? "Shift" : ""];
  return [...mods.filter(Boolean), name].join("+");
}

/** Whether a key typed here is text or belongs to the control that has the focus. */
export function takesText(target: EventTarget | null): boolean {
  const at = target as HTMLElement | null;
  if (!at?.tagName) return false;
  return at.isContentEditable || ["TEXTAREA", "SELECT"].includes(at.tagName) || (at.tagName === "INPUT" && !["checkbox", "radio", "button"].includes((at as HTMLInputElement).type));
}

class Keys {
  armed = $state(false);
  help = $state(false);
  palette = $state(false);
  commands = $state.raw<Command[]>([]);
  remapped = $state<Record<string, string[]>>(load());
  #held?: { code: string; command: Command };
  #tabbing = false;
  #tabbed?: EventTarget | null; // what the focus was brought to by Tab

  start(): void {
    addEventListener("focusin", (event) => (this.#tabbed = this.#tabbing ? event.target : null));
    addEventListener("pointerdown", () => (this.#tabbing = false), true);
    addEventListener("keydown", (event) => this.#down(event));
    addEventListener("keyup", (event) => this.#up(event));
    addEventListener("blur", () => this.#release());
  }

  /** Adds a page's commands and gives what takes them away again. */
  use(commands: Command[]): () => void {
    this.commands = [...untrack(() => this.commands), ...commands];
    return () => (this.commands = this.commands.filter((command) => !commands.includes(command)));
  }

  keysOf(command: Command): string[] {
    return this.remapped[command.id] ?? command.keys;
  }

  /** Gives a command other keys, takes them from those who had them, and remembers it. */
  remap(id: string, keys: string[] | undefined): void {
    const map = { ...this.remapped };
    for (const other of this.commands) {
      const taken = keys && other.id !== id && this.keysOf(other).some((key) => keys.includes(key));
      if (taken) map[other.id] = this.keysOf(other).filter((key) => !keys.includes(key));
    }
    if (keys) map[id] = keys;
    else delete map[id];
    this.remapped = map;
    localStorage.setItem(stored, JSON.stringify(map));
  }

  #down(event: KeyboardEvent): void {
    if (event.key === "Tab") this.#tabbing = true;
    if (event.defaultPrevented || event.isComposing || takesText(event.target)) return;
    const name = keyName(event);
    const command = this.commands.findLast((each) => this.keysOf(each).includes(name));
    if (!command || (!this.armed && !command.safe) || this.#belongsToFocus(event, command)) return;
    event.preventDefault();
    if (event.repeat && !name.includes("Arrow")) return;
    if (command.release) this.#held = { code: event.code, command };
    command.run();
  }

  /** Enter and Space press the button that Tab went to; sliders and toolbars keep their arrows. */
  #belongsToFocus(event: KeyboardEvent, command: Command): boolean {
    const at = event.target as HTMLElement;
    if (at.closest("dialog[open], [data-own-keys]")) return command.id !== "cancel";
    if (event.code.startsWith("Arrow")) return at.closest('[role="slider"], [role="toolbar"], [role="listbox"]') !== null;
    const presses = ["Space", "Enter"].includes(event.code) && at === this.#tabbed;
    return presses && at.closest('button, a, [role="button"], summary, input') !== null;
  }

  #up(event: KeyboardEvent): void {
    if (this.#held?.code === event.code) this.#release();
  }

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.command.release?.();
  }
}

function load(): Record<string, string[]> {
  try {
    const map = JSON.parse(localStorage.getItem(stored) ?? "{}") as Record<string, string[]>;
    return Object.fromEntries(Object.entries(map).filter(([, keys]) => Array.isArray(keys)));
  } catch {
    return {};
  }
}

export const keys = new Keys();
