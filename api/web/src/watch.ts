// The watch page: LL-HLS by hls.js, or by the browser itself where it can, and
// WebRTC for those who need to see at once.
import "./watch.css";
import type Player from "hls.js";
import { clockOffset, delayMeter } from "./rtc/latency";
import { viewer } from "./rtc/whep";

const channel = decodeURIComponent(location.pathname.split("/").pop() ?? "");
const playlist = `/live/${encodeURIComponent(channel)}/index.m3u8`;
const endpoint = `/whep/${encodeURIComponent(channel)}`;

const video = element<HTMLVideoElement>("video");
const message = element("message");
const latency = element("latency");
const rendition = element("rendition");
const sound = element<HTMLButtonElement>("sound");
const modes = [...document.querySelectorAll<HTMLButtonElement>("#modes button")];

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found as T;
}

const retryMs = 2000;
const meterMs = 500;

// stop ends what plays now; each way of playing sets it.
let stop = (): void => undefined;
// turn counts changes of mode: what was begun before the last one ends itself.
let turn = 0;
// offsetMs is what the server's timeline is ahead of this machine's clock.
let offsetMs: number | undefined;

function start(): void {
  element("channel").textContent = channel;
  document.title = `${channel} · Millrace`;
  sound.onclick = () => {
    video.muted = false;
    void video.play();
  };
  video.onvolumechange = () => (sound.hidden = !video.muted);
  video.onplaying = () => (message.textContent = "");
  for (const button of modes) button.onclick = () => choose(button.value);
  window.addEventListener("pagehide", () => stop());
  void clockOffset().then((offset) => (offsetMs = offset));
  choose(new URLSearchParams(location.search).get("mode") === "webrtc" ? "webrtc" : "hls");
}

function choose(mode: string): void {
  stop();
  stop = () => undefined;
  turn++;
  message.textContent = "Connecting…";
  latency.textContent = rendition.textContent = "";
  for (const button of modes) button.setAttribute("aria-pressed", String(button.value === mode));
  void (mode === "webrtc" ? playWebRTC(turn) : playHLS(turn));
}

async function playHLS(mine: number): Promise<void> {
  if (!(await available(mine))) return;
  const { default: Hls } = await import("hls.js");
  if (mine !== turn) return;
  if (Hls.isSupported()) playWith(Hls);
  else if (video.canPlayType("application/vnd.apple.mpegurl")) playNative();
  else message.textContent = "This browser plays neither HLS nor Media Source Extensions.";
}

// available waits until the channel has something to show and says what it
// waits for.
async function available(mine: number): Promise<boolean> {
  while (mine === turn) {
    try {
      const answer = await fetch(playlist, { cache: "no-store" });
      if (answer.ok) return mine === turn;
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
  return false;
}

function playNative(): void {
  video.src = playlist;
  const meter = setInterval(() => {
    const start = (video as HTMLVideoElement & { getStartDate?: () => Date }).getStartDate?.();
    if (start) showLatency((Date.now() + (offsetMs ?? 0) - start.getTime()) / 1000 - video.currentTime);
  }, meterMs);
  stop = () => {
    clearInterval(meter);
    video.removeAttribute("src");
  };
}

function playWith(Hls: typeof Player): void {
  const player = new Hls({ lowLatencyMode: true, backBufferLength: 30, maxLiveSyncPlaybackRate: 1.05 });
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
  const meter = setInterval(() => {
    const now = player.playingDate;
    if (now) showLatency((Date.now() + (offsetMs ?? 0) - now.getTime()) / 1000);
  }, meterMs);
  stop = () => {
    clearInterval(meter);
    player.destroy();
  };
}

function playWebRTC(mine: number): void {
  let meter: number | undefined;
  const connection = viewer({
    endpoint,
    shown: (stream) => {
      video.srcObject = stream;
      void video.play().catch(() => undefined); // the browser waits for a click
    },
    changed: (phase, reason, status) => {
      if (mine !== turn) return;
      clearInterval(meter);
      message.textContent = status === 409 ? `There is no channel “${channel}” on air. Waiting for it…` : reason || (phase === "connected" ? "" : "Connecting…");
      if (phase === "connected" && connection.peer) meter = showDelay(connection.peer);
    },
  });
  Object.assign(window, { connection }); // for the console and for tests
  stop = () => {
    clearInterval(meter);
    connection.close();
    video.srcObject = null;
  };
  connection.open();
}

// showDelay shows how a WebRTC viewer does, again and again.
function showDelay(peer: RTCPeerConnection): number {
  let clock: number | undefined;
  let delay = delayMeter(peer, clock);
  return window.setInterval(async () => {
    if (clock !== offsetMs) delay = delayMeter(peer, (clock = offsetMs));
    const found = await delay();
    if (found?.whole) showLatency(found.seconds);
    else if (found) latency.textContent = `${Math.round(found.seconds * 1000)} ms network and buffer`;
    if (video.videoWidth) rendition.textContent = `${video.videoWidth}×${video.videoHeight}, WebRTC`;
  }, meterMs);
}

function showLatency(seconds: number): void {
  latency.textContent = `${seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`} behind live`;
}

start();
