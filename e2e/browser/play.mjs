// Plays a channel in headless Chromium with each player named, at the same
// time, and prints one JSON report a line.
//
//   node play.mjs PAGE_ORIGIN MEDIA_BASE SECONDS SCREENSHOT_FOLDER PLAYER…
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(new URL("../../api/web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [origin, base, seconds, folder, ...players] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
  ],
});
try {
  const pages = await Promise.all(
    players.map(async (player) => {
      // A window each: hidden tabs are throttled.
      const page = await (await browser.newContext({ viewport: { width: 640, height: 400 } })).newPage();
      await page.goto(`${origin}/page/player.html?player=${player}&base=${encodeURIComponent(base)}`);
      return page;
    }),
  );
  await Promise.all(pages.map((page) => page.waitForFunction("window.report.started || window.report.errors.length", null, { timeout: 60_000 })));
  await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
  for (const [i, page] of pages.entries()) {
    await page.screenshot({ path: join(folder, `${players[i]}.png`) });
    console.log(JSON.stringify(await page.evaluate("window.report")));
  }
} finally {
  await browser.close();
}
