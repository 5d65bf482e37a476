import { errorView, type Backend } from "./backend/backend";
import type { AppView, ErrorView, NoticeAction, ServersCheckView, SettingsView } from "./bindings/view";
import { arriving, talking, type PhaseKind } from "./phase";
import { text } from "./text";
import { sourceOf, type PictureSource } from "./video/pictures";

/** What the window knows: the newest view models, what is open beside them, and what was refused last. */
export class Model {
  readonly backend: Backend;
  readonly pictures: PictureSource;
  view = $state.raw<AppView | null>(null);
  failure = $state.raw<ErrorView | null>(null);
  settingsOpen = $state(false);
  qualityOpen = $state(false);
  /** What came of asking the servers; `null` when nobody has asked since the settings were opened. */
  serversCheck = $state.raw<ServersCheckView | null>(null);
  /** What stands in the code field; kept, so that a mistyped code can be corrected after the server refused it. */
  typedCode = $state("");

  /** Whether the next call is to hide where this side is; `null`: as the settings say. */
  relayOnly = $state<boolean | null>(null);

  /** Whether the next call hides where this side is. */
  get hidden(): boolean {
    return this.relayOnly ?? this.view?.settings.relayOnly ?? false;
  }

  constructor(backend: Backend) {
    this.backend = backend;
    this.pictures = sourceOf(backend.pictures);
  }

  /** Listens first and asks then, so that nothing falls in between; what was heard meanwhile is newer than the answer. */
  async load(): Promise<void> {
    let heard: Partial<AppView> = {};
    const take = (change: Partial<AppView>) => {
      heard = { ...heard, ...change };
      if (this.view !== null) this.view = { ...this.view, ...change };
    };
    await this.attempt(async () => {
      await this.backend.listen({
        "call-state": (call) => {
          const before = this.view?.call.phase.kind;
          take({ call });
          this.#follow(before, call.phase.kind);
        },
        "connection-state": (connection) => {
          take({ connection });
        },
        quality: (quality) => {
          take({ quality });
        },
        keychain: (keychain) => {
          take({ keychain });
        },
        "servers-check": (check) => {
          if (this.settingsOpen) this.serversCheck = check;
        },
      });
      this.view = { ...(await this.backend.getView()), ...heard };
    });
  }

  /** Puts away what a change of phase has left behind. */
  #follow(before: PhaseKind | undefined, now: PhaseKind): void {
    if (!talking(now)) {
      this.qualityOpen = false;
    } else if (!talking(before)) {
      this.typedCode = "";
      this.closeSettings();
    }
  }

  openSettings(): void {
    this.settingsOpen = true;
  }

  /** Closes the settings and forgets what was refused in them. */
  closeSettings(): void {
    if (!this.settingsOpen) return;
    this.settingsOpen = false;
    this.failure = null;
  }

  /** Runs a command; a refusal is kept for the screen to show, and returned. */
  async attempt(command: () => Promise<unknown>): Promise<ErrorView | null> {
    this.failure = null;
    try {
      await command();
      return null;
    } catch (error) {
      this.failure = errorView(error, text.failure.internal);
      return this.failure;
    }
  }

  async save(settings: SettingsView): Promise<ErrorView | null> {
    return this.attempt(async () => {
      const saved = await this.backend.saveSettings(settings);
      const { server } = await this.backend.getView();
      if (this.view !== null) this.view = { ...this.view, settings: saved, server };
    });
  }

  /** Ends the asking of servers, and puts away what came of it. */
  stopCheck(): void {
    if (this.serversCheck?.running) void this.attempt(() => this.backend.stopCheck());
    this.serversCheck = null;
  }

  toggleMicrophone(): void {
    const local = this.view?.call.local;
    if (local?.hasMicrophone === true) void this.attempt(() => this.backend.setMicrophone(!local.microphone));
  }

  toggleCamera(): void {
    const local = this.view?.call.local;
    if (local?.hasCamera === true) void this.attempt(() => this.backend.setCamera(!local.camera));
  }

  act(action: NoticeAction): void {
    const actions: Record<NoticeAction, () => void> = { "open-settings": this.openSettings.bind(this) };
    actions[action]();
  }

  /** One step back, whatever is in front. In a call it never hangs up. */
  back(): void {
    if (this.settingsOpen) this.closeSettings();
    else if (this.failure !== null) this.failure = null;
    else if (this.qualityOpen) this.qualityOpen = false;
    else this.leave();
  }

  private leave(): void {
    const kind = this.view?.call.phase.kind;
    if (kind === "ended") void this.attempt(() => this.backend.dismiss());
    else if (arriving(kind)) void this.attempt(() => this.backend.hangUp());
  }
}
