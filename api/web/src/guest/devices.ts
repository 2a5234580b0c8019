// The camera and the microphone of this device, and how loud the latter is.

export interface Choice {
  camera?: string; // device ids
  microphone?: string;
}

export async function open({ camera, microphone }: Choice): Promise<MediaStream> {
  return navigator.mediaDevices.getUserMedia({
    video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, ...(camera ? { deviceId: { exact: camera } } : {}) },
    audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...(microphone ? { deviceId: { exact: microphone } } : {}) },
  });
}

// fill lists the devices of a kind, with the one in use chosen.
export async function fill(select: HTMLSelectElement, kind: MediaDeviceKind, track: MediaStreamTrack | undefined): Promise<void> {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === kind);
  select.replaceChildren(
    ...devices.map((device, i) => {
      const option = document.createElement("option");
      option.value = device.deviceId;
      option.textContent = device.label || `${kind === "videoinput" ? "Camera" : "Microphone"} ${i + 1}`;
      option.selected = device.deviceId === track?.getSettings().deviceId;
      return option;
    }),
  );
}

// levelMeter reads how loud a stream is, 0 to 1 for -60 to 0 dBFS, until stop.
export class LevelMeter {
  private readonly context = new AudioContext();
  private readonly analyser = new AnalyserNode(this.context, { fftSize: 2048 });
  private readonly samples = new Float32Array(2048);
  private source: MediaStreamAudioSourceNode | undefined;

  listen(stream: MediaStream): void {
    this.source?.disconnect();
    this.source = undefined;
    if (stream.getAudioTracks().length === 0) return;
    this.source = this.context.createMediaStreamSource(stream);
    this.source.connect(this.analyser);
  }

  // wake begins measuring where the browser waited for a click.
  wake(): void {
    void this.context.resume();
  }

  read(): number {
    this.analyser.getFloatTimeDomainData(this.samples);
    const mean = this.samples.reduce((sum, x) => sum + x * x, 0) / this.samples.length;
    const decibels = 10 * Math.log10(Math.max(mean, 1e-6));
    return Math.min(Math.max((decibels + 60) / 60, 0), 1);
  }
}
