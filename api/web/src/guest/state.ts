// What the server says of this guest: server-sent events, read by fetch, since
// EventSource sends no key but in the address.

export interface GuestState {
  source: string;
  name?: string;
  state: string;
  channels: { id: string; name?: string; tally: "program" | "preview" | "off"; running: boolean }[];
}

const retryMs = 1000;

// follow calls told with each state, and with undefined while the server does not
// answer, until the signal. It ends where the key is not let in, with the status.
export async function follow(source: string, key: string, signal: AbortSignal, told: (state: GuestState | undefined) => void): Promise<number> {
  for (;;) {
    try {
      const answer = await fetch(`/g/${encodeURIComponent(source)}/state`, { headers: { Authorization: `Bearer ${key}` }, signal, cache: "no-store" });
      if ([401, 403, 404].includes(answer.status)) return answer.status;
      if (answer.ok && answer.body) await read(answer.body, told);
    } catch {
      // the network, or the signal
    }
    if (signal.aborted) return 0;
    told(undefined);
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

async function read(body: ReadableStream<Uint8Array>, told: (state: GuestState) => void): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let open = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    open += value;
    const events = open.split("\n\n");
    open = events.pop() ?? "";
    for (const event of events) {
      const data = event
        .split("\n")
        .filter((line) => line.startsWith("data: "))
        .map((line) => line.slice(6))
        .join("\n");
      if (data) told(JSON.parse(data) as GuestState);
    }
  }
}
