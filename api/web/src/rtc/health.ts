// How a connection does, from the browser's statistics, in figures and words.

export interface Health {
  rttMs: number | undefined;
  loss: number | undefined; // share of the last packets, of the worse direction
  sentBps: number; // bits per second
  receivedBps: number;
  limited: "bandwidth" | "cpu" | undefined; // what keeps the picture small
  word: "good" | "fair" | "poor" | "unknown";
}

interface Counts {
  at: number; // ms
  sent: number; // bytes
  received: number;
  packets: number; // received
  lost: number;
}

const limitedCalls = 10; // until a limit counts

// healthMeter measures between its calls.
export function healthMeter(peer: RTCPeerConnection): () => Promise<Health> {
  let before: Counts | undefined;
  let limitedFor = 0; // calls in a row
  return async () => {
    const now: Counts = { at: performance.now(), sent: 0, received: 0, packets: 0, lost: 0 };
    let rtt: number | undefined;
    let told: number | undefined;
    let limited: Health["limited"];
    for (const report of (await peer.getStats()).values()) {
      if (report.type === "candidate-pair" && report.nominated) rtt = report.currentRoundTripTime ?? rtt;
      if (report.type === "outbound-rtp") {
        now.sent += report.bytesSent ?? 0;
        if (report.qualityLimitationReason === "bandwidth" || report.qualityLimitationReason === "cpu") limited = report.qualityLimitationReason;
      }
      if (report.type === "remote-inbound-rtp" && report.fractionLost !== undefined) told = Math.max(told ?? 0, report.fractionLost);
      if (report.type === "inbound-rtp") {
        now.received += report.bytesReceived ?? 0;
        now.packets += report.packetsReceived ?? 0;
        now.lost += report.packetsLost ?? 0;
      }
    }
    const seconds = before ? Math.max((now.at - before.at) / 1000, 0.001) : undefined;
    const packets = now.packets - (before?.packets ?? now.packets);
    const lost = Math.max(now.lost - (before?.lost ?? now.lost), 0);
    const heard = packets + lost > 0 ? lost / (packets + lost) : undefined;
    const loss = told === undefined && heard === undefined ? undefined : Math.max(told ?? 0, heard ?? 0);
    limitedFor = limited ? limitedFor + 1 : 0;
    if (limitedFor < limitedCalls) limited = undefined; // each connection begins slowly
    const health = {
      rttMs: rtt === undefined ? undefined : rtt * 1000,
      loss,
      sentBps: before && seconds ? ((now.sent - before.sent) * 8) / seconds : 0,
      receivedBps: before && seconds ? ((now.received - before.received) * 8) / seconds : 0,
      limited,
    };
    before = now;
    return { ...health, word: wordFor(health.rttMs, loss, limited) };
  };
}

export function wordFor(rttMs: number | undefined, loss: number | undefined, limited: Health["limited"]): Health["word"] {
  if (rttMs === undefined && loss === undefined) return "unknown";
  if ((rttMs ?? 0) > 400 || (loss ?? 0) > 0.08) return "poor";
  if ((rttMs ?? 0) > 200 || (loss ?? 0) > 0.02 || limited) return "fair";
  return "good";
}

// sentence says it to somebody who is about to be on air.
export function sentence(h: Health): string {
  const parts: string[] = [];
  if (h.rttMs !== undefined) parts.push(`round trip ${Math.round(h.rttMs)} ms`);
  if (h.loss !== undefined) parts.push(`${(h.loss * 100).toFixed(h.loss < 0.1 ? 1 : 0)} % lost`);
  if (h.sentBps > 0) parts.push(`sending ${rate(h.sentBps)}`);
  if (h.receivedBps > 0) parts.push(`receiving ${rate(h.receivedBps)}`);
  const advice = {
    bandwidth: " The network limits your picture: a cable, or a place nearer to the router, helps.",
    cpu: " This device is busy: closing other programs helps.",
  };
  const word = { good: "Connection good", fair: "Connection fair", poor: "Connection poor", unknown: "Measuring the connection" }[h.word];
  return `${word}${parts.length ? `: ${parts.join(", ")}` : ""}.${h.limited ? advice[h.limited] : ""}`;
}

function rate(bps: number): string {
  return bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mb/s` : `${Math.round(bps / 1000)} kb/s`;
}
