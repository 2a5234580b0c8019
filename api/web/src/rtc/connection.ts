// A connection that is kept: it restarts ICE when the network changes, and makes
// a new session, later and later, when that does not help.
import { Refused, Session } from "./session";
import type { Target } from "./session";

export type Phase =
  | "connecting"
  | "connected"
  | "waiting" // for what is not on air yet, or for the server
  | "ended"; // by close, or refused for good

export interface Options extends Target {
  // prepare adds tracks and transceivers to each new peer connection.
  prepare(peer: RTCPeerConnection): void;
  // changed is told of each phase; reason is a sentence for people, "" when all
  // is well, status that of the server's refusal.
  changed?(phase: Phase, reason: string, status?: number): void;
}

const firstDelayMs = 500;
const mostDelayMs = 8000;
const patienceMs = 3000; // for ICE to mend itself, and then for a restart
const connectMs = 15_000; // from the answer to media

export class Connection {
  session: Session | undefined;
  private phase: Phase = "waiting";
  private turn = 0; // what an older one has begun ends itself
  private delayMs = firstDelayMs;
  private timer: number | undefined;
  private abort = new AbortController();
  private readonly online = (): void => void this.mend(this.turn);

  constructor(private readonly options: Options) {}

  get peer(): RTCPeerConnection | undefined {
    return this.session?.peer;
  }

  // open begins, and goes on until close.
  open(): void {
    window.addEventListener("online", this.online);
    void this.connect();
  }

  close(): void {
    window.removeEventListener("online", this.online);
    this.drop();
    this.tell("ended", "");
  }

  private drop(): void {
    this.turn++;
    clearTimeout(this.timer);
    this.abort.abort();
    this.session?.leave();
    this.session = undefined;
  }

  private async connect(): Promise<void> {
    const turn = ++this.turn;
    this.abort = new AbortController();
    this.tell("connecting", "");
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    try {
      this.options.prepare(peer);
      peer.addEventListener("connectionstatechange", () => this.follow(turn, peer));
      const session = await Session.open(peer, this.options, this.abort.signal);
      if (turn !== this.turn) return session.leave();
      this.session = session;
      this.timer = window.setTimeout(() => this.again(turn, "No connection came about: UDP or TCP to the server's WebRTC port may be blocked."), connectMs);
    } catch (error) {
      peer.close();
      if (turn !== this.turn) return;
      if (error instanceof Refused && error.final) {
        this.drop();
        return this.tell("ended", error.message, error.status);
      }
      this.again(turn, error instanceof Error ? error.message : String(error), error instanceof Refused ? error : undefined);
    }
  }

  private follow(turn: number, peer: RTCPeerConnection): void {
    if (turn !== this.turn) return;
    clearTimeout(this.timer);
    switch (peer.connectionState) {
      case "connected":
        this.delayMs = firstDelayMs;
        this.tell("connected", "");
        break;
      case "disconnected":
        this.timer = window.setTimeout(() => void this.mend(turn), patienceMs);
        break;
      case "failed":
        void this.mend(turn);
        break;
      case "closed":
        this.again(turn, "The server ended the connection.");
    }
  }

  // mend restarts ICE; where the session is gone, a new one is made.
  private async mend(turn: number): Promise<void> {
    if (turn !== this.turn || !this.session) return;
    clearTimeout(this.timer);
    this.tell("connecting", "The network changed. Finding another way…");
    try {
      await this.session.restart();
      if (turn === this.turn && this.session.peer.connectionState !== "connected") {
        this.timer = window.setTimeout(() => this.again(turn, "The connection was lost."), connectMs);
      } else if (turn === this.turn) this.tell("connected", "");
    } catch {
      this.again(turn, "The connection was lost.");
    }
  }

  private again(turn: number, reason: string, refused?: Refused): void {
    if (turn !== this.turn) return;
    this.drop();
    const wait = Math.max(refused?.retryAfterMs ?? 0, this.delayMs) * (1 + Math.random() / 4);
    this.delayMs = Math.min(this.delayMs * 2, mostDelayMs);
    this.tell("waiting", reason, refused?.status);
    const mine = this.turn;
    this.timer = window.setTimeout(() => mine === this.turn && void this.connect(), wait);
  }

  private tell(phase: Phase, reason: string, status?: number): void {
    this.phase = phase;
    this.options.changed?.(phase, reason, status);
  }

  get state(): Phase {
    return this.phase;
  }
}
