/** What the screens show, worked out from what the session says: as the app's shell does it in Rust. */
import type { AgainView, AppView, CallPhase, NoticeView } from "../bindings/view";
import { exhaustive } from "../exhaustive";
import { text } from "../text";
import type { Again } from "./call/apart";
import type { CallEvent } from "./call/parts";
import type { CallState, CloseReason } from "./call/state";
import type { Second } from "./media/figures";

export type Changed = "call" | "connection" | "quality";

/** A guest's calls are all arranged by the server of the page. */
const UNCONNECTED: AppView["connection"] = {
  ...{ signaling: "offline", problem: null, peer: "new", path: null, relayOnly: false, byServer: true },
};

/** The page before anything has happened. */
export function idleView(server: string, version: string): AppView {
  return {
    call: {
      phase: { kind: "idle" },
      local: {
        ...{ microphone: true, camera: true, hasMicrophone: true, hasCamera: true },
        ...{ microphoneName: "", cameraName: "", level: 0 },
      },
      remote: { microphone: false, camera: false, hasPicture: false, noCodec: false },
      pictures: [],
      notices: [],
    },
    connection: UNCONNECTED,
    quality: unmeasured(),
    settings: {
      ...{
        server,
        localNetwork: false,
        iceServers: [],
        relayOnly: false,
        nameLocal: false,
        camera: "default",
        microphone: "default",
        speaker: "default",
      },
      ...{ removeEcho: true, reduceNoise: "low", evenLoudness: true },
    },
    keychain: { state: "unasked", problem: null, passwords: [] },
    server: { kind: "custom", url: server },
    version,
    profile: null,
  };
}

/** Both are on until the other side says otherwise. */
const UNHEARD: AppView["call"]["remote"] = { microphone: true, camera: true, hasPicture: false, noCodec: false };

function unmeasured(): AppView["quality"] {
  return {
    ...{ grade: "unknown", words: text.guest.quality.unknown, rttMs: null, lossPercent: null },
    ...{ sendKbps: 0, receiveKbps: 0, width: 0, height: 0, fps: 0, details: null },
  };
}

/** The views of one call, brought up to date event by event. */
export class CallModel {
  view: AppView;
  /** In its written form; empty before the server has given a number. */
  code: string;
  readonly #joining: boolean;
  readonly #host: string;
  /** Whom the other trusts, if that is a guest too. */
  #theirHost: string | null = null;
  #connected: number | null = null;
  /** The two have met in a call before this one. */
  #metBefore = false;

  /** `host`: whom this guest trusts. `relayOnly`: the other side isn't to learn where this one is. */
  constructor(view: AppView, code: string | null, host: string, relayOnly: boolean) {
    this.#host = host;
    this.#joining = code !== null;
    this.code = code ?? "";
    const phase: CallPhase = code === null ? { kind: "preparing" } : { kind: "joining", code, ahead: 0 };
    this.view = {
      ...view,
      call: { ...view.call, phase, remote: UNHEARD, pictures: [], notices: [] },
      connection: { ...UNCONNECTED, signaling: "connecting", relayOnly },
      quality: unmeasured(),
    };
  }

  get isOver(): boolean {
    return this.view.call.phase.kind === "ended" || this.view.call.phase.kind === "idle";
  }

