/** This machine's camera and microphone, as the browser gives them: opened while a call needs them, closed when off. */
import type { MediaState } from "../call/control";
import type { MediaKind, Tracks } from "../call/peer";

/** What the person wants to use; a device's id, or `default`. */
export interface Wanted extends MediaState {
  cameraId: string;
  microphoneId: string;
  removeEcho: boolean;
  reduceNoise: boolean;
  evenLoudness: boolean;
}

/** Why there is no sound or picture from here. */
export type Trouble = "blocked" | "busy" | "missing" | "failed";

export interface DeviceEvents {
  /** Something was opened, closed, or lost: what is sent has changed. */
  changed: () => void;
  /** A device can't be opened, or can again (`null`). */
  trouble: (kind: MediaKind, trouble: Trouble | null) => void;
}

const KINDS = ["audio", "video"] as const;

export class LocalMedia {
  readonly #events: DeviceEvents;
  #tracks: Tracks = { audio: null, video: null };
  #wanted: Wanted;
  /** A newer wish makes what is being opened for an older one useless. */
  #wish = 0;
  #open = false;

  constructor(wanted: Wanted, events: DeviceEvents) {
    this.#wanted = wanted;
    this.#events = events;
  }

  get tracks(): Tracks {
    return { ...this.#tracks };
  }

  get state(): MediaState {
    return { microphone: this.#wanted.microphone, camera: this.#wanted.camera };
  }

  /** Opens what is wanted. */
  async open(): Promise<void> {
    this.#open = true;
    await this.#follow();
  }

  /** Opens, closes and exchanges devices until they are what is wanted. */
  async want(wanted: Wanted): Promise<void> {
    const before = this.#wanted;
    this.#wanted = wanted;
    const { microphoneId, removeEcho, reduceNoise, evenLoudness } = wanted;
    const sameSound =
      microphoneId === before.microphoneId &&
      removeEcho === before.removeEcho &&
      reduceNoise === before.reduceNoise &&
      evenLoudness === before.evenLoudness;
    if (!sameSound) this.#close("audio");
    if (wanted.cameraId !== before.cameraId) this.#close("video");
    if (this.#open) await this.#follow();
  }

  /** Lets go of everything. */
  close(): void {
    this.#open = false;
    this.#wish += 1;
    for (const kind of KINDS) this.#close(kind);
  }

  async #follow(): Promise<void> {
    const wish = ++this.#wish;
    const { microphone, camera } = this.#wanted;
    if (!camera) this.#close("video");
    // Muting is instant both ways; the browser still shows the microphone as open, and sends silence.
    if (this.#tracks.audio !== null) this.#tracks.audio.enabled = microphone;
    const kinds = KINDS.filter((kind) => this.#tracks[kind] === null && (kind === "audio" ? microphone : camera));
    // Both at once, so that people are asked once; each by itself where that fails.
    if (kinds.length === 2 && (await this.#take(kinds, wish))) return;
    for (const kind of kinds) await this.#take([kind], wish);
    this.#events.changed();
  }

  async #take(kinds: readonly MediaKind[], wish: number): Promise<boolean> {
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia(this.#constraints(kinds));
    } catch (error) {
      if (kinds.length === 1 && wish === this.#wish) {
        for (const kind of kinds) this.#events.trouble(kind, troubleOf(error));
      }
      return false;
    }
    if (wish !== this.#wish) {
      for (const track of stream.getTracks()) track.stop();
      return true;
    }
    for (const track of stream.getTracks()) this.#keep(track.kind as MediaKind, track);
    this.#events.changed();
    return true;
  }

  #keep(kind: MediaKind, track: MediaStreamTrack): void {
    this.#tracks[kind] = track;
    if (kind === "video") track.contentHint = "motion";
    this.#events.trouble(kind, null);
    track.onended = () => {
      if (this.#tracks[kind] !== track) return;
      this.#tracks[kind] = null;
      this.#events.trouble(kind, "missing");
      this.#events.changed();
    };
  }

  #close(kind: MediaKind): void {
    const track = this.#tracks[kind];
    if (track === null) return;
    this.#tracks[kind] = null;
    track.onended = null;
    track.stop();
  }

  #constraints(kinds: readonly MediaKind[]): MediaStreamConstraints {
    const { cameraId, microphoneId, removeEcho, reduceNoise, evenLoudness } = this.#wanted;
    const sound = { echoCancellation: removeEcho, noiseSuppression: reduceNoise, autoGainControl: evenLoudness };
    const picture = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
    return {
      audio: kinds.includes("audio") && { ...sound, ...chosen(microphoneId) },
      video: kinds.includes("video") && { ...picture, ...chosen(cameraId) },
    };
  }
}

function chosen(id: string): MediaTrackConstraints {
  return id === "default" ? {} : { deviceId: { ideal: id } };
}

function troubleOf(error: unknown): Trouble {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "blocked";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    default:
      return "failed";
  }
}

/** The devices that the browser tells of. Their names are empty until it has been allowed to open one. */
export async function listDevices(): Promise<Record<"cameras" | "microphones" | "speakers", MediaDeviceInfo[]>> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind) => all.filter((device) => device.kind === kind && device.deviceId !== "");
  return { cameras: of("videoinput"), microphones: of("audioinput"), speakers: of("audiooutput") };
}
