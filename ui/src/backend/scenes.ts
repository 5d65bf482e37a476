import { PICTURES } from "../bindings/code";
import type { AppView, CallPhase, CallView, DetailsView, QualityView, ServersCheckView } from "../bindings/view";

/** The app before anything has happened, on a machine with every device and no server. */
export const idle: AppView = {
  call: {
    phase: { kind: "idle" },
    local: {
      microphone: true,
      camera: true,
      hasMicrophone: true,
      hasCamera: true,
      microphoneName: "Built-in microphone",
      cameraName: "Built-in camera",
      level: 0,
    },
    remote: { microphone: true, camera: true, hasPicture: false, noCodec: false },
    pictures: [],
    notices: [],
  },
  connection: { signaling: "offline", problem: null, peer: "new", path: null, relayOnly: false, byServer: false },
  quality: {
    grade: "unknown",
    words: "Not measured yet.",
    rttMs: null,
    lossPercent: null,
    sendKbps: 0,
    receiveKbps: 0,
    width: 0,
    height: 0,
    fps: 0,
    details: null,
  },
  settings: {
    server: "",
    localNetwork: true,
    iceServers: [],
    relayOnly: false,
    nameLocal: false,
    camera: "default",
    microphone: "default",
    speaker: "default",
    removeEcho: true,
    reduceNoise: "low",
    evenLoudness: true,
  },
  keychain: { state: "unasked", problem: null, passwords: [] },
  server: { kind: "network", url: "" },
  version: "0.1.0",
  profile: null,
};

const goodDetails: DetailsView = {
  videoCodec: "H264",
  audioCodec: "opus",
  sendFps: 30,
  availableKbps: 2400,
  limited: false,
  resent: 12,
  playoutMs: 31,
  concealedPercent: 0.2,
  freezes: 0,
  encodeMs: 6.1,
  decodeMs: 1.4,
};

export const goodQuality: QualityView = {
  grade: "good",
  words: "Clear picture and sound, little delay.",
  rttMs: 24,
  lossPercent: 0,
  sendKbps: 1640,
  receiveKbps: 1580,
  width: 1280,
  height: 720,
  fps: 30,
  details: goodDetails,
};

/** The code with an address in it. */
const withAddress = "4827-tulip-orbit@192.168.1.7:7880";

function at(phase: CallPhase, call: Partial<CallView> = {}): AppView {
  return { ...idle, call: { ...idle.call, phase, ...call } };
}

function inCall(phase: CallPhase, call: Partial<CallView> = {}): AppView {
  return {
    ...at(phase, {
      local: { ...idle.call.local, level: 0.4 },
      remote: { microphone: true, camera: true, hasPicture: true, noCodec: false },
      pictures: PICTURES.slice(0, 6).map(([picture, name]) => ({ picture, name })),
      ...call,
    }),
    connection: {
      signaling: "online",
      problem: null,
      peer: "connected",
      path: { kind: "direct", local: "192.0.2.10:50412", remote: "198.51.100.7:40118", protocol: "udp" },
      relayOnly: false,
      byServer: false,
    },
    quality: goodQuality,
  };
}

const connected: CallPhase = { kind: "connected", sinceMs: 247_000 };

