import type { DeviceView, IceServerView, SettingsView } from "../bindings/view";
import { text } from "../text";

/** One STUN or TURN server as it stands in the form: several addresses are written with spaces between. */
export interface IceServerDraft {
  key: number;
  urls: string;
  username: string;
  credential: string;
}

let nextKey = 0;

export function newIceServer(server?: IceServerView): IceServerDraft {
  const { urls, username, credential } = server ?? { urls: [], username: "", credential: "" };
  return { key: nextKey++, urls: urls.join(" "), username, credential };
}

/** The rows that say something, so that a row's place in the form is its place in the settings. */
export function withoutEmpty(drafts: readonly IceServerDraft[]): IceServerDraft[] {
  return drafts.filter(({ urls, username, credential }) => `${urls}${username}${credential}`.trim() !== "");
}

/** The settings with the form's servers in them. */
export function withIceServers(settings: SettingsView, drafts: readonly IceServerDraft[]): SettingsView {
  const iceServers = drafts.map(({ urls, username, credential }) => ({
    urls: urls.split(/[\s,]+/).filter(Boolean),
    username,
    credential,
  }));
  return { ...settings, server: settings.server.trim(), iceServers };
}

/** TURN asks who you are; STUN doesn't. */
export function needsLogin(draft: IceServerDraft): boolean {
  return /\bturns?:/i.test(draft.urls) || draft.username !== "" || draft.credential !== "";
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
