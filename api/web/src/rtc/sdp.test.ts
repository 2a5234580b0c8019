import { describe, expect, it } from "vitest";
import { wordFor } from "./health";
import { fragment, missing, restarted } from "./sdp";

const answer = [
  "v=0",
  "a=group:BUNDLE 0 1",
  "m=video 9 UDP/TLS/RTP/SAVPF 96",
  "a=mid:0",
  "a=ice-ufrag:old",
  "a=ice-pwd:oldoldoldoldoldoldoldold",
  "a=sendonly",
  "a=candidate:1 1 udp 1 127.0.0.1 8189 typ host",
  "a=end-of-candidates",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "i=the source's sound is aac",
  "a=mid:1",
  "a=ice-ufrag:old",
  "a=ice-pwd:oldoldoldoldoldoldoldold",
  "a=inactive",
  "",
].join("\r\n");

describe("SDP", () => {
  it("makes fragments of the first section", () => {
    expect(fragment(answer, ["candidate:2 1 udp 1 192.0.2.1 5000 typ host"]).split("\r\n")).toEqual([
      "a=ice-ufrag:old",
      "a=ice-pwd:oldoldoldoldoldoldoldold",
      "m=video 9 UDP/TLS/RTP/SAVPF 96",
      "a=mid:0",
      "a=candidate:2 1 udp 1 192.0.2.1 5000 typ host",
      "",
    ]);
  });

  it("puts a restart's credentials into every section and its candidates into the first", () => {
    const given = ["a=ice-ufrag:new1", "a=ice-pwd:newnewnewnewnewnewnewnew", "m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:0", "a=candidate:7 1 udp 1 198.51.100.1 8189 typ host", "a=end-of-candidates", ""].join("\r\n");
    const got = restarted(answer, given);
    expect(got.match(/a=ice-ufrag:new1\r\n/g)).toHaveLength(2);
    expect(got).not.toContain("old");
    expect(got.match(/a=candidate:/g)).toHaveLength(1);
    expect(got.indexOf("198.51.100.1")).toBeLessThan(got.indexOf("m=audio"));
    expect(got.endsWith("a=inactive\r\n")).toBe(true);
  });

  it("finds why a section carries nothing", () => {
    expect(missing(answer)).toEqual(["the source's sound is aac"]);
  });
});

describe("health", () => {
  it.each([
    [undefined, undefined, undefined, "unknown"],
    [20, 0, undefined, "good"],
    [20, 0.05, undefined, "fair"],
    [250, 0, undefined, "fair"],
    [20, 0, "cpu", "fair"],
    [500, 0, undefined, "poor"],
    [20, 0.1, undefined, "poor"],
  ] as const)("round trip %s ms, loss %s, limited by %s: %s", (rtt, loss, limited, word) => {
    expect(wordFor(rtt, loss, limited)).toBe(word);
  });
});
