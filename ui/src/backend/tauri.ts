import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { VideoEndpoint } from "../bindings/view";
import type { Backend, Events, Listeners } from "./backend";
import { openSocket } from "./socket";

async function on<Name extends keyof Events>(name: Name, listener: Listeners[Name]): Promise<void> {
  await listen<Events[Name]>(name, (event) => {
    listener(event.payload);
  });
}

/** The app's window: commands and events over Tauri's bridge, pictures over the loopback socket. */
export const tauri: Backend = {
  async listen(listeners) {
    await Promise.all([
      on("call-state", listeners["call-state"]),
      on("connection-state", listeners["connection-state"]),
      on("quality", listeners.quality),
      on("servers-check", listeners["servers-check"]),
      on("keychain", listeners.keychain),
    ]);
  },
  getView: () => invoke("get_view"),
  startCall: (relayOnly) => invoke("start_call", { relayOnly }),
  joinCall: (code, relayOnly) => invoke("join_call", { code, relayOnly }),
  again: () => invoke("again"),
  hangUp: () => invoke("hang_up"),
  dismiss: () => invoke("dismiss"),
  setMicrophone: (on) => invoke("set_microphone", { on }),
  setCamera: (on) => invoke("set_camera", { on }),
  saveSettings: (settings) => invoke("save_settings", { settings }),
  askKeychain: () => invoke("ask_keychain"),
  listDevices: () => invoke("list_devices"),
  checkServers: (settings) => invoke("check_servers", { settings }),
  stopCheck: () => invoke("stop_check"),
  copyText: (text) => invoke("copy_text", { text }),
  saveReport: (open) => invoke("save_report", { open }),
  pictures: {
    kind: "frames",
    open: async (onMessage, onClosed) => openSocket(await invoke<VideoEndpoint>("video_endpoint"), onMessage, onClosed),
  },
  guestOf: null,
};
