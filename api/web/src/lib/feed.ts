// The node's events over one WebSocket (GET /v1/ws): what changed, as it
// changes, a heartbeat a second, and the meters of the channel that is open. A
// WebSocket, as event streams would use up the six connections that a browser
// keeps to one host.

export interface ServerEvent {
  id?: string;
  type: string;
  time: string;
  data?: Record<string, unknown>;
}

export interface FeedUser {
  event(event: ServerEvent): void;
  /** Everything must be read again: the stream begins, or what was missed is not known any more. */
  resync(): void;
  /** A connection that stood was lost, or could not be had. */
  down(): void;
}

/** How long until the next attempt, in milliseconds: soon after a break, seldom where the node has no such stream. */
const retrySoon = 500;
const retryLate = 10_000;

export class Feed {
  live = false;
  #socket?: WebSocket;
  #retry = 0;
  #last = "";
  #meters: string[] = [];

  constructor(private readonly user: FeedUser) {}

  open(): void {
    this.close();
    const query = new URLSearchParams();
    if (this.#last) query.set("lastEventId", this.#last);
    if (this.#meters.length) query.set("meters", this.#meters.join(","));
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/v1/ws?${query}`);
    this.#socket = socket;
    socket.onmessage = (message) => this.#take(JSON.parse(message.data as string) as ServerEvent);
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      const stood = this.live;
      this.live = false;
      this.user.down();
      this.#retry = setTimeout(() => this.open(), stood ? retrySoon : retryLate);
    };
  }

  close(): void {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = undefined;
    this.live = false;
    socket?.close();
  }

  /** Asks for the meters of these channels and no others. */
  meter(channels: string[]): void {
    this.#meters = channels;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ types: ["*"], meters: channels }));
  }

  #take(event: ServerEvent): void {
    if (event.id) this.#last = event.id;
    const begins = event.type === "hello" || event.type === "reset";
    if (!this.live) this.live = true;
    if (begins) this.user.resync();
    this.user.event(event);
  }
}
