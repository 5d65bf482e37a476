// @vitest-environment node
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { join } from "./testServer";
import { HidingError } from "./privacy";
import { begin, connect, end, finish, meet, peer, reach, server, settle, start, states, type Side } from "./testSides";

const OTHER = Array(32).fill("EE").join(":");

beforeEach(begin);
afterEach(finish);

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
  expect([peer(creator).done.at(-1), creator.session.peer]).toEqual(["close", null]);
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

it("an address that can't be hidden ends the call at once, and says why", async () => {
  const [creator, joiner] = await meet();
  peer(joiner).events.shown(new HidingError("no TURN server has given one"));
  const reason = { code: "transport-failed", detail: "no TURN server has given one" };
  expect(joiner.events.findLast(({ kind }) => kind === "state")).toMatchObject({ state: { kind: "closed", reason } });
  await reach(creator, "closed");
  expect(end(creator)).toEqual(["peer-lost"]);
});

it("no address in fifteen seconds is why there was no path", async () => {
  const both = await meet();
  for (const side of both) peer(side).inVain = new HidingError("no TURN server has given one");
  await vi.advanceTimersByTimeAsync(15_000);
  expect(both.map(end)).toEqual([["transport-failed"], ["transport-failed"]]);
});

it("no address is why there was no path, also where the other finds out first", async () => {
  const [, joiner] = await meet();
  peer(joiner).inVain = new HidingError("no TURN server has given one");
  server.tell(server.joiner, { type: "peer-left", exchange: server.exchange, reason: "no-path" });
  expect(end(joiner)).toEqual(["transport-failed"]);
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
