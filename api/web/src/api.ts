// The part of the control API that the home page uses.

export interface Source {
  id: string;
  name?: string;
  kind: string;
  state: string;
  ingest?: { rtmp?: { server: string; streamKey: string }; srt?: { url: string } };
}

export interface Channel {
  id: string;
  name?: string;
  canvas: { width: number; height: number; rate: string };
  program?: string;
  preview?: string;
  scenes?: { id: string; name?: string }[];
}

export interface ChannelState {
  state: string;
  reason?: string;
  program: string;
  encoder: { device: string; codec: string; reason: string };
  ticks: { late: number; repeated: number };
}

export interface Stats {
  protocol?: string;
  bitrate?: number;
  video?: { codec?: string; width?: number; height?: number };
  audio?: { codec?: string };
}

export interface System {
  node: string;
  version: string;
  time: string;
  mediaUrl: string;
}

export class Unauthorized extends Error {}

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 401) throw new Unauthorized();
  if (!answer.ok) {
    const problem = (await answer.json().catch(() => ({}))) as { detail?: string; hint?: string };
    throw new Error([problem.detail ?? `HTTP status ${answer.status}`, problem.hint].filter(Boolean).join(" "));
  }
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}
