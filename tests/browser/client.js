// One side of a call in a browser, on the browser's own WebRTC: written from docs/protocol.md alone, so that a call with
// it shows that the page is true. Tests drive it by WebDriver: prepare(), start(), then the methods of a Peer.
"use strict";

/** The words of every code that this page makes: the server never hears of them, and the tests guard no secret. */
const WORDS = "tulip-orbit";

/** The one fingerprint of a description; throws where there is none, or several. */
function fingerprintOf(sdp) {
  const found = new Set(Array.from(sdp.matchAll(/^a=fingerprint:sha-256 (\S+)/gim), (line) => line[1].toUpperCase()));
  if (found.size !== 1) throw new Error(`a description with ${found.size} fingerprints`);
  return [...found][0];
}

/** One call: with a code it joins, without it creates. */
class Peer {
  /**
   * `server`: its WebSocket address. `code`: to join, number and words; null to create. `stream`: what to send. `codecs`: MIME types of
   * the only video codecs to take; null for all.
   */
  constructor({ server, code, stream, codecs }) {
    this.role = code === null ? "creator" : "joiner";
    this.code = code;
    this.nameplate = code?.split("-")[0] ?? null;
    this.stream = stream;
    this.codecs = codecs;
    /** What has happened, with the time of the first of each, milliseconds of performance.now(). */
    this.marks = {};
    this.waiters = [];
    this.exchange = 0;
    this.seq = 0;
    this.early = [];
    /** All that the other side told, opened. */
    this.told = [];
    this.media = { microphone: true, camera: true };
    /** What the other side says that it sends; null before it said anything. */
    this.remoteMedia = null;
    this.closed = null;
    this.mark("start");
    this.socket = new WebSocket(server);
    this.socket.onopen = () => this.send({ type: "hello", version: 1, features: [] });
    // One after the other, in order, both ways: opening and sealing take their time.
    this.inbox = Promise.resolve();
    this.outbox = Promise.resolve();
    this.socket.onmessage = (event) => {
      this.inbox = this.inbox.then(() => this.guard(() => this.onServer(JSON.parse(event.data))));
    };
    this.socket.onclose = (event) => {
      clearInterval(this.heartbeat);
      this.close(`socket: ${event.code} ${event.reason}`);
    };
  }

  // ── what the tests ask ──────────────────────────────────────────────────────────────────────────────────────────

  /** Waits for something to happen, or to have happened; gives its time. A call that closes first is an error. */
  when(name) {
    return new Promise((resolve, reject) => {
      this.waiters.push({ test: () => this.marks[name], resolve, reject, name });
      this.wake();
    });
  }

  /** Waits until the other side says that it sends this. */
  remoteSends({ microphone, camera }) {
    return new Promise((resolve, reject) => {
      const test = () => this.remoteMedia?.microphone === microphone && this.remoteMedia?.camera === camera;
      this.waiters.push({ test, resolve, reject, name: `microphone ${microphone}, camera ${camera}` });
      this.wake();
    });
  }

  setMedia(media) {
    this.media = media;
    for (const track of this.stream.getAudioTracks()) track.enabled = media.microphone;
    for (const track of this.stream.getVideoTracks()) track.enabled = media.camera;
    this.control({ type: "media", ...media });
  }

