//! What the user can set, the devices and servers to pick from, and what servers answered when they were asked.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The server that the next call will use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct ServerView {
    /// Where it comes from.
    pub kind: ServerKind,
    /// Its address; empty for the app's own.
    pub url: String,
}

/// Where the server comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum ServerKind {
    /// The app's own, which this machine and the local network reach.
    Network,
    /// The app's own, which only this machine reaches.
    Machine,
    /// The one in the settings.
    Custom,
}

/// What the user can set, all of it at once: saved as a whole, or refused as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct SettingsView {
    /// The address of the server; empty for the app's own.
    pub server: String,
    /// Announce and find calls in the local network. Not with `relay_only`: who is found there is spoken to directly.
    pub local_network: bool,
    /// STUN and TURN servers besides those that the server offers.
    pub ice_servers: Vec<IceServerView>,
    /// Send media through a relay only, so that the other side never learns this machine's address.
    pub relay_only: bool,
    /// Tell names in place of this machine's addresses in local networks: only who is there too learns those.
    pub name_local: bool,
    /// The camera's id, or `default`.
    pub camera: String,
    /// The microphone's id, or `default`.
    pub microphone: String,
    /// The speaker's id, or `default`.
    pub speaker: String,
    /// Take out of the microphone's sound what the speaker plays.
    pub remove_echo: bool,
    /// How much of the background noise is taken away.
    pub reduce_noise: NoiseLevel,
    /// Bring quiet voices up and loud ones down.
    pub even_loudness: bool,
}

/// How much of the background noise is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum NoiseLevel {
    /// None.
    Off,
    /// Some, with no harm to music or a second voice.
    Low,
    /// Most, for fans and streets.
    High,
}

/// A STUN or TURN server, shaped as the W3C's `RTCIceServer`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct IceServerView {
    /// `stun:`, `turn:` or `turns:` addresses (RFC 7064, RFC 7065) that share the user and password.
    pub urls: Vec<String>,
    /// The user name; empty for STUN.
    pub username: String,
    /// The password that was just typed; otherwise empty: one that is kept is never told.
    pub credential: String,
    /// The name under which a password is kept; `None` where there is none.
    pub kept: Option<String>,
}

/// Where the passwords of TURN servers are kept, also sent as the event `keychain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct KeychainView {
    /// Whether the system's keychain can be used.
    pub state: KeychainState,
    /// Why not, if that is so: a sentence.
    pub problem: Option<String>,
    /// Each password that is kept.
    pub passwords: Vec<PasswordView>,
}

/// Whether the system's keychain can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum KeychainState {
    /// There was no reason to ask it.
    Unasked,
    /// It is being asked.
    Asking,
    /// It takes its time: it may be asking the person to unlock it.
    Waiting,
    /// It has kept, given back and forgotten something.
    Usable,
    /// It hasn't.
    Unusable,
}

/// One kept password, which the window never sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct PasswordView {
    /// The name under which it is kept.
    pub name: String,
    /// Where it is.
    pub place: PasswordPlace,
}

/// Where a password is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum PasswordPlace {
    /// In the keychain.
    Keychain,
    /// In the settings file.
    File,
    /// In the keychain, which hasn't given it yet.
    Unread,
    /// Nowhere: the keychain doesn't have it.
    Missing,
}

/// The devices on this machine now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct DevicesView {
    /// What can take a picture.
    pub cameras: Vec<DeviceView>,
    /// What can hear.
    pub microphones: Vec<DeviceView>,
    /// What can be heard.
    pub speakers: Vec<DeviceView>,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct DeviceView {
    /// What the settings keep; never `default`, which the UI offers by itself.
    pub id: String,
    /// What people read.
    pub name: String,
}

/// *Test my servers*, as far as it is, sent as the event `servers-check` whenever something is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct ServersCheckView {
    /// Answers are still to come.
    pub running: bool,
    /// What was found of the server in the settings, or of there being none to ask: a sentence.
    pub remark: Option<String>,
    /// Each address, in the order in which they were asked.
    pub servers: Vec<ServerCheckView>,
}

/// What came of asking one STUN or TURN server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct ServerCheckView {
    /// Its address.
    pub url: String,
    /// Whether a call can use it; `None` until that is known.
    pub good: Option<bool>,
    /// What it did, or what it is being asked: a sentence.
    pub found: String,
    /// What to do, if anything: a sentence.
    pub advice: Option<String>,
    /// How long the answer took, milliseconds; `None` until there is one.
    pub took_ms: Option<u32>,
}
