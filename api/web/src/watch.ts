// The watch page: LL-HLS by hls.js, or by the browser itself where it can.
import "./watch.css";

const channel = decodeURIComponent(location.pathname.split("/").pop() ?? "");
const playlist = `/live/${encodeURIComponent(channel)}/index.m3u8`;

const video = element<HTMLVideoElement>("video");
const message = element("message");
const latency = element("latency");
const rendition = element("rendition");
const sound = element<HTMLButtonElement>("sound");

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found as T;
}

const retryMs = 2000;

async function start(): Promise<void> {
  element("channel").textContent = channel;
  document.title = `${channel} · Millrace`;
  sound.onclick = () => {
    video.muted = false;
    void video.play();
  };
  video.onvolumechange = () => (sound.hidden = !video.muted);
  video.onplaying = () => (message.textContent = "");
  if (!(await available())) return;
  const { default: Hls } = await import("hls.js");
  if (Hls.isSupported()) playWith(Hls);
  else if (video.canPlayType("application/vnd.apple.mpegurl")) playNative();
  else message.textContent = "This browser plays neither HLS nor Media Source Extensions.";
}

// available waits until the channel has something to show and says what it
// waits for.
async function available(): Promise<boolean> {
  for (;;) {
    try {
      const answer = await fetch(playlist, { cache: "no-store" });
      if (answer.ok) return true;
      if (answer.status === 404) {
        message.textContent = `There is no channel “${channel}” on air. Waiting for it…`;
      } else if (answer.status === 401 || answer.status === 403) {
        message.textContent = "This channel is not open to you.";
        return false;
      } else {
        message.textContent = "The channel is starting…";
      }
    } catch {
      message.textContent = "The server does not answer. Trying again…";
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

function playNative(): void {
  video.src = playlist;
  setInterval(() => {
    const start = (video as HTMLVideoElement & { getStartDate?: () => Date }).getStartDate?.();
    if (start) showLatency((Date.now() - start.getTime()) / 1000 - video.currentTime);
  }, 500);
}

function playWith(Hls: typeof import("hls.js").default): void {
  const player = new Hls({
    lowLatencyMode: true,
    backBufferLength: 30,
    maxLiveSyncPlaybackRate: 1.05,
  });
  Object.assign(window, { player }); // for the console and for tests
  player.on(Hls.Events.ERROR, (_, data) => {
    if (!data.fatal) return;
    message.textContent = "The picture was lost. Trying again…";
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR) player.recoverMediaError();
    else setTimeout(() => player.loadSource(playlist), retryMs);
  });
  player.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => {
    const playing = player.levels[level];
    if (playing) rendition.textContent = `${playing.width}×${playing.height}, ${Math.round((playing.averageBitrate || playing.bitrate) / 1000)} kb/s`;
  });
  player.loadSource(playlist);
  player.attachMedia(video);
  setInterval(() => {
    const now = player.playingDate;
    if (now) showLatency((Date.now() - now.getTime()) / 1000);
  }, 500);
}

function showLatency(seconds: number): void {
  latency.textContent = `${seconds.toFixed(1)} s behind live`;
}

void start();
