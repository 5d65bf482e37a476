import type { DeviceView, IceServerView, KeychainView, SettingsView } from "../bindings/view";
import { exhaustive } from "../exhaustive";
import { text } from "../text";

/** One STUN or TURN server as it stands in the form: several addresses are written with spaces between. */
export interface IceServerDraft {
  key: number;
  urls: string;
  username: string;
  /** What was typed; a password that is kept never comes here. */
  credential: string;
  kept: string | null;
}

let nextKey = 0;

export function newIceServer(server?: IceServerView): IceServerDraft {
  const { urls, username, credential, kept } = server ?? { urls: [], username: "", credential: "", kept: null };
  return { key: nextKey++, urls: urls.join(" "), username, credential, kept };
}

/** The rows that say something, so that a row's place in the form is its place in the settings. */
export function withoutEmpty(drafts: readonly IceServerDraft[]): IceServerDraft[] {
  return drafts.filter(({ urls, username, credential }) => `${urls}${username}${credential}`.trim() !== "");
}

/** The settings with the form's servers in them. */
export function withIceServers(settings: SettingsView, drafts: readonly IceServerDraft[]): SettingsView {
  const iceServers = drafts.map(({ urls, username, credential, kept }) => ({
    urls: urls.split(/[\s,]+/).filter(Boolean),
    username,
    credential,
    kept,
  }));
  return { ...settings, server: settings.server.trim(), iceServers };
}

/** TURN asks who you are; STUN doesn't. */
export function needsLogin(draft: IceServerDraft): boolean {
  return /\bturns?:/i.test(draft.urls) || draft.username !== "" || draft.credential !== "";
}

/** Where a server's password is kept, or will be: said before anybody types one. */
export function passwordHint(keychain: KeychainView, draft: IceServerDraft): string | undefined {
  const words = text.settings.relays.password;
  const { state, problem, passwords } = keychain;
  const inFile = problem === null ? words.file : `${problem} ${words.file}`;
  if (state === "waiting") return words.waiting;
  const place = draft.credential === "" ? passwords.find(({ name }) => name === draft.kept)?.place : undefined;
  switch (place) {
    case "keychain":
      return words.keychain;
    case "file":
      return inFile;
    case "unread":
      return problem === null ? words.waiting : `${problem} ${words.unread}`;
    case "missing":
      return words.missing;
    case undefined:
      if (state === "usable") return words.keychain;
      return state === "unusable" ? inFile : undefined;
    default:
      return exhaustive(place);
  }
}

/**
 * The devices to pick from, each id once, as some systems list a device twice; one that is set but gone stays, so that
 * saving doesn't change it.
 */
export function deviceOptions(devices: readonly DeviceView[], chosen: string): DeviceView[] {
  const listed = [{ id: "default", name: text.settings.devices.systemDefault }, ...devices];
  const options = listed.filter(({ id }, index) => listed.findIndex((other) => other.id === id) === index);
  if (options.some(({ id }) => id === chosen)) return options;
  return [...options, { id: chosen, name: text.settings.devices.missing(chosen) }];
}
