// Publishing: a camera and a microphone.
import { Connection } from "./connection";
import type { Phase } from "./connection";
import type { Target } from "./session";

export interface PublisherOptions extends Target {
  stream: MediaStream;
  changed?(phase: Phase, reason: string, status?: number): void;
}

export class Publisher extends Connection {
  private stream: MediaStream;

  constructor({ stream, ...options }: PublisherOptions) {
    super({
      ...options,
      prepare: (peer) => {
        for (const track of this.stream.getTracks()) peer.addTransceiver(track, { direction: "sendonly", streams: [this.stream] });
      },
    });
    this.stream = stream;
  }

  // use sends other devices, without a new session.
  async use(stream: MediaStream): Promise<void> {
    this.stream = stream;
    for (const sender of this.peer?.getSenders() ?? []) {
      const track = stream.getTracks().find(({ kind }) => kind === sender.track?.kind);
      if (track) await sender.replaceTrack(track);
    }
  }
}
