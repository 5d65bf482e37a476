// @vitest-environment node
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Exchange } from "../crypto/exchange";
import type { CallEvent } from "./parts";
import { Session } from "./session";
import { join, TestPeer, TestServer } from "./testServer";

const OTHER = Array(32).fill("EE").join(":");
const CERTIFICATES = { creator: Array(32).fill("C2").join(":"), joiner: Array(32).fill("A1").join(":") };

/** A session, with everything that it said and the connections that it made. */
interface Side {
  session: Session;
  events: CallEvent[];
  peers: TestPeer[];
}

let server: TestServer;
let sides: Side[];

/** `makes`: the certificate that its descriptions show. */
function start(role: "creator" | "joiner", words = "tulip-orbit", makes = CERTIFICATES[role]): Side {
  const events: CallEvent[] = [];
  const peers: TestPeer[] = [];
  const fingerprint = CERTIFICATES[role];
  const seen = new Set<string>();
  const session = new Session({
    role,
    nameplate: role === "joiner" ? "4827" : null,
    dial: server.dial,
    host: "calls.example.org",
    media: { microphone: true, camera: true },
    peer: (handlers) => {
      const peer = new TestPeer(handlers, makes);
      peers.push(peer);
      return peer;
    },
    envelope: (nameplate) => new Exchange({ role, nameplate, words, fingerprint, seen }),
    onEvent: (event) => events.push(event),
  });
  const side = { session, events, peers };
  sides.push(side);
  return side;
}

const states = ({ events }: Side) => events.flatMap((event) => (event.kind === "state" ? [event.state.kind] : []));
const end = ({ events }: Side) =>
  events.flatMap((e) => (e.kind === "state" && e.state.kind === "closed" ? [e.state.reason.code] : []));
const peer = ({ peers }: Side) => peers.at(-1) as TestPeer;
/** Until what is under way is done: sealing takes turns of its own. */
const settle = () => vi.waitFor(async () => await vi.advanceTimersByTimeAsync(1));
async function reach(side: Side, state: string) {
  await vi.waitFor(() => {
    expect(states(side)).toContain(state);
  });
}

async function meet(): Promise<[Side, Side]> {
  const creator = start("creator");
  await reach(creator, "waiting");
  const joiner = start("joiner");
  await reach(creator, "connecting");
  await reach(joiner, "connecting");
  return [creator, joiner];
}

async function connect(): Promise<[Side, Side]> {
  const [creator, joiner] = await meet();
  join(peer(creator), peer(joiner));
  await settle();
  return [creator, joiner];
}

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  [server, sides] = [new TestServer(), []];
});

afterEach(() => {
  for (const { session } of sides) session.hangUp();
  vi.useRealTimers();
});

it("two who know the words connect, and see the same pictures", async () => {
  const [creator, joiner] = await connect();
  expect(states(creator)).toEqual(["waiting", "verifying", "connecting", "connected"]);
  expect(states(joiner)).toEqual(["verifying", "connecting", "connected"]);
  const pictures = ({ events }: Side) => events.find(({ kind }) => kind === "pictures");
  expect(pictures(creator)).toEqual(pictures(joiner));
  expect(joiner.events).toContainEqual({ kind: "remote-guest", host: "calls.example.org" });
  expect(peer(joiner).done).toContain("candidate:1");
});

it("the server sees no description, address or word", async () => {
  await connect();
  const seen = server.bodies.join("\n");
  for (const secret of ["v=0", "candidate", "fingerprint", "tulip", "orbit", "C2:C2"])
    expect(seen).not.toContain(secret);
});

it("mute and hang-up cross at once", async () => {
  const [creator, joiner] = await connect();
  creator.session.setMedia({ microphone: false, camera: true });
  await settle();
  expect(joiner.events.at(-1)).toMatchObject({ kind: "remote-media", media: { microphone: false, camera: true } });
  creator.session.hangUp();
  await settle();
  expect([end(creator), end(joiner)]).toEqual([["hung-up"], ["peer-hung-up"]]);
  await vi.advanceTimersByTimeAsync(250);
  expect([peer(creator).done.at(-1), creator.events.at(-1)]).toEqual(["close", { kind: "finished" }]);
});

it("other words end the joiner, and are counted by whoever waits; the third burns the code", async () => {
  const creator = start("creator");
  await reach(creator, "waiting");
  for (const left of [2, 1, 0]) {
    const joiner = start("joiner", "tulip-orchid");
    await reach(joiner, "closed");
    expect(end(joiner)).toEqual(["wrong-words"]);
    await vi.waitFor(() => {
      expect(creator.events).toContainEqual({ kind: "guessed", left });
    });
    expect(creator.peers.every((each) => each.done.at(-1) === "close")).toBe(true);
  }
  expect(end(creator)).toEqual(["burnt"]);
});

it("one who takes our tag and says nothing more has guessed", async () => {
  const creator = start("creator");
  await reach(creator, "waiting");
  server.tap = (body, from) => (from === "joiner" && body.includes("confirm") ? null : body);
  start("joiner");
  await vi.waitFor(() => {
    expect(peer(creator).done).toContain("offer");
  });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(creator.events).toContainEqual({ kind: "guessed", left: 2 });
});

it("a description of another certificate never reaches the browser", async () => {
  const creator = start("creator", "tulip-orbit", OTHER);
  await reach(creator, "waiting");
  const joiner = start("joiner");
  await reach(joiner, "closed");
  expect(end(joiner)).toEqual(["bad-message"]);
  expect(peer(joiner).done).not.toContain("answer");
});

it("a connection that comes up with another certificate is refused", async () => {
  const [creator, joiner] = await meet();
  peer(joiner).shown = OTHER;
  join(peer(creator), peer(joiner));
  await reach(joiner, "closed");
  expect(end(joiner)).toEqual(["wrong-certificate"]);
});

it("a lost path is mended by the creator, who alone restarts ICE", async () => {
  const [creator, joiner] = await connect();
  for (const side of [creator, joiner]) peer(side).events.state("disconnected");
  await vi.advanceTimersByTimeAsync(2_000);
  await vi.waitFor(() => {
    expect(peer(creator).done).toContain("accept");
    expect(peer(joiner).done.filter((what) => what === "answer")).toHaveLength(2);
  });
  expect(peer(creator).done.filter((what) => what === "offer again")).toHaveLength(1);
  for (const side of [creator, joiner]) peer(side).events.state("connected");
  expect([states(creator).at(-1), states(joiner).at(-1)]).toEqual(["connected", "connected"]);
});

it("a path that only the joiner has lost is mended too", async () => {
  const [creator, joiner] = await connect();
  peer(joiner).events.state("disconnected");
  await vi.advanceTimersByTimeAsync(2_000);
  await vi.waitFor(() => {
    expect(peer(creator).done).toContain("offer again");
  });
  expect(states(creator).at(-1)).toBe("connected");
});

it("no path in fifteen seconds has a name", async () => {
  const [creator, joiner] = await meet();
  await vi.advanceTimersByTimeAsync(15_000);
  expect([end(creator), end(joiner)]).toEqual([["no-path"], ["no-path"]]);
});

it("somebody who runs out of time leaves the code as it was", async () => {
  const creator = start("creator");
  await reach(creator, "waiting");
  server.tap = () => null;
  const joiner = start("joiner");
  await reach(creator, "verifying");
  server.timeOut();
  expect(states(creator).at(-1)).toBe("waiting");
  expect(end(joiner)).toEqual(["no-answer"]);
  expect(creator.events.some(({ kind }) => kind === "guessed")).toBe(false);
});
