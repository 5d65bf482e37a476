/**
 * The browser's peer connection to one particular other: descriptions in and out, candidates kept until they can be used,
 * the `control` channel, and both kinds of media whether there is a device for them or not.
 */
import { text } from "../../text";
import type { IceServer } from "../signaling/messages";
import { fingerprintOf, takesVideo, type Candidate } from "./bodies";
import { HidingError, Privacy } from "./privacy";

/** No honest machine has more addresses than this. */
const MAX_EARLY = 64;
const CERTIFICATE: EcKeyGenParams = { name: "ECDSA", namedCurve: "P-256" };

export type MediaKind = "audio" | "video";

/** What this machine sends; `null` where there is nothing to send. */
export type Tracks = Record<MediaKind, MediaStreamTrack | null>;

/** What a connection brings for the screen. */
export type PeerNews =
  /** What the other sends can be shown. */
  | { kind: "stream"; stream: MediaStream }
  /** The answer, whosever it was, has turned video down: the two share no codec. */
  | { kind: "no-codec" };

export interface PeerEvents {
  candidate: (candidate: Candidate | null) => void;
  state: (state: RTCPeerConnectionState) => void;
  controlOpened: () => void;
  control: (message: string) => void;
  news: (news: PeerNews) => void;
  /** Our address can't be hidden as it was to be. */
  shown: (error: HidingError) => void;
}

/** What a session needs of the connection to one other; `Peer` is the browser's. */
export interface PeerConnection {
  useServers(servers: readonly IceServer[]): void;
  offer(restart: boolean): Promise<string>;
  answer(sdp: string): Promise<string>;
  acceptAnswer(sdp: string): Promise<void>;
  rollback(): Promise<void>;
  addCandidate(candidate: Candidate): Promise<void>;
  replace(kind: MediaKind, track: MediaStreamTrack | null): Promise<void>;
  say(message: string): boolean;
  stats(): Promise<RTCStatsReport>;
  remoteFingerprint(): Promise<string | null>;
  /** Why the other can't be told any address, where ours is to be hidden and no relay has given one. */
  readonly inVain: HidingError | null;
  close(): void;
}

/** The same, heard only while `current` says so. */
export function onlyWhile(current: () => boolean, events: PeerEvents): PeerEvents {
  const guard =
    <Args extends unknown[]>(tell: (...args: Args) => void) =>
    (...args: Args) => {
      if (current()) tell(...args);
    };
  return {
    candidate: guard(events.candidate),
    state: guard(events.state),
    controlOpened: guard(events.controlOpened),
    control: guard(events.control),
    news: guard(events.news),
    shown: guard(events.shown),
  };
}

/** The certificate of one call, and its SHA-256 fingerprint as RFC 8122 writes it, upper case. */
export interface Identity {
  certificate: RTCCertificate;
  fingerprint: string;
}

/** A certificate for one call. */
export async function makeIdentity(): Promise<Identity> {
  const certificate = await RTCPeerConnection.generateCertificate(CERTIFICATE);
  // Not every browser tells a certificate's fingerprint; each writes it into a description.
  const scratch = new RTCPeerConnection({ certificates: [certificate] });
  try {
    scratch.createDataChannel("scratch");
    const fingerprint = fingerprintOf((await scratch.createOffer()).sdp ?? "");
    if (fingerprint === null) throw new Error("this browser doesn't say which certificate it uses");
    return { certificate, fingerprint };
  } finally {
    scratch.close();
  }
}

export interface PeerOptions {
  /** This side makes the first offer. */
  offers: boolean;
  /** The other side isn't to learn where this one is. */
  relayOnly: boolean;
}

export class Peer implements PeerConnection {
  readonly #pc: RTCPeerConnection;
  readonly #events: PeerEvents;
  readonly #tracks: Tracks;
  readonly #privacy: Privacy;
  readonly #remote = new MediaStream();
  #early: Candidate[] = [];
  #channel: RTCDataChannel | null = null;

