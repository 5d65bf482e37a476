import { expect, it } from "vitest";
import { newWords, readCode, writeCode } from "./code";

it("a code of our own is one, and falls into the same halves", () => {
  const code = { nameplate: "4827", words: newWords() };
  expect(readCode(writeCode(code))).toEqual(code);
});

it("anything else is none", () => {
  expect(readCode("4827-tulip")).toBeNull();
});
