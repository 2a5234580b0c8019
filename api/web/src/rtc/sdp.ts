// What of SDP the client must know itself: the fragments of trickle ICE
// (RFC 8840) and the sentences by which the server says that it sends nothing.

// valueOf is what stands behind the first key of a description, as
// "ice-ufrag".
export function valueOf(sdp: string, key: string): string | undefined {
  return new RegExp(`^a=${key}:(.*?)\\r?$`, "m").exec(sdp)?.[1];
}

// fragment is what PATCH carries: the credentials of a description and
// candidates of its first section.
export function fragment(sdp: string, candidates: string[]): string {
  const media = /^m=.*$/m.exec(sdp)?.[0].trim() ?? "m=audio 9 UDP/TLS/RTP/SAVPF 0";
  return [
    `a=ice-ufrag:${valueOf(sdp, "ice-ufrag")}`,
    `a=ice-pwd:${valueOf(sdp, "ice-pwd")}`,
    media,
    `a=mid:${valueOf(sdp, "mid") ?? "0"}`,
    ...candidates.map((candidate) => `a=${candidate}`),
    "",
  ].join("\r\n");
}

// restarted is an answer with the credentials and candidates of the fragment
// that the server gave for an ICE restart.
export function restarted(answer: string, answered: string): string {
  const candidates = answered.split(/\r?\n/).filter((line) => line.startsWith("a=candidate:") || line === "a=end-of-candidates");
  let first = true;
  const lines: string[] = [];
  for (const line of answer.split(/\r?\n/)) {
    if (line.startsWith("a=candidate:") || line === "a=end-of-candidates") continue;
    if (line.startsWith("a=ice-ufrag:")) lines.push(`a=ice-ufrag:${valueOf(answered, "ice-ufrag")}`);
    else if (line.startsWith("a=ice-pwd:")) {
      lines.push(`a=ice-pwd:${valueOf(answered, "ice-pwd")}`);
      if (first) lines.push(...candidates);
      first = false;
    } else lines.push(line);
  }
  return lines.join("\r\n");
}

// missing lists why sections of an answer carry nothing, in the server's words.
export function missing(answer: string): string[] {
  return answer
    .split(/^m=/m)
    .slice(1)
    .filter((section) => /^a=inactive\r?$/m.test(section))
    .map((section) => /^i=(.*?)\r?$/m.exec(section)?.[1] ?? "")
    .filter(Boolean);
}
