// The pages that there are: of the node, and of each channel.

export interface Place {
  name: string;
  path: string;
  text: string;
}

export const places: Place[] = [
  { name: "home", path: "/", text: "Home" },
  { name: "sources", path: "/sources", text: "Sources" },
  { name: "assets", path: "/library", text: "Assets" },
  { name: "recordings", path: "/recordings", text: "Recordings" },
  { name: "health", path: "/health", text: "Health" },
  { name: "alarms", path: "/alarms", text: "Alarms" },
  { name: "settings", path: "/settings", text: "Settings" },
];

/** Paths are below /c/CHANNEL. */
export const rooms: Place[] = [
  { name: "control", path: "", text: "Control" },
  { name: "dvr", path: "/dvr", text: "DVR" },
  { name: "guests", path: "/guests", text: "Guests" },
  { name: "layout", path: "/layout", text: "Layouts" },
];
