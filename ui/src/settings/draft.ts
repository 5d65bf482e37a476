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

/** The settings with the form's servers in them; rows that were left empty are left out. */
export function withIceServers(settings: SettingsView, drafts: readonly IceServerDraft[]): SettingsView {
  const iceServers = drafts
    .map(({ urls, username, credential }) => ({ urls: urls.split(/[\s,]+/).filter(Boolean), username, credential }))
    .filter(({ urls, username, credential }) => urls.length > 0 || username !== "" || credential !== "");
  return { ...settings, server: settings.server.trim(), iceServers };
}

/** TURN asks who you are; STUN doesn't. */
export function needsLogin(draft: IceServerDraft): boolean {
  return /\bturns?:/i.test(draft.urls) || draft.username !== "" || draft.credential !== "";
}

/** The devices to pick from; one that is set but gone stays, so that saving doesn't change it. */
export function deviceOptions(devices: readonly DeviceView[], chosen: string): DeviceView[] {
  const options = [{ id: "default", name: text.settings.devices.systemDefault }, ...devices];
  if (options.some(({ id }) => id === chosen)) return options;
  return [...options, { id: chosen, name: text.settings.devices.missing(chosen) }];
}
