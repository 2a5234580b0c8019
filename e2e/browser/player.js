// One page plays one channel with one player, at the live edge with low
// latency, and keeps what happened in window.report for the test to read.
const query = new URLSearchParams(location.search);
const name = query.get("player");
const base = query.get("base"); // …/live/CHANNEL
const video = document.getElementById("video");
document.getElementById("name").textContent = name;

const report = (window.report = { name, errors: [], stalls: 0, jumps: 0, started: false, latency: null, latencies: [], seconds: 0, pause: 0, trail: [] });

const fail = (what) => {
  report.errors.push(String(what));
  note(`ERROR ${what}`);
};
// note keeps a trail of what the player did, which says why it stalled.
const note = (what) => report.trail.push(`${(performance.now() / 1000).toFixed(2)} at ${video.currentTime.toFixed(2)}: ${what}`);
addEventListener("error", (e) => fail(e.message));
addEventListener("unhandledrejection", (e) => fail(e.reason?.message ?? e.reason));

const players = {
  hls() {
    const player = new Hls({ lowLatencyMode: true, backBufferLength: 20 });
    player.on(Hls.Events.ERROR, (_, data) => fail(`${data.type} ${data.details} fatal=${data.fatal} ${data.reason ?? data.error?.message ?? ""}`));
    const { LEVEL_LOADING, AUDIO_TRACK_LOADING, FRAG_LOADING, FRAG_BUFFERED, LEVEL_SWITCHING } = Hls.Events;
    for (const event of [LEVEL_LOADING, AUDIO_TRACK_LOADING, FRAG_LOADING, FRAG_BUFFERED, LEVEL_SWITCHING]) {
      player.on(event, (_, { frag, part, url }) =>
        note(`${event} ${frag ? `${frag.type} ${frag.level} ${frag.sn}.${part?.index ?? ""}` : String(url).replace(base, "")}`));
    }
    player.loadSource(`${base}/index.m3u8`);
    player.attachMedia(video);
    return () => player.latency;
  },
  async shaka() {
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    await player.attach(video);
    player.addEventListener("error", (e) => fail(`shaka ${e.detail.code} ${JSON.stringify(e.detail.data?.slice(0, 2))}`));
    player.configure({ streaming: { lowLatencyMode: true } });
    await player.load(`${base}/manifest.mpd`);
    return () => Date.now() / 1000 - player.getPlayheadTimeAsDate().getTime() / 1000;
  },
  dash() {
    const player = dashjs.MediaPlayer().create();
    player.on(dashjs.MediaPlayer.events.ERROR, (e) => fail(`dash.js ${e.error?.code} ${e.error?.message}`));
    player.initialize(video, `${base}/manifest.mpd`, true);
    return () => player.getCurrentLiveLatency();
  },
};

async function watch() {
  const latency = await players[name]();
  let last = 0;
  let still = 0;
  let ticked = performance.now();
  video.addEventListener("playing", () => (report.started = true));
  setInterval(() => {
    const now = video.currentTime;
    if (!report.started) return;
    report.seconds += 0.1;
    report.pause = Math.max(report.pause, performance.now() - ticked); // the longest time that the page got no turn, in ms
    ticked = performance.now();
    if (now - last > 1.5 && last > 0 && report.seconds > 3) report.jumps++;
    // Half a second without progress is what a viewer calls a stall.
    still = now > last ? 0 : still + 1;
    if (still === 5) report.stalls++;
    last = now;
    report.latency = latency();
    report.latencies.push(report.latency);
    report.time = now;
    const quality = video.getVideoPlaybackQuality();
    report.frames = quality.totalVideoFrames;
    report.dropped = quality.droppedVideoFrames;
    report.width = video.videoWidth;
    report.buffered = video.buffered.length;
  }, 100);
}
watch().catch(fail);
