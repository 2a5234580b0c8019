// Short messages that the operator must see but not answer.

export interface Notice {
  id: number;
  kind: "info" | "error";
  text: string;
}

/** How long a message stays, in milliseconds: long enough to read it twice. */
const stays = { info: 4000, error: 12000 };

class Notices {
  list = $state<Notice[]>([]);
  #next = 1;

  info(text: string): void {
    this.#add("info", text);
  }

  /** Tells of something that was asked for and not done. */
  error(reason: unknown): void {
    this.#add("error", reason instanceof Error ? reason.message : String(reason));
  }

  dismiss(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }

  #add(kind: Notice["kind"], text: string): void {
    if (this.list.some((notice) => notice.text === text)) return;
    const id = this.#next++;
    this.list = [...this.list.slice(-3), { id, kind, text }];
    setTimeout(() => this.dismiss(id), stays[kind]);
  }
}

export const notices = new Notices();

/** Does something that may be refused, and tells of the refusal. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    notices.error(error);
    return undefined;
  }
}
