/**
 * The client's side of one call's signalling: makes or enters a room, relays bodies in order without losing or doubling
 * one, and keeps its place over lost connections. It behaves as `crates/signaling/src/client` does.
 *
 * ```text
 * asking ─ created/waiting ─> waiting ─ knocked ─> meeting ─ confirmed ─> (paired)
 *    │ refused                  │ refused              │ peer-left: joiner, or paired
 *    v                          v                      v
 * nowhere                    nowhere                nowhere      creator: waiting <─ peer-left ─ meeting
 * ```
 */
import { exhaustive } from "../../exhaustive";
import { Deadlines } from "../deadlines";
import type { ClientEvent, Dial, GiveUp, Intent } from "./events";
import { Exchange } from "./exchange";
import { Link } from "./link";
import { MAX_BODY_BYTES, type ServerMessage } from "./messages";

/** How long the way into a room may take: the server reached and `created`, `waiting` or `knocked` received. */
const ENTRY_DEADLINE_MS = 15_000;
/** How long a place in a room that isn't a pair yet is believed in while offline: the server's grace and a little. */
const PLACE_DEADLINE_MS = 35_000;

type Seat = { kind: "creator"; nameplate: string } | { kind: "joiner"; ahead: number | null };
type Place =
  | { kind: "nowhere" }
  | { kind: "asking" }
  | { kind: "waiting"; seat: Seat }
  | { kind: "meeting"; seat: Seat; exchange: Exchange };
type Timer = "entry" | "place";

