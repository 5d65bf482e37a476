import type { AppView, CallPhase, CallView, KeychainView, ServersCheckView, SettingsView } from "../bindings/view";
import type { VideoLink } from "../video/feed";
import { Stream, type StreamId } from "../video/frame";
import type { Backend, Listeners } from "./backend";
import { checkedServers, goodQuality, idle } from "./scenes";
import { testPicture } from "./testPicture";

const STEP_MS = 1200;
const FRAME_MS = 33;

/** A shell without a call: for tests, and for the UI in a plain browser. It goes through a call by itself, step by step. */
export class FakeBackend implements Backend {
  view: AppView;
  /** What was asked of it, in order. */
  readonly asked: string[] = [];
  /** Thrown by the next command. */
  refuse: unknown = null;
  readonly pictures = { kind: "frames", open: openVideo } as const;
  readonly guestOf: string | null;
  #listeners: Listeners | null = null;
  #next: ReturnType<typeof setTimeout> | undefined;

  constructor(view: AppView = idle, guestOf: string | null = null) {
    this.view = view;
    this.guestOf = guestOf;
  }

  listen(listeners: Listeners): Promise<void> {
    this.#listeners = listeners;
    return Promise.resolve();
  }

  getView(): Promise<AppView> {
    return this.#answer("getView", () => this.view);
  }

  startCall(relayOnly: boolean): Promise<void> {
    return this.#answer(relayOnly ? "startCall relayOnly" : "startCall", () => {
      const reach = this.view.server.kind;
      const withAddress = reach === "network" ? "4827-tulip-orbit@192.168.1.7:7880" : null;
      this.#play([
        { kind: "preparing" },
        { kind: "waiting", code: "4827-tulip-orbit", knocking: false, reach, withAddress },
        { kind: "waiting", code: "4827-tulip-orbit", knocking: false, reach, withAddress },
        { kind: "waiting", code: "4827-tulip-orbit", knocking: true, reach, withAddress },
        { kind: "connecting", code: "4827-tulip-orbit" },
        { kind: "connected", sinceMs: 0 },
      ]);
    });
  }

  joinCall(code: string, relayOnly: boolean): Promise<void> {
    return this.#answer(`joinCall ${code}${relayOnly ? " relayOnly" : ""}`, () => {
      this.#play([
        { kind: "joining", code, ahead: 0 },
        { kind: "connecting", code },
        { kind: "connected", sinceMs: 0 },
      ]);
    });
  }

  again(): Promise<void> {
    return this.#answer("again", () => {
      this.#play([
        { kind: "connecting", code: "" },
        { kind: "connected", sinceMs: 0 },
      ]);
    });
  }

  hangUp(): Promise<void> {
    return this.#answer("hangUp", () => {
      const phase = this.view.call.phase;
      const durationMs = phase.kind === "connected" || phase.kind === "reconnecting" ? 247_000 : null;
      const reason = { code: "hung-up", text: "You hung up." };
      this.#play([durationMs === null ? { kind: "idle" } : { kind: "ended", reason, durationMs, again: "no" }]);
    });
  }

  dismiss(): Promise<void> {
    return this.#answer("dismiss", () => {
      this.#play([{ kind: "idle" }]);
    });
  }

  setMicrophone(on: boolean): Promise<void> {
    return this.#answer(`setMicrophone ${String(on)}`, () => {
      this.emit({ local: { ...this.view.call.local, microphone: on } });
    });
  }

  setCamera(on: boolean): Promise<void> {
    return this.#answer(`setCamera ${String(on)}`, () => {
      this.emit({ local: { ...this.view.call.local, camera: on } });
    });
  }

  saveSettings(settings: SettingsView): Promise<SettingsView> {
    return this.#answer("saveSettings", () => {
      const own = settings.localNetwork && !settings.relayOnly ? "network" : "machine";
      const kind = settings.server === "" ? own : "custom";
      this.view = { ...this.view, settings, server: { kind, url: settings.server } };
      return settings;
    });
  }

  askKeychain(): Promise<void> {
    return this.#answer("askKeychain", () => undefined);
  }

  /** Says how the keychain is. */
  tellKeychain(keychain: KeychainView): void {
    this.view = { ...this.view, keychain };
    this.#listeners?.keychain(keychain);
  }

  listDevices() {
    return this.#answer("listDevices", () => ({
      cameras: [{ id: "cam-1", name: "Built-in camera" }],
      microphones: [
        { id: "mic-1", name: "Built-in microphone" },
        { id: "mic-2", name: "Headset" },
      ],
      speakers: [{ id: "spk-1", name: "Built-in speakers" }],
    }));
  }

  checkServers(settings: SettingsView): Promise<void> {
    return this.#answer("checkServers", () => {
      const urls = settings.iceServers.flatMap((server) => server.urls);
      const asking = urls.map((url) => ({ url, good: null, found: "Asking…", advice: null, tookMs: null }));
      this.tellCheck({ running: true, remark: null, servers: asking });
      this.#next = setTimeout(() => {
        this.tellCheck(checkedServers(urls));
      }, STEP_MS);
    });
  }

  stopCheck(): Promise<void> {
    return this.#answer("stopCheck", () => {
      clearTimeout(this.#next);
    });
  }

  /** Says how far asking the servers is. */
  tellCheck(view: ServersCheckView): void {
    this.#listeners?.["servers-check"](view);
  }

  copyText(text: string): Promise<void> {
    return this.#answer(`copyText ${text}`, () => undefined);
  }

  saveReport(open: boolean): Promise<string> {
    return this.#answer(`saveReport ${String(open)}`, () => "/Downloads/visavis-report-1.json");
  }

  /** Changes the call and says so. */
  emit(change: Partial<CallView>): void {
    this.view = { ...this.view, call: { ...this.view.call, ...change } };
    this.#listeners?.["call-state"](this.view.call);
  }

  #play([phase, ...rest]: CallPhase[]): void {
    clearTimeout(this.#next);
    if (phase === undefined) return;
    const remote = { microphone: true, camera: true, hasPicture: phase.kind === "connected", noCodec: false };
    this.emit({ phase, remote });
    if (phase.kind === "connected") this.#listeners?.quality(goodQuality);
    if (rest.length > 0)
      this.#next = setTimeout(() => {
        this.#play(rest);
      }, STEP_MS);
  }

  #answer<T>(asked: string, answer: () => T): Promise<T> {
    this.asked.push(asked);
    const refused = this.refuse;
    this.refuse = null;
    // The shell rejects with plain data, as JSON has no errors.
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    if (refused !== null) return Promise.reject(refused);
    return Promise.resolve(answer());
  }
}

function openVideo(onMessage: (message: ArrayBuffer) => void): Promise<VideoLink> {
  let number = 0;
  let open = true;
  const send = (stream: StreamId) => {
    if (open) onMessage(testPicture(stream, number++));
  };
  const credit = (stream: StreamId) => void setTimeout(send, FRAME_MS, stream);
  credit(Stream.remote);
  credit(Stream.self);
  return Promise.resolve({ credit, close: () => void (open = false) });
}
