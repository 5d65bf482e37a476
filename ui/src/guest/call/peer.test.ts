// @vitest-environment node
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Candidate } from "./bodies";
import { Peer, type PeerEvents, type PeerNews } from "./peer";

const OURS = "192.168.1.5";
const RELAYED = `candidate:2 1 udp 1 203.0.113.9 5 typ relay raddr ${OURS} rport 7`;
const HOST = `candidate:1 1 udp 1 ${OURS} 5 typ host`;
const VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
const DESCRIPTION = `v=0\r\no=- 1 2 IN IP4 ${OURS}\r\n${VIDEO}c=IN IP4 ${OURS}\r\na=${HOST}\r\na=${RELAYED}\r\n`;
const RELAY = [{ urls: ["turn:192.0.2.7:3478"], username: "u", credential: "c" }];

/** A browser's connection that does nothing by itself. */
class Connection {
  static made: Connection[] = [];
  configuration: RTCConfiguration;
  localDescription: { sdp: string } | null = null;
  remoteDescription: { sdp: string } | null = null;
  readonly added: string[] = [];
  iceGatheringState: RTCIceGatheringState = "new";
  onicecandidate: ((event: { candidate: { candidate: string; toJSON(): Candidate } | null }) => void) | null = null;
  onicecandidateerror: ((event: object) => void) | null = null;

  constructor(configuration: RTCConfiguration) {
    this.configuration = configuration;
    Connection.made.push(this);
  }
  getConfiguration = () => this.configuration;
  setConfiguration = (configuration: RTCConfiguration) => void (this.configuration = configuration);
  createDataChannel = () => ({ readyState: "connecting" });
  addTransceiver = () => undefined;
  getTransceivers = () => [];
  createOffer = () => Promise.resolve({ type: "offer", sdp: DESCRIPTION });
  createAnswer = () => Promise.resolve({ type: "answer", sdp: DESCRIPTION });
  setLocalDescription = (description: { sdp: string }) => {
    this.localDescription = description;
    return Promise.resolve();
  };
  setRemoteDescription = (description: { sdp: string }) => {
    this.remoteDescription = description;
    return Promise.resolve();
  };
  addIceCandidate = ({ candidate }: Candidate) => {
    this.added.push(candidate);
    return Promise.resolve();
  };
  finds(line: string | null) {
    const candidate = line === null ? null : { candidate: line, toJSON: () => ({ candidate: line, sdpMid: "0" }) };
    this.onicecandidate?.({ candidate });
  }
}

let candidates: (string | null)[];
let shown: string[];
let news: PeerNews["kind"][];

const nothing = () => undefined;
const events: PeerEvents = {
  candidate: (candidate) => candidates.push(candidate?.candidate ?? null),
  state: nothing,
  controlOpened: nothing,
  control: nothing,
  news: ({ kind }) => news.push(kind),
  shown: ({ message }) => shown.push(message),
};

function start(relayOnly: boolean): [Peer, Connection] {
  const identity = { certificate: {} as RTCCertificate, fingerprint: "" };
  const peer = new Peer(identity, { audio: null, video: null }, { offers: true, relayOnly }, events);
  return [peer, Connection.made.at(-1) as Connection];
}

beforeEach(() => {
  [candidates, shown, news] = [[], [], []];
  vi.stubGlobal("RTCPeerConnection", Connection);
  vi.stubGlobal("MediaStream", Object);
});
afterEach(() => {
  vi.unstubAllGlobals();
});

it("by relay only the browser is asked for relayed addresses, and keeps to it when it is told of servers", async () => {
  const [peer, connection] = start(true);
  expect(connection.configuration.iceTransportPolicy).toBe("relay");
  await expect(peer.offer(false)).rejects.toThrow("there is no TURN server");
  await expect(peer.answer(DESCRIPTION)).rejects.toThrow("there is no TURN server");
  expect([connection.localDescription, connection.remoteDescription]).toEqual([null, null]);
  peer.useServers([{ urls: ["stun:192.0.2.7:3478"] }, ...RELAY]);
  expect(connection.configuration).toMatchObject({ iceTransportPolicy: "relay", iceServers: RELAY });
  expect(start(false)[1].configuration.iceTransportPolicy).toBe("all");
});

it("by relay only neither descriptions nor candidates name our address", async () => {
  const [peer, connection] = start(true);
  peer.useServers(RELAY);
  const described = [await peer.offer(false), await peer.answer(DESCRIPTION)];
  connection.finds(RELAYED);
  connection.finds(null);
  const told = [...described, ...candidates].join("\n");
  expect(told).toContain("203.0.113.9");
  expect(told).not.toContain(OURS);
  expect([candidates.length, shown]).toEqual([2, []]);
});

it("a browser that finds other addresses all the same is found out", () => {
  const [, connection] = start(true);
  connection.finds(HOST);
  expect(candidates).toEqual([]);
  expect(shown.join()).toContain("asked to leave out");
});

it("a relay that gives no address is named when the browser has asked all", () => {
  const [peer, connection] = start(true);
  connection.onicecandidateerror?.({ url: "turn:192.0.2.7:3478", errorCode: 401, errorText: "Unauthorized" });
  expect(shown).toEqual([]);
  connection.iceGatheringState = "complete";
  connection.finds(null);
  expect(shown.join()).toContain("192.0.2.7:3478 refused the user name or the password");
  expect(peer.inVain?.message).toBe(shown.join());
});

it("of the other's addresses names aren't given to the browser", async () => {
  const name = "candidate:1 1 udp 1 3f2a.local 50000 typ host";
  for (const relayOnly of [true, false]) {
    const [peer, connection] = start(relayOnly);
    peer.useServers(RELAY);
    await peer.answer(`v=0\r\n${VIDEO}a=${name}\r\n`);
    await peer.addCandidate({ candidate: name });
    await peer.addCandidate({ candidate: RELAYED });
    expect(connection.added).toEqual(relayOnly ? [RELAYED] : [name, RELAYED]);
    expect(connection.remoteDescription?.sdp.includes("local")).toBe(!relayOnly);
  }
});

it("an answer that turns video down says that there will be no pictures", async () => {
  const [peer, connection] = start(false);
  await peer.offer(false);
  await peer.acceptAnswer(DESCRIPTION);
  expect(news).toEqual([]);
  await peer.acceptAnswer(DESCRIPTION.replace("m=video 9", "m=video 0"));
  expect(news).toEqual(["no-codec"]);
  connection.createAnswer = () => Promise.resolve({ type: "answer", sdp: "v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\n" });
  await peer.answer(DESCRIPTION);
  expect(news).toEqual(["no-codec", "no-codec"]);
});
