// @vitest-environment node
import { describe, expect, it } from "vitest";
import { concat, equal, fromBase64, fromHex, lv, toBase64, toHex, utf8 } from "./bytes";
import { agree, confirmationTag, ExchangeError, generator, scalarFrom, sessionKey, share } from "./cpace";
import vectors from "./draft-vectors.json";

const bytes = (hex: string) => fromHex(hex) ?? new Uint8Array();
const scalar = (hex: string) => scalarFrom(bytes(hex));

describe("the draft's vectors", () => {
  it.each(vectors.valid.map((vector, number) => ({ ...vector, number })))("set $number", (v) => {
    const sid = bytes(v.sid);
    const g = generator({ password: bytes(v.PRS), channel: bytes(v.CI), sid });
    expect(toHex(g)).toBe(v.g);
    expect(toHex(share(scalar(v.ya), g))).toBe(v.Ya);
    expect(toHex(share(scalar(v.yb), g))).toBe(v.Yb);
    const secret = agree(scalar(v.ya), bytes(v.Yb));
    expect(toHex(secret)).toBe(v.K);
    expect(toHex(agree(scalar(v.yb), bytes(v.Ya)))).toBe(v.K);
    const a = { share: bytes(v.Ya), ad: bytes(v.ADa) };
    const b = { share: bytes(v.Yb), ad: bytes(v.ADb) };
    expect(toHex(sessionKey(sid, secret, a, b))).toBe(v.ISK_IR);
  });

  it("a good point is taken, others are refused", () => {
    const { valid, must_abort: bad } = vectors.scalar_mult_vfy;
    expect(toHex(agree(scalar(valid.s), bytes(valid.X)))).toBe(valid.result);
    for (const point of bad) expect(() => agree(scalar(valid.s), bytes(point))).toThrow(ExchangeError);
    expect(() => agree(scalar(valid.s), new Uint8Array(31))).toThrow(ExchangeError);
  });
});

it("a tag is its own side's and key's alone", () => {
  const [sid, key] = [new Uint8Array(16), new Uint8Array(64)];
  const joiner = { share: new Uint8Array(32).fill(1), ad: utf8("joiner") };
  const creator = { share: new Uint8Array(32).fill(2), ad: utf8("creator") };
  const tag = confirmationTag(sid, key, joiner);
  expect(equal(confirmationTag(sid, key, joiner), tag)).toBe(true);
  expect(equal(confirmationTag(sid, key, creator), tag)).toBe(false);
  expect(equal(confirmationTag(sid, new Uint8Array(64).fill(1), joiner), tag)).toBe(false);
  expect(equal(tag.subarray(1), tag)).toBe(false);
});

describe("bytes", () => {
  it("stand behind their length", () => {
    expect(toHex(lv(new Uint8Array()))).toBe("00");
    expect(toHex(lv(Uint8Array.of(7, 8)))).toBe("020708");
    expect(toHex(lv(new Uint8Array(127))).slice(0, 4)).toBe("7f00");
    expect(toHex(lv(new Uint8Array(128))).slice(0, 6)).toBe("800100");
    expect(toHex(lv(new Uint8Array(300))).slice(0, 6)).toBe("ac0200");
  });

  it("go through hex and base64, and nothing else does", () => {
    const some = concat(utf8("é"), Uint8Array.of(0, 255));
    expect(equal(fromHex(toHex(some)) ?? new Uint8Array(), some)).toBe(true);
    expect(equal(fromBase64(toBase64(some)) ?? new Uint8Array(), some)).toBe(true);
    for (const odd of ["0", "0g", "0x11"]) expect(fromHex(odd)).toBeNull();
    for (const odd of ["AA", "AA==\n", "AB==", "A=A=", "-_-_", "é"]) expect(fromBase64(odd)).toBeNull();
  });
});
