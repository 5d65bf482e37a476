/** What a signalling client is told, and what it tells. */
import type { IceServer } from "./messages";

/** An open or opening socket. After `close` its handlers are called no more. */
export interface Socket {
  send(text: string): void;
  close(): void;
}

export interface SocketHandlers {
  opened(): void;
  text(frame: string): void;
  closed(reason: string): void;
}

export type Dial = (handlers: SocketHandlers) => Socket;

export type Intent = { kind: "create" } | { kind: "knock"; nameplate: string };

/** Why a client gave up. */
export type GiveUp =
  "unreachable" | "not-a-server" | "version" | "server-full" | "room-lost" | "superseded" | "protocol";

export type ClientEvent =
  | { kind: "online" }
  | { kind: "offline"; reason: string }
  | { kind: "created"; nameplate: string }
  | { kind: "waiting"; ahead: number }
  | { kind: "knocked" }
  | { kind: "ice-servers"; servers: IceServer[] }
  | { kind: "relayed"; body: string }
  | { kind: "confirmed" }
  /** The exchange is over. A creator whose call isn't confirmed waits on; everybody else is out of the room. */
  | { kind: "peer-left"; reason: string }
  | { kind: "refused"; code: string; text: string }
  | { kind: "gave-up"; cause: GiveUp; reason: string };