export class Client {
  readonly #intent: Intent;
  readonly #onEvent: (event: ClientEvent) => void;
  readonly #link: Link;
  readonly #timers = new Deadlines<Timer>((timer) => {
    this.#onTimer(timer);
  });
  #place: Place = { kind: "asking" };
  #saidOffline = false;
  #lastFailure: string | null = null;

  /** Begins to connect at once; nothing is said before the constructor is done. */
  constructor(intent: Intent, dial: Dial, onEvent: (event: ClientEvent) => void) {
    this.#intent = intent;
    this.#onEvent = onEvent;
    this.#link = new Link(dial, {
      position: () => this.#position(),
      welcomed: ({ resumed, received }) => {
        this.#onWelcome(resumed, received);
      },
      message: (message) => {
        this.#onMessage(message);
      },
      refused: (code, text) => {
        this.#onRefusal(code, text);
      },
      lost: (reason) => {
        this.#onLost(reason);
      },
      gaveUp: (cause, reason) => {
        this.#giveUp(cause, reason);
      },
    });
    this.#timers.set("entry", ENTRY_DEADLINE_MS);
    this.#link.connect();
  }

  get isOnline(): boolean {
    return this.#link.isOnline;
  }

  get isInRoom(): boolean {
    return this.#place.kind === "waiting" || this.#place.kind === "meeting";
  }

  /** Whether the server has made a pair of us and the other, who hasn't left it. */
  get isPaired(): boolean {
    return this.#place.kind === "meeting" && this.#place.exchange.paired;
  }

  /** The number of the exchange that goes on, 0 for none. */
  get exchange(): number {
    return this.#place.kind === "meeting" ? this.#place.exchange.number : 0;
  }

  get hasEnded(): boolean {
    return this.#link.hasEnded;
  }

  /** Whether the server answers, and has said something at `then` or later, milliseconds of performance.now(). */
  hasAnsweredSince(then: number): boolean {
    return this.#link.hasAnsweredSince(then);
  }

  /** Brings this (sealed) body to the other, now or when the server is back. */
  relay(body: string): void {
    if (this.#place.kind !== "meeting" || body.length > MAX_BODY_BYTES) return;
    this.#place.exchange.push(body);
    this.#flush();
  }

  /** Accepts the other for good. */
  confirm(): void {
    if (this.#place.kind !== "meeting" || this.#place.exchange.confirmSent) return;
    this.#place.exchange.confirmSent = true;
    if (this.isOnline) this.#link.send({ type: "confirmed", exchange: this.#place.exchange.number });
  }

  /** Leaves the room and ends this client; the word tells the other why. */
  leave(reason: string): void {
    if (this.hasEnded) return;
    if (this.isOnline && this.#place.kind !== "nowhere") this.#link.send({ type: "leave", reason });
    this.#end();
  }

  /** Something is in doubt that the server is needed for: asks it now whether it still answers. */
  probe(): void {
    this.#link.probe();
  }

  /** The socket may hang on an address that is gone: opens a new one at once. */
  networkChanged(): void {
    this.#link.renew();
  }

  #end(): void {
    this.#link.end();
    this.#place = { kind: "nowhere" };
    this.#timers.clearAll();
  }

  #giveUp(cause: GiveUp, reason: string): void {
    this.#end();
    this.#onEvent({ kind: "gave-up", cause, reason });
  }

  #onTimer(timer: Timer): void {
    switch (timer) {
      case "entry":
        this.#giveUp("unreachable", this.#lastFailure ?? "the server didn't answer in time");
        return;
      case "place":
        this.#giveUp("room-lost", "the server couldn't be reached again in time");
        return;
      default:
        exhaustive(timer);
    }
  }

  // ── the way to the server ───────────────────────────────────────────────────────────────────────────────────────

  #position(): { exchange: number; received: number } {
    if (this.#place.kind !== "meeting") return { exchange: 0, received: 0 };
    return { exchange: this.#place.exchange.number, received: this.#place.exchange.received };
  }

  #onWelcome(resumed: boolean, received: number): void {
    this.#lastFailure = null;
    this.#saidOffline = false;
    this.#timers.clear("place");
    // First: whoever hears of it may have something to send, and that comes behind what is sent again.
    this.#takePlaceUp(resumed, received);
    if (this.isOnline) this.#onEvent({ kind: "online" });
  }

  #onLost(reason: string): void {
    if (this.isInRoom && !this.isPaired && !this.#timers.isSet("place")) this.#timers.set("place", PLACE_DEADLINE_MS);
    this.#lastFailure = reason;
    if (this.#saidOffline) return;
    this.#saidOffline = true;
    this.#onEvent({ kind: "offline", reason });
  }

  /** After `welcome`: goes on where the lost connection left off, or begins. */
  #takePlaceUp(resumed: boolean, received: number): void {
    if (!resumed) {
      if (this.isInRoom) this.#giveUp("room-lost", "the server doesn't know this room any more");
      else if (this.#place.kind === "asking") this.#ask();
      return;
    }
    if (this.#place.kind !== "meeting") {
      // What the server says next tells the place; this only proves that the new token has arrived.
      this.#link.send({ type: "ack", exchange: 0, seq: 0 });
      return;
    }
    const { exchange } = this.#place;
    exchange.rewind(received);
    this.#link.send(exchange.ack());
    this.#flush();
    if (exchange.confirmSent && !exchange.paired) this.#link.send({ type: "confirmed", exchange: exchange.number });
  }

  // ── the place in the server's rooms ─────────────────────────────────────────────────────────────────────────────

  #ask(): void {
    const intent = this.#intent;
    this.#link.send(intent.kind === "create" ? { type: "create" } : { type: "knock", nameplate: intent.nameplate });
  }

  #flush(): void {
    if (!this.isOnline || this.#place.kind !== "meeting") return;
    const { exchange } = this.#place;
    for (let next = exchange.nextToSend(); next !== null; next = exchange.nextToSend()) this.#link.send(next);
  }

  #onMessage(message: ServerMessage): void {
    switch (message.type) {
      case "token":
        this.#link.renewToken(message.token);
        return;
      case "created":
        this.#onCreated(message.nameplate);
        return;
      case "waiting":
        this.#onWaiting(message.ahead);
        return;
      case "knocked":
        this.#onKnocked(message.exchange);
        return;
      case "relay":
        this.#onRelay(message.exchange, message.seq, message.body);
        return;
      case "ack":
        this.#present(message.exchange)?.acknowledge(message.seq);
        this.#flush();
        return;
      case "confirmed":
        this.#onConfirmed(message.exchange);
        return;
      case "ice-servers":
        if (this.#present(message.exchange) !== null) this.#onEvent({ kind: "ice-servers", servers: message.servers });
        return;
      case "peer-left":
        this.#onPeerLeft(message.exchange, message.reason);
        return;
      case "pong":
      case "welcome":
      case "error":
        return;
      default:
        exhaustive(message);
    }
  }

  #onCreated(nameplate: string): void {
    if (this.#place.kind !== "asking" || this.#intent.kind !== "create") return;
    this.#place = { kind: "waiting", seat: { kind: "creator", nameplate } };
    this.#timers.clear("entry");
    this.#onEvent({ kind: "created", nameplate });
  }

  #onWaiting(ahead: number): void {
    const known = this.#place.kind === "waiting" && this.#place.seat.kind === "joiner" ? this.#place.seat.ahead : null;
    const mayWait = this.#place.kind === "asking" || this.#place.kind === "waiting";
    if (!mayWait || this.#intent.kind !== "knock") return;
    this.#timers.clear("entry");
    this.#place = { kind: "waiting", seat: { kind: "joiner", ahead } };
    if (known !== ahead) this.#onEvent({ kind: "waiting", ahead });
  }

  #onKnocked(number: number): void {
    let seat: Seat;
    if (this.#place.kind === "waiting") seat = this.#place.seat;
    else if (this.#place.kind === "asking" && this.#intent.kind === "knock") seat = { kind: "joiner", ahead: null };
    else return; // Said again after a resume, or out of place.
    this.#timers.clear("entry");
    this.#place = { kind: "meeting", seat, exchange: new Exchange(number) };
    this.#onEvent({ kind: "knocked" });
  }

  #onRelay(number: number, seq: number, body: string): void {
    const exchange = this.#present(number);
    if (exchange === null) return;
    const arrival = exchange.arrive(seq);
    if (arrival === "gap") {
      this.#link.drop("the server skipped a message");
      return;
    }
    this.#link.send(exchange.ack());
    if (arrival === "new") this.#onEvent({ kind: "relayed", body });
  }

  #onConfirmed(number: number): void {
    const exchange = this.#present(number);
    // No pair is made without us.
    if (exchange === null || !exchange.confirmSent || exchange.paired) return;
    exchange.paired = true;
    this.#onEvent({ kind: "confirmed" });
  }

  #onPeerLeft(number: number, reason: string): void {
    if (this.#place.kind !== "meeting" || this.#place.exchange.number !== number) return;
    const { seat, exchange } = this.#place;
    // Everything before it has arrived: the server may forget the room.
    if (exchange.paired) this.#link.send({ type: "leave", reason: "" });
    const waitsOn = seat.kind === "creator" && !exchange.paired;
    this.#place = waitsOn ? { kind: "waiting", seat } : { kind: "nowhere" };
    this.#onEvent({ kind: "peer-left", reason });
  }

  /** The present exchange if that is its number; anything about another is late. */
  #present(number: number): Exchange | null {
    return this.#place.kind === "meeting" && this.#place.exchange.number === number ? this.#place.exchange : null;
  }

  /** An error after which the connection goes on. */
  #onRefusal(code: string, text: string): void {
    // The `welcome` behind it tells the same, and what to do about it.
    if (code === "resume-refused") return;
    if (ENDS_THE_PLACE.has(code)) {
      this.#timers.clear("entry");
      this.#place = { kind: "nowhere" };
    }
    this.#onEvent({ kind: "refused", code, text });
  }
}

const ENDS_THE_PLACE = new Set(["no-such-room", "room-full", "room-closed", "line-full", "server-full", "expired"]);
