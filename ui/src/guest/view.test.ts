// @vitest-environment node
import { beforeEach, expect, it } from "vitest";
import type { CallPhase } from "../bindings/view";
import { because, type EndCode } from "./call/state";
import { CallModel, idleView } from "./view";

let model: CallModel;

const phase = () => model.now().call.phase;
const again = () => (phase() as Extract<CallPhase, { kind: "ended" }>).again;
const connect = () => model.take({ kind: "state", state: { kind: "connected", since: performance.now() - 60_000 } });
const close = (code: EndCode) => model.take({ kind: "state", state: { kind: "closed", reason: because(code) } });
const meetAgain = () => model.take({ kind: "state", state: { kind: "verifying" } });

beforeEach(() => {
  const idle = idleView("wss://calls.example.org/ws", "0.1.0");
  model = new CallModel(idle, "4827-tulip-orbit", "calls.example.org", true);
});

it("a call that never came about may be tried again, unless that is of no use", () => {
  close("no-such-room");
  expect(again()).toBe("retry");
  model = new CallModel(model.view, null, "calls.example.org", false);
  close("burnt");
  expect(again()).toBe("no");
});

it("a call that is over says what can follow", () => {
  connect();
  close("peer-hung-up");
  expect(again()).toBe("no");
  const stands = (["possible", "asked", "awaited", "over"] as const).map((stands) => {
    model.take({ kind: "again", again: stands });
    return again();
  });
  expect(stands).toEqual(["ready", "asked", "awaited", "no"]);
});

it("another call has no code, a clock of its own, and begins as if nothing were known of the other", () => {
  connect();
  model.take({ kind: "remote-media", media: { microphone: false, camera: false } });
  model.take({ kind: "no-codec" });
  expect(model.now().call.remote.noCodec).toBe(true);
  close("hung-up");
  model.take({ kind: "again", again: "possible" });
  meetAgain();
  expect(phase()).toEqual({ kind: "connecting", code: "" });
  expect(model.now().call.remote).toEqual({ microphone: true, camera: true, hasPicture: false, noCodec: false });
  expect(model.now().connection).toMatchObject({ signaling: "online", peer: "new" });
  model.take({ kind: "state", state: { kind: "connecting" } });
  expect(phase()).toEqual({ kind: "connecting", code: "" });
  model.take({ kind: "state", state: { kind: "connected", since: performance.now() } });
  expect((phase() as Extract<CallPhase, { kind: "connected" }>).sinceMs).toBeLessThan(30_000);
});

it("an address that was to be hidden stays so in the calls that follow with the same other", () => {
  connect();
  close("hung-up");
  expect(model.now().connection.relayOnly).toBe(true);
  model.take({ kind: "again", again: "possible" });
  meetAgain();
  expect(model.now().connection.relayOnly).toBe(true);
  expect(new CallModel(model.view, null, "calls.example.org", false).now().connection.relayOnly).toBe(false);
});

it("another call that never came about can't be tried again: there is no code", () => {
  connect();
  close("hung-up");
  meetAgain();
  close("no-answer");
  expect(phase()).toMatchObject({ kind: "ended", durationMs: null, again: "no" });
});
