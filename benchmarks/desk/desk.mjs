// Presses keys on the control page of a running node, in headless Chromium, and
// measures until the page shows what the node acknowledged, and until a tally
// page in another window shows it. Prints one JSON of milliseconds.
//
//	node desk.mjs CONTROL_URL KEY CHANNEL CUTS
import { createRequire } from "node:module";

const require = createRequire(new URL("../../api/web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [control, key, channel, cuts] = process.argv.slice(2);
const scenes = ["desk-bench-a", "desk-bench-b"];
const settle = 300; // milliseconds between two keys, a quick operator's
const patience = 30_000; // milliseconds

/** Calls the API. */
async function call(method, path, body) {
  const answer = await fetch(`${control}/v1${path}`, { method, body: body && JSON.stringify(body), headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" } });
  if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
  return answer.json();
}

/** Leaves in the page a promise of the moment, on the machine's clock, at which the document looks so. */
const expectation = (page, look, argument) =>
  page.evaluate(([source, value, limit]) => {
    const holds = new Function("value", `return (${source})(value)`);
    window.seen = new Promise((resolve, reject) => {
      const check = () => holds(value) && (watch.disconnect(), resolve(performance.timeOrigin + performance.now()));
      const watch = new MutationObserver(check);
      watch.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
      setTimeout(() => reject(new Error(`not seen within ${limit} ms: ${value}`)), limit);
      addEventListener("keydown", () => (window.pressed = performance.timeOrigin + performance.now()), { once: true, capture: true });
    });
  }, [look.toString(), argument, patience]);

const onBus = ([bus, name]) => document.querySelector(`[aria-label="${bus} bus"] [aria-pressed="true"]`)?.textContent.includes(name);
const onTally = (word) => document.querySelector("h1").textContent.trim() === word;

const { sources } = await call("GET", `/channels/${channel}`);
for (const [i, id] of scenes.entries()) await call("POST", `/channels/${channel}/scenes`, { id, name: id, layout: "solo", slots: [sources[i]] });
const shown = (await call("GET", `/channels/${channel}`)).scenes;
const all = shown.map((scene) => scene.id);
const digit = (id) => String((all.indexOf(id) + 1) % 10);
const titleOf = (id) => shown.find((scene) => scene.id === id)?.name || id;

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--no-first-run", "--disable-background-networking"] });
const report = { acknowledged: [], tally: [] };
try {
  const context = await browser.newContext({ viewport: { width: 1920, height: 1080 } });
  const desk = await context.newPage();
  await desk.goto(`${control}/#token=${key}`);
  await desk.waitForSelector("main .page");
  await desk.goto(`${control}/c/${channel}`);
  await desk.waitForSelector('[aria-label="Preview bus"]');
  await desk.waitForFunction(() => document.querySelector('[aria-label="Program"]')?.videoWidth > 0);
  await desk.click("text=Arm keys");
  const tally = await context.newPage(); // in front, so that the browser does not slow the one that is watched
  await tally.goto(`${control}/tally/${sources[0]}`);
  await tally.waitForSelector("h1");
  for (let i = 0; i < Number(cuts); i++) {
    const next = scenes[(i + 1) % 2]; // the second first: what the demo begins with shows the source of the tally page
    const other = all.find((id) => !scenes.includes(id));
    for (const [name, bus, scene] of [[digit(other), "Preview", other], [digit(next), "Preview", next], ["Space", "Program", next]]) {
      if (await desk.evaluate(onBus, [bus, titleOf(scene)])) continue; // it would be acknowledged before it is pressed
      await expectation(desk, onBus, [bus, titleOf(scene)]);
      if (bus === "Program") await expectation(tally, onTally, i % 2 ? "ON AIR" : "NEXT");
      await desk.keyboard.press(name);
      const [pressed, seen] = await desk.evaluate(async () => [window.pressed, await window.seen].map(Number));
      report.acknowledged.push(seen - pressed);
      if (bus === "Program") report.tally.push((await tally.evaluate(() => window.seen)) - pressed);
      await desk.waitForTimeout(settle);
    }
  }
  console.log(JSON.stringify(report));
} finally {
  await browser.close();
}
