//! What the window is told, and what it may ask back: the view models that cross into the UI.
//!
//! An event carries a whole view model, never a delta, so that the UI draws what it is given and keeps no call logic. The
//! TypeScript form of these types is generated into `ui/src/bindings/view.ts` by the test below and is committed. A `code`
//! is stable and may be branched on; a `text` is a finished sentence and may not.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Everything the window draws, as it is right now: the answer to `get_view`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct AppView {
    /// The call, also sent as the event `call-state`.
    pub call: CallView,
    /// The two connections under the call, also sent as the event `connection-state`.
    pub connection: ConnectionView,
    /// How good the call is, also sent as the event `quality`.
    pub quality: QualityView,
    /// The settings as they were last saved.
    pub settings: SettingsView,
    /// The server that the next call will use.
    pub server: ServerView,
    /// The version of the app.
    pub version: String,
    /// The name of the profile that keeps this window's settings; `None` for the usual one.
    pub profile: Option<String>,
}

/// The call, from before it starts until its end has been read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct CallView {
    /// How far the call is.
    pub phase: CallPhase,
    /// This side's microphone and camera.
    pub local: LocalView,
    /// What the other side sends.
    pub remote: RemoteView,
    /// What the user should know now; each stays for as long as it is true.
    pub notices: Vec<NoticeView>,
}

/// How far the call is. Each variant has its own screen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[ts(export_to = "view.ts")]
pub enum CallPhase {
    /// No call.
    Idle,
    /// A call was asked for, and the server that gives it a code is being reached.
    Preparing,
    /// The code is out, and nobody has joined.
    Waiting {
        /// The code to pass on, in its written form.
        code: String,
        /// Somebody has typed the code and is being let in.
        knocking: bool,
        /// The code works on this machine only: the call began without a server address.
        local_only: bool,
    },
    /// A code was typed here, and its room is being asked for.
    Joining {
        /// The code that was typed, in its written form.
        code: String,
        /// How many others who typed the same code are let in first; 0 when it is our turn.
        ahead: u32,
    },
    /// The two have met and look for a path.
    Connecting {
        /// The code of the call.
        code: String,
    },
    /// Picture and sound flow.
    Connected {
        /// Since the call first connected, milliseconds, as of this view.
        #[ts(type = "number")]
        since_ms: u64,
    },
    /// The path was lost and is being looked for again; the last picture stays.
    Reconnecting {
        /// Since the call first connected, milliseconds, as of this view.
        #[ts(type = "number")]
        since_ms: u64,
        /// Whose connection dropped.
        side: Side,
    },
    /// The call is over.
    Ended {
        /// Why.
        reason: EndReason,
        /// From connected to ended, milliseconds; `None` when it never connected.
        #[ts(type = "number | null")]
        duration_ms: Option<u64>,
        /// Whether `again` tries the same again: `false` once the call was connected, as its code is used up then, and
        /// another call begins with a new one.
        can_again: bool,
    },
}

/// Whose connection dropped, as far as this machine can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum Side {
    /// This machine.
    Local,
    /// Not known yet.
    Unknown,
}

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct EndReason {
    /// Stable, kebab-case: `hung-up`, `no-such-room` and the like.
    pub code: String,
    /// The reason in a sentence.
    pub text: String,
}

/// This side's microphone and camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct LocalView {
    /// The microphone is on; off is closed or silent, never just hidden.
    pub microphone: bool,
    /// The camera is on.
    pub camera: bool,
    /// There is a microphone to turn on.
    pub has_microphone: bool,
    /// There is a camera to turn on.
    pub has_camera: bool,
    /// The name of the microphone in use, empty if none.
    pub microphone_name: String,
    /// The name of the camera in use, empty if none.
    pub camera_name: String,
    /// How loud the microphone hears, 0 (silent) to 1 (full scale).
    pub level: f32,
}

/// What the other side sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct RemoteView {
    /// Their microphone is on.
    pub microphone: bool,
    /// Their camera is on.
    pub camera: bool,
    /// At least one frame of theirs has been decoded in this call.
    pub has_picture: bool,
}

/// Something the user should know while it is true: the cause, what still works, and at most one action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct NoticeView {
    /// Stable, kebab-case; at most one notice of a code is shown at a time.
    pub code: String,
    /// The notice in a sentence or two.
    pub text: String,
    /// What the user can do about it.
    pub action: Option<NoticeAction>,
}

/// What the user can do about a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum NoticeAction {
    /// Open the settings.
    OpenSettings,
}

/// The two connections under a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct ConnectionView {
    /// The connection to the server.
    pub signaling: SignalingState,
    /// The connection to the other person.
    pub peer: PeerState,
    /// The path that media takes, once there is one.
    pub path: Option<PathView>,
}

