// What the keys do on the control page. All of them act on the show, so that
// they work only while the tab is armed.
import type { Desk } from "./desk.svelte";
import type { Command } from "./keys.svelte";
import { title } from "./format";
import { server } from "./server.svelte";

/** How long R is held before the recording begins or ends, in milliseconds. */
const holdFor = 600;
/** How long after G a digit still chooses a layout, in milliseconds. */
const chordFor = 2000;

export function deskKeys(desk: Desk): Command[] {
  let layoutUntil = 0;
  let hold = 0;
  const digits = Array.from({ length: 10 }, (_, i) => String((i + 1) % 10));
  const digit = (i: number): void => {
    if (performance.now() < layoutUntil) {
      layoutUntil = 0;
      const layout = server.capabilities?.layouts[i];
      if (layout) void desk.previewLayout(layout);
      return;
    }
    const scene = desk.scenes[i];
    if (scene) void desk.preview(scene.id);
  };
  return [
    ...digits.map((key, i): Command => ({ id: `preview-${i + 1}`, title: `Scene ${i + 1} to preview`, keys: [key], run: () => digit(i) })),
    ...digits.map((key, i): Command => ({
      id: `hot-${i + 1}`, title: `Cut to scene ${i + 1}, when hot cut is on`, keys: [`Shift+${key}`],
      run: () => desk.scenes[i] && desk.hotCutTo(desk.scenes[i].id),
    })),
    { id: "cut", title: "Cut preview to program", keys: ["Space"], run: () => void desk.cut() },
    { id: "auto", title: "Bring preview on air by the transition", keys: ["Enter"], run: () => void desk.auto() },
    { id: "ftb", title: "Fade to black, and back", keys: ["F"], run: () => void desk.fadeToBlack() },
    { id: "layout", title: "Layout to preview: G, then 1 to 9", keys: ["G"], run: () => (layoutUntil = performance.now() + chordFor) },
    { id: "overlay", title: "First overlay on or off", keys: ["K"], run: () => desk.overlays[0] && void desk.toggleOverlay(desk.overlays[0].id) },
    { id: "strip-next", title: "Select the next audio strip", keys: ["ArrowRight"], run: () => step(desk, 1) },
    { id: "strip-previous", title: "Select the audio strip before", keys: ["ArrowLeft"], run: () => step(desk, -1) },
    { id: "follow", title: "Selected strip: sound follows the picture, or not", keys: ["A"], run: () => strip(desk, (s) => ({ mode: desk.audio(s).mode === "follow" ? "on" : "follow" })) },
    { id: "mute", title: "Selected strip: mute", keys: ["M"], run: () => strip(desk, (s) => ({ mute: !desk.audio(s).mute })) },
    { id: "solo", title: "Selected strip: solo", keys: ["P"], run: () => strip(desk, (s) => ({ solo: !desk.audio(s).solo })) },
    ...([["ArrowUp", 0.5], ["ArrowDown", -0.5], ["Shift+ArrowUp", 3], ["Shift+ArrowDown", -3]] as const).map(([key, db]): Command => ({
      id: `fader-${key}`, title: `Selected strip: ${db > 0 ? "+" : "−"}${Math.abs(db)} dB`, keys: [key],
      run: () => strip(desk, (s) => ({ gainDb: Math.min(12, Math.max(-60, desk.audio(s).gainDb + db)) })),
    })),
    {
      id: "record", title: "Hold to begin or end the recording", keys: ["R"],
      run: () => (hold = setTimeout(() => void desk.record(), holdFor)),
      release: () => clearTimeout(hold),
    },
    { id: "mark", title: "Mark this moment", keys: ["N"], run: () => void desk.mark(`On air: ${title(desk.scene(desk.state?.program), desk.state?.program)}`) },
  ];
}

function strip(desk: Desk, change: (source: string) => Parameters<Desk["setAudio"]>[1]): void {
  const source = desk.strip || desk.sources[0];
  if (!source) return;
  if (!desk.strip) desk.choose({ strip: source });
  void desk.setAudio(source, change(source));
}

function step(desk: Desk, by: number): void {
  const { sources } = desk;
  if (sources.length === 0) return;
  const at = sources.indexOf(desk.strip);
  desk.choose({ strip: sources[at < 0 ? 0 : (at + by + sources.length) % sources.length] });
}