  hangUp() {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify({ type: "bye", reason: "hung-up" }));
    this.relay({ type: "bye", reason: "hung-up" });
    this.outbox.then(() => this.send({ type: "leave", reason: "hung-up" }));
    this.close("hung-up");
    // The channel's last words leave before the connection does.
    setTimeout(() => this.release(), 200);
  }

  /** The W3C statistics of every RTP stream, with its codec's MIME type put in. */
  async stats() {
    const report = await this.pc.getStats();
    const streams = [];
    report.forEach((entry) => {
      if (entry.type === "inbound-rtp" || entry.type === "outbound-rtp") {
        streams.push({ ...entry, codec: report.get(entry.codecId)?.mimeType ?? null });
      }
    });
    return streams;
  }

  /** The picture on the screen: width, height, and its planes one after the other, base64. */
  async picture() {
    const frame = new VideoFrame(this.video);
    const { codedWidth: width, codedHeight: height, format } = frame;
    const bytes = new Uint8Array(frame.allocationSize());
    await frame.copyTo(bytes);
    frame.close();
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return { width, height, format, planes: btoa(text) };
  }

  // ── the server ──────────────────────────────────────────────────────────────────────────────────────────────────

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  async onServer(message) {
    switch (message.type) {
      case "welcome":
        this.heartbeat = setInterval(() => this.send({ type: "ping" }), message.heartbeat_ms);
        this.send(this.role === "creator" ? { type: "create" } : { type: "knock", nameplate: this.nameplate });
        break;
      case "created":
        this.nameplate = message.nameplate;
        this.code = `${this.nameplate}-${WORDS}`;
        this.mark("created");
        break;
      case "knocked":
        await this.onKnocked(message.exchange);
        break;
      case "relay":
        if (message.exchange !== this.exchange) break;
        this.send({ type: "ack", exchange: message.exchange, seq: message.seq });
        await this.onRelayed(JSON.parse(message.body));
        break;
      case "confirmed":
        this.mark("confirmed");
        break;
      case "peer-left":
        this.close(message.reason === "hung-up" ? "peer-hung-up" : `peer-left: ${message.reason}`);
        this.release();
        break;
      case "error":
        this.close(`error: ${message.code}`);
        break;
      default:
      // token, waiting, ack and pong need nothing done here; what is unknown is dropped.
    }
  }

  async onKnocked(exchange) {
    this.exchange = exchange;
    this.seq = 0;
    const words = this.code.slice(this.nameplate.length + 1);
    this.secret = new Exchange({ role: this.role, nameplate: this.nameplate, words, fingerprint });
    if (this.role === "creator") return;
    this.pc = new RTCPeerConnection({ certificates: [certificate] });
    this.watch();
    this.relayAsItIs(await this.secret.open());
  }

  /** Seals a body and sends it, behind those before it. */
  relay(body) {
    const { secret } = this;
    if (!secret) return;
    this.outbox = this.outbox.then(() => this.guard(async () => this.relayAsItIs(await secret.seal(body))));
  }

  relayAsItIs(message) {
    this.seq += 1;
    this.send({ type: "relay", exchange: this.exchange, seq: this.seq, body: JSON.stringify(message) });
  }

  async onRelayed(message) {
    // What we are about to say is sealed in the state in which it was said.
    await this.outbox;
    const body = await this.secret.take(message);
    this.remoteFingerprint = this.secret.fingerprint;
    if (body === null) await this.offer();
    else await this.onBody(body);
  }

  // ── the other side, through the server ──────────────────────────────────────────────────────────────────────────

  async onBody(body) {
    this.told.push(body);
    switch (body.type) {
      case "offer":
        await this.answer(body.sdp);
        break;
      case "answer":
        await this.take("answer", body.sdp);
        this.send({ type: "confirmed", exchange: this.exchange });
        break;
      case "candidate": {
        const { type, ...candidate } = body;
        if (this.pc.remoteDescription === null) this.early.push(candidate);
        else await this.pc.addIceCandidate(candidate);
        break;
      }
      case "control":
        this.onControl(JSON.parse(body.text));
        break;
      case "bye":
        this.close("peer-hung-up");
        this.release();
        break;
      default:
    }
  }

  async offer() {
    this.pc = new RTCPeerConnection({ certificates: [certificate] });
    this.watch();
    this.adopt(this.pc.createDataChannel("control"));
    this.addTracks();
    this.mark("createOffer");
    await this.pc.setLocalDescription(await this.pc.createOffer());
    this.describe("offer");
  }

  async answer(sdp) {
    await this.take("offer", sdp);
    this.addTracks();
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    await this.sendTaken();
    this.describe("answer");
    this.outbox.then(() => this.send({ type: "confirmed", exchange: this.exchange }));
  }

  async take(type, sdp) {
    if (fingerprintOf(sdp) !== this.remoteFingerprint) throw new Error("a description with another fingerprint");
    await this.pc.setRemoteDescription({ type, sdp });
    for (const candidate of this.early.splice(0)) await this.pc.addIceCandidate(candidate);
  }

  describe(type) {
    const { sdp } = this.pc.localDescription;
    const extra = type === "offer" ? { restart: false } : {};
    this.relay({ type, sdp, ...extra });
    this.described = true;
    for (const body of this.held.splice(0)) this.relay(body);
  }

  // ── the direct connection ───────────────────────────────────────────────────────────────────────────────────────

  addTracks() {
    for (const track of this.stream.getTracks()) this.pc.addTrack(track, this.stream);
    if (this.codecs === null) return;
    const known = RTCRtpReceiver.getCapabilities("video").codecs;
    const taken = known.filter((codec) => this.codecs.includes(codec.mimeType));
    for (const transceiver of this.pc.getTransceivers()) {
      if (transceiver.receiver.track.kind === "video") transceiver.setCodecPreferences(taken);
    }
  }

  /** Preferences are about what is received: an answerer may send what else was offered, and is told not to. */
  async sendTaken() {
    const sender = this.pc.getSenders().find(({ track }) => track?.kind === "video");
    // There is none where video was turned down.
    if (this.codecs === null || sender === undefined) return;
    const parameters = sender.getParameters();
    const codec = parameters.codecs.find(({ mimeType }) => this.codecs.includes(mimeType));
    if (codec === undefined) return;
    for (const encoding of parameters.encodings) encoding.codec = codec;
    await sender.setParameters(parameters);
  }

  watch() {
    this.held = [];
    this.described = false;
    this.pc.onicecandidate = ({ candidate }) => {
      const body = candidate?.candidate ? { type: "candidate", ...candidate.toJSON() } : { type: "end-of-candidates" };
      if (this.described) this.relay(body);
      else this.held.push(body);
    };
    this.pc.onconnectionstatechange = () => this.mark(this.pc.connectionState);
    this.pc.ondatachannel = ({ channel }) => {
      if (channel.label === "control") this.adopt(channel);
    };
    this.pc.ontrack = ({ track, streams }) => this.show(track, streams[0] ?? new MediaStream([track]));
  }

  show(track, stream) {
    if (!this.video) {
      this.video = document.createElement("video");
      this.video.autoplay = true;
      document.body.append(this.video);
    }
    this.video.srcObject = stream;
    if (track.kind !== "video" || typeof MediaStreamTrackProcessor === "undefined") return;
    // Gives each frame as the decoder does, without waiting for the screen.
    const frames = new MediaStreamTrackProcessor({ track }).readable.getReader();
    frames.read().then(({ value }) => {
      if (value) this.mark("first-frame");
      value?.close();
      frames.cancel();
    });
  }

  adopt(channel) {
    this.channel = channel;
    channel.onopen = () => {
      this.mark("control");
      this.control({ type: "media", ...this.media });
    };
    channel.onmessage = (event) => this.guard(() => this.onControl(JSON.parse(event.data)));
  }

  control(message) {
    const text = JSON.stringify(message);
    if (this.channel?.readyState === "open") this.channel.send(text);
    else this.relay({ type: "control", text });
  }

  onControl(message) {
    if (message.type === "media") {
      this.remoteMedia = { microphone: message.microphone === true, camera: message.camera === true };
      this.wake();
    } else if (message.type === "bye") {
      this.close("peer-hung-up");
      this.release();
    }
  }

  // ── the end, and what wakes the tests ───────────────────────────────────────────────────────────────────────────

  close(reason) {
    if (this.closed !== null) return;
    this.closed = reason;
    this.mark("closed");
  }

  release() {
    this.pc?.close();
    this.socket.close();
    this.video?.remove();
  }

  mark(name) {
    this.marks[name] ??= performance.now();
    this.wake();
  }

  wake() {
    this.waiters = this.waiters.filter(({ test, resolve, reject, name }) => {
      const value = test();
      if (value) resolve(value);
      else if (this.closed !== null) reject(new Error(`the call closed (${this.closed}) before: ${name}`));
      return !value && this.closed === null;
    });
  }

  async guard(work) {
    try {
      await work();
    } catch (error) {
      this.close(`failed: ${error}`);
    }
  }
}

