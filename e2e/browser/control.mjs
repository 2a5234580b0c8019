// A whole show in the control room by the keyboard alone, in headless Chromium,
// and axe on every page. Prints one JSON.
//
//   node control.mjs CONTROL_URL KEY CHANNEL PID_OF_THE_NODE FOLDER
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(new URL("../../api/web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

const [control, key, channel, pid, folder] = process.argv.slice(2);
const patience = 30_000; // milliseconds
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});
const report = { errors: [], violations: [], pages: [], acknowledgedMs: [] };
const page = await browser.newPage({ viewport: { width: 1920, height: 1080 }, acceptDownloads: true });
page.setDefaultTimeout(patience);
page.on("pageerror", (error) => report.errors.push(error.message));
page.on("console", (message) => message.type() === "error" && report.errors.push(`${message.text()} ${message.location().url}`));

const press = (...keys) => keys.reduce((done, each) => done.then(() => page.keyboard.press(each)), Promise.resolve());

/** Opens a page or runs a command by its name. Whoever finds another one selected, as when a list came anew, tries again. */
async function command(name) {
  for (let tries = 5; ; tries--) {
    await press("Control+k");
    await page.waitForSelector('[role="combobox"]:focus');
    await page.keyboard.type(name);
    const selected = page.waitForFunction((n) => document.querySelector('[role="option"][aria-selected="true"]')?.textContent?.includes(n), name, { timeout: patience / 6 });
    if (await selected.then(() => true, () => false)) break;
    if (tries === 1) throw new Error(`the palette does not offer ${name}: ${await page.evaluate(() => document.querySelector('[role="combobox"]')?.value)}`);
    await press("Escape");
    await page.waitForSelector('[role="combobox"]', { state: "detached" });
  }
  await press("Enter");
}

/** Goes on with Tab until the control whose name holds text has the focus. */
async function tabTo(text) {
  for (let i = 0; i < 150; i++) {
    const name = await page.evaluate(() => {
      const at = document.activeElement;
      if (at === document.body) return "";
      return [at?.getAttribute("aria-label"), at?.closest("label")?.textContent, at?.textContent].filter(Boolean).join(" ");
    });
    if (name.includes(text)) return;
    await press("Tab");
    await page.waitForTimeout(10); // the page may still be loading what Tab goes to
  }
  throw new Error(`Tab does not lead to ${text}`);
}

/** Looks for what is not accessible, and takes a picture where one is wanted. */
async function inspect(name) {
  const found = await page.evaluate(`${axe}; axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map(({ target }) => target.join(" ")).join(", ")))`);
  report.violations.push(...found.map((each) => `${name}: ${each}`));
  report.pages.push(name);
  if (!folder) return;
  for (const [size, width, height] of [["1920", 1920, 1080], ["1366", 1366, 768], ["phone", 390, 844]]) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(1500);
    await page.screenshot({ path: join(folder, `${name}-${size}.png`) });
    report[`overflow ${name} ${size}`] = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  }
  await page.setViewportSize({ width: 1920, height: 1080 });
}

/** Waits until a bus shows a scene. */
const lit = (bus, scene) => page.waitForFunction(([b, s]) => [...document.querySelectorAll(`[aria-label="${b} bus"] [aria-pressed="true"]`)].some((each) => each.textContent.includes(s)), [bus, scene], { timeout: patience });

/** Presses a key and measures until the bus shows what the node acknowledged. */
async function timed(name, bus, scene) {
  await page.evaluate(([b, s]) => {
    window.acknowledged = new Promise((resolve) => {
      addEventListener("keydown", () => {
        const begin = performance.now();
        const row = document.querySelector(`[aria-label="${b} bus"]`);
        const look = () => [...row.querySelectorAll('[aria-pressed="true"]')].some((each) => each.textContent.includes(s)) && (watch.disconnect(), resolve(performance.now() - begin));
        const watch = new MutationObserver(look);
        watch.observe(row, { subtree: true, attributes: true });
      }, { once: true, capture: true });
    });
  }, [bus, scene]);
  await press(name);
  report.acknowledgedMs.push(Math.round(await page.evaluate(() => window.acknowledged)));
}

