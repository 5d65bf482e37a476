import { describe, expect, it } from "vitest";
import { codeBlocks, completion, isLink, parseCode, spellCode, written } from "./code";

describe("a typed code", () => {
  it.each([
    "4827-tulip-orbit",
    " 4827 Tulip ORBIT\n",
    "48-27 tulip, orbit",
    "４８２７-tulip-orbit",
    "4827 tul orb",
    "4827tulip-orbit",
    "4827tuliporbit",
    "4827 tuliporb",
    "visavis://4827-tulip-orbit",
    "visavis://join/4827-tulip-orbit/",
    "https://calls.example.org/#4827-tulip-orbit",
    "https://calls.example.org:8443/#4827%20tulip%20orbit",
    "https://calls.example.org/4827-tulip-orbit?from=mail",
  ])("%j is one", (input) => {
    expect(parseCode(input)).toEqual({ kind: "code", code: "4827-tulip-orbit", address: null });
  });

  it.each([
    ["4827-tulip-orbit@192.0.2.7:7880", "192.0.2.7:7880"],
    ["4827 Tulip orb @ 192.0.2.7. ", "192.0.2.7"],
    ["4827-tulip-orbit@\n192.0.2.7:4711)", "192.0.2.7:4711"],
    ["4827-tulip-orbit\u200b@192.0.2.7\u200b:4711", "192.0.2.7:4711"],
    ["4827-tulip-orbit@[2001:DB8::7]:4711", "[2001:db8::7]:4711"],
    ["4827-tulip-orbit@[2001:db8::7]", "[2001:db8::7]"],
    ["4827-tulip-orbit@2001:db8::7", "2001:db8::7"],
    ["visavis://4827-tulip-orbit@192.0.2.7:4711", "192.0.2.7:4711"],
    ["https://calls.example.org/#4827-tulip-orbit@[2001:db8::7]:4711", "[2001:db8::7]:4711"],
  ])("%j says where it is good", (input, address) => {
    expect(parseCode(input)).toEqual({ kind: "code", code: "4827-tulip-orbit", address });
    expect(parseCode(written("4827-tulip-orbit", address))).toEqual(parseCode(input));
  });

  it.each([
    ["12-tulip-orbit", { kind: "number" }],
    ["tulip-orbit", { kind: "number" }],
    ["tulip-orbit-4827", { kind: "number" }],
    ["1234567890123", { kind: "number" }],
    ["https://calls.example.org/", { kind: "number" }],
    ["4827", { kind: "no-words" }],
    ["4827-tulip", { kind: "one-word" }],
    ["4827-tulip-orbit-waffle", { kind: "many-words" }],
    ["4827-tulip-€", { kind: "characters" }],
    ["4827-tulip-orbit@", { kind: "address", address: "" }],
    ["4827-tulip-orbit@calls.example.org", { kind: "address", address: "calls.example.org" }],
    ["4827-tulip-orbit@192.0.2", { kind: "address", address: "192.0.2" }],
    ["4827-tulip-orbit@192.0.2.7@192.0.2.8", { kind: "address", address: "192.0.2.7@192.0.2.8" }],
    ["@192.0.2.7", { kind: "number" }],
    ["4827-tulpi-orbit", { kind: "unknown", word: "tulpi", near: ["tulip"] }],
    ["4827-tulip-xqxqxq", { kind: "unknown", word: "xqxqxq", near: [] }],
    ["4827-tu-orbit", { kind: "uncertain", word: "tu", fits: ["tubular", "tugboat", "tulip"] }],
  ])("%j is none", (input, why) => {
    expect(parseCode(input)).toEqual({ kind: "invalid", why });
  });

  it("may be missing", () => {
    expect(parseCode(" \n")).toEqual({ kind: "empty" });
  });
});

describe("a word under way", () => {
  it.each([
    ["4827-tul", "4827-tulip-"],
    ["4827 TUL", "4827 tulip-"],
    ["48 27 tulip orb", "48 27 tulip orbit"],
  ])("%j becomes %j", (typed, whole) => {
    expect(completion(typed).whole).toBe(whole);
  });

  it("stays where several words fit, and they are named", () => {
    const { fits, whole } = completion("4827-tu");
    expect(whole).toBeNull();
    expect(fits).toContain("tulip");
    expect(fits.every((word) => word.startsWith("tu"))).toBe(true);
  });

  it.each(["", "4827", "4827-", "4827-tulip", "4827-tulip-", "4827-tulip-orbit", "tul", "4827-xq"])(
    "%j has nothing to complete",
    (typed) => {
      expect(completion(typed)).toEqual({ fits: [], whole: null });
    },
  );
});

it("tells links from codes", () => {
  expect(isLink(" https://calls.example.org/#4827-tulip-orbit")).toBe(true);
  expect(isLink("4827-tulip-orbit")).toBe(false);
});

it("is shown in blocks that can be read out", () => {
  expect(codeBlocks("4827-tulip-orbit")).toEqual(["4827", "tulip", "orbit"]);
  expect(spellCode("4827-tulip-orbit")).toBe("4 8 2 7, tulip, orbit");
});
