// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Client } from "./client";
import { socketBeside } from "./dial";
import type { ClientEvent, Intent, SocketHandlers } from "./events";
import type { ClientMessage } from "./messages";

/** One socket as the client opened it. */
interface Line {
  handlers: SocketHandlers;
  sent: ClientMessage[];
  closed: boolean;
}

let lines: Line[];
let events: ClientEvent[];
let client: Client;

const line = () => lines.at(-1) as Line;
const sent = () => line().sent.splice(0);
const heard = () => events.splice(0);
const say = (message: Record<string, unknown>) => {
  line().handlers.text(JSON.stringify(message));
};

function begin(intent: Intent) {
  client = new Client(
    intent,
    (handlers) => {
      const opened: Line = { handlers, sent: [], closed: false };
      lines.push(opened);
      return {
        send: (text) => opened.sent.push(JSON.parse(text) as ClientMessage),
        close: () => (opened.closed = true),
      };
    },
    (event) => events.push(event),
  );
}

function welcome(change: Record<string, unknown> = {}) {
  line().handlers.opened();
  say({
    ...{ type: "welcome", version: 1, features: [], heartbeat_ms: 10_000, token: `T${lines.length}` },
    ...{ resumed: false, received: 0, ...change },
  });
}

/** A joiner in exchange 1. */
function meet() {
  begin({ kind: "knock", nameplate: "4827" });
  welcome();
  say({ type: "knocked", exchange: 1 });
  sent();
  heard();
}

beforeEach(() => {
  vi.useFakeTimers();
  [lines, events] = [[], []];
});

afterEach(() => {
  client.leave("done");
  vi.useRealTimers();
});

describe("the way in", () => {
  it("greets, then creates", () => {
    begin({ kind: "create" });
    welcome();
    say({ type: "created", nameplate: "4827" });
    expect(sent()).toEqual([{ type: "hello", version: 1, features: ["ice-servers"] }, { type: "create" }]);
    expect(heard()).toEqual([{ kind: "online" }, { kind: "created", nameplate: "4827" }]);
  });

  it("stands in line, then meets", () => {
    begin({ kind: "knock", nameplate: "4827" });
    welcome();
    say({ type: "waiting", ahead: 1 });
    say({ type: "waiting", ahead: 1 });
    say({ type: "knocked", exchange: 3 });
    expect(sent().at(-1)).toEqual({ type: "knock", nameplate: "4827" });
    expect(heard()).toEqual([{ kind: "online" }, { kind: "waiting", ahead: 1 }, { kind: "knocked" }]);
  });

  it("is over after fifteen seconds", () => {
    begin({ kind: "create" });
    line().handlers.closed("nothing listens there");
    vi.advanceTimersByTime(14_999);
    expect(heard()).toEqual([{ kind: "offline", reason: "nothing listens there" }]);
    vi.advanceTimersByTime(1);
    expect(heard()).toMatchObject([{ kind: "gave-up", cause: "unreachable" }]);
  });

  it("ends at something that is no server, or of another version", () => {
    begin({ kind: "create" });
    line().handlers.opened();
    line().handlers.text("hello there");
    expect(heard()).toMatchObject([{ kind: "gave-up", cause: "not-a-server" }]);
    begin({ kind: "create" });
    line().handlers.opened();
    say({ type: "error", code: "unsupported-version", text: "version 2", fatal: true });
    expect(heard()).toMatchObject([{ kind: "gave-up", cause: "version" }]);
  });

  it("ends at a room that isn't there", () => {
    begin({ kind: "knock", nameplate: "4827" });
    welcome();
    heard();
    say({ type: "error", code: "no-such-room", text: "nobody", fatal: false });
    expect(heard()).toEqual([{ kind: "refused", code: "no-such-room", text: "nobody" }]);
    vi.advanceTimersByTime(15_000);
    expect(client.hasEnded).toBe(false);
  });
});

