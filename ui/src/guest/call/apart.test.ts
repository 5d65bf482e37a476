// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Again } from "./apart";
import { join } from "./testServer";
import {
  begin,
  certificate,
  connect,
  end,
  finish,
  meet,
  peer,
  reach,
  server,
  settle,
  sides,
  states,
  type Side,
} from "./testSides";

beforeEach(begin);
afterEach(finish);

describe("two whose call is over", () => {
  const stands = ({ events }: Side) => events.flatMap((e): Again[] => (e.kind === "again" ? [e.again] : []));
  const pictures = ({ events }: Side) => events.findLast(({ kind }) => kind === "pictures");
  /** How many states it had before. */
  let before: number[] = [];
  const since = (side: Side) => states(side).slice(before[sides.indexOf(side)]);

  async function until(side: Side, again: Again) {
    await vi.waitFor(() => {
      expect(stands(side).at(-1)).toBe(again);
    });
  }

  /** The creator hangs up, and the goodbye has had its time. */
  async function part([creator, joiner]: [Side, Side]): Promise<[Side, Side]> {
    creator.session.hangUp();
    await until(joiner, "possible");
    await vi.advanceTimersByTimeAsync(250);
    before = sides.map((side) => states(side).length);
    return [creator, joiner];
  }

  async function apart(): Promise<[Side, Side]> {
    return part(await connect());
  }

  /** Both have said it, and have met. */
  async function meetAgain([creator, joiner]: [Side, Side]): Promise<void> {
    joiner.session.again();
    await until(creator, "asked");
    creator.session.again();
    await vi.waitFor(() => {
      for (const side of [creator, joiner]) expect(since(side)).toContain("connecting");
    });
  }

  it.each(["creator", "joiner"])(
    "call one another again where the %s asks, with other keys and certificates",
    async (who) => {
      const [creator, joiner] = await apart();
      const [asks, agrees] = who === "creator" ? [creator, joiner] : [joiner, creator];
      const first = pictures(creator);
      expect([stands(asks), stands(agrees)]).toEqual([["possible"], ["possible"]]);
      asks.session.again();
      await until(agrees, "asked");
      expect([stands(asks), stands(agrees)]).toEqual([
        ["possible", "awaited"],
        ["possible", "asked"],
      ]);
      agrees.session.again();
      await vi.waitFor(() => {
        for (const side of sides) expect(since(side)).toEqual(["verifying", "connecting"]);
      });
      expect([peer(creator).fingerprint, peer(joiner).fingerprint]).toEqual([
        certificate("creator", 2),
        certificate("joiner", 2),
      ]);
      join(peer(creator), peer(joiner));
      await settle();
      expect([states(creator).at(-1), states(joiner).at(-1)]).toEqual(["connected", "connected"]);
      expect(pictures(creator)).toEqual(pictures(joiner));
      expect(pictures(creator)).not.toEqual(first);
      expect(peer(joiner).done).toContain("candidate:1");
      for (const { peers } of sides) expect(peers[0]?.done.at(-1)).toBe("close");
    },
  );

  it("call one another again where both ask at once", async () => {
    const [creator, joiner] = await apart();
    for (const { session } of sides) session.again();
    await vi.waitFor(() => {
      for (const side of [creator, joiner]) expect(since(side)).toEqual(["verifying", "connecting"]);
    });
  });

  it("call one another again before the goodbye has had its time", async () => {
    const [creator, joiner] = await connect();
    before = sides.map((side) => states(side).length + 1);
    creator.session.hangUp();
    await until(joiner, "possible");
    await meetAgain([creator, joiner]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([since(creator), since(joiner)]).toEqual([
      ["verifying", "connecting"],
      ["verifying", "connecting"],
    ]);
    expect(peer(creator).done).not.toContain("close");
    expect(creator.events).not.toContainEqual({ kind: "finished" });
  });

  it("use the servers that they were told of", async () => {
    const both = await connect();
    const servers = [{ urls: ["stun:192.0.2.7:3478"] }];
    for (const guest of [server.creator, server.joiner]) {
      server.tell(guest, { type: "ice-servers", exchange: 1, servers });
    }
    await part(both);
    await meetAgain(both);
    for (const side of both) expect(peer(side).done).toContain("servers");
  });

  it("can do so again after the next call", async () => {
    const both = await apart();
    for (const call of [2, 3]) {
      await meetAgain(both);
      join(peer(both[0]), peer(both[1]));
      await settle();
      expect(both.map((side) => states(side).at(-1))).toEqual(["connected", "connected"]);
      expect(both.map(({ peers }) => peers.length)).toEqual([call, call]);
      await part(both);
    }
  });

  it("learn that the other is gone, as those do who meet one that stays for nobody", async () => {
    const [creator, joiner] = await connect();
    joiner.session.leave();
    await until(creator, "over");
    expect([end(creator), stands(creator).at(-1), stands(joiner).at(-1)]).toEqual([["peer-hung-up"], "over", "over"]);
    await vi.advanceTimersByTimeAsync(250);
    for (const side of [creator, joiner]) expect(side.events.at(-1)).toEqual({ kind: "finished" });
    creator.session.again();
    await settle();
    expect(states(creator).at(-1)).toBe("closed");
  });

  it.each(["creator", "joiner"])("wait for nobody where the %s asks and the other goes elsewhere", async (who) => {
    const [creator, joiner] = await apart();
    const [asks, leaves] = who === "creator" ? [creator, joiner] : [joiner, creator];
    asks.session.again();
    await until(leaves, "asked");
    leaves.session.leave();
    await until(asks, "over");
    expect([stands(asks).at(-1), states(asks).at(-1)]).toEqual(["over", "closed"]);
    expect(asks.events.at(-1)).toEqual({ kind: "finished" });
  });

  it.each(["reply", "confirm"])("take a wrong tag in the %s for what it is, and nobody's guess", async (kind) => {
    const both = await apart();
    const [creator, joiner] = both;
    server.tap = (body) => {
      const message = JSON.parse(body) as Record<string, string>;
      if (message["type"] !== kind) return body;
      const tag = message["tag"] ?? "";
      return JSON.stringify({ ...message, tag: (tag.startsWith("A") ? "B" : "A") + tag.slice(1) });
    };
    joiner.session.again();
    await until(creator, "asked");
    creator.session.again();
    const finder = kind === "reply" ? joiner : creator;
    await vi.waitFor(() => {
      expect(end(finder).at(-1)).toBe("tampered");
      expect(states(creator).at(-1)).toBe("closed");
    });
    expect(since(creator)).not.toContain("waiting");
    expect(creator.events.some(({ kind }) => kind === "guessed")).toBe(false);
    expect(stands(finder).at(-1)).toBe("awaited");
  });

  it("have ten seconds to meet again, and wait for nobody else", async () => {
    const [creator, joiner] = await apart();
    server.tap = (body) => (body.includes('"open"') ? null : body);
    for (const { session } of sides) session.again();
    await vi.waitFor(() => {
      expect([since(creator), since(joiner)]).toEqual([["verifying"], ["verifying"]]);
    });
    await vi.advanceTimersByTimeAsync(9_000);
    expect([since(creator), since(joiner)]).toEqual([["verifying"], ["verifying"]]);
    await vi.advanceTimersByTimeAsync(1_000);
    // The first to give up leaves, which may be what the other learns.
    expect(sides.map(end).flat()).toContain("peer-lost");
    expect(sides.map((side) => since(side).at(-1))).toEqual(["closed", "closed"]);
    expect(since(creator)).not.toContain("waiting");
  });

  it("may change their mind while they meet", async () => {
    const [creator, joiner] = await apart();
    server.tap = (body) => (body.includes('"open"') ? null : body);
    for (const { session } of sides) session.again();
    await vi.waitFor(() => {
      expect([since(creator), since(joiner)]).toEqual([["verifying"], ["verifying"]]);
    });
    joiner.session.hangUp();
    await reach(creator, "closed");
    await settle();
    expect([end(creator).at(-1), end(joiner).at(-1)]).toEqual(["peer-hung-up", "hung-up"]);
    expect([stands(creator).at(-1), stands(joiner).at(-1)]).toEqual(["awaited", "awaited"]);
  });

  it("stay for ten minutes", async () => {
    const [creator, joiner] = await apart();
    creator.session.again();
    await until(joiner, "asked");
    await vi.advanceTimersByTimeAsync(599_000);
    expect([stands(creator).at(-1), stands(joiner).at(-1)]).toEqual(["awaited", "asked"]);
    await vi.advanceTimersByTimeAsync(1_000);
    for (const side of [creator, joiner]) {
      expect([stands(side).at(-1), side.events.at(-1)]).toEqual(["over", { kind: "finished" }]);
    }
  });

  it("can't go on without their server, or a browser that helps", async () => {
    const [creator, joiner] = await apart();
    server.tell(server.creator, { type: "error", code: "superseded", text: "another one", fatal: true });
    expect(stands(creator).at(-1)).toBe("over");
    joiner.renewed = Promise.reject(new Error("no certificate"));
    joiner.session.again();
    await until(joiner, "over");
    expect(stands(joiner)).toEqual(["possible", "awaited", "over"]);
  });

  it("have nothing to say of another call before", async () => {
    const [creator, joiner] = await connect();
    joiner.session.again();
    const relayed = server.bodies.length;
    peer(joiner).open = false;
    joiner.says = { type: "again" };
    joiner.session.setMedia({ microphone: false, camera: true });
    await vi.waitFor(() => {
      expect(server.bodies).toHaveLength(relayed + 1);
    });
    joiner.says = null;
    joiner.session.setMedia({ microphone: false, camera: false });
    await vi.waitFor(() => {
      expect(creator.events.at(-1)).toMatchObject({ kind: "remote-media", media: { camera: false } });
    });
    peer(joiner).open = true;
    await part([creator, joiner]);
    expect([stands(creator), stands(joiner)]).toEqual([["possible"], ["possible"]]);
  });

  it("are strangers where the call never came up", async () => {
    const [creator, joiner] = await meet();
    creator.session.hangUp();
    await reach(joiner, "closed");
    expect([end(joiner), stands(creator), stands(joiner)]).toEqual([["peer-hung-up"], [], []]);
  });
});