  constructor(identity: Identity, tracks: Tracks, { offers, relayOnly }: PeerOptions, events: PeerEvents) {
    this.#privacy = new Privacy(relayOnly);
    this.#pc = new RTCPeerConnection({
      certificates: [identity.certificate],
      // An answer by "max-bundle" can't turn the first section down in Chromium, which is the app's video.
      bundlePolicy: offers ? "max-bundle" : "balanced",
      iceTransportPolicy: relayOnly ? "relay" : "all",
    });
    this.#events = events;
    this.#tracks = { ...tracks };
    this.#pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) this.#tell(candidate.toJSON() as Candidate);
      else this.#toldAll();
    };
    this.#pc.onicecandidateerror = (error) => {
      this.#privacy.refused(error);
    };
    this.#pc.onconnectionstatechange = () => {
      events.state(this.#pc.connectionState);
    };
    this.#pc.ondatachannel = ({ channel }) => {
      if (channel.label === "control" && this.#channel === null) this.#adopt(channel);
    };
    this.#pc.ontrack = ({ track }) => {
      this.#remote.addTrack(track);
      events.news({ kind: "stream", stream: this.#remote });
    };
  }

  /** For addresses gathered from now on. An address that this browser can't use is no reason to use none. */
  useServers(servers: readonly IceServer[]): void {
    try {
      this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers: this.#privacy.servers(servers) });
    } catch (error) {
      console.warn("these servers can't be used", error);
    }
  }

  /** Creator: a first offer, or one that restarts ICE. */
  async offer(restart: boolean): Promise<string> {
    this.#privacy.needRelay();
    if (this.#channel === null) {
      this.#adopt(this.#pc.createDataChannel("control"));
      for (const kind of ["audio", "video"] as const) {
        this.#pc.addTransceiver(this.#tracks[kind] ?? kind, { direction: "sendrecv" });
      }
    }
    return this.#describe(await this.#pc.createOffer({ iceRestart: restart }));
  }

  /** Joiner: the answer to an offer. */
  async answer(sdp: string): Promise<string> {
    this.#privacy.needRelay();
    await this.#pc.setRemoteDescription({ type: "offer", sdp: this.#privacy.theirs(sdp) });
    for (const transceiver of this.#pc.getTransceivers()) {
      const kind = transceiver.receiver.track.kind as MediaKind;
      if (transceiver.direction === "sendrecv" || transceiver.direction === "stopped") continue;
      transceiver.direction = "sendrecv";
      await transceiver.sender.replaceTrack(this.#tracks[kind]);
    }
    await this.#addEarly();
    const answer = await this.#describe(await this.#pc.createAnswer());
    this.#look(answer);
    return answer;
  }

  async acceptAnswer(sdp: string): Promise<void> {
    await this.#pc.setRemoteDescription({ type: "answer", sdp: this.#privacy.theirs(sdp) });
    this.#look(sdp);
    await this.#addEarly();
  }

  /** Takes an offer of our own back. */
  rollback(): Promise<void> {
    return this.#pc.setLocalDescription({ type: "rollback" });
  }

  async addCandidate({ candidate: line, sdpMid, sdpMLineIndex, usernameFragment }: Candidate): Promise<void> {
    const candidate = { candidate: line, sdpMid, sdpMLineIndex, usernameFragment };
    if (!this.#privacy.takes(candidate)) return;
    if (this.#pc.remoteDescription === null) {
      if (this.#early.length < MAX_EARLY) this.#early.push(candidate);
      return;
    }
    // An address that this browser can't use is one of several, and one of an older generation comes too late.
    await this.#pc.addIceCandidate(candidate as RTCIceCandidateInit).catch(() => undefined);
  }

  /** Sends another track from now on, or none. */
  async replace(kind: MediaKind, track: MediaStreamTrack | null): Promise<void> {
    this.#tracks[kind] = track;
    const transceiver = this.#pc.getTransceivers().find(({ receiver }) => receiver.track.kind === kind);
    await transceiver?.sender.replaceTrack(track);
  }

  /** Says something on the control channel; `false` while it isn't open. */
  say(message: string): boolean {
    if (this.#channel?.readyState !== "open") return false;
    this.#channel.send(message);
    return true;
  }

  stats(): Promise<RTCStatsReport> {
    return this.#pc.getStats();
  }

  /** The SHA-256 fingerprint of the certificate that the connection came up with; `null` where the browser doesn't tell. */
  async remoteFingerprint(): Promise<string | null> {
    const dtls = this.#pc.sctp?.transport;
    if (typeof dtls?.getRemoteCertificates !== "function") return null;
    const [certificate] = dtls.getRemoteCertificates();
    if (certificate === undefined) return null;
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", certificate));
    return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":");
  }

  get inVain(): HidingError | null {
    return this.#privacy.inVain(this.#pc.iceGatheringState !== "complete");
  }

  close(): void {
    this.#pc.onicecandidate = this.#pc.onicecandidateerror = null;
    this.#pc.onconnectionstatechange = this.#pc.ondatachannel = this.#pc.ontrack = null;
    this.#pc.close();
  }

  #look(answer: string): void {
    if (!takesVideo(answer)) this.#events.news({ kind: "no-codec" });
  }

  #tell(candidate: Candidate): void {
    const told = this.#privacy.candidate(candidate);
    if (told !== null) this.#events.candidate(told);
    // A browser that finds such an address may use it, too.
    else this.#events.shown(new HidingError(text.guest.hiding.shown));
  }

  #toldAll(): void {
    const inVain = this.#privacy.inVain(false);
    if (inVain !== null) this.#events.shown(inVain);
    this.#events.candidate(null);
  }

  async #describe(description: RTCSessionDescriptionInit): Promise<string> {
    await this.#pc.setLocalDescription(description);
    return this.#privacy.description(this.#pc.localDescription?.sdp ?? "");
  }

  async #addEarly(): Promise<void> {
    for (const candidate of this.#early.splice(0)) await this.addCandidate(candidate);
  }

  #adopt(channel: RTCDataChannel): void {
    this.#channel = channel;
    channel.onopen = () => {
      this.#events.controlOpened();
    };
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === "string") this.#events.control(data);
    };
    // It may have opened before anybody listened.
    if (channel.readyState === "open") this.#events.controlOpened();
  }
}
