// Watching: the program, a return, or a source.
import { Connection } from "./connection";
import type { Phase } from "./connection";
import type { Target } from "./session";

export interface ViewerOptions extends Target {
  // shown is given the stream of each new session.
  shown(stream: MediaStream): void;
  changed?(phase: Phase, reason: string, status?: number): void;
}

export function viewer({ shown, ...options }: ViewerOptions): Connection {
  return new Connection({
    ...options,
    prepare(peer) {
      const stream = new MediaStream();
      peer.addEventListener("track", ({ track }) => stream.addTrack(track));
      peer.addTransceiver("video", { direction: "recvonly" });
      peer.addTransceiver("audio", { direction: "recvonly" });
      shown(stream);
    },
  });
}
