/** A signalling server of one room, and peer connections of nothing: for tests. */
import type { Dial, SocketHandlers } from "../signaling/events";
import type { PeerConnection, PeerEvents } from "./peer";
import type { HidingError } from "./privacy";

type Message = Record<string, unknown> & { type: string };

interface Guest {
  handlers: SocketHandlers;
  confirmed: boolean;
}

/** Brings two together as docs/protocol.md says, and answers only what a session without trouble needs. */
export class TestServer {
  creator: Guest | null = null;
  joiner: Guest | null = null;
  exchange = 0;
  /** Every relay body, as it went by. */
  readonly bodies: string[] = [];
  /** Lets a body pass, changed or not; `null` drops it. */
  tap: (body: string, from: "creator" | "joiner") => string | null = (body) => body;

  readonly dial: Dial = (handlers) => {
    const guest: Guest = { handlers, confirmed: false };
    queueMicrotask(() => {
      handlers.opened();
    });
    return {
      send: (text) => {
        queueMicrotask(() => {
          this.#on(guest, JSON.parse(text) as Message);
        });
      },
      close: () => undefined,
    };
  };

  tell(guest: Guest | null, message: Message): void {
    guest?.handlers.text(JSON.stringify(message));
  }

  /** The server's own clock for an exchange. */
  timeOut(): void {
    this.#part("timed-out");
  }

  #on(guest: Guest, message: Message): void {
    const other = guest === this.creator ? this.joiner : this.creator;
    switch (message.type) {
      case "hello": {
        const rest = { version: 1, features: [], heartbeat_ms: 10_000, token: "T", resumed: false, received: 0 };
        this.tell(guest, { type: "welcome", ...rest });
        break;
      }
      case "create":
        this.creator = guest;
        this.tell(guest, { type: "created", nameplate: "4827" });
        break;
      case "knock":
        this.joiner = guest;
        this.exchange += 1;
        for (const side of [this.creator, guest]) this.tell(side, { type: "knocked", exchange: this.exchange });
        break;
      case "relay": {
        const from = guest === this.creator ? "creator" : "joiner";
        this.bodies.push(message["body"] as string);
        const body = this.tap(message["body"] as string, from);
        if (body !== null) this.tell(other, { ...message, body });
        break;
      }
      case "ack":
        this.tell(other, message);
        break;
      case "confirmed":
        guest.confirmed = true;
        if (other?.confirmed === true) {
          for (const side of [guest, other]) this.tell(side, { ...message, room: "0f" });
        }
        break;
      case "leave":
        if (other !== null) this.tell(other, { type: "peer-left", exchange: this.exchange, reason: message["reason"] });
        if (guest === this.joiner) this.joiner = null;
        break;
      case "ping":
        this.tell(guest, { type: "pong" });
        break;
      default:
        throw new Error(`a message of type ${message.type}`);
    }
  }

  #part(reason: string): void {
    for (const side of [this.creator, this.joiner])
      this.tell(side, { type: "peer-left", exchange: this.exchange, reason });
    this.joiner = null;
  }
}

/** A connection that tests bring up and down by hand. */
export class TestPeer implements PeerConnection {
  readonly events: PeerEvents;
  readonly fingerprint: string;
  /** What the connection came up with, where that isn't what was sealed. */
  shown: string | null = null;
  inVain: HidingError | null = null;
  readonly done: string[] = [];
  other: TestPeer | null = null;
  open = false;

  constructor(events: PeerEvents, fingerprint: string) {
    this.events = events;
    this.fingerprint = fingerprint;
  }

  useServers(): void {
    this.done.push("servers");
  }
  offer(restart: boolean): Promise<string> {
    this.done.push(restart ? "offer again" : "offer");
    this.events.candidate({ candidate: "candidate:1", sdpMid: "0" });
    return Promise.resolve(`v=0\r\na=fingerprint:sha-256 ${this.fingerprint}\r\n`);
  }
  answer(): Promise<string> {
    this.done.push("answer");
    return Promise.resolve(`v=0\r\na=fingerprint:sha-256 ${this.fingerprint}\r\n`);
  }
  acceptAnswer(): Promise<void> {
    this.done.push("accept");
    return Promise.resolve();
  }
  rollback(): Promise<void> {
    this.done.push("rollback");
    return Promise.resolve();
  }
  addCandidate({ candidate }: { candidate: string }): Promise<void> {
    this.done.push(candidate);
    return Promise.resolve();
  }
  replace(): Promise<void> {
    return Promise.resolve();
  }
  say(message: string): boolean {
    if (!this.open) return false;
    queueMicrotask(() => this.other?.events.control(message));
    return true;
  }
  stats(): Promise<RTCStatsReport> {
    return Promise.reject(new Error("nothing is measured here"));
  }
  remoteFingerprint(): Promise<string | null> {
    return Promise.resolve(this.shown ?? this.other?.fingerprint ?? null);
  }
  close(): void {
    this.open = false;
    this.done.push("close");
  }
}

/** ICE and DTLS find a path between these two. */
export function join(one: TestPeer, two: TestPeer): void {
  [one.other, two.other] = [two, one];
  for (const peer of [one, two]) {
    peer.open = true;
    peer.events.state("connected");
    peer.events.controlOpened();
  }
}
