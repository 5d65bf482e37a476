import type { AppView, DevicesView, ErrorView, SettingsView } from "../bindings/view";
import { exhaustive } from "../exhaustive";
import { makeIdentity, Peer, type Identity, type MediaKind } from "../guest/call/peer";
import type { CallEvent, Means } from "../guest/call/parts";
import { canHide } from "../guest/call/privacy";
import type { ReceiveReport } from "../guest/call/control";
import { Session } from "../guest/call/session";
import { because } from "../guest/call/state";
import { newWords, readCode, writeCode, type RoomCode } from "../guest/code";
import { Exchange } from "../guest/crypto/exchange";
import { byCode, byMeeting, type Secret } from "../guest/crypto/keys";
import { LocalMedia, listDevices, type Trouble, type Wanted } from "../guest/media/devices";
import { Figures } from "../guest/media/figures";
import { Judge } from "../guest/media/verdict";
import { saveReport } from "../guest/report";
import { dialer, socketBeside } from "../guest/signaling/dial";
import type { Role } from "../guest/signaling/messages";
import { CallModel, idleView, type Changed } from "../guest/view";
import { text } from "../text";
import { Stream, type StreamId } from "../video/frame";
import type { Backend, Listeners } from "./backend";

const SECOND_MS = 1000;
const DEVICE = { audio: "microphone", video: "camera" } as const;

/** One call, and those that follow with the same other, from when it was asked for until its end has been read. */
interface Call {
  model: CallModel;
  media: LocalMedia;
  session: Session | null;
  figures: Figures;
  judge: Judge;
  theirs: ReceiveReport | null;
  /** What happened, with the time since it began. */
  story: string[];
  begun: number;
  /** What to join, `null` where the code is ours. */
  joins: RoomCode | null;
  /** The other side isn't to learn where this one is. */
  relayOnly: boolean;
}

