import { describe, expect, it } from "vitest";
import { CodeError, newWords, readCode, writeCode } from "./code";

describe("a code", () => {
  it.each([
    "4827-tulip-orbit",
    " 4827 tulip orbit ",
    "48-27-Tulip-ORBIT",
    "4 8 2 7 tul orb",
    "4827tulip-orbit",
    "4827tuliporbit",
    "4827 tuliporb",
    "4827\u00a0tulip\u2013orbit",
    "4827, tulip. orbit\u200b",
    "visavis://4827-tulip-orbit",
    "VISAVIS://4827-TULIP-ORBIT/",
    "visavis://4827-tulip-orbit?from=mail",
    "https://call.example/#4827-tulip-orbit",
    "call.example/#4827-tulip-orbit",
  ])("%j is read", (input) => {
    expect(writeCode(readCode(input))).toBe("4827-tulip-orbit");
  });

  it.each([
    ["", "given"],
    [" - ", "given"],
    ["12-tulip-orbit", "at least 4"],
    ["1234567890-tulip-orbit", "at most 9"],
    ["tulip-orbit", "begins with its number"],
    ["4827", "two words"],
    ["4827-tulip", "second word"],
    ["4827-tulip-orbit-waffle", "has 3"],
    ["4827-tulip-27", "“2”"],
    ["4827-tulip-xqxqxq", "“xqxqxq”"],
    ["4827-tu-orbit", "could be"],
    ["٤٨٢٧-tulip-orbit", "“٤”"],
    ["https://call.example/", "no code in it"],
    ["https://call.example/#", "no code in it"],
    ["visavis://", "no code in it"],
  ])("%j is none", (input, says) => {
    expect(() => readCode(input)).toThrow(CodeError);
    expect(() => readCode(input)).toThrow(says);
  });

  it("of our own is one", () => {
    const words = newWords();
    expect(readCode(`4827-${words}`)).toEqual({ nameplate: "4827", words });
  });
});
