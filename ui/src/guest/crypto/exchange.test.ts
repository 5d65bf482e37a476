// @vitest-environment node
import { beforeEach, describe, expect, it } from "vitest";
import vectors from "../../../../crates/signaling/tests/vectors/visavis.json";
import { readBody, type Body } from "../call/bodies";
import { EnvelopeError } from "../call/meeting";
import { fromHex, type Bytes } from "./bytes";
import { Exchange, type Terms } from "./exchange";
import { byCode, byMeeting } from "./keys";

const offer: Body = { type: "offer", sdp: "v=0\r\n", restart: false };
const answer: Body = { type: "answer", sdp: "v=0\r\n" };

/** Gives these, one after the other. */
function given(...hex: string[]): (bytes: number) => Bytes {
  return () => fromHex(hex.shift() ?? "") ?? new Uint8Array();
}

function terms(role: "creator" | "joiner", change: Partial<Terms> = {}): Terms {
  const fingerprint = vectors.fingerprint[role];
  return { role, secret: byCode("4827", "tulip-orbit"), fingerprint, seen: new Set(), ...change };
}

let creator: Exchange;
let joiner: Exchange;

beforeEach(() => {
  [creator, joiner] = [new Exchange(terms("creator")), new Exchange(terms("joiner"))];
});

/** Both have one another's tag. */
async function meet() {
  expect(await creator.open(await joiner.seal({ type: "knock" }))).toEqual({ type: "knock" });
  expect(await joiner.open(await creator.seal(offer))).toEqual(offer);
  expect(await creator.open(await joiner.seal(answer))).toEqual(answer);
}

it("writes what the Rust side writes, byte for byte, and reads it", async () => {
  creator = new Exchange(terms("creator", { random: given(vectors.scalarSeed.creator) }));
  joiner = new Exchange(terms("joiner", { random: given(vectors.sid, vectors.scalarSeed.joiner) }));
  for (const { from, text, opens } of vectors.messages) {
    const [sender, receiver] = from === "joiner" ? [joiner, creator] : [creator, joiner];
    const body = readBody(opens) ?? ({ type: "knock" } as const);
    expect(await sender.seal(body)).toBe(text);
    expect(await receiver.open(text)).toEqual(body);
  }
  expect(creator.pictures).toEqual(vectors.pictures);
  expect(joiner.pictures).toEqual(vectors.pictures);
  expect(creator.fingerprint).toBe(vectors.fingerprint.joiner);
});

it("proves each to the other, and goes on both ways", async () => {
  await meet();
  expect([creator.fingerprint, joiner.fingerprint]).toEqual([vectors.fingerprint.joiner, vectors.fingerprint.creator]);
  expect(creator.pictures).toEqual(joiner.pictures);
  expect(creator.unanswered).toBe(false);
  const bye: Body = { type: "bye", reason: "hung-up" };
  expect(await joiner.open(await creator.seal(bye))).toEqual(bye);
  expect(await creator.open(await joiner.seal(bye))).toEqual(bye);
});

describe("who doesn't know the words", () => {
  it("as a joiner learns it from the creator's tag", async () => {
    joiner = new Exchange(terms("joiner", { secret: byCode("4827", "tulip-orchid") }));
    await creator.open(await joiner.seal({ type: "knock" }));
    const reply = await creator.seal(offer);
    await expect(joiner.open(reply)).rejects.toMatchObject({ fault: "words" });
    await expect(joiner.seal(answer)).rejects.toThrow(EnvelopeError);
    expect(creator.unanswered).toBe(true);
    expect(creator.fingerprint).toBeNull();
  });

  it("and answers all the same is found out by the creator", async () => {
    await creator.open(await joiner.seal({ type: "knock" }));
    const reply = JSON.parse(await creator.seal(offer)) as Record<string, unknown>;
    const forged = { type: "confirm", tag: reply["tag"], number: 1, sealed: reply["sealed"] };
    await expect(creator.open(JSON.stringify(forged))).rejects.toMatchObject({ fault: "words" });
    expect(creator.unanswered).toBe(true);
  });

  it("or stands at another number gets nowhere", async () => {
    joiner = new Exchange(terms("joiner", { secret: byCode("4828", "tulip-orbit") }));
    await creator.open(await joiner.seal({ type: "knock" }));
    await expect(joiner.open(await creator.seal(offer))).rejects.toMatchObject({ fault: "words" });
  });
});

