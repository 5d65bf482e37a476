//! What the window is told, and what it may ask back: the view models that cross into the UI.
//!
//! An event carries a whole view model, never a delta, so that the UI draws what it is given and keeps no call logic. The
//! TypeScript form of these types is generated into `ui/src/bindings/view.ts` by the test below and is committed. A `code`
//! is stable and may be branched on; a `text` is a finished sentence and may not.

mod call;
mod connection;
mod quality;
mod settings;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use call::{
    AgainView, CallPhase, CallView, EndReason, LocalView, NoticeAction, NoticeView, PictureView, RemoteView, Side,
};
pub use connection::{ConnectionView, PathKind, PathView, PeerState, SignalingState};
pub use quality::{DetailsView, Grade, QualityView};
pub use settings::{
    DeviceView, DevicesView, IceServerView, KeychainState, KeychainView, NoiseLevel, PasswordPlace, PasswordView,
    ServerCheckView, ServerKind, ServerView, ServersCheckView, SettingsView,
};

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
    /// Where the passwords in the settings are kept, also sent as the event `keychain`.
    pub keychain: KeychainView,
    /// The server that the next call will use.
    pub server: ServerView,
    /// The version of the app.
    pub version: String,
    /// The name of the profile that keeps this window's settings; `None` for the usual one.
    pub profile: Option<String>,
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
        ServersCheckView::export_all(&config).unwrap();
        assert!(fs::read_to_string(&file).unwrap() == committed, "{} was out of date: commit it", file.display());
    }

    #[test]
    fn a_phase_is_tagged_by_its_kind() {
        let phase = CallPhase::Ended {
            reason: EndReason { code: "hung-up".into(), text: "You hung up.".into() },
            duration_ms: None,
            again: AgainView::Retry,
        };
        let json = serde_json::json!({
            "kind": "ended",
            "reason": { "code": "hung-up", "text": "You hung up." },
            "durationMs": null,
            "again": "retry",
        });
        assert_eq!(serde_json::to_value(phase).unwrap(), json);
    }
}