/** The guest page: the same screens against this browser's own WebRTC, through the server that the page comes from. */
export class BrowserBackend implements Backend {
  readonly pictures = { kind: "elements", attach: this.#attach.bind(this) } as const;
  readonly guestOf: string;
  readonly #server: string;
  readonly #elements = new Map<StreamId, HTMLVideoElement>();
  readonly #sound = new Audio();
  #view: AppView;
  #listeners: Listeners | null = null;
  #call: Call | null = null;
  #remote: MediaStream | null = null;

  constructor(page: URL | Location, version: string) {
    this.guestOf = page.host;
    this.#server = socketBeside(page.href);
    this.#view = idleView(this.#server, version);
    setInterval(() => void this.#measure(), SECOND_MS);
    for (const change of ["online", "offline"]) {
      window.addEventListener(change, () => this.#call?.session?.networkChanged());
    }
    window.addEventListener("pagehide", () => this.#call?.session?.leave());
  }

  listen(listeners: Listeners): Promise<void> {
    this.#listeners = listeners;
    return Promise.resolve();
  }

  getView(): Promise<AppView> {
    return Promise.resolve(this.#call?.model.now() ?? this.#view);
  }

  startCall(relayOnly: boolean): Promise<void> {
    return this.#begin(null, relayOnly);
  }

  joinCall(typed: string, relayOnly: boolean): Promise<void> {
    const code = readCode(typed);
    if (code !== null) return this.#begin(code, relayOnly);
    return refuse({ code: "bad-code", text: text.start.codeEmpty, field: "code" });
  }

  again(): Promise<void> {
    const { model, session = null, joins = null, relayOnly = false } = this.#call ?? {};
    const phase = model?.view.call.phase;
    const again = phase?.kind === "ended" ? phase.again : "no";
    switch (again) {
      case "no":
        return this.#begin(null, relayOnly);
      case "retry":
        return this.#begin(joins, relayOnly);
      case "ready":
      case "awaited":
      case "asked":
        session?.again();
        return Promise.resolve();
      default:
        return exhaustive(again);
    }
  }

  hangUp(): Promise<void> {
    const call = this.#call;
    if (call?.session) call.session.hangUp();
    else if (call !== null)
      this.#onEvent(call, { kind: "state", state: { kind: "closed", reason: because("hung-up") } });
    return Promise.resolve();
  }

  dismiss(): Promise<void> {
    this.#end();
    this.#view = { ...this.#view, call: { ...this.#view.call, phase: { kind: "idle" }, pictures: [], notices: [] } };
    this.#tell(["call"]);
    return Promise.resolve();
  }

  setMicrophone(on: boolean): Promise<void> {
    return this.#setMedia({ microphone: on });
  }

  setCamera(on: boolean): Promise<void> {
    return this.#setMedia({ camera: on });
  }

  async saveSettings(settings: SettingsView): Promise<SettingsView> {
    this.#view = { ...this.#view, settings };
    if (this.#call !== null) this.#call.model.view = { ...this.#call.model.view, settings };
    await this.#call?.media.want(this.#wanted());
    await this.#useSpeaker();
    return settings;
  }

  /** A guest has no passwords to keep. */
  askKeychain(): Promise<void> {
    return Promise.resolve();
  }

  async listDevices(): Promise<DevicesView> {
    const found = await listDevices();
    const views = (list: MediaDeviceInfo[]) =>
      list.filter(({ deviceId }) => deviceId !== "default").map(({ deviceId: id, label }) => ({ id, name: label }));
    return { cameras: views(found.cameras), microphones: views(found.microphones), speakers: views(found.speakers) };
  }

  /** A guest has no servers of its own to ask. */
  checkServers(): Promise<void> {
    return Promise.resolve();
  }

  stopCheck(): Promise<void> {
    return Promise.resolve();
  }

  async copyText(words: string): Promise<void> {
    await navigator.clipboard.writeText(words);
  }

  saveReport(open: boolean): Promise<string> {
    const { story = [], model = null } = this.#call ?? {};
    return Promise.resolve(saveReport(model?.view ?? this.#view, story, model?.code ?? "", open));
  }

  // ── a call ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #begin(joins: RoomCode | null, relayOnly: boolean): Promise<void> {
    // Older browsers hide these on a page that isn't secure.
    if (!window.isSecureContext) return refuse({ code: "insecure", text: text.guest.insecure, field: null });
    if (relayOnly && !canHide()) return refuse({ code: "cannot-hide", text: text.guest.hiding.cannot, field: null });
    this.#end();
    const model = new CallModel(this.#view, joins && writeCode(joins), this.guestOf, relayOnly);
    const media: LocalMedia = new LocalMedia(this.#wanted(), {
      changed: () => void this.#sendMedia(call),
      trouble: (kind, trouble) => {
        this.#onTrouble(call, kind, trouble);
      },
    });
    const fresh = { session: null, figures: new Figures(), judge: new Judge(), theirs: null, story: [] };
    const call: Call = { ...fresh, model, media, joins, relayOnly, begun: performance.now() };
    this.#call = call;
    this.#tell(["call", "connection", "quality"]);
    void this.#open(call);
  }

  /** Devices first: the exchange leaves no time for somebody who reads what the browser asks. */
  async #open(call: Call): Promise<void> {
    const [identity] = await Promise.all([makeIdentity(), this.#openMedia(call)]);
    if (this.#call !== call || call.model.isOver) return;
    const { joins } = call;
    const words = joins?.words ?? newWords();
    const role = joins === null ? "creator" : "joiner";
    call.session = new Session({
      role,
      nameplate: joins?.nameplate ?? null,
      dial: dialer(this.#server),
      host: this.guestOf,
      media: call.media.state,
      ...meansOf(role, identity, call, (nameplate) => byCode(nameplate, words)),
      again: async (rejoin) => meansOf(role, await makeIdentity(), call, () => byMeeting(rejoin)),
      onEvent: (event) => {
        if (event.kind === "created") call.model.code = writeCode({ nameplate: event.nameplate, words });
        this.#onEvent(call, event);
      },
    });
  }

  async #openMedia(call: Call): Promise<void> {
    const asking = setTimeout(() => {
      this.#tellOf(call, call.model.notice({ code: "asking", text: text.guest.asking, action: null }));
    }, SECOND_MS);
    await call.media.open();
    clearTimeout(asking);
    this.#tellOf(call, call.model.withdraw("asking"));
  }

  /** Another call with the same other begins. Browsers don't ask again so soon; where one does, the call goes on meanwhile. */
  #resume(call: Call): void {
    call.figures = new Figures();
    call.judge = new Judge();
    call.theirs = null;
    void this.#openMedia(call);
  }

  #onEvent(call: Call, event: CallEvent): void {
    if (event.kind === "remote-report") call.theirs = event.report;
    else call.story.push(`${Math.round(performance.now() - call.begun)} ms ${storyOf(event)}`);
    if (this.#call !== call) return;
    if (event.kind === "stream") this.#show(event.stream);
    const wasOver = call.model.isOver;
    this.#tellOf(call, call.model.take(event));
    if (wasOver && !call.model.isOver) this.#resume(call);
    // What is off is closed: nobody's camera stays on behind an ended call.
    if (call.model.isOver) this.#release(call);
  }

  #end(): void {
    if (this.#call === null) return;
    const call = this.#call;
    this.#call = null;
    call.session?.leave();
    this.#release(call);
  }

  #release(call: Call): void {
    call.media.close();
    this.#view = { ...this.#view, call: call.model.view.call };
    this.#show(null);
    this.#showSelf();
  }

  async #measure(): Promise<void> {
    const call = this.#call;
    const stats = await call?.session?.peer?.stats().catch(() => undefined);
    if (call == null || stats === undefined || call.model.isOver) return;
    const second = call.figures.take(stats, call.theirs?.lossPercent ?? 0);
    call.session?.report(second.report);
    if (call.model.view.call.phase.kind !== "connected") return;
    const verdict = call.judge.judge(second.report, call.theirs, second.quality.rttMs);
    this.#tellOf(call, call.model.measured(second, verdict));
  }

  // ── sound and pictures ──────────────────────────────────────────────────────────────────────────────────────────

  #wanted(change: Partial<Wanted> = {}): Wanted {
    const { camera, microphone, removeEcho, reduceNoise, evenLoudness } = this.#view.settings;
    const local = (this.#call?.model.view ?? this.#view).call.local;
    return {
      ...{ microphone: local.microphone, camera: local.camera, cameraId: camera, microphoneId: microphone },
      ...{ removeEcho, reduceNoise: reduceNoise !== "off", evenLoudness, ...change },
    };
  }

  async #setMedia(change: { microphone?: boolean; camera?: boolean }): Promise<void> {
    const call = this.#call;
    if (call === null) return;
    this.#tellOf(call, call.model.local(change));
    await call.media.want(this.#wanted());
  }

  /** What is sent has changed: the connection, the other side and our own picture follow. */
  async #sendMedia(call: Call): Promise<void> {
    if (this.#call !== call) return;
    const { audio, video } = call.media.tracks;
    const names = { microphoneName: audio?.label ?? "", cameraName: video?.label ?? "" };
    this.#tellOf(call, call.model.local(names));
    this.#showSelf();
    call.session?.setMedia(call.media.state);
    await call.session?.peer?.replace("audio", audio);
    await call.session?.peer?.replace("video", video);
  }

  #onTrouble(call: Call, kind: MediaKind, trouble: Trouble | null): void {
    const code = `${DEVICE[kind]}-trouble`;
    if (trouble === null) {
      call.model.withdraw("blocked");
      this.#tellOf(call, call.model.withdraw(code));
      return;
    }
    const what = text.guest[DEVICE[kind]];
    const words = trouble === "blocked" ? text.guest.blocked : text.guest[trouble](what);
    this.#tellOf(call, [
      ...call.model.notice({ code: trouble === "blocked" ? "blocked" : code, text: words, action: null }),
      ...call.model.local(kind === "audio" ? { microphone: false } : { camera: false }),
    ]);
    void call.media.want(this.#wanted());
  }

  #attach(stream: StreamId, element: HTMLVideoElement): () => void {
    this.#elements.set(stream, element);
    if (stream === Stream.self) this.#showSelf();
    else {
      element.srcObject = this.#remote;
      element.onloadeddata = () => {
        if (this.#call !== null) this.#tellOf(this.#call, this.#call.model.pictureShown());
      };
    }
    return () => {
      element.srcObject = null;
      if (this.#elements.get(stream) === element) this.#elements.delete(stream);
    };
  }

  #showSelf(): void {
    const element = this.#elements.get(Stream.self);
    const track = this.#call?.media.tracks.video ?? null;
    if (element !== undefined) element.srcObject = track && new MediaStream([track]);
  }

  /** The picture has its element on the call's screen; the sound needs none. */
  #show(stream: MediaStream | null): void {
    this.#remote = stream;
    const element = this.#elements.get(Stream.remote);
    if (element !== undefined) element.srcObject = stream;
    this.#sound.srcObject = stream;
    if (stream !== null) void this.#sound.play().catch(() => undefined);
  }

  async #useSpeaker(): Promise<void> {
    const { speaker } = this.#view.settings;
    // Not every browser lets a page choose.
    if ("setSinkId" in this.#sound) await this.#sound.setSinkId(speaker === "default" ? "" : speaker);
  }

  #tellOf(call: Call, changed: readonly Changed[]): void {
    if (this.#call === call) this.#tell(changed);
  }

  #tell(changed: readonly Changed[]): void {
    const view = this.#call?.model.now() ?? this.#view;
    if (changed.includes("call")) this.#listeners?.["call-state"](view.call);
    if (changed.includes("connection")) this.#listeners?.["connection-state"](view.connection);
    if (changed.includes("quality")) this.#listeners?.quality(view.quality);
  }
}

/** The page's commands reject with what the shell's reject with: plain data. */
function refuse(error: ErrorView): Promise<never> {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
  return Promise.reject(error);
}

/** What a call is held with that has this certificate. */
function meansOf(role: Role, identity: Identity, call: Call, secretAt: (nameplate: string) => Secret): Means {
  const [{ fingerprint }, seen] = [identity, new Set<string>()];
  const options = { offers: role === "creator", relayOnly: call.relayOnly };
  return {
    peer: (events) => new Peer(identity, call.media.tracks, options, events),
    envelope: (nameplate) => new Exchange({ role, secret: secretAt(nameplate), fingerprint, seen }),
  };
}

/** What happened, without codes or addresses. */
function storyOf(event: CallEvent): string {
  if (event.kind === "state")
    return `state ${event.state.kind}${event.state.kind === "closed" ? ` ${event.state.reason.code}` : ""}`;
  if (event.kind === "peer") return `peer ${event.state}`;
  return event.kind;
}
