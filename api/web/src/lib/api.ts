// The control API: one typed call, and what its answers look like. The shapes
// are generated from ../../../openapi.yaml by `npm run types`.
import type { components } from "../schema.gen";

type Schemas = components["schemas"];
export type Source = Schemas["SourceView"];
export type SourceRequest = Schemas["Source"];
export type SourceStats = Schemas["SourceStats"];
export type Channel = Schemas["Channel"];
export type ChannelState = Schemas["ChannelState"];
export type Scene = Schemas["Scene"];
export type Layer = Schemas["Layer"];
export type Rect = Schemas["Rect"];
export type LiveAnswer = Schemas["LiveAnswer"];
export type AudioSettings = Schemas["AudioSettings"];
export type Timeline = Schemas["Timeline"];
export type Recording = Schemas["Recording"];
export type Clip = Schemas["Clip"];
export type Key = Schemas["KeyView"];
export type Scope = Schemas["Scope"];
export type System = Schemas["System"];
export type Capabilities = Schemas["Capabilities"];
export type Asset = Schemas["Asset"];
export type Overlay = Schemas["Overlay"];
export type MultiviewPlan = Schemas["Multiview"];
export type MultiviewTile = Schemas["MultiviewTile"];
export type LayoutCell = Schemas["LayoutCell"];
export type TransitionType = Schemas["TransitionType"];
export type Session = Schemas["Session"];
export type User = Schemas["UserView"];
export type Role = Schemas["Role"];
export type AuditEntry = Schemas["AuditEntry"];
export type Alarm = Schemas["Alarm"];
export type Webhook = Schemas["WebhookView"];
export type Delivery = Schemas["Delivery"];
export type ImportAnswer = Schemas["ImportAnswer"];
export type Figures = Schemas["Figures"];
export type List<T> = { items: T[]; nextCursor?: string };

/** How long the node may take to answer before the call counts as lost, in milliseconds. */
const answerWithin = 8000;

/** A refusal of the API (RFC 9457), worded for the operator. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly hint: string,
    readonly faults: { pointer: string; detail: string }[],
  ) {
    super([detail, ...faults.map((f) => `${f.pointer}: ${f.detail}`), hint].filter(Boolean).join(" "));
  }
}

/** The node did not answer at all. */
export class Unreachable extends Error {
  constructor() {
    super("The node does not answer. Program is still running.");
  }
}

export interface CallOptions {
  ifMatch?: string;
  signal?: AbortSignal;
}

async function request(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Response> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (options.ifMatch) headers["If-Match"] = options.ifMatch;
  const timeout = AbortSignal.timeout(answerWithin);
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    });
  } catch {
    throw new Unreachable();
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

async function problemOf(answer: Response): Promise<Problem> {
  const text = (await answer.json().catch(() => ({}))) as Partial<Schemas["Problem"]>;
  return new Problem(answer.status, text.code ?? "", text.detail ?? text.title ?? `HTTP status ${answer.status}`, text.hint ?? "", text.errors ?? []);
}

/** Sends a request and gives the decoded answer; undefined where it has no body. */
export async function call<T = void>(method: string, path: string, body?: unknown, options?: CallOptions): Promise<T> {
  const answer = await request(method, path, body, options);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** Reads a stored thing with its revision, which an edit sends back. */
export async function read<T>(path: string): Promise<{ value: T; etag: string }> {
  const answer = await request("GET", path);
  return { value: (await answer.json()) as T, etag: answer.headers.get("ETag") ?? "*" };
}

/** Reads every page of a list. */
export async function all<T>(path: string): Promise<T[]> {
  const items: T[] = [];
  const join = path.includes("?") ? "&" : "?";
  for (let cursor = ""; ; ) {
    const page = await call<List<T>>("GET", `${path}${join}limit=500${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    if (!page.nextCursor) return items;
    cursor = page.nextCursor;
  }
}
