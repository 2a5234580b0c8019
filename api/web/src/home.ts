// The home page: channels with what is on air, sources with how they arrive,
// and where to push.
import { call, Unauthorized } from "./api";
import type { Channel, ChannelState, Source, Stats, System } from "./api";

const refreshMs = 1000;

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found as T;
}

// make builds an element; text is never markup.
function make<K extends keyof HTMLElementTagNameMap>(tag: K, text = "", className = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function stateOf(state: string): HTMLElement {
  return make("span", state, `state ${state}`);
}

async function start(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    history.replaceState(null, "", location.pathname);
    await signIn(token);
  }
  element<HTMLFormElement>("sign-in").onsubmit = (event) => {
    event.preventDefault();
    void signIn(element<HTMLInputElement>("key").value);
  };
  for (;;) {
    await refresh();
    await new Promise((resolve) => setTimeout(resolve, refreshMs));
  }
}

async function signIn(token: string): Promise<void> {
  try {
    await call("POST", "/v1/session", { token });
    element("sign-in-error").textContent = "";
  } catch (error) {
    element("sign-in-error").textContent =
      error instanceof Unauthorized ? "This key or link is not valid. A link works once." : String(error);
  }
}

async function refresh(): Promise<void> {
  const node = element("node");
  try {
    const [system, channels, sources] = await Promise.all([
      call<System>("GET", "/v1/system"),
      call<{ items: Channel[] }>("GET", "/v1/channels"),
      call<{ items: Source[] }>("GET", "/v1/sources"),
    ]);
    node.textContent = `node ${system.node} · ${system.version} · ${system.time.slice(0, 19).replace("T", " ")} UTC`;
    show(true);
    await showChannels(system, channels.items);
    await showSources(sources.items);
  } catch (error) {
    if (error instanceof Unauthorized) show(false);
    else node.textContent = "CONNECTION LOST, program is still running";
  }
}

function show(signedIn: boolean): void {
  element("home").hidden = !signedIn;
  element("sign-in").hidden = signedIn;
}

// mediaOrigin is where players pull from, by the name that this page was
// reached by.
function mediaOrigin(system: System): string {
  const { protocol, port } = new URL(system.mediaUrl);
  return `${protocol}//${location.hostname}:${port}`;
}

async function showChannels(system: System, channels: Channel[]): Promise<void> {
  const states = await Promise.all(channels.map((channel) => call<ChannelState>("GET", `/v1/channels/${channel.id}/state`)));
  const grid = element("channels");
  // A click is lost when its button is replaced between press and release: cards
  // are made anew only when something but a figure changed.
  const look = JSON.stringify(channels.map((channel, i) => [channel, states[i]?.state, states[i]?.reason, states[i]?.program]));
  if (grid.dataset.look !== look) {
    grid.dataset.look = look;
    grid.replaceChildren(...channels.map((channel, i) => card(system, channel, states[i]!)));
  }
  channels.forEach((channel, i) => {
    const figures = grid.children[i]?.querySelector(".quiet");
    if (figures) figures.textContent = figuresOf(channel, states[i]!);
  });
}

function figuresOf(channel: Channel, state: ChannelState): string {
  const { width, height, rate } = channel.canvas;
  return `${width}×${height} at ${rate} · ${state.encoder.device}/${state.encoder.codec} · late ticks ${state.ticks.late}`;
}

function card(system: System, channel: Channel, state: ChannelState): HTMLElement {
  const box = make("article", "", "card");
  const title = make("h3", channel.name || channel.id);
  title.append(stateOf(state.state));
  const watch = make("a", "Watch");
  watch.href = `${mediaOrigin(system)}/watch/${channel.id}`;
  const links = make("p");
  links.append(watch);
  box.append(title, make("p", `Program ${state.program}`), make("p", "", "quiet"));
  if (state.reason) box.append(make("p", state.reason));
  const scenes = make("p");
  for (const scene of channel.scenes ?? []) {
    const button = make("button", `Cut to ${scene.name || scene.id}`);
    button.type = "button";
    button.disabled = scene.id === state.program;
    button.onclick = () => void call("POST", `/v1/channels/${channel.id}/cut`, { scene: scene.id }).then(refresh);
    scenes.append(button, " ");
  }
  box.append(scenes, links);
  return box;
}

async function showSources(sources: Source[]): Promise<void> {
  const rows = await Promise.all(
    sources.map(async (source) => sourceRow(source, await call<Stats>("GET", `/v1/sources/${source.id}/stats`))),
  );
  // A click is lost when its button is replaced between press and release.
  const text = rows.map((row) => row.textContent).join("\n");
  const table = element("sources");
  if (table.dataset.text === text) return;
  table.dataset.text = text;
  table.replaceChildren(...rows);
}

function sourceRow(source: Source, stats: Stats): HTMLElement {
  const row = make("tr");
  const state = make("td");
  state.append(stateOf(source.state));
  const arrives = [
    stats.protocol,
    stats.video?.codec && `${stats.video.codec} ${stats.video.width}×${stats.video.height}`,
    stats.audio?.codec,
    stats.bitrate ? `${(stats.bitrate / 1e6).toFixed(1)} Mb/s` : "",
  ];
  const action = make("td");
  if (source.kind === "push") {
    const button = make("button", "Show address");
    button.type = "button";
    button.onclick = () => void showPush(source.id);
    action.append(button);
  }
  row.append(make("td", source.name ? `${source.name} (${source.id})` : source.id), make("td", source.kind), state, make("td", arrives.filter(Boolean).join(" · ")), action);
  return row;
}

async function showPush(id: string): Promise<void> {
  const source = await call<Source>("POST", `/v1/sources/${id}/reveal-key`);
  const list = element("push-addresses");
  list.replaceChildren();
  const add = (name: string, value: string | undefined): void => {
    if (!value) return;
    const copy = make("button", "Copy");
    copy.type = "button";
    copy.onclick = () => void navigator.clipboard.writeText(value);
    const line = make("dd");
    line.append(make("code", value), copy);
    list.append(make("dt", name), line);
  };
  add("RTMP server", source.ingest?.rtmp?.server);
  add("RTMP stream key", source.ingest?.rtmp?.streamKey);
  add("SRT", source.ingest?.srt?.url);
  element("push-source").textContent = id;
  element("push").hidden = false;
}

void start();