/** One view for each thing the window can show: what tests walk through and what a plain browser can open by name. */
export const scenes: Record<string, AppView> = {
  idle,
  "with-server": { ...idle, server: { kind: "custom", url: "wss://calls.example.org" } },
  preparing: at({ kind: "preparing" }),
  unreachable: {
    ...at({ kind: "preparing" }),
    connection: {
      signaling: "connecting",
      problem: "The server can't be reached: nothing listens there.",
      peer: "new",
      path: null,
      relayOnly: false,
      byServer: false,
    },
  },
  machine: at({
    kind: "waiting",
    code: "4827-tulip-orbit",
    knocking: false,
    reach: "machine",
    withAddress: null,
  }),
  waiting: at({ kind: "waiting", code: "4827-tulip-orbit", knocking: false, reach: "network", withAddress }),
  "sound-only": at(
    { kind: "waiting", code: "4827-tulip-orbit", knocking: false, reach: "machine", withAddress: null },
    {
      local: { ...idle.call.local, camera: false, hasCamera: false, cameraName: "" },
      notices: [{ code: "no-camera", text: "No camera was found; the call has sound only.", action: "open-settings" }],
    },
  ),
  private: at(
    { kind: "waiting", code: "4827-tulip-orbit", knocking: false, reach: "machine", withAddress: null },
    { local: { ...idle.call.local, microphone: false, camera: false } },
  ),
  "no-devices": at(
    { kind: "waiting", code: "4827-tulip-orbit", knocking: false, reach: "machine", withAddress: null },
    {
      local: { ...idle.call.local, hasMicrophone: false, hasCamera: false },
      notices: [
        { code: "no-camera", text: "No camera was found; the call has sound only.", action: "open-settings" },
        { code: "no-microphone", text: "No microphone was found; the other can't hear you.", action: "open-settings" },
      ],
    },
  ),
  words: {
    ...at({ kind: "waiting", code: "4827-tulip-orbit", knocking: false, reach: "custom", withAddress: null }),
    server: { kind: "custom", url: "wss://calls.example.org" },
  },
  knocking: at({ kind: "waiting", code: "4827-tulip-orbit", knocking: true, reach: "network", withAddress }),
  joining: at({ kind: "joining", code: "4827-tulip-orbit", ahead: 0 }),
  "in-line": at({ kind: "joining", code: "4827-tulip-orbit", ahead: 2 }),
  connecting: at({ kind: "connecting", code: "4827-tulip-orbit" }),
  connected: inCall(connected),
  muted: inCall(connected, {
    local: { ...idle.call.local, microphone: false, camera: false },
    remote: { microphone: false, camera: false, hasPicture: true, noCodec: false },
  }),
  "no-codec": {
    ...inCall(connected, { remote: { microphone: true, camera: true, hasPicture: false, noCodec: true } }),
    quality: { ...goodQuality, width: 0, height: 0, fps: 0 },
  },
  hidden: {
    ...inCall(connected),
    connection: {
      ...{ signaling: "online", problem: null, peer: "connected", relayOnly: true, byServer: true },
      path: { kind: "relay", local: "203.0.113.9:50412", remote: "203.0.113.9:40118", protocol: "udp" },
    },
  },
  notice: inCall(connected, {
    local: { ...idle.call.local, camera: false, hasCamera: false },
    notices: [
      {
        code: "camera-busy",
        text: "Built-in camera is used by another app. Close it or pick another; the sound goes on.",
        action: "open-settings",
      },
    ],
  }),
  reconnecting: inCall({ kind: "reconnecting", sinceMs: 247_000, lostMs: 8_000, side: "local" }),
  "no-server": inCall(connected, {
    notices: [
      {
        code: "server",
        text: "Signalling server unreachable; your call goes on. Nothing listens there.",
        action: null,
      },
    ],
  }),
  slow: {
    ...inCall(connected),
    quality: {
      ...goodQuality,
      grade: "poor",
      words: "Your network is slow: 140 kb/s.",
      rttMs: 180,
      lossPercent: 3.5,
      sendKbps: 120,
      details: { ...goodDetails, availableKbps: 140, limited: true, freezes: 4 },
    },
  },
  ended: at({
    kind: "ended",
    reason: { code: "peer-hung-up", text: "The other person hung up." },
    durationMs: 247_000,
    again: "no",
  }),
  "may-call-again": at({
    kind: "ended",
    reason: { code: "peer-hung-up", text: "The other person hung up." },
    durationMs: 247_000,
    again: "ready",
  }),
  "asked-again": at({
    kind: "ended",
    reason: { code: "hung-up", text: "You hung up." },
    durationMs: 247_000,
    again: "asked",
  }),
  "awaiting-again": at({
    kind: "ended",
    reason: { code: "peer-hung-up", text: "The other person hung up." },
    durationMs: 247_000,
    again: "awaited",
  }),
  failed: at({
    kind: "ended",
    reason: {
      code: "server-unreachable",
      text: "The server at calls.example.org didn't answer. Check its address in the settings.",
    },
    durationMs: null,
    again: "retry",
  }),
  "no-such-room": at({
    kind: "ended",
    reason: { code: "no-such-room", text: "No one is waiting on 4827. Check the number, or ask for a new code." },
    durationMs: null,
    again: "retry",
  }),
  "wrong-words": at({
    kind: "ended",
    reason: {
      code: "wrong-words",
      text: "No one is waiting under this code: a digit or a word is wrong, or it has lapsed; or somebody is in between. Check it with the other person, or ask for a new one.",
    },
    durationMs: null,
    again: "no",
  }),
  burnt: at({
    kind: "ended",
    reason: {
      code: "burnt",
      text: "Three tries with wrong words: this code is burnt, and nobody got in. Start a new call for a new code.",
    },
    durationMs: null,
    again: "no",
  }),
  guessed: at(
    { kind: "waiting", code: "4827-tulip-orbit", knocking: false, reach: "custom", withAddress: null },
    {
      notices: [
        {
          code: "wrong-guess",
          text: "Somebody entered this code with words that don't match: a typo, or someone guessing. Nobody got in. 2 tries are left before the code is burnt.",
          action: null,
        },
      ],
    },
  ),
  servers: {
    ...idle,
    server: { kind: "custom", url: "wss://calls.example.org" },
    settings: {
      ...idle.settings,
      server: "wss://calls.example.org",
      iceServers: [
        { urls: ["stun:stun.example.org:3478"], username: "", credential: "", kept: null },
        { urls: ["turn:turn.example.org:3478"], username: "ada", credential: "", kept: "a" },
      ],
    },
    keychain: { state: "usable", problem: null, passwords: [{ name: "a", place: "keychain" }] },
    profile: "second",
  },
};

/** What comes of asking: every other server answers. */
export function checkedServers(urls: readonly string[]): ServersCheckView {
  const servers = urls.map((url, index) =>
    index % 2 === 0
      ? { url, good: true, found: "It sees us come from 203.0.113.7:51820.", advice: null, tookMs: 23 }
      : {
          url,
          good: false,
          found: "It refused the user name or the password.",
          advice: "Enter them again. Those that run out have to be made anew.",
          tookMs: 41,
        },
  );
  return { running: false, remark: null, servers };
}