try {
  await page.goto(`${control}/#token=${key}`);
  await page.waitForSelector("h1");
  report.address = page.url();
  report.firstPaintMs = Math.round(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1));
  await inspect("home");

  await command("Sources");
  await tabTo("New source");
  await press("Enter");
  await page.waitForSelector('[role="dialog"]');
  await page.keyboard.type("Desk 2 M"); // keys of the desk in a text field are text
  await tabTo("Kind");
  await page.keyboard.type("Test");
  await tabTo("Make source");
  await press("Enter");
  await page.waitForSelector("text=desk-2-m");
  await page.waitForSelector('[role="dialog"]', { state: "detached" });
  await inspect("sources");

  await command("Control:");
  await page.waitForSelector('[aria-label="Preview bus"]');
  await press("2");
  report.disarmed = await page.evaluate(() => document.querySelector('[aria-label="Preview bus"] [aria-pressed="true"]')?.textContent.trim());
  await command("Arm");
  await timed("2", "Preview", "Two");
  await timed("Space", "Program", "Two");
  await timed("1", "Preview", "One");
  await timed("Enter", "Program", "One"); // AUTO
  await page.waitForSelector("text=MOVING", { state: "detached" });
  await press("Control+k");
  await page.waitForSelector('[role="combobox"]:focus');
  await page.keyboard.type("2");
  await press("Escape");
  await page.waitForSelector('[role="combobox"]', { state: "detached" });
  await press("k");
  await page.waitForSelector('[aria-label="Overlays"] [aria-pressed="true"]');
  await press("m");
  await page.waitForSelector("text=MUTED");
  await press("Shift+ArrowDown");
  await page.waitForSelector("output >> text=−3.0 dB");
  await press("n");
  await page.keyboard.down("r");
  await page.waitForSelector("text=■ Stop REC");
  await page.keyboard.up("r");
  await page.waitForFunction(() => document.querySelector('[aria-label="Program"]')?.videoWidth > 0, undefined, { timeout: patience });
  await page.waitForFunction(() => [...document.querySelectorAll('[role="meter"]')].some((each) => /dBFS/.test(each.getAttribute("aria-valuetext"))), undefined, { timeout: patience });
  await page.waitForFunction(() => [...document.querySelectorAll('[aria-label="Preview"]')].some((each) => each.videoWidth > 0), undefined, { timeout: patience }); // of the multiview
  await inspect("control");

  await command("DVR:");
  await page.waitForFunction(() => document.querySelector('[aria-label="Replay"]')?.readyState >= 2, undefined, { timeout: patience });
  const place = () => page.evaluate(() => Number(document.querySelector('[aria-label="Place in the DVR"]').getAttribute("aria-valuenow")));
  await press("ArrowLeft", "i");
  const begin = await place();
  await press("l");
  await page.waitForFunction((b) => Number(document.querySelector('[aria-label="Place in the DVR"]').getAttribute("aria-valuenow")) > b + 800, begin, { timeout: patience });
  await press("k", "o", "c");
  await page.waitForSelector("text=Download");
  await inspect("dvr");
  await tabTo("Download");
  const [download] = await Promise.all([page.waitForEvent("download"), press("Enter")]);
  const bytes = await readFile(await download.path());
  report.clip = { name: download.suggestedFilename(), bytes: bytes.length, type: bytes.subarray(4, 8).toString() };

  for (const [name, text] of [["guests", "Guests:"], ["layout", "Layouts:"], ["assets", "Assets"], ["recordings", "Recordings"], ["health", "Health"], ["alarms", "Alarms"], ["settings", "Settings"]]) {
    await command(text);
    await page.waitForSelector(`h1:has-text("${name === "layout" ? "Layouts" : text.replace(":", "")}")`);
    await inspect(name);
  }
  for (const [name, heading] of [["webhooks", "Webhooks"], ["show", "Import"], ["thresholds", "An alarm is raised when"]]) {
    await page.goto(`${control}/settings/${name}`);
    await page.waitForSelector(`h2:has-text("${heading}")`);
    await inspect(name);
  }
  await page.goto(`${control}/tally/one`);
  await page.waitForSelector("h1:has-text('ON AIR')");
  await inspect("tally");

  // A node that says nothing for two seconds is not shown as live; when it is back, so is the page.
  await page.goto(`${control}/c/${channel}`);
  await lit("Program", "One");
  process.kill(Number(pid), "SIGSTOP");
  try {
    await page.waitForSelector("text=CONNECTION LOST");
    report.lost = await page.evaluate(() => document.querySelector("main").inert);
    if (folder) await page.screenshot({ path: join(folder, "lost-1920.png") });
  } finally {
    process.kill(Number(pid), "SIGCONT");
  }
  await page.waitForSelector(".cover", { state: "detached" });
} catch (error) {
  report.errors.push(error.stack);
  if (folder) await page.screenshot({ path: join(folder, "failed.png") });
} finally {
  console.log(JSON.stringify(report));
  await browser.close();
}
