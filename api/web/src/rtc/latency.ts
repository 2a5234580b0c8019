// How far behind the channel's own clock the picture on this screen is.

// clockOffset is what to add to Date.now() to get the server's timeline, ms, by
// the quickest of a few questions; undefined: the server does not say.
export async function clockOffset(): Promise<number | undefined> {
  let best: { trip: number; offset: number } | undefined;
  for (let i = 0; i < 4; i++) {
    try {
      const asked = Date.now();
      const answer = await fetch("/time", { cache: "no-store" });
      const time = Date.parse((await answer.text()).trim());
      const trip = Date.now() - asked;
      if (answer.ok && !Number.isNaN(time) && trip < (best?.trip ?? Infinity)) best = { trip, offset: time + trip / 2 - (asked + trip) };
    } catch {
      // the next one may be answered
    }
  }
  return best?.offset;
}

const ntpEpochMs = 2_208_988_800_000; // 1900 to 1970

export interface Delay {
  seconds: number;
  whole: boolean; // from the mixer's tick to the screen; else the network and the player's buffer only
}

// delayMeter measures a WebRTC viewer: by the time that the sender gives each
// picture, where the browser tells it, else by half the round trip and the mean
// time in the jitter buffer since the last call.
export function delayMeter(peer: RTCPeerConnection, offsetMs: number | undefined): () => Promise<Delay | undefined> {
  let buffered = 0;
  let emitted = 0;
  return async () => {
    let buffer: number | undefined;
    let trip = 0;
    let shown: number | undefined;
    for (const report of (await peer.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === "video") {
        shown = report.estimatedPlayoutTimestamp ?? shown;
        if (report.jitterBufferEmittedCount > emitted) {
          buffer = (report.jitterBufferDelay - buffered) / (report.jitterBufferEmittedCount - emitted);
          buffered = report.jitterBufferDelay;
          emitted = report.jitterBufferEmittedCount;
        }
      }
      if (report.type === "candidate-pair" && report.nominated) trip = report.currentRoundTripTime ?? 0;
    }
    if (shown !== undefined && offsetMs !== undefined) {
      const seconds = (Date.now() + offsetMs - (shown - ntpEpochMs)) / 1000;
      if (seconds > 0 && seconds < 60) return { seconds, whole: true };
    }
    return buffer === undefined ? undefined : { seconds: buffer + trip / 2, whole: false };
  };
}