/// The connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum SignalingState {
    /// Not connected, and not trying.
    Offline,
    /// Trying.
    Connecting,
    /// Connected.
    Online,
}

/// The peer connection's own states, as the W3C names them (`RTCPeerConnectionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum PeerState {
    /// Not tried yet.
    New,
    /// Looking for a path, or shaking hands on it.
    Connecting,
    /// Media can flow.
    Connected,
    /// The path went quiet and may come back.
    Disconnected,
    /// No path was found.
    Failed,
    /// Over.
    Closed,
}

/// The candidate pair that media takes (RFC 8445).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct PathView {
    /// Whether a relay stands between the two.
    pub kind: PathKind,
    /// This side's address and port.
    pub local: String,
    /// The other side's address and port.
    pub remote: String,
    /// The transport protocol: `udp` or `tcp`.
    pub protocol: String,
}

/// Whether a relay stands between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum PathKind {
    /// From machine to machine.
    Direct,
    /// Through a TURN relay (RFC 8656).
    Relay,
}

/// How good the call is, over the last few seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct QualityView {
    /// The verdict.
    pub grade: Grade,
    /// The verdict in a sentence.
    pub words: String,
    /// Round-trip time, milliseconds.
    pub rtt_ms: Option<u32>,
    /// Packets lost, percent, the worse of the two directions.
    pub loss_percent: Option<f32>,
    /// Sent, kilobits a second.
    pub send_kbps: u32,
    /// Received, kilobits a second.
    pub receive_kbps: u32,
    /// Width of the received picture, pixels; 0 if there is none.
    pub width: u32,
    /// Height of the received picture, pixels; 0 if there is none.
    pub height: u32,
    /// Frames decoded a second.
    pub fps: f32,
}

/// A verdict on the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum Grade {
    /// Nothing to notice.
    Good,
    /// Noticeable, and fine to talk.
    Fair,
    /// Hard to talk.
    Poor,
    /// Not measured yet.
    Unknown,
}

/// The server that the next call will use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct ServerView {
    /// Where it comes from.
    pub kind: ServerKind,
    /// Its address; empty for the embedded one.
    pub url: String,
}

/// Where the server comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum ServerKind {
    /// The app's own, which only this machine reaches.
    Embedded,
    /// The one in the settings.
    Custom,
}

/// What the user can set, all of it at once: saved as a whole, or refused as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct SettingsView {
    /// The address of the server; empty for the embedded one.
    pub server: String,
    /// STUN and TURN servers besides those that the server offers.
    pub ice_servers: Vec<IceServerView>,
    /// Send media through a relay only, so that the other side never learns this machine's address.
    pub relay_only: bool,
    /// The camera's id, or `default`.
    pub camera: String,
    /// The microphone's id, or `default`.
    pub microphone: String,
    /// The speaker's id, or `default`.
    pub speaker: String,
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
    /// The password; empty for STUN.
    pub credential: String,
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

/// Where the pictures come from: a WebSocket on this machine. Each answer to `video_endpoint` opens it once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct VideoEndpoint {
    /// A `ws:` address on loopback.
    pub url: String,
    /// The first text message that the page must send.
    pub token: String,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct ErrorView {
    /// Stable, kebab-case.
    pub code: String,
    /// The cause, what still works, and what to do.
    pub text: String,
    /// The field that is wrong, as a path: `code`, `server`, `iceServers.0.urls`.
    pub field: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{fs, path::Path};

    use ts_rs::Config;

    use super::*;

    #[test]
    fn the_committed_bindings_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/bindings");
        let file = folder.join("view.ts");
        let committed = fs::read_to_string(&file).unwrap_or_default();
        let config = Config::new().with_out_dir(folder);
        AppView::export_all(&config).unwrap();
        DevicesView::export_all(&config).unwrap();
        VideoEndpoint::export_all(&config).unwrap();
        ErrorView::export_all(&config).unwrap();
        assert!(fs::read_to_string(&file).unwrap() == committed, "{} was out of date: commit it", file.display());
    }

    #[test]
    fn a_phase_is_tagged_by_its_kind() {
        let phase = CallPhase::Ended {
            reason: EndReason { code: "hung-up".into(), text: "You hung up.".into() },
            duration_ms: None,
            can_again: true,
        };
        let json = serde_json::json!({
            "kind": "ended",
            "reason": { "code": "hung-up", "text": "You hung up." },
            "durationMs": null,
            "canAgain": true,
        });
        assert_eq!(serde_json::to_value(phase).unwrap(), json);
    }
}