describe("two who have met", () => {
  /** Both sides of another exchange, as what they have of the one before says. */
  function again(joiners = joiner.rejoin, creators = creator.rejoin) {
    creator = new Exchange(terms("creator", { secret: byMeeting(creators ?? new Uint8Array()) }));
    joiner = new Exchange(terms("joiner", { secret: byMeeting(joiners ?? new Uint8Array()) }));
  }

  it("both have what is exported for it, and nobody has it before", async () => {
    creator = new Exchange(terms("creator", { random: given(vectors.scalarSeed.creator) }));
    joiner = new Exchange(terms("joiner", { random: given(vectors.sid, vectors.scalarSeed.joiner) }));
    await creator.open(await joiner.seal({ type: "knock" }));
    await joiner.open(await creator.seal(offer));
    expect([joiner.rejoin, creator.rejoin]).toEqual([null, null]);
    await creator.open(await joiner.seal(answer));
    const rejoin = fromHex(vectors.rejoin);
    expect([joiner.rejoin, creator.rejoin]).toEqual([rejoin, rejoin]);
  });

  it("meet again by it, with other keys and pictures", async () => {
    await meet();
    const [pictures, late] = [joiner.pictures, await joiner.seal(answer)];
    again();
    await meet();
    expect(joiner.pictures).toEqual(creator.pictures);
    expect(joiner.pictures).not.toEqual(pictures);
    await expect(creator.open(late)).rejects.toMatchObject({ fault: "tampered" });
  });

  it("are nobody to one who has another, or the code", async () => {
    await meet();
    const { rejoin } = joiner;
    again(new Uint8Array(32));
    await creator.open(await joiner.seal({ type: "knock" }));
    await expect(joiner.open(await creator.seal(offer))).rejects.toMatchObject({ fault: "words" });
    again(rejoin, rejoin);
    joiner = new Exchange(terms("joiner"));
    await creator.open(await joiner.seal({ type: "knock" }));
    await expect(joiner.open(await creator.seal(offer))).rejects.toMatchObject({ fault: "words" });
  });
});

describe("whoever is on the way", () => {
  it("can't swap a certificate", async () => {
    const opening = JSON.parse(await joiner.seal({ type: "knock" })) as Record<string, string>;
    const other = new Exchange(terms("joiner", { fingerprint: Array(32).fill("EE").join(":") }));
    const swapped = JSON.parse(await other.seal({ type: "knock" })) as Record<string, string>;
    await creator.open(JSON.stringify({ ...opening, ad: swapped["ad"] }));
    await expect(joiner.open(await creator.seal(offer))).rejects.toMatchObject({ fault: "words" });
  });

  it("can't send back, replay, drop, cut or change", async () => {
    await meet();
    const [first, second, third] = [await joiner.seal(answer), await joiner.seal(answer), await joiner.seal(answer)];
    await expect(joiner.open(first)).rejects.toThrow("forged");
    await creator.open(first);
    await expect(creator.open(first)).rejects.toThrow("played again");
    await expect(creator.open(third)).rejects.toThrow("missing");
    await expect(creator.open(second)).rejects.toThrow("played again");
    const message = JSON.parse(await joiner.seal(answer)) as { sealed: string };
    const cut = JSON.stringify({ ...message, sealed: message.sealed.slice(0, -8) });
    await expect(creator.open(cut)).rejects.toThrow("cut");
    const changed = JSON.stringify({ ...message, sealed: `AAAA${message.sealed.slice(4)}` });
    await expect(creator.open(changed)).rejects.toThrow("forged");
  });

  it("can't play an exchange of before again", async () => {
    const opening = await joiner.seal({ type: "knock" });
    const seen = new Set<string>();
    await new Exchange(terms("creator", { seen })).open(opening);
    await expect(new Exchange(terms("creator", { seen })).open(opening)).rejects.toThrow("before");
  });

  it("can't answer a side with itself", async () => {
    const opening = JSON.parse(await joiner.seal({ type: "knock" })) as Record<string, string>;
    const reply = { ...opening, type: "reply", tag: "", number: 1, sealed: "" };
    await expect(joiner.open(JSON.stringify(reply))).rejects.toThrow("came back");
  });

  it.each(["", "{}", "[]", '{"type":"open"}', '{"type":"sealed","number":1,"sealed":"AA=="}', '{"type":"dance"}'])(
    "is refused with %j",
    async (message) => {
      await expect(creator.open(message)).rejects.toThrow(EnvelopeError);
    },
  );
});

it("a refusal is a goodbye, and needs no key", async () => {
  await joiner.seal({ type: "knock" });
  const refusal = await creator.seal({ type: "bye", reason: "dismissed" });
  expect(refusal).toBe('{"type":"refuse","reason":"dismissed"}');
  expect(await joiner.open(refusal)).toEqual({ type: "bye", reason: "dismissed" });
});
