/** What client and server tell one another: docs/protocol.md, byte for byte. */
import { asObject, flag, parseObject, text, texts, whole, type Fields } from "../json";

export const PROTOCOL_VERSION = 1;
/** The feature of a client that understands the message of this name. */
export const ICE_SERVERS = "ice-servers";
/** The largest relay body, bytes. */
export const MAX_BODY_BYTES = 65_536;
/** How many bodies, and bytes of them, may be under way to the other. */
export const MAX_UNACKNOWLEDGED = 64;
export const MAX_UNACKNOWLEDGED_BYTES = 262_144;
/** A server that names more is taken at its first ones. */
const MAX_ICE_SERVERS = 8;

export type Role = "creator" | "joiner";

export interface Resume {
  token: string;
  exchange: number;
  received: number;
}

export type ClientMessage =
  | { type: "hello"; version: number; features: string[]; resume?: Resume }
  | { type: "create" }
  | { type: "knock"; nameplate: string }
  | { type: "relay"; exchange: number; seq: number; body: string }
  | { type: "ack"; exchange: number; seq: number }
  | { type: "confirmed"; exchange: number }
  | { type: "leave"; reason: string }
  | { type: "ping" };

export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

export type ServerMessage =
  | { type: "welcome"; heartbeatMs: number; token: string; resumed: boolean; received: number }
  | { type: "token"; token: string }
  | { type: "created"; nameplate: string }
  | { type: "waiting"; ahead: number }
  | { type: "knocked"; exchange: number }
  | { type: "relay"; exchange: number; seq: number; body: string }
  | { type: "ack"; exchange: number; seq: number }
  | { type: "confirmed"; exchange: number; room: string }
  | { type: "ice-servers"; exchange: number; servers: IceServer[] }
  | { type: "peer-left"; exchange: number; reason: string }
  | { type: "error"; code: string; text: string; fatal: boolean }
  | { type: "pong" };

/** Reads a message; `null` for what makes no sense or isn't known, which is dropped. */
export function parseServerMessage(frame: string): ServerMessage | null {
  const fields = parseObject(frame);
  const type = fields && text(fields, "type");
  if (fields === null || type === null) return null;
  const read = READERS[type];
  return read === undefined ? null : read(fields);
}

const READERS: Readonly<Record<string, (fields: Fields) => ServerMessage | null>> = {
  welcome: (f) => {
    const [heartbeatMs, token] = [whole(f, "heartbeat_ms"), text(f, "token")];
    const [resumed, received] = [flag(f, "resumed"), whole(f, "received")];
    if (heartbeatMs === null || token === null || resumed === null || received === null) return null;
    return { type: "welcome", heartbeatMs, token, resumed, received };
  },
  token: (f) => given(text(f, "token"), (token) => ({ type: "token", token })),
  created: (f) => given(text(f, "nameplate"), (nameplate) => ({ type: "created", nameplate })),
  waiting: (f) => given(whole(f, "ahead"), (ahead) => ({ type: "waiting", ahead })),
  knocked: (f) => given(whole(f, "exchange"), (exchange) => ({ type: "knocked", exchange })),
  relay: (f) => {
    const [exchange, seq, body] = [whole(f, "exchange"), whole(f, "seq"), text(f, "body")];
    return exchange === null || seq === null || body === null ? null : { type: "relay", exchange, seq, body };
  },
  ack: (f) => {
    const [exchange, seq] = [whole(f, "exchange"), whole(f, "seq")];
    return exchange === null || seq === null ? null : { type: "ack", exchange, seq };
  },
  confirmed: (f) => {
    const [exchange, room] = [whole(f, "exchange"), text(f, "room")];
    return exchange === null || room === null ? null : { type: "confirmed", exchange, room };
  },
  "ice-servers": (f) => {
    const [exchange, servers] = [whole(f, "exchange"), iceServers(f["servers"])];
    return exchange === null || servers === null ? null : { type: "ice-servers", exchange, servers };
  },
  "peer-left": (f) => {
    const [exchange, reason] = [whole(f, "exchange"), text(f, "reason")];
    return exchange === null || reason === null ? null : { type: "peer-left", exchange, reason };
  },
  error: (f) => {
    const [code, words, fatal] = [text(f, "code"), text(f, "text"), flag(f, "fatal")];
    return code === null || words === null || fatal === null ? null : { type: "error", code, text: words, fatal };
  },
  pong: () => ({ type: "pong" }),
};

function given<T>(value: T | null, message: (value: T) => ServerMessage): ServerMessage | null {
  return value === null ? null : message(value);
}

function iceServers(value: unknown): IceServer[] | null {
  if (!Array.isArray(value)) return null;
  const servers = value.slice(0, MAX_ICE_SERVERS).map((item: unknown) => iceServer(asObject(item)));
  return servers.every((server) => server !== null) ? servers : null;
}

function iceServer(fields: Fields | null): IceServer | null {
  const urls = fields && texts(fields["urls"]);
  if (fields === null || urls === null) return null;
  const [username, credential] = [text(fields, "username"), text(fields, "credential")];
  return username === null || credential === null ? { urls } : { urls, username, credential };
}
