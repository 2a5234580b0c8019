// Files on their way to the node: XMLHttpRequest, as fetch does not tell how far
// a body is.
import { Problem, Unreachable, type Asset } from "./api";

/** Up to this size a file is summed up before it is sent, and the node holds its bytes against the sum. Bytes. */
const summedUpTo = 256 * 1024 * 1024;

export interface Upload {
  done: Promise<Asset>;
  cancel(): void;
}

/** Sends a file as an asset; progress gets shares from 0 to 1. */
export function upload(file: File, id: string, name: string, progress: (share: number) => void): Upload {
  const request = new XMLHttpRequest();
  const query = new URLSearchParams({ ...(id && { id }), ...(name && { name }) });
  let over = false;
  const sent = new Promise<Asset>((resolve, reject) => {
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(new Unreachable());
    request.onabort = () => reject(new Cancelled());
    request.onload = () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText) as Asset);
      else reject(problemOf(request));
    };
  });
  const send = async (): Promise<void> => {
    const digest = await digestOf(file);
    if (over) return;
    request.open("POST", `/v1/assets?${query}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (digest) request.setRequestHeader("Content-Digest", `sha-256=:${digest}:`);
    request.send(file);
  };
  const failed = new Promise<never>((_, reject) => void send().catch(reject));
  return {
    done: Promise.race([sent, failed]),
    cancel: () => {
      over = true;
      if (request.readyState > 0) request.abort();
      else request.onabort?.(new ProgressEvent("abort"));
    },
  };
}

/** The operator ended it. */
export class Cancelled extends Error {
  constructor() {
    super("The upload was cancelled.");
  }
}

/** SHA-256 in base64; "" where the file is large, or the page was not opened by https or on this machine. */
async function digestOf(file: File): Promise<string> {
  if (file.size > summedUpTo || !globalThis.crypto?.subtle) return "";
  const sum = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return btoa(String.fromCharCode(...new Uint8Array(sum)));
}

function problemOf(request: XMLHttpRequest): Error {
  try {
    const { code = "", detail = "", hint = "", errors = [] } = JSON.parse(request.responseText) as Partial<Problem> & { errors?: Problem["faults"] };
    return new Problem(request.status, code, detail, hint, errors);
  } catch {
    return new Problem(request.status, "", `HTTP status ${request.status}`, "", []);
  }
}
