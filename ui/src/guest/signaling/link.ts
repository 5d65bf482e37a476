/**
 * The way to the server: attempts with growing, jittered pauses, the greeting, heartbeats.
 *
 * ```text
 * pausing ─ reconnect ─> connecting ─ opened ─> greeting ─ welcome ─> online
 *    ^─── socket closed · no answer in time · no pong ──┴────────────────┘
 * any ─ refused for good · ended by its user ─> ended
 * ```
 */
import { exhaustive } from "../../exhaustive";
import { Deadlines } from "../deadlines";
import type { Dial, GiveUp, Socket } from "./events";
import {
  ICE_SERVERS,
  parseServerMessage,
  PROTOCOL_VERSION,
  type ClientMessage,
  type Resume,
  type ServerMessage,
} from "./messages";

const CONNECT_TIMEOUT_MS = 5_000;
const GREETING_TIMEOUT_MS = 5_000;
const PONG_TIMEOUT_MS = 5_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;
/** What a server may ask for as the time between two pings. */
const HEARTBEAT_BOUNDS_MS = [1_000, 60_000] as const;

type Welcome = Extract<ServerMessage, { type: "welcome" }>;
type State = "pausing" | "connecting" | "greeting" | "online" | "ended";
type Timer = "reconnect" | "connect" | "greeting" | "heartbeat" | "pong";

/** What the link tells whoever uses it. */
export interface LinkUser {
  /** Where to go on, if there is anything to go on with. */
  position(): Omit<Resume, "token">;
  welcomed(welcome: Welcome): void;
  message(message: ServerMessage): void;
  /** The server refuses something, and the connection goes on. */
  refused(code: string, text: string): void;
  /** The socket is gone; another attempt follows by itself. */
  lost(reason: string): void;
  /** The link has ended by itself. */
  gaveUp(cause: GiveUp, reason: string): void;
}

export class Link {
  readonly #dial: Dial;
  readonly #user: LinkUser;
  readonly #timers = new Deadlines<Timer>((timer) => {
    this.#onTimer(timer);
  });
  #state: State = "pausing";
  #socket: Socket | null = null;
  #token: string | null = null;
  #heartbeatMs = 0;
  #attempts = 0;
  #heard = -Infinity;

  constructor(dial: Dial, user: LinkUser) {
    this.#dial = dial;
    this.#user = user;
  }

  get isOnline(): boolean {
    return this.#state === "online";
  }

  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** Whether the server answers, and has said something at `then` or later, milliseconds of performance.now(). */
  hasAnsweredSince(then: number): boolean {
    return this.isOnline && this.#heard >= then;
  }

  send(message: ClientMessage): void {
    this.#socket?.send(JSON.stringify(message));
  }

  connect(): void {
    this.#state = "connecting";
    this.#timers.set("connect", CONNECT_TIMEOUT_MS);
    let current = true;
    const socket = this.#dial({
      opened: () => {
        if (current) this.#greet();
      },
      text: (frame) => {
        if (current) this.#onText(frame);
      },
      closed: (reason) => {
        if (current) this.#lose(reason);
      },
    });
    this.#socket = {
      send: (text) => {
        socket.send(text);
      },
      close: () => {
        current = false;
        socket.close();
      },
    };
  }

  /** Asks the server now whether it still answers. */
  probe(): void {
    if (this.isOnline && !this.#timers.isSet("pong")) this.#ping();
  }

  /** Opens a new socket at once in the place of one that may hang on an address that is gone. */
  renew(): void {
    if (this.hasEnded) return;
    if (this.#state !== "pausing") this.drop("the network has changed");
    this.#attempts = 0;
    this.#timers.clear("reconnect");
    this.connect();
  }

  /** Closes a socket that is of no use and goes on as if it had been lost. */
  drop(reason: string): void {
    this.#socket?.close();
    this.#lose(reason);
  }

  /** Closes what is open, behind what was sent, and stops for good. */
  end(): void {
    this.#socket?.close();
    this.#socket = null;
    this.#state = "ended";
    this.#timers.clearAll();
  }

  #greet(): void {
    this.#state = "greeting";
    this.#timers.clear("connect");
    this.#timers.set("greeting", GREETING_TIMEOUT_MS);
    const resume = this.#token !== null && { resume: { token: this.#token, ...this.#user.position() } };
    this.send({ type: "hello", version: PROTOCOL_VERSION, features: [ICE_SERVERS], ...resume });
  }

  #lose(reason: string): void {
    if (this.#state === "pausing" || this.hasEnded) return;
    this.#timers.clearAll();
    this.#state = "pausing";
    this.#socket = null;
    this.#timers.set("reconnect", this.#nextPause());
    this.#user.lost(reason);
  }

  /** Doubles with each attempt; its later half is random, so that a server's clients don't all come back at once. */
  #nextPause(): number {
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.#attempts, 8), LONGEST_PAUSE_MS);
    this.#attempts += 1;
    return longest / 2 + (longest / 2) * Math.random();
  }

  #ping(): void {
    this.send({ type: "ping" });
    if (!this.#timers.isSet("pong")) this.#timers.set("pong", PONG_TIMEOUT_MS);
  }

  #onTimer(timer: Timer): void {
    switch (timer) {
      case "reconnect":
        this.connect();
        return;
      case "connect":
        this.drop("the server didn't open the connection in time");
        return;
      case "greeting":
        this.drop("the server didn't answer the greeting in time");
        return;
      case "heartbeat":
        this.#ping();
        return;
      case "pong":
        this.drop("the server has gone silent");
        return;
      default:
        exhaustive(timer);
    }
  }

  #onText(frame: string): void {
    this.#timers.clear("pong");
    this.#heard = performance.now();
    const message = parseServerMessage(frame);
    // Set here and not where the ping is sent: of a page that nobody sees, browsers put off timers that timers set, to once a
    // minute, and a server takes a client that is silent for so long for gone.
    if (message?.type === "pong") this.#timers.set("heartbeat", this.#heartbeatMs);
    if (message?.type === "error") this.#onError(message);
    else if (this.#state === "greeting") this.#onGreeting(message);
    else if (this.#state === "online" && message !== null) this.#user.message(message);
  }

  #onGreeting(message: ServerMessage | null): void {
    if (message?.type !== "welcome") {
      this.#giveUp("not-a-server", "what answers at this address is no Visavis server");
      return;
    }
    const [least, most] = HEARTBEAT_BOUNDS_MS;
    this.#heartbeatMs = Math.min(Math.max(message.heartbeatMs, least), most);
    this.#state = "online";
    this.#token = message.token;
    this.#attempts = 0;
    this.#timers.clear("greeting");
    this.#timers.set("heartbeat", this.#heartbeatMs);
    this.#user.welcomed(message);
  }

  /** A newer token has come. */
  renewToken(token: string): void {
    this.#token = token;
  }

  #onError({ code, text, fatal }: Extract<ServerMessage, { type: "error" }>): void {
    if (!fatal) this.#user.refused(code, text);
    else if (code === "shutting-down" || code === "idle") this.drop(text);
    else this.#giveUp(FATAL[code] ?? "protocol", text);
  }

  #giveUp(cause: GiveUp, reason: string): void {
    this.end();
    this.#user.gaveUp(cause, reason);
  }
}

const FATAL: Readonly<Partial<Record<string, GiveUp>>> = {
  "unsupported-version": "version",
  "server-full": "server-full",
  superseded: "superseded",
};
