/**
 * What the other side is told of our addresses, and the browser of theirs. Relay-only means that no address of this machine
 * leaves it but to the relay: not as a candidate, not beside one (`raddr`, RFC 8839, section 5.1 allows to hide it), not in the
 * connection data or the origin of a description (RFC 8866). `crates/transport/src/privacy.rs` does the same.
 */
import { text } from "../../text";

const CANDIDATE = "a=candidate:";
const LINE_END = /\r?\n/;

/** Addresses were to be hidden, and the call can't go on like that. */
export class HidingError extends Error {}

/** A candidate that the browser told of, or one of the other side's. */
interface WithLine {
  candidate: string;
}

/** How one connection keeps its addresses. */
export class Privacy {
  readonly relayOnly: boolean;
  /** What became of asking each relay; `null` while nothing has. */
  #relays = new Map<string, string | null>();
  #hasTold = false;

  constructor(relayOnly: boolean) {
    this.relayOnly = relayOnly;
  }

  /** Those of the servers that may be asked: one that tells us our address learns it. */
  servers<Server extends { urls: string[] }>(servers: readonly Server[]): Server[] {
    const wanted = this.relayOnly ? /^turns?:/i : /^(stun|turn)s?:/i;
    const usable = servers
      .map((server) => ({ ...server, urls: server.urls.filter((url) => wanted.test(url)) }))
      .filter(({ urls }) => urls.length > 0);
    const relays = usable.flatMap(({ urls }) => urls.map(placeOf));
    this.#relays = new Map(relays.map((relay) => [relay, this.#relays.get(relay) ?? null]));
    return usable;
  }

  /** The candidate as the other side may see it; `null` when it may not. */
  candidate<Candidate extends WithLine>(candidate: Candidate): Candidate | null {
    if (!this.relayOnly) return candidate;
    if (!isRelayed(candidate.candidate)) return null;
    this.#hasTold = true;
    return { ...candidate, candidate: withoutRelatedAddress(candidate.candidate) };
  }

  /** The description as the other side may see it. */
  description(sdp: string): string {
    if (!this.relayOnly) return sdp;
    return inLines(sdp, withoutOwnAddress);
  }

  /** Whether the browser may be told of an address of the other's. A name would have to be looked up, by this machine and not by the relay. */
  takes({ candidate }: WithLine): boolean {
    return !this.relayOnly || isAddress(candidate.trim().split(/\s+/)[4] ?? "");
  }

  /** The other's description as the browser may see it. */
  theirs(sdp: string): string {
    if (!this.relayOnly) return sdp;
    return inLines(sdp, (line) => (line.startsWith(CANDIDATE) && !this.takes({ candidate: line }) ? null : line));
  }

  /** A server has said no, or nothing: `code` as in RFC 8489, section 14.8, or 701 where it wasn't reached (W3C webrtc-pc, 5.7.3). */
  refused({
    url,
    errorCode,
    errorText,
  }: Pick<RTCPeerConnectionIceErrorEvent, "url" | "errorCode" | "errorText">): void {
    const relay = placeOf(url);
    const words = text.guest.hiding;
    // What was said in so many words says more than silence.
    if (errorCode === 401 || errorCode === 441) this.#relays.set(relay, words.password(relay));
    else if (errorCode < 700) this.#relays.set(relay, words.refused(relay, errorCode, errorText));
    else this.#relays.set(relay, this.#relays.get(relay) ?? words.silent(relay));
  }

  /** Throws a `HidingError` when there is no way at all to an address that may be told. */
  needRelay(): void {
    if (this.relayOnly && this.#relays.size === 0) throw new HidingError(text.guest.hiding.noRelay);
  }

  /**
   * Why there is nothing that the other side could be told; `null` where it was told something. `awaited`: the browser hasn't
   * heard of all relays yet. Once it has, one of which it says nothing may have refused: not every browser tells.
   */
  inVain(awaited: boolean): HidingError | null {
    if (!this.relayOnly || this.#hasTold) return null;
    const causes = Array.from(
      this.#relays,
      ([relay, cause]) => cause ?? (awaited ? text.guest.hiding.silent(relay) : ""),
    );
    return new HidingError(text.guest.hiding.noneGiven(causes.filter((cause) => cause !== "")));
  }
}

/** Whether this browser says that it uses relayed addresses alone where it is asked to: one that doesn't know the wish leaves it out. */
export function canHide(): boolean {
  const scratch = new RTCPeerConnection({ iceTransportPolicy: "relay" });
  try {
    return scratch.getConfiguration().iceTransportPolicy === "relay";
  } finally {
    scratch.close();
  }
}

/** Where a TURN server is, without how it is spoken to. */
function placeOf(url: string): string {
  return url.replace(/^turns?:(\/\/)?/i, "").replace(/\?.*$/, "");
}

function isRelayed(line: string): boolean {
  const fields = line.split(/\s+/);
  const at = fields.indexOf("typ");
  return at >= 0 && fields[at + 1] === "relay";
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^\d+(\.\d+){3}$/.test(host);
}

/** A relayed candidate says from which address of ours the relay was asked: the other side needn't know. */
function withoutRelatedAddress(line: string): string {
  const at = line.indexOf(" raddr ");
  if (at < 0) return line;
  const [address = "", ...rest] = line.slice(at + " raddr ".length).split(" ");
  const port = rest.lastIndexOf("rport");
  const after = port < 0 ? [] : rest.slice(port + 2);
  return [line.slice(0, at), "raddr", address.includes(":") ? "::" : "0.0.0.0", "rport 0", ...after].join(" ");
}

/** Connection data and origin become "any address", which with ICE nobody uses; of the candidates the relayed ones stay. */
function withoutOwnAddress(line: string): string | null {
  if (line.startsWith(CANDIDATE)) return isRelayed(line) ? withoutRelatedAddress(line) : null;
  if (line.startsWith("c=")) return "c=IN IP4 0.0.0.0";
  if (line.startsWith("o=")) {
    const [before, after] = line.split(" IN IP");
    return after === undefined ? null : `${before ?? ""} IN IP4 0.0.0.0`;
  }
  return line.startsWith("a=rtcp:") ? null : line;
}

function inLines(sdp: string, change: (line: string) => string | null): string {
  return sdp
    .split(LINE_END)
    .map(change)
    .filter((line) => line !== null)
    .join("\r\n");
}
