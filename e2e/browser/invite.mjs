// A guest follows an invite link in headless Chromium: joins, is told of his
// tally, hears and sees the return, leaves. Prints one JSON.
//
//   node invite.mjs LINK CUT_URL KICK_URL API_KEY SCENE_WITHOUT_HIM FOLDER
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(new URL("../../api/web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [link, cut, kick, key, without, folder] = process.argv.slice(2);
const port = new URL(link).port;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--host-resolver-rules=MAP insecure.test 127.0.0.1",
  ],
});
const report = { errors: [], urls: [], tallies: [], left: [], behind: [] };
try {
  const watching = await browser.newPage();
  await watching.goto(`${new URL(link).origin}/watch/main?mode=webrtc`);
  const page = await browser.newPage({ viewport: { width: 1100, height: 760 } });
  page.on("pageerror", (error) => report.errors.push(error.message));
  page.on("request", (request) => report.urls.push(request.url()));
  page.on("response", (response) => response.request().method() === "DELETE" && report.left.push(response.status()));
  const tally = (text) => page.waitForFunction((t) => document.getElementById("tally").textContent === t, text, { timeout: 30_000 });
  await page.goto(link);
  await page.waitForFunction(() => !document.getElementById("join").disabled);
  await page.waitForFunction(() => document.getElementById("level").value > 0.2, undefined, { timeout: 30_000 });
  report.tallies.push(await page.textContent("#tally"));
  await page.click("#join");
  await tally("ON AIR");
  await page.waitForFunction(() => document.getElementById("return").videoWidth === 640 && !document.getElementById("return").paused, undefined, { timeout: 30_000 });
  await page.waitForFunction(() => /round trip/.test(document.getElementById("health").textContent), undefined, { timeout: 30_000 });
  report.health = await page.textContent("#health");
  await page.screenshot({ path: join(folder, "guest-on-air.png") });
  report.tallies.push("ON AIR");

  // A new way for both directions, as when the network changes, without a new session.
  const sessions = () => page.evaluate(() => [window.publisher, window.returning].map(({ session }) => String(session.url)));
  const frames = () => page.evaluate(async () => {
    const counts = [];
    for (const { peer } of [window.publisher, window.returning]) {
      for (const r of (await peer.getStats()).values()) if (r.kind === "video" && (r.type === "inbound-rtp" || r.type === "outbound-rtp")) counts.push(r.framesDecoded ?? r.framesSent);
    }
    return counts;
  });
  const before = await sessions();
  await page.evaluate(() => Promise.all([window.publisher, window.returning].map(({ session }) => session.restart())));
  const counted = await frames();
  for (let i = 0; i < 200 && !(await frames()).every((n, at) => n > counted[at] + 20); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  report.restarted = (await frames()).map((n, at) => n - counted[at]);
  report.kept = JSON.stringify(await sessions()) === JSON.stringify(before);

  // The server ends the session: the page makes another.
  await fetch(kick, { method: "POST", headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" }, body: "{}" });
  await page.waitForFunction(() => document.getElementById("tally").textContent !== "ON AIR", undefined, { timeout: 30_000 });
  await tally("ON AIR");
  const taken = await fetch(cut, { method: "POST", headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" }, body: JSON.stringify({ scene: without }) });
  if (taken.status !== 200) throw new Error(`cut: ${taken.status} ${await taken.text()}`);
  await tally("GREEN ROOM");
  report.tallies.push("GREEN ROOM");
  await page.setViewportSize({ width: 390, height: 844 });
  report.overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await page.screenshot({ path: join(folder, "guest-phone.png"), fullPage: true });
  await page.click("#mute");
  await page.click("#join"); // leaves
  await tally("NOT CONNECTED");
  report.tallies.push("NOT CONNECTED");
  for (let i = 0; i < 100 && report.left.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 50));

  const behind = () => watching.waitForFunction(() => /behind live/.test(document.getElementById("latency").textContent) && document.getElementById("latency").textContent, undefined, { timeout: 30_000 });
  report.behind.push(await (await behind()).jsonValue());
  await watching.click("button[value=hls]");
  report.behind.push(await (await behind()).jsonValue());

  const insecure = await browser.newPage();
  await insecure.goto(link.replace("127.0.0.1", "insecure.test"));
  await insecure.waitForSelector("#help:not([hidden])");
  report.insecure = await insecure.textContent("#help-title");
  const wrong = await browser.newPage();
  await wrong.goto(`http://127.0.0.1:${port}/g/guest#key=aaaaaaaaaaaaaaaaaaaaaaaaaaaa`);
  await wrong.waitForSelector("#help:not([hidden])");
  report.wrong = await wrong.textContent("#help-title");
} finally {
  console.log(JSON.stringify(report));
  await browser.close();
}
