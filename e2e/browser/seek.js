// One page plays one stored piece with one player, seeks in it at random, and
// keeps what happened in window.report for the test to read.
const query = new URLSearchParams(location.search);
const name = query.get("player");
const base = query.get("base"); // the folder of index.m3u8 and manifest.mpd
const seeks = Number(query.get("seeks"));
const patience = 1000 * Number(query.get("patience")); // for a seek, ms
const video = document.getElementById("video");
document.getElementById("name").textContent = `${name} ${base}`;

const report = (window.report = { name, base, errors: [], seeks: 0, stuck: [], astray: [], hurried: [], row: [], from: 0, to: 0, slowest: 0, width: 0, tile: null, done: false });

const fail = (what) => report.errors.push(String(what));
addEventListener("error", (e) => fail(e.message));
addEventListener("unhandledrejection", (e) => fail(e.reason?.message ?? e.reason));

const seekable = () => [video.seekable.start(0), video.seekable.end(video.seekable.length - 1)];

const players = {
  hls() {
    const player = new Hls({ backBufferLength: 10 });
    // What hls.js mends by itself is no error to a viewer, unless it goes on.
    player.on(Hls.Events.ERROR, (_, data) => {
      if (data.details === "bufferStalledError" || data.details === "bufferSeekOverHole" || data.details === "bufferNudgeOnStall" || data.details === "fragGap") return;
      fail(`${data.type} ${data.details} fatal=${data.fatal} ${data.reason ?? data.error?.message ?? ""}`);
    });
    player.loadSource(`${base}/index.m3u8`);
    player.attachMedia(video);
    return seekable;
  },
  shaka: () => watchWithShaka("manifest.mpd"),
  "shaka-hls": () => watchWithShaka("index.m3u8"),
  dash() {
    const player = dashjs.MediaPlayer().create();
    player.on(dashjs.MediaPlayer.events.ERROR, (e) => fail(`dash.js ${e.error?.code} ${e.error?.message}`));
    player.initialize(video, `${base}/manifest.mpd`, true);
    thumbnail = async (time) => {
      const found = await new Promise((resolve) => player.provideThumbnail(time, resolve));
      return found && { url: found.url, columns: 0, rows: 0, width: found.width, height: found.height };
    };
    return seekable;
  },
};

async function watchWithShaka(document) {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  await player.attach(video);
  player.addEventListener("error", (e) => {
    if (e.detail.code === shaka.util.Error.Code.SEGMENT_MISSING) return; // what it says of EXT-X-GAP, and goes on
    fail(`shaka ${e.detail.code} ${JSON.stringify(e.detail.data?.slice(0, 2))}`);
  });
  await player.load(`${base}/${document}`);
  thumbnail = async (time) => {
    const track = player.getImageTracks()[0];
    const found = track && (await player.getThumbnails(track.id, time));
    return found && { url: found.uris[0], width: found.width, height: found.height };
  };
  return () => [player.seekRange().start, player.seekRange().end];
}

// thumbnail is what the player knows of the picture to show for a time: the sheet's
// address and the size of a tile.
let thumbnail = async () => null;

// look loads the sheet of a thumbnail, and says how many tiles it has, and its size.
async function look(time) {
  const found = await thumbnail(time);
  if (!found) return null;
  const image = new Image();
  image.crossOrigin = "anonymous";
  image.src = found.url;
  await image.decode();
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  return [Math.round(width / found.width), Math.round(height / found.height), width, height];
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// until waits for a condition, and says whether it came.
async function until(condition) {
  for (const end = performance.now() + patience; performance.now() < end; await sleep(20)) {
    if (condition()) return true;
  }
  return false;
}

// playsOn says whether the picture moves from where it stands now.
async function playsOn() {
  if (!(await until(() => !video.seeking && video.readyState >= 2))) return false;
  const from = video.currentTime;
  // As long as players take to go back to the live edge, if they do.
  return until(() => video.currentTime > from + 0.7 || video.ended);
}

// A fixed row of numbers in [0, 1), so that a failure can be seen again.
let state = 12345;
const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;

async function run() {
  const range = await players[name]();
  if (!(await playsOn())) return fail("it does not begin to play");
  report.width = video.videoWidth;
  for (; report.seeks < seeks; report.seeks++) {
    const [from, to] = range();
    report.from = from;
    report.to = to;
    const target = from + random() * Math.max(to - from - 2, 0);
    // Shaka may jump to what it has buffered further on when it has not thrown
    // that away in time: a viewer would ask again.
    if (!(await seek(target)) && !(await seek(target))) report.astray.push([target, video.currentTime]);
  }
  const [from, to] = range();
  report.tile = await look(from + (to - from) / 4); // not within a gap
}

// seek says whether the picture moves near the target afterwards; over a gap it
// goes on after it.
async function seek(target) {
  const begun = performance.now();
  video.currentTime = target;
  if (video.paused) video.play();
  if (!(await playsOn())) {
    report.stuck.push(target);
    return true;
  }
  if (video.playbackRate !== 1) report.hurried.push(video.playbackRate);
  report.row.push([target, video.currentTime]);
  report.slowest = Math.max(report.slowest, performance.now() - begun);
  return video.currentTime >= target - 4 && video.currentTime <= target + Number(query.get("gap")) + 8;
}
run()
  .catch(fail)
  .finally(() => (report.done = true));