  /** The view as of now: its clocks run on between events. */
  now(): AppView {
    const { phase } = this.view.call;
    if (phase.kind !== "connected" && phase.kind !== "reconnecting") return this.view;
    return { ...this.view, call: { ...this.view.call, phase: { ...phase, sinceMs: this.#sinceMs() } } };
  }

  take(event: CallEvent): Changed[] {
    switch (event.kind) {
      case "state":
        return this.#onState(event.state);
      case "created":
      case "stream":
      case "finished":
      case "remote-report":
        return [];
      case "pictures":
        return this.#call({ pictures: event.pictures });
      case "waiting":
        return this.#joining ? this.#phase({ kind: "joining", code: this.code, ahead: event.ahead }) : [];
      case "signaling":
        return this.#connection({ signaling: event.online ? "online" : "connecting", problem: event.problem });
      case "peer":
        return this.#connection({ peer: event.state });
      case "remote-media": {
        const { microphone, camera } = event.media;
        return this.#call({ remote: { ...this.view.call.remote, microphone, camera } });
      }
      case "no-codec":
        return this.#call({ remote: { ...this.view.call.remote, noCodec: true } });
      case "remote-guest":
        this.#theirHost = event.host;
        return this.#tellTrust();
      case "again":
        return this.#onAgain(event.again);
      case "guessed":
        return this.notice({ code: "wrong-guess", text: text.guest.guessed(event.left), action: null });
      default:
        return exhaustive(event);
    }
  }

  /** One second's figures. */
  measured(second: Second, verdict: Pick<AppView["quality"], "grade" | "words">): Changed[] {
    this.view = { ...this.view, quality: { ...second.quality, ...verdict } };
    const { local, remote } = this.view.call;
    this.#call({ local: { ...local, level: second.level }, remote: { ...remote, hasPicture: second.hasPicture } });
    return ["quality", "call", ...this.#connection({ path: second.path })];
  }

  /** The first picture of theirs is on the screen. */
  pictureShown(): Changed[] {
    return this.#call({ remote: { ...this.view.call.remote, hasPicture: true } });
  }

  local(change: Partial<AppView["call"]["local"]>): Changed[] {
    return this.#call({ local: { ...this.view.call.local, ...change } });
  }

  /** Shows a notice, at the place of the one with the same code if there is one. */
  notice(notice: NoticeView): Changed[] {
    const others = this.view.call.notices.filter(({ code }) => code !== notice.code);
    return this.#call({ notices: [...others, notice] });
  }

  withdraw(code: string): Changed[] {
    return this.#call({ notices: this.view.call.notices.filter((notice) => notice.code !== code) });
  }

  /** Both screens say that somebody is between the two after all. */
  #tellTrust(): Changed[] {
    const [host, theirs] = [this.#host, this.#theirHost];
    const words = theirs === null ? text.guest.you(host) : text.guest.both(host, theirs);
    return this.notice({ code: "guest", text: words, action: null });
  }

  #onState(state: CallState): Changed[] {
    switch (state.kind) {
      case "new":
        return [];
      case "waiting":
        return this.#phase({ kind: "waiting", code: this.code, knocking: false, reach: "custom", withAddress: null });
      case "verifying":
        if (this.isOver) return this.#beginAgain();
        if (this.#joining) return this.#phase({ kind: "joining", code: this.code, ahead: 0 });
        return this.#phase({ kind: "waiting", code: this.code, knocking: true, reach: "custom", withAddress: null });
      case "connecting":
        this.withdraw("wrong-guess");
        return this.#phase({ kind: "connecting", code: this.#metBefore ? "" : this.code });
      case "connected":
        this.#connected ??= state.since;
        this.#tellTrust();
        return this.#phase({ kind: "connected", sinceMs: this.#sinceMs() });
      case "disconnected":
        this.view = { ...this.view, quality: unmeasured() };
        this.#phase({ kind: "reconnecting", sinceMs: this.#sinceMs(), lostMs: 0, side: this.#side() });
        return ["call", "quality"];
      case "closed":
        return this.#onClosed(state.reason);
      default:
        return exhaustive(state);
    }
  }

  #onClosed(reason: CloseReason): Changed[] {
    const durationMs = this.#connected === null ? null : Math.round(this.#sinceMs());
    const idle = reason.code === "hung-up" && durationMs === null;
    this.view = {
      ...this.view,
      call: { ...this.view.call, pictures: [], notices: [] },
      connection: { ...UNCONNECTED, peer: "closed", relayOnly: this.view.connection.relayOnly },
      quality: unmeasured(),
    };
    const words = text.guest.ended[reason.code](reason.detail);
    const ended = { kind: "ended", reason: { code: reason.code, text: words }, durationMs } as const;
    // A joiner never runs the exchange again by itself, and a code that somebody was met with is used up.
    const retries = durationMs === null && !this.#metBefore && MAY_RETRY.has(reason.code);
    this.#phase(idle ? { kind: "idle" } : { ...ended, again: retries ? "retry" : "no" });
    return ["call", "connection", "quality"];
  }

  #onAgain(stands: Again): Changed[] {
    const { phase } = this.view.call;
    return phase.kind === "ended" ? this.#phase({ ...phase, again: AGAIN[stands] }) : [];
  }

  /** The two call one another again. */
  #beginAgain(): Changed[] {
    [this.#connected, this.#metBefore] = [null, true];
    this.#connection({ signaling: "online", peer: "new" });
    this.#call({ phase: { kind: "connecting", code: "" }, remote: UNHEARD });
    return ["call", "connection"];
  }

  /** What the browser knows of the machine's own network. */
  #side(): "local" | "unknown" {
    return navigator.onLine ? "unknown" : "local";
  }

  #sinceMs(): number {
    return this.#connected === null ? 0 : performance.now() - this.#connected;
  }

  #phase(phase: CallPhase): Changed[] {
    return this.#call({ phase });
  }

  #call(change: Partial<AppView["call"]>): Changed[] {
    this.view = { ...this.view, call: { ...this.view.call, ...change } };
    return ["call"];
  }

  #connection(change: Partial<AppView["connection"]>): Changed[] {
    this.view = { ...this.view, connection: { ...this.view.connection, ...change } };
    return ["connection"];
  }
}

const AGAIN: Readonly<Record<Again, AgainView>> = {
  possible: "ready",
  awaited: "awaited",
  asked: "asked",
  over: "no",
};

/** Ends after which the same may be tried again. */
const MAY_RETRY = new Set([
  "no-such-room",
  "line-full",
  "server-unreachable",
  "server-refused",
  "no-answer",
  "no-path",
]);
