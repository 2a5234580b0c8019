// A WHEP viewer (draft-ietf-wish-whep): one offer, one answer, one DELETE.

export interface Viewer {
  peer: RTCPeerConnection;
  stream: MediaStream;
  close(): void;
}

export class NothingOnAir extends Error {}

const gatherMs = 500;

export async function view(endpoint: string, key?: string): Promise<Viewer> {
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const stream = new MediaStream();
  peer.ontrack = ({ track }) => stream.addTrack(track);
  peer.addTransceiver("video", { direction: "recvonly" });
  peer.addTransceiver("audio", { direction: "recvonly" });
  await peer.setLocalDescription();
  await gathered(peer);

  const headers: Record<string, string> = { "Content-Type": "application/sdp" };
  if (key) headers.Authorization = `Bearer ${key}`;
  const answer = await fetch(endpoint, { method: "POST", headers, body: peer.localDescription?.sdp });
  if (answer.status !== 201) {
    peer.close();
    if (answer.status === 409) throw new NothingOnAir();
    throw new Error((await answer.text()) || `HTTP status ${answer.status}`);
  }
  const session = new URL(answer.headers.get("Location") ?? endpoint, new URL(endpoint, location.href));
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  const close = (): void => {
    peer.close();
    void fetch(session, { method: "DELETE", headers: key ? { Authorization: `Bearer ${key}` } : {}, keepalive: true }).catch(() => undefined);
  };
  return { peer, stream, close };
}

// gathered waits for the candidates that come at once; the server needs none.
function gathered(peer: RTCPeerConnection): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      if (peer.iceGatheringState === "complete") resolve();
    };
    peer.addEventListener("icegatheringstatechange", done);
    setTimeout(resolve, gatherMs);
    done();
  });
}

// delay is what the network and the player's buffers add, in seconds: half the
// round trip and the mean time in the jitter buffer since the last call.
export function delayMeter(peer: RTCPeerConnection): () => Promise<number | undefined> {
  let buffered = 0;
  let emitted = 0;
  return async () => {
    let delay: number | undefined;
    let trip = 0;
    for (const report of (await peer.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === "video" && report.jitterBufferEmittedCount > emitted) {
        delay = (report.jitterBufferDelay - buffered) / (report.jitterBufferEmittedCount - emitted);
        buffered = report.jitterBufferDelay;
        emitted = report.jitterBufferEmittedCount;
      }
      if (report.type === "candidate-pair" && report.nominated) trip = report.currentRoundTripTime ?? 0;
    }
    return delay === undefined ? undefined : delay + trip / 2;
  };
}
