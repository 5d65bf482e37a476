//! What the two sides tell one another once they are connected: JSON text over the data channel `control`
//! (docs/protocol.md, "The control channel"). Each message says the whole truth about its subject, so a lost or repeated
//! one does no harm when the server's relay has to stand in for the channel.

use serde::{Deserialize, Serialize};

/// The longest control message that is read, bytes.
pub const MAX_CONTROL_LEN: usize = visavis_signaling::body::MAX_CONTROL_BYTES;

/// One message of the control channel. Types that this version doesn't know are skipped by the reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ControlMessage {
    /// What the sender sends right now.
    Media(MediaState),
    /// The sender hangs up.
    Bye {
        /// A stable word, for example `hung-up`.
        reason: String,
    },
    /// What the sender receives, once a second.
    Stats(ReceiveReport),
    /// The sender, who may not restart ICE itself, asks for it.
    PleaseRestart,
    /// The sender can't use the offer that restarts ICE; another may do.
    RestartFailed,
    /// The sender is a guest in a browser, on a page that comes from this host and could be made to do anything.
    Guest {
        /// As a URL writes it, with its port if that isn't the scheme's own.
        host: String,
    },
}

/// Whether sound and picture are being sent. Missing fields mean "off".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MediaState {
    /// The microphone is open.
    pub microphone: bool,
    /// The camera is on.
    pub camera: bool,
}

/// What one side receives from the other over the last second, and what of its own state the other feels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReceiveReport {
    /// Decoded pictures a second.
    pub frames_per_second: f32,
    /// Width of the last picture, pixels.
    pub width: u32,
    /// Height of the last picture, pixels.
    pub height: u32,
    /// Received video, kilobits a second.
    pub video_kbps: u32,
    /// Video packets lost, percent.
    pub loss_percent: f32,
    /// Sound concealed, percent of the time.
    pub concealed_percent: f32,
    /// What the sender's own way out is estimated to carry, kilobits a second; 0: not known.
    pub available_kbps: u32,
    /// The sender's processor doesn't keep up with the pictures.
    pub overloaded: bool,
}

impl ControlMessage {
    /// The message as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Serialising these plain structs can't fail; an empty text would be skipped by the reader.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a message; `None` for anything malformed, unknown or too long, all of which are skipped.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        if text.len() > MAX_CONTROL_LEN {
            return None;
        }
        serde_json::from_str(text).ok().filter(Self::makes_sense)
    }

    /// A number that JSON can say may be too large for ours, and no measure is infinite; a host is nothing that could pass for
    /// a sentence.
    fn makes_sense(&self) -> bool {
        if let Self::Guest { host } = self {
            return is_host(host);
        }
        let Self::Stats(report) = self else { return true };
        let ReceiveReport { frames_per_second, loss_percent, concealed_percent, .. } = report;
        [frames_per_second, loss_percent, concealed_percent].into_iter().all(|number| number.is_finite())
    }
}

/// The longest host, bytes (RFC 1035), with a port.
const MAX_HOST_BYTES: usize = 260;

fn is_host(host: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    !host.is_empty() && host.len() <= MAX_HOST_BYTES && host.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn messages_look_as_documented() {
        let media = ControlMessage::Media(MediaState { microphone: true, camera: false });
        assert_eq!(media.to_text(), r#"{"type":"media","microphone":true,"camera":false}"#);
        assert_eq!(ControlMessage::PleaseRestart.to_text(), r#"{"type":"please-restart"}"#);
        let bye = ControlMessage::Bye { reason: "hung-up".into() };
        assert_eq!(ControlMessage::from_text(&bye.to_text()), Some(bye));
        let guest = ControlMessage::Guest { host: "calls.example.org:8443".into() };
        assert_eq!(guest.to_text(), r#"{"type":"guest","host":"calls.example.org:8443"}"#);
        assert_eq!(ControlMessage::from_text(&guest.to_text()), Some(guest));
    }

    #[test]
    fn strangers_text_is_skipped() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"type":"dance"}"#,
            r#"{"type":"media","microphone":7}"#,
            r#"{"type":"stats","lossPercent":1e39}"#,
            r#"{"type":"guest","host":""}"#,
            r#"{"type":"guest","host":"nobody at all"}"#,
            "\u{0}",
        ] {
            assert_eq!(ControlMessage::from_text(text), None, "{text}");
        }
        let long = format!(r#"{{"type":"bye","reason":"{}"}}"#, "x".repeat(MAX_CONTROL_LEN));
        assert_eq!(ControlMessage::from_text(&long), None);
    }

    #[test]
    fn unknown_fields_are_left_alone() {
        let read = ControlMessage::from_text(r#"{"type":"media","camera":true,"hat":"tall"}"#).unwrap();
        assert_eq!(read, ControlMessage::Media(MediaState { microphone: false, camera: true }));
    }
}
