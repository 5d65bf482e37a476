//! The call as the window draws it: how far it is, what the two send, and what the user should know.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ServerKind;

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
    /// What both screens show once the words have proved the other: six pictures to compare aloud. Empty before.
    pub pictures: Vec<PictureView>,
    /// What the user should know now; each stays for as long as it is true.
    pub notices: Vec<NoticeView>,
}

/// One of the pictures that both screens show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct PictureView {
    /// The emoji.
    pub picture: String,
    /// What to call it.
    pub name: String,
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
        /// Where the code is good.
        reach: ServerKind,
        /// The code with this machine's address in it, for a network in which nobody is found. `None` where there is none, or
        /// none is needed.
        #[ts(type = "string | null")]
        with_address: Option<String>,
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
        /// The code of the call; empty where the two call one another again, which takes none.
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
        /// Since the path was lost, milliseconds, as of this view.
        #[ts(type = "number")]
        lost_ms: u64,
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
        /// What can follow.
        again: AgainView,
    },
}

/// What can follow a call that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum AgainView {
    /// A call with a new code.
    No,
    /// The call never came about, and `again` tries the same once more.
    Retry,
    /// The other is still there, and `again` asks for another call.
    Ready,
    /// The other was asked, and has yet to say yes. `dismiss` takes it back.
    Awaited,
    /// The other asks for another call, and `again` says yes.
    Asked,
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
    /// The two share no video codec: neither can show the other.
    pub no_codec: bool,
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
