// One WHIP or WHEP session (RFC 9725, draft-ietf-wish-whep): an offer, its
// answer, trickled candidates, ICE restarts, and DELETE at the end.
import { fragment, missing, restarted } from "./sdp";

// Refused is a server's no. final: asking again will not help.
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfterMs: number | undefined,
  ) {
    super(message);
  }
  get final(): boolean {
    return this.status >= 400 && this.status < 500 && ![408, 409, 425, 429].includes(this.status);
  }
}

export interface Target {
  endpoint: string; // URL of POST
  key?: string; // Bearer token
}

const fragmentType = "application/trickle-ice-sdpfrag";
const trickleMs = 100; // candidates of so long go together
const leaveMs = 2000; // that a goodbye may take

export class Session {
  // Why there is no picture or no sound, in the server's words.
  readonly missing: string[];
  private etag: string | null;
  private waiting: string[] = [];
  private timer: number | undefined;

  private constructor(
    readonly peer: RTCPeerConnection,
    private readonly target: Target,
    private readonly url: URL,
    private answer: string,
    etag: string | null,
  ) {
    this.etag = etag;
    this.missing = missing(answer);
  }

  // open makes a session of a peer that has its tracks or transceivers.
  static async open(peer: RTCPeerConnection, target: Target, signal?: AbortSignal): Promise<Session> {
    const early: string[] = [];
    let session: Session | undefined;
    peer.addEventListener("icecandidate", ({ candidate }) => {
      if (!candidate?.candidate || candidate.sdpMLineIndex !== 0) return;
      if (session) session.trickle(candidate.candidate);
      else early.push(candidate.candidate);
    });
    await peer.setLocalDescription();
    const response = await fetch(target.endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", ...authorization(target) },
      body: peer.localDescription?.sdp,
      signal,
    });
    if (response.status !== 201) throw await refusal(response);
    const answer = await response.text();
    const url = new URL(response.headers.get("Location") ?? "", new URL(target.endpoint, location.href));
    session = new Session(peer, target, url, answer, response.headers.get("ETag"));
    try {
      await peer.setRemoteDescription({ type: "answer", sdp: answer });
    } catch (error) {
      session.leave();
      throw error;
    }
    for (const candidate of early) session.trickle(candidate);
    return session;
  }

  // restart finds a new way to the server over another network, without a break
  // of what is played.
  async restart(): Promise<void> {
    this.etag = null; // candidates wait for the answer
    this.waiting = [];
    this.peer.restartIce();
    await this.peer.setLocalDescription();
    const response = await this.patch(fragment(this.peer.localDescription?.sdp ?? "", []), "*");
    if (response.status !== 200) throw await refusal(response);
    this.etag = response.headers.get("ETag");
    this.answer = restarted(this.answer, await response.text());
    await this.peer.setRemoteDescription({ type: "answer", sdp: this.answer });
    this.flush();
  }

  // leave ends the session on the server, then here. It may be called as the page
  // goes.
  leave(): void {
    clearTimeout(this.timer);
    void fetch(this.url, { method: "DELETE", headers: authorization(this.target), keepalive: true, signal: AbortSignal.timeout(leaveMs) })
      .catch(() => undefined) // it may be gone already
      .finally(() => this.peer.close());
  }

  // trickle tells the server of a candidate. It finds us without, too: what goes
  // wrong here is left to ICE.
  private trickle(candidate: string): void {
    this.waiting.push(candidate);
    if (this.waiting.length === 1) this.timer = window.setTimeout(() => this.flush(), trickleMs);
  }

  private flush(): void {
    const sdp = this.peer.localDescription?.sdp;
    if (!sdp || !this.etag || !this.waiting.length) return;
    void this.patch(fragment(sdp, this.waiting.splice(0)), this.etag).catch(() => undefined);
  }

  private patch(body: string, match: string): Promise<Response> {
    return fetch(this.url, { method: "PATCH", headers: { "Content-Type": fragmentType, "If-Match": match, ...authorization(this.target) }, body });
  }
}

function authorization({ key }: Target): Record<string, string> {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function refusal(response: Response): Promise<Refused> {
  const text = await response.text().catch(() => "");
  let detail = text;
  try {
    detail = (JSON.parse(text) as { detail?: string }).detail ?? text;
  } catch {
    // not a problem document: the text itself
  }
  const seconds = Number(response.headers.get("Retry-After"));
  return new Refused(response.status, detail || `HTTP status ${response.status}`, seconds > 0 ? seconds * 1000 : undefined);
}
