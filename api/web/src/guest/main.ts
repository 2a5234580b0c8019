// The guest's page: camera and microphone in by WHIP, the program without the
// own voice back by WHEP, and what becomes of it. The key is in the fragment of
// the address, which no server and no log gets to see.
import "./guest.css";
import { healthMeter, sentence } from "../rtc/health";
import { viewer } from "../rtc/whep";
import { Publisher } from "../rtc/whip";
import type { Connection } from "../rtc/connection";
import { fill, LevelMeter, open } from "./devices";
import { forDevices, incomplete, insecure, refused } from "./help";
import type { Help } from "./help";
import { follow } from "./state";
import type { GuestState } from "./state";

const source = decodeURIComponent(location.pathname.split("/").pop() ?? "");
const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found as T;
}

const own = element<HTMLVideoElement>("own");
const back = element<HTMLVideoElement>("return");
const camera = element<HTMLSelectElement>("camera");
const microphone = element<HTMLSelectElement>("microphone");
const channels = element<HTMLSelectElement>("channel");
const join = element<HTMLButtonElement>("join");
const mute = element<HTMLButtonElement>("mute");
const cover = element<HTMLButtonElement>("cover");
const level = element<HTMLMeterElement>("level");

let stream: MediaStream | undefined;
let meter: LevelMeter | undefined;
let publisher: Publisher | undefined;
let returning: Connection | undefined;
let returned = ""; // channel whose return is shown
let state: GuestState | undefined;
let measuring: number | undefined;
let awake: WakeLockSentinel | undefined;

let over = false; // the key is not let in: nothing that follows matters

function help(what: Help | undefined): void {
  if (over) return;
  element("help").hidden = !what;
  element("help-title").textContent = what?.title ?? "";
  element("help-text").textContent = what?.text ?? "";
  element("help-again").hidden = !what?.again;
}

async function start(): Promise<void> {
  element("name").textContent = source;
  if (!key) return help(incomplete());
  void watchState();
  if (!window.isSecureContext || !navigator.mediaDevices) return help(insecure());
  element<HTMLButtonElement>("help-again").onclick = () => void openDevices();
  camera.onchange = microphone.onchange = () => void openDevices();
  navigator.mediaDevices.addEventListener("devicechange", () => void listDevices());
  join.onclick = () => (publisher ? leave() : enter());
  mute.onclick = () => toggle(mute, "audio", "Mute microphone", "Microphone is muted");
  cover.onclick = () => toggle(cover, "video", "Camera off", "Camera is off");
  channels.onchange = () => watchReturn(channels.value);
  element<HTMLButtonElement>("return-sound").onclick = () => void playReturn();
  window.addEventListener("pagehide", () => leave());
  await openDevices();
}

async function watchState(): Promise<void> {
  const status = await follow(source, key, new AbortController().signal, (told) => {
    state = told ?? state;
    show(told !== undefined);
  });
  leave();
  help(refused(status, ""));
  over = join.disabled = true;
  element("help-again").hidden = true;
}

// show says where the guest stands.
function show(heard: boolean): void {
  const tally = element("tally");
  if (state) {
    element("name").textContent = state.name || state.source;
    listChannels(state);
  }
  const live = publisher?.state === "connected";
  const on = state?.channels.map(({ tally }) => tally) ?? [];
  const [kind, text] = !heard
    ? ["unknown", "CONNECTION LOST"]
    : !live
      ? ["out", publisher ? "CONNECTING" : "NOT CONNECTED"]
      : on.includes("program")
        ? ["program", "ON AIR"]
        : on.includes("preview")
          ? ["preview", "YOU ARE NEXT"]
          : ["green", "GREEN ROOM"];
  if (tally.textContent !== text) tally.textContent = text;
  tally.dataset.tally = kind;
  document.title = `${text} · ${state?.name || source}`;
}

function listChannels({ channels: list }: GuestState): void {
  element("channel-choice").hidden = list.length < 2;
  const ids = list.map(({ id }) => id);
  if ([...channels.options].map(({ value }) => value).join() !== ids.join()) {
    channels.replaceChildren(...list.map(({ id, name }) => new Option(name || id, id, false, id === returned)));
  }
  if (publisher && !ids.includes(returned)) watchReturn(ids[0] ?? "");
}

