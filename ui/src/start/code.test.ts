import { describe, expect, it } from "vitest";
import { codeBlocks, isLink, parseCode, spellCode } from "./code";

describe("a typed code", () => {
  it.each([
    ["482913", "482913"],
    [" 482 913 ", "482913"],
    ["482-913", "482913"],
    ["482.913\n", "482913"],
    ["４８２９１３", "482913"],
    ["4827-tulip-orbit", "4827-tulip-orbit"],
    ["4827 Tulip ORBIT", "4827-tulip-orbit"],
    ["visavis://482913", "482913"],
    ["visavis://join/482913/", "482913"],
    ["https://calls.example.org/#482913", "482913"],
    ["https://calls.example.org:8443/#4827-tulip-orbit", "4827-tulip-orbit"],
    ["https://calls.example.org/#482%20913", "482913"],
    ["https://calls.example.org/482913?from=mail", "482913"],
  ])("%j is %s", (input, code) => {
    expect(parseCode(input)).toEqual({ kind: "code", code });
  });

  it.each(["12", "hello", "482913!x!4", "1234567890123", "https://calls.example.org/", "https://x/#%E0%A4%A", "-"])(
    "%j is none",
    (input) => {
      expect(parseCode(input).kind).toBe("invalid");
    },
  );

  it("may be missing", () => {
    expect(parseCode(" \n")).toEqual({ kind: "empty" });
  });
});

it("tells links from codes", () => {
  expect(isLink(" https://calls.example.org/#482913")).toBe(true);
  expect(isLink("482 913")).toBe(false);
});

it("is shown in blocks that can be read out", () => {
  expect(codeBlocks("482913")).toEqual(["482", "913"]);
  expect(codeBlocks("4827")).toEqual(["4827"]);
  expect(codeBlocks("4827-tulip-orbit")).toEqual(["4827", "tulip", "orbit"]);
  expect(spellCode("482913")).toBe("4 8 2, 9 1 3");
});
