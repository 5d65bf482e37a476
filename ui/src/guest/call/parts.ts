/** What a session is made of, and what it tells. */
import type { Bytes } from "../crypto/bytes";
import type { Emoji } from "../crypto/emoji";
import type { Dial } from "../signaling/events";
import type { Role } from "../signaling/messages";
import type { Again } from "./apart";
import type { MediaState, ReceiveReport } from "./control";
import type { Envelope } from "./meeting";
import type { PeerConnection, PeerEvents, PeerNews } from "./peer";
import type { CallState } from "./state";

export type CallEvent =
  | { kind: "state"; state: CallState }
  | { kind: "created"; nameplate: string }
  | { kind: "waiting"; ahead: number }
  | { kind: "signaling"; online: boolean; problem: string | null }
  | { kind: "peer"; state: RTCPeerConnectionState }
  | { kind: "remote-media"; media: MediaState }
  | { kind: "remote-report"; report: ReceiveReport }
  | { kind: "remote-guest"; host: string }
  /** What both screens show, for whoever wants to compare them aloud. */
  | { kind: "pictures"; pictures: Emoji[] }
  | PeerNews
  /** Somebody tried other words. */
  | { kind: "guessed"; left: number }
  /** How things stand with another call, after the end of this one. */
  | { kind: "again"; again: Again }
  /** Both are over, the call and the thought of another one; the goodbye has had its time, and everything is closed. */
  | { kind: "finished" };

/** What a call is held with, all of it bound to one certificate. */
export interface Means {
  peer(events: PeerEvents): PeerConnection;
  /** The exchange over what only the two know; a code's is at this nameplate. */
  envelope(nameplate: string): Envelope;
}

/** All of it can be faked. */
export interface SessionParts extends Means {
  role: Role;
  /** Where to knock; `null` to create. */
  nameplate: string | null;
  dial: Dial;
  /** The page's host, which whoever is here trusts. */
  host: string;
  media: MediaState;
  /** For another call with the same other, by what they have of the one before: with a new certificate. */
  again(rejoin: Bytes): Promise<Means>;
  onEvent(event: CallEvent): void;
}
