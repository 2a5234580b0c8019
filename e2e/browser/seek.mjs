// Plays stored pieces in headless Chromium, seeks in them at random, and prints
// one JSON report a line.
//
//   node seek.mjs PAGE_ORIGIN SEEKS PATIENCE_SECONDS GAP_SECONDS SCREENSHOT_FOLDER PLAYER=BASE_URL…
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(new URL("../../api/web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [origin, seeks, patience, gap, folder, ...pieces] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
  ],
});
try {
  const waiting = [...pieces.entries()];
  const next = async () => {
    for (let entry; (entry = waiting.shift()); ) {
      const [i, piece] = entry;
      const [player, base] = [piece.slice(0, piece.indexOf("=")), piece.slice(piece.indexOf("=") + 1)];
      // A window each: hidden tabs are throttled.
      const page = await (await browser.newContext({ viewport: { width: 640, height: 400 } })).newPage();
      const query = new URLSearchParams({ player, base, seeks, patience, gap });
      await page.goto(`${origin}/page/seek.html?${query}`);
      await page.waitForFunction("window.report.done", null, { timeout: 1000 * (Number(seeks) + 2) * Number(patience) });
      await page.screenshot({ path: join(folder, `seek-${i}-${player}.png`) });
      console.log(JSON.stringify(await page.evaluate("window.report")));
      await page.context().close();
    }
  };
  await Promise.all([next(), next(), next()]); // few at a time: each decodes
} finally {
  await browser.close();
}
