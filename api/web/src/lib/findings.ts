// What the mixer found in pictures and sound, of a timeline.
import type { Timeline } from "./api";

type ShowEvent = Timeline["events"][number];
export type Finding = ShowEvent & { start: string; end: string; lasts: boolean };

/** The types of event that are findings. */
export const findingTypes: string[] = ["black", "frozen", "silent"];

/** The findings of a timeline; those that last end now, in milliseconds. */
export function findingsOf(timeline: Timeline | undefined, now: number): Finding[] {
  return (timeline?.events ?? [])
    .filter((event) => findingTypes.includes(event.type))
    .map((event) => ({ ...event, start: event.time, end: event.end ?? new Date(now).toISOString(), lasts: !event.end }));
}
