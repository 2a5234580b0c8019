// A guest in headless Chromium, codec after codec: sends its camera by WHIP,
// watches program and its own return by WHEP, leaves. Prints one JSON a line.
//
//   node guest.mjs PAGE_ORIGIN MEDIA_ORIGIN CHANNEL SOURCE KEY SECONDS CODEC…
import { createRequire } from "node:module";

const require = createRequire(new URL("../../api/web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [origin, media, channel, source, key, seconds, ...codecs] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream", "--disable-quic", "--no-first-run", "--disable-background-networking",
  ],
});
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
try {
  for (const codec of codecs) {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`${origin}/page/guest.html`);
    await page.waitForFunction("window.publish");
    await page.evaluate((k) => (window.key = k), key);
    const published = await page.evaluate(([u, k, c]) => window.publish(u, k, c), [`${media}/whip/${source}`, key, codec]);
    const program = await page.evaluate((u) => window.watch("program", u), `${media}/whep/${channel}`);
    await pause(2000); // the return begins when the guest is there
    const own = await page.evaluate((u) => window.watch("return", u), `${media}/whep/${channel}/return/${source}`);
    await pause(Number(seconds) * 1000);
    const stats = await (await fetch(process.env.STATS, { headers: { Authorization: `Bearer ${process.env.API_KEY}` } })).json();
    const figures = await page.evaluate("window.figures()");
    const left = [];
    for (const [name, session] of [["return", own], ["program", program], ["publish", published]]) {
      left.push(await page.evaluate(([n, s]) => window.leave(n, s), [name, session]));
    }
    console.log(JSON.stringify({ codec, errors, figures, left, stats }));
    await page.close();
    await pause(500);
  }
} finally {
  await browser.close();
}
