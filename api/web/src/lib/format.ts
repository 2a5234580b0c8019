// How figures and times are written, the same on every page.

const two = (n: number): string => String(Math.floor(n)).padStart(2, "0");

/** 3723000 -> "1:02:03"; below an hour "02:03". Milliseconds in. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const rest = `${two((s / 60) % 60)}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${rest}` : rest;
}

/** "14:03:09" in UTC, which is the time that the node keeps. */
export function clock(at: Date | number | string): string {
  return new Date(at).toISOString().slice(11, 19);
}

/** "14:03:09.240" in UTC. */
export function exactClock(at: Date | number | string): string {
  return new Date(at).toISOString().slice(11, 23);
}

/** "2026-11-20 14:03" in UTC. */
export function day(at: Date | number | string): string {
  return new Date(at).toISOString().slice(0, 16).replace("T", " ");
}

/** 2800000 -> "2.8 Mb/s". Bits per second in. */
export function bitrate(bits: number | undefined): string {
  if (!bits) return "";
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mb/s` : `${Math.round(bits / 1000)} kb/s`;
}

/** 1610612736 -> "1.5 GiB". Bytes in. */
export function bytes(n: number | undefined): string {
  if (n === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit++) n /= 1024;
  return `${n < 10 && unit > 0 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}

/** "-6.0 dB", with a real minus sign; the bottom of a fader is "−∞ dB". */
export function decibels(db: number, silent = -60): string {
  if (db <= silent) return "−∞ dB";
  return `${db < 0 ? "−" : db > 0 ? "+" : ""}${Math.abs(db).toFixed(1)} dB`;
}

/** Where a sound stands: "L 40", "centre", "R 100"; -1 is left. */
export function pan(at: number): string {
  const share = Math.round(Math.abs(at) * 100);
  return share === 0 ? "centre" : `${at < 0 ? "L" : "R"} ${share}`;
}

/** Frames per second of an exact rate: "30000/1001" -> 29.97…. */
export function rateOf(rate: string): number {
  const [over, under] = rate.split("/").map(Number);
  return (over ?? 0) / (under ?? 1);
}

/** "30000/1001" -> "29.97". */
export function rateText(rate: string): string {
  return String(Math.round(rateOf(rate) * 100) / 100);
}

/** The name where there is one, else the id. */
export function title(thing: { id: string; name?: string } | undefined, id = ""): string {
  return thing?.name || thing?.id || id;
}

/** A name as an id: "Café, Table 2" -> "cafe-table-2"; at most 40 characters. */
export function slug(name: string): string {
  return name
    .normalize("NFD")
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 40)
    .replace(/^-+|-+$/g, "");
}