describe("bodies", () => {
  it("are numbered, acknowledged, and taken once", () => {
    meet();
    client.relay("one");
    client.relay("two");
    say({ type: "relay", exchange: 1, seq: 1, body: "hello" });
    say({ type: "relay", exchange: 1, seq: 1, body: "hello" });
    say({ type: "relay", exchange: 9, seq: 2, body: "stray" });
    expect(sent()).toEqual([
      { type: "relay", exchange: 1, seq: 1, body: "one" },
      { type: "relay", exchange: 1, seq: 2, body: "two" },
      { type: "ack", exchange: 1, seq: 1 },
      { type: "ack", exchange: 1, seq: 1 },
    ]);
    expect(heard()).toEqual([{ kind: "relayed", body: "hello" }]);
  });

  it("are held back at 64 under way", () => {
    meet();
    for (let number = 1; number <= 70; number++) client.relay(String(number));
    expect(sent()).toHaveLength(64);
    say({ type: "ack", exchange: 1, seq: 2 });
    expect(sent().map((message) => message.type === "relay" && message.seq)).toEqual([65, 66]);
  });

  it("are sent again as they were after a lost connection", () => {
    meet();
    for (const body of ["one", "two", "three"]) client.relay(body);
    client.confirm();
    say({ type: "ack", exchange: 1, seq: 1 });
    say({ type: "relay", exchange: 1, seq: 1, body: "theirs" });
    line().handlers.closed("gone");
    client.relay("four");
    vi.advanceTimersByTime(250);
    welcome({ resumed: true, received: 2 });
    expect(sent()).toEqual([
      { type: "hello", version: 1, features: ["ice-servers"], resume: { token: "T1", exchange: 1, received: 1 } },
      { type: "ack", exchange: 1, seq: 1 },
      { type: "relay", exchange: 1, seq: 3, body: "three" },
      { type: "relay", exchange: 1, seq: 4, body: "four" },
      { type: "confirmed", exchange: 1 },
    ]);
    expect(heard().map(({ kind }) => kind)).toEqual(["relayed", "offline", "online"]);
  });

  it("that leave a gap cost the server its socket", () => {
    meet();
    const { closed } = line();
    say({ type: "relay", exchange: 1, seq: 2, body: "late" });
    expect([closed, line().closed]).toEqual([false, true]);
    expect(heard()).toMatchObject([{ kind: "offline" }]);
  });
});

describe("a connection", () => {
  it("that goes silent is replaced", () => {
    meet();
    vi.advanceTimersByTime(10_000);
    expect(sent()).toEqual([{ type: "ping" }]);
    vi.advanceTimersByTime(5_000);
    expect(line().closed).toBe(true);
    vi.advanceTimersByTime(250);
    expect(lines).toHaveLength(2);
  });

  it("that answers is kept", () => {
    meet();
    vi.advanceTimersByTime(10_000);
    say({ type: "pong" });
    vi.advanceTimersByTime(9_999);
    expect(lines).toHaveLength(1);
  });

  it("is asked again by the clock of its answers, which no browser slows down", () => {
    meet();
    vi.advanceTimersByTime(10_000);
    sent();
    vi.advanceTimersByTime(3_000);
    say({ type: "pong" });
    vi.advanceTimersByTime(9_999);
    expect(sent()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(sent()).toEqual([{ type: "ping" }]);
  });

  it("is given up with its place after 35 seconds, unless the two are a pair", () => {
    meet();
    line().handlers.closed("gone");
    vi.advanceTimersByTime(35_000);
    expect(heard().at(-1)).toMatchObject({ kind: "gave-up", cause: "room-lost" });
    meet();
    client.confirm();
    say({ type: "confirmed", exchange: 1, room: "0f" });
    line().handlers.closed("gone");
    vi.advanceTimersByTime(120_000);
    expect(client.hasEnded).toBe(false);
  });

  it("to a server that forgot the room ends", () => {
    meet();
    line().handlers.closed("gone");
    vi.advanceTimersByTime(250);
    welcome();
    expect(heard().at(-1)).toMatchObject({ kind: "gave-up", cause: "room-lost" });
  });

  it("is opened anew at once on another network", () => {
    meet();
    client.networkChanged();
    expect([lines.length, lines[0]?.closed]).toEqual([2, true]);
  });
});

it("a creator waits on when the other leaves, a pair doesn't", () => {
  begin({ kind: "create" });
  welcome();
  say({ type: "created", nameplate: "4827" });
  say({ type: "knocked", exchange: 1 });
  say({ type: "peer-left", exchange: 1, reason: "timed-out" });
  expect(client.isInRoom).toBe(true);
  say({ type: "knocked", exchange: 2 });
  client.confirm();
  say({ type: "confirmed", exchange: 2, room: "0f" });
  sent();
  say({ type: "peer-left", exchange: 2, reason: "hung-up" });
  expect(client.isInRoom).toBe(false);
  expect(sent()).toEqual([{ type: "leave", reason: "" }]);
});

it("a confirmation that we haven't given makes no pair", () => {
  meet();
  say({ type: "confirmed", exchange: 1, room: "0f" });
  expect(heard()).toEqual([]);
});

it("what makes no sense is dropped", () => {
  meet();
  for (const odd of ["", "{}", "[]", '{"type":"dance"}', '{"type":"relay","exchange":1}', '{"type":"ack","seq":-1}']) {
    line().handlers.text(odd);
  }
  expect([heard(), sent(), lines.length]).toEqual([[], [], 1]);
});

it("the socket stands beside the page", () => {
  expect(socketBeside("https://calls.example.org/#4827-tulip-orbit")).toBe("wss://calls.example.org/ws");
  expect(socketBeside("http://127.0.0.1:7880/?a=b")).toBe("ws://127.0.0.1:7880/ws");
  expect(socketBeside("https://example.org/visavis/")).toBe("wss://example.org/visavis/ws");
});
