/** Sessions of both roles through a server of the tests, in virtual time. */
import { expect, vi } from "vitest";
import { Exchange } from "../crypto/exchange";
import { byCode, byMeeting, type Secret } from "../crypto/keys";
import type { Body } from "./bodies";
import type { CallEvent, Means } from "./parts";
import { Session } from "./session";
import { join, TestPeer, TestServer } from "./testServer";

/** Of a role's first, second… call. */
export const certificate = (role: "creator" | "joiner", call: number) =>
  Array(32)
    .fill(`${role === "creator" ? "C" : "A"}${call}`)
    .join(":");

/** A session, with everything that it said and the connections that it made. */
export interface Side {
  session: Session;
  events: CallEvent[];
  peers: TestPeer[];
  /** What its next messages say, whatever was meant. */
  says: Body | null;
  /** What comes of asking the browser for what another call needs. */
  renewed: Promise<void>;
}

export let server: TestServer;
export let sides: Side[];

/** `makes`: the certificate that its descriptions show. */
export function start(role: "creator" | "joiner", words = "tulip-orbit", makes = certificate(role, 1)): Side {
  const events: CallEvent[] = [];
  const peers: TestPeer[] = [];
  const seen = new Set<string>();
  let calls = 0;
  const renew = (secretAt: (nameplate: string) => Secret, makes: string): Means => {
    const fingerprint = certificate(role, ++calls);
    return {
      peer: (handlers) => {
        const peer = new TestPeer(handlers, makes);
        peers.push(peer);
        return peer;
      },
      envelope: (nameplate) => {
        const exchange = new Exchange({ role, secret: secretAt(nameplate), fingerprint, seen });
        const seal = exchange.seal.bind(exchange);
        exchange.seal = (body) => seal(side.says ?? body);
        return exchange;
      },
    };
  };
  const session = new Session({
    role,
    nameplate: role === "joiner" ? "4827" : null,
    dial: server.dial,
    host: "calls.example.org",
    media: { microphone: true, camera: true },
    ...renew((nameplate) => byCode(nameplate, words), makes),
    again: async (rejoin) => {
      await side.renewed;
      return renew(() => byMeeting(rejoin), certificate(role, calls + 1));
    },
    onEvent: (event) => events.push(event),
  });
  const side: Side = { session, events, peers, says: null, renewed: Promise.resolve() };
  sides.push(side);
  return side;
}

export const states = ({ events }: Side) =>
  events.flatMap((event) => (event.kind === "state" ? [event.state.kind] : []));
export const end = ({ events }: Side) =>
  events.flatMap((e) => (e.kind === "state" && e.state.kind === "closed" ? [e.state.reason.code] : []));
export const peer = ({ peers }: Side) => peers.at(-1) as TestPeer;
/** Until what is under way is done: sealing takes turns of its own. */
export const settle = () => vi.waitFor(async () => await vi.advanceTimersByTimeAsync(1));
export async function reach(side: Side, state: string) {
  await vi.waitFor(() => {
    expect(states(side)).toContain(state);
  });
}

export async function meet(): Promise<[Side, Side]> {
  const creator = start("creator");
  await reach(creator, "waiting");
  const joiner = start("joiner");
  await reach(creator, "connecting");
  await reach(joiner, "connecting");
  return [creator, joiner];
}

export async function connect(): Promise<[Side, Side]> {
  const [creator, joiner] = await meet();
  join(peer(creator), peer(joiner));
  await settle();
  return [creator, joiner];
}

export function begin(): void {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  [server, sides] = [new TestServer(), []];
}

export function finish(): void {
  for (const { session } of sides) session.leave();
  vi.useRealTimers();
}
