import type {
  AppView,
  CallView,
  ConnectionView,
  DevicesView,
  ErrorView,
  KeychainView,
  QualityView,
  ServersCheckView,
  SettingsView,
} from "../bindings/view";
import type { Pictures } from "../video/pictures";

/** What the shell says unasked. Each is a whole view model, never a delta. */
export interface Events {
  "call-state": CallView;
  "connection-state": ConnectionView;
  quality: QualityView;
  "servers-check": ServersCheckView;
  keychain: KeychainView;
}

export type Listeners = { [Name in keyof Events]: (view: Events[Name]) => void };

/** The UI's only way to the call. A refused command rejects with an `ErrorView`. */
export interface Backend {
  /** Listens until the window closes; resolves once nothing can be missed. */
  listen(listeners: Listeners): Promise<void>;
  getView(): Promise<AppView>;
  /** `relayOnly`: a call in which the other side doesn't learn where this one is. */
  startCall(relayOnly: boolean): Promise<void>;
  joinCall(code: string, relayOnly: boolean): Promise<void>;
  again(): Promise<void>;
  hangUp(): Promise<void>;
  dismiss(): Promise<void>;
  setMicrophone(on: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  saveSettings(settings: SettingsView): Promise<SettingsView>;
  /** Finds out whether the system's keychain can be used, which may ask the person to unlock it; told by `keychain`. */
  askKeychain(): Promise<void>;
  listDevices(): Promise<DevicesView>;
  /** Asks the STUN and TURN servers in the settings; what comes of it is told by `servers-check`. */
  checkServers(settings: SettingsView): Promise<void>;
  stopCheck(): Promise<void>;
  copyText(text: string): Promise<void>;
  /** Saves the story of the call; the answer is where. `open`: with the code, addresses and device names in it. */
  saveReport(open: boolean): Promise<string>;
  /** How pictures get onto the screen. */
  readonly pictures: Pictures;
  /** Whom a guest in a browser trusts: the host that the page comes from. `null` in the app, which trusts nobody. */
  readonly guestOf: string | null;
}

/** What a command rejected with; anything that isn't an `ErrorView` is a fault of ours. */
export function errorView(error: unknown, internal: string): ErrorView {
  return isErrorView(error) ? error : { code: "internal", text: internal, field: null };
}

function isErrorView(error: unknown): error is ErrorView {
  if (typeof error !== "object" || error === null) return false;
  return "code" in error && typeof error.code === "string" && "text" in error && typeof error.text === "string";
}
