// What to do when there is no camera, in sentences.

export interface Help {
  title: string;
  text: string;
  again: boolean; // whether trying again may help
}

export function insecure(): Help {
  return {
    title: "This page is not secure, so the browser gives it no camera",
    text:
      `Ask the producer for a link that begins with https:// (this one is ${location.origin}). ` +
      "To the producer: turn TLS on for the media listener, media.tls.mode selfsigned or files; the page Guests of the manual says how.",
    again: false,
  };
}

export function incomplete(): Help {
  return { title: "This link is not complete", text: "It must end with #key= and a key. Ask the producer for the whole invite link.", again: false };
}

export function refused(status: number | undefined, reason: string): Help {
  switch (status) {
    case 401:
    case 403:
      return { title: "This invite is no longer valid", text: "Its key is wrong or was changed. Ask the producer for a new link.", again: true };
    case 404:
      return { title: "This invite leads nowhere", text: "Its source does not exist (any more). Ask the producer for a new link.", again: true };
    case 409:
      return { title: "Somebody is connected with this invite already", text: "Close the page in other tabs and on other devices. It is tried again by itself.", again: false };
  }
  return { title: "The server did not let you in", text: reason, again: true };
}

// forDevices words why getUserMedia failed.
export function forDevices(error: unknown): Help {
  const name = error instanceof Error ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return {
        title: "Camera and microphone are blocked for this page",
        text: "Click the camera or lock sign beside the address, allow camera and microphone for this site, then try again. On a phone, look under Settings, the browser, Camera and Microphone.",
        again: true,
      };
    case "NotFoundError":
      return { title: "No camera or no microphone was found", text: "Plug both in, or switch them on, then try again.", again: true };
    case "NotReadableError":
    case "AbortError":
      return { title: "Another program is using the camera or the microphone", text: "Close other calls and recorders, then try again.", again: true };
    case "OverconstrainedError":
      return { title: "This device is gone", text: "It was unplugged, it seems. Try again with another.", again: true };
  }
  return { title: "Camera and microphone could not be opened", text: error instanceof Error ? error.message : String(error), again: true };
}