async function openDevices(): Promise<void> {
  const before = stream;
  try {
    if (before && !publisher) for (const track of before.getTracks()) track.stop(); // some devices open once only
    stream = await open({ camera: camera.value, microphone: microphone.value });
  } catch (error) {
    join.disabled = !publisher;
    camera.value = microphone.value = ""; // any, next time
    return help(forDevices(error));
  }
  help(undefined);
  own.srcObject = stream;
  for (const track of stream.getTracks()) {
    track.enabled = (track.kind === "audio" ? mute : cover).getAttribute("aria-pressed") !== "true";
    track.addEventListener("ended", () => stream?.getTracks().includes(track) && help(forDevices(new DOMException("", "OverconstrainedError"))));
  }
  if (!meter) {
    meter = new LevelMeter();
    setInterval(showLevel, 50);
  }
  meter.listen(stream);
  await publisher?.use(stream);
  if (before && publisher) for (const track of before.getTracks()) track.stop();
  await listDevices();
  element("devices").hidden = false;
  join.disabled = over;
}

async function listDevices(): Promise<void> {
  await fill(camera, "videoinput", stream?.getVideoTracks()[0]);
  await fill(microphone, "audioinput", stream?.getAudioTracks()[0]);
}

let heardMs = 0; // since when the microphone is silent

function showLevel(): void {
  const now = meter?.read() ?? 0;
  level.value = now;
  if (now > 0.15) heardMs = performance.now();
  const quiet = performance.now() - heardMs > 5000;
  const muted = mute.getAttribute("aria-pressed") === "true";
  element("level-text").textContent = muted ? "muted" : quiet ? "Nothing is heard: say something, or pick another microphone." : now > 0.95 ? "Too loud" : "";
}

function toggle(button: HTMLButtonElement, kind: string, off: string, on: string): void {
  const pressed = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(pressed));
  button.textContent = pressed ? on : off;
  for (const track of stream?.getTracks() ?? []) if (track.kind === kind) track.enabled = !pressed;
}

function enter(): void {
  if (!stream) return;
  meter?.wake();
  publisher = new Publisher({
    endpoint: `/whip/${encodeURIComponent(source)}`,
    key,
    stream,
    changed: (phase, reason, status) => {
      element("connection").textContent = reason;
      if (phase === "ended" && status) {
        leave();
        return help(refused(status, reason));
      }
      help(status === 409 ? refused(409, "") : undefined);
      if (phase === "connected" && publisher?.peer) measure(publisher.peer);
      show(true);
    },
  });
  join.textContent = "Leave";
  join.classList.add("leave");
  mute.hidden = cover.hidden = false;
  Object.assign(window, { publisher }); // for the console and for tests
  publisher.open();
  watchReturn(channels.value || (state?.channels[0]?.id ?? ""));
  void navigator.wakeLock?.request("screen").then((lock) => (awake = lock), () => undefined);
}

function leave(): void {
  clearInterval(measuring);
  publisher?.close();
  publisher = undefined;
  watchReturn("");
  void awake?.release();
  awake = undefined;
  join.textContent = "Join";
  join.classList.remove("leave");
  mute.hidden = cover.hidden = true;
  element("health").textContent = element("connection").textContent = "";
  show(true);
}

// watchReturn shows a channel without the own voice; "" ends it.
function watchReturn(channel: string): void {
  if (channel === returned) return;
  returning?.close();
  returning = undefined;
  returned = channel;
  back.srcObject = null;
  element("return-state").textContent = "";
  if (!channel) return;
  returning = viewer({
    endpoint: `/whep/${encodeURIComponent(channel)}/return/${encodeURIComponent(source)}`,
    shown: (shown) => {
      back.srcObject = shown;
      void playReturn();
    },
    changed: (phase, reason, status) => {
      if (phase === "ended" && !reason) return;
      element("return-state").textContent = phase === "connected" ? "" : status === 409 ? "is about to come…" : reason || "is coming…";
    },
  });
  Object.assign(window, { returning });
  returning.open();
}

async function playReturn(): Promise<void> {
  try {
    await back.play();
    element("return-sound").hidden = true;
  } catch (error) {
    element("return-sound").hidden = !(error instanceof DOMException && error.name === "NotAllowedError");
  }
}

function measure(peer: RTCPeerConnection): void {
  clearInterval(measuring);
  const look = healthMeter(peer);
  const show = async (): Promise<void> => {
    if (publisher?.peer !== peer) return;
    const found = await look();
    const text = element("health");
    text.textContent = sentence(found);
    text.dataset.word = found.word;
  };
  void show();
  measuring = window.setInterval(() => void show(), 1000);
}

void start();
