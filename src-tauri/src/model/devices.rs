//! What the engine says of devices, in words for the one who uses them.

use visavis_engine::DeviceReport;

use super::{Changed, Model};
use crate::view::NoticeAction;

impl Model {
    pub(super) fn on_device(&mut self, report: &DeviceReport) -> Changed {
        match report {
            DeviceReport::Camera(name) => {
                self.withdraw("camera");
                self.call.local.has_camera = name.is_some() || !self.call.local.camera;
            }
            DeviceReport::Microphone(name) => {
                self.withdraw("microphone");
                self.call.local.has_microphone = name.is_some();
            }
            DeviceReport::Speaker(_) => self.withdraw("speaker"),
            DeviceReport::StandIn { kind, used, .. } => {
                let text = format!("The {kind} that you chose isn't connected. {used} is used until it is.");
                self.notice(kind, text, Some(NoticeAction::OpenSettings));
            }
            DeviceReport::Lost { kind, error } => {
                self.missing(kind);
                let text = format!("{}. {}", sentence(&error.to_string()), without(kind));
                self.notice(kind, text, Some(NoticeAction::OpenSettings));
            }
            DeviceReport::Failed { what: "video", .. } => self.call.remote.no_codec = true,
            DeviceReport::Failed { what, reason } => {
                self.missing(what);
                let text = format!("{}: {}.", failure(what), reason.trim_end_matches('.'));
                self.notice(&what.replace(' ', "-"), text, None);
            }
        }
        Changed::CALL
    }

    fn missing(&mut self, what: &str) {
        match what {
            "camera" => self.call.local.has_camera = false,
            "microphone" => self.call.local.has_microphone = false,
            _ => {}
        }
    }
}

/// What a call is without a device.
fn without(kind: &str) -> &'static str {
    match kind {
        "camera" => "You can talk without it.",
        "microphone" => "The other person can't hear you until there is one.",
        _ => "You won't hear the other person until there is one.",
    }
}

/// What doesn't work when a part of the engine has failed.
fn failure(what: &str) -> String {
    match what {
        "camera" | "microphone" | "speaker" => format!("The {what} can't be used"),
        "video encoder" | "sending video" => "The other person can't see you".to_owned(),
        "receiving video" => "You can't see the other person".to_owned(),
        "sound" => "There is no sound in this call".to_owned(),
        part => format!("{} doesn't work", sentence(part)),
    }
}

/// With a capital letter in front.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