let certificate;
let fingerprint;
let media;

/** Opens the devices and makes the certificate, as an app does before anybody joins. */
async function prepare() {
  certificate = await RTCPeerConnection.generateCertificate({ name: "ECDSA", namedCurve: "P-256" });
  const scratch = new RTCPeerConnection({ certificates: [certificate] });
  scratch.createDataChannel("scratch");
  fingerprint = fingerprintOf((await scratch.createOffer()).sdp);
  scratch.close();
  media = await navigator.mediaDevices.getUserMedia({
    audio: true,
    video: { width: 1280, height: 720, frameRate: 30 },
  });
}

/** The calls of this page, by name. */
const peers = {};

function start(name, { server, code = null, codecs = null }) {
  // Each call has tracks of its own, so that muting one is no business of another.
  peers[name] = new Peer({ server, code, codecs, stream: media.clone() });
}

/** The number that the test pattern burns into a picture: 32 cells of 48 in the upper of two rows along the lower edge. */
async function numberOf(frame) {
  const { codedWidth: width, codedHeight: height } = frame;
  const top = 2 * Math.floor((0.92 * height) / 2);
  const rect = { x: 0, y: top, width, height: height - top };
  const bytes = new Uint8Array(frame.allocationSize({ rect }));
  const [luma] = await frame.copyTo(bytes, { rect });
  const row = luma.offset + Math.round(0.94 * height - top) * luma.stride;
  const cells = Array.from({ length: 32 }, (_, cell) => bytes[row + Math.round(((cell + 0.5) * width) / 48)]);
  return cells.reduce((number, light) => number * 2 + (light > 127 ? 1 : 0), 0);
}

/** Calls `seen` with each picture's number as the track gives it; returns what ends that. */
function watchTrack(track, seen) {
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  const next = async () => {
    const { value: frame } = await reader.read();
    if (!frame) return;
    const now = performance.now();
    seen(await numberOf(frame), now);
    frame.close();
    await next();
  };
  next();
  return () => reader.cancel();
}

/** How long pictures take from one call's camera out of another's decoder, milliseconds, for so many seconds. */
async function pictureDelays(from, to, seconds) {
  const given = new Map();
  const delays = [];
  const stops = [
    watchTrack(peers[from].stream.getVideoTracks()[0], (number, now) => given.set(number, now)),
    watchTrack(peers[to].video.srcObject.getVideoTracks()[0], (number, now) => {
      if (given.has(number)) delays.push(now - given.get(number));
      given.delete(number);
    }),
  ];
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  for (const stop of stops) stop();
  return delays;
}
