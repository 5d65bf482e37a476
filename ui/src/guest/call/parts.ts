/** What a session is made of, and what it tells. */
import type { Emoji } from "../crypto/emoji";
import type { Dial } from "../signaling/events";
import type { Role } from "../signaling/messages";
import type { MediaState, ReceiveReport } from "./control";
import type { Envelope } from "./meeting";
import type { PeerConnection, PeerEvents } from "./peer";
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
  | { kind: "stream"; stream: MediaStream }
  /** Somebody tried other words. */
  | { kind: "guessed"; left: number }
  /** The call is over, the goodbye has had its time, and everything is closed. */
  | { kind: "finished" };

/** All of it can be faked. */
export interface SessionParts {
  role: Role;
  /** Where to knock; `null` to create. */
  nameplate: string | null;
  dial: Dial;
  /** The page's host, which whoever is here trusts. */
  host: string;
  media: MediaState;
  peer(events: PeerEvents): PeerConnection;
  /** The exchange over this nameplate and the words that only the two know. */
  envelope(nameplate: string): Envelope;
  onEvent(event: CallEvent): void;
}
