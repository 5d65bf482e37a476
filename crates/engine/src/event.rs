//! What a running call tells whoever watches it.

use visavis_call::CallState;
use visavis_call::{Again, MediaState, Obstacle, PeerState, Pictures, Quality, ReceiveReport, SignalingState};
use visavis_device::DeviceError;
use visavis_frame::VideoCodec;

use crate::stats::CallStats;

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The call's state changed.
    State(CallState),
    /// The peer connection's state changed.
    Peer(PeerState),
    /// The connection to the server changed.
    Signaling(SignalingState),
    /// So many people are in line before us.
    InLine {
        /// How many.
        ahead: u32,
    },
    /// Somebody tried words that aren't ours, or gave up before showing that they have them.
    WrongGuess {
        /// How many more tries this code stands.
        left: u32,
    },
    /// The other is the one who knows the words; these pictures are on both screens.
    Verified(Pictures),
    /// The other side is a guest in a browser, and trusts the host of the page.
    RemoteGuest {
        /// The host.
        host: String,
    },
    /// What keeps the call from coming up has changed; none: nothing that is known.
    Obstacle(Option<Obstacle>),
    /// What the other side sends changed.
    Remote(MediaState),
    /// What the other side receives from us, once a second.
    RemoteReport(ReceiveReport),
    /// How good the call is, once a second while it is connected.
    Quality(Quality),
    /// Our devices, or what we send, changed.
    Local(LocalMedia),
    /// A device was opened, closed or failed.
    Device(DeviceReport),
    /// Once a second while a peer connection is there.
    Stats(Box<CallStats>),
    /// Something senseless came in a call that is up; it was dropped.
    Dropped {
        /// How many so far.
        count: u32,
    },
    /// How things stand with another call with the same other, after the end of this one. One that comes about begins with
    /// [`CallState::Verifying`].
    Again(Again),
    /// The call is over and everything is released. Nothing comes after it.
    Finished,
}

/// What we send, and from which devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalMedia {
    /// What the person wants sent.
    pub wanted: MediaState,
    /// The open camera.
    pub camera: Option<String>,
    /// The open microphone.
    pub microphone: Option<String>,
    /// The open speaker.
    pub speaker: Option<String>,
}

/// News of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceReport {
    /// This camera is open; `None`: none is.
    Camera(Option<String>),
    /// This microphone is open; `None`: none is.
    Microphone(Option<String>),
    /// This speaker is open; `None`: none is.
    Speaker(Option<String>),
    /// The device that was chosen isn't connected. Another is used until it is back.
    StandIn {
        /// "microphone" or "speaker".
        kind: &'static str,
        /// What was chosen.
        wanted: String,
        /// What is used.
        used: String,
    },
    /// A device couldn't be opened or has failed; it is tried again by itself, and the call goes on without it.
    Lost {
        /// "camera", "microphone" or "speaker".
        kind: &'static str,
        /// Why.
        error: DeviceError,
    },
    /// Something that isn't a device failed; the call goes on without it.
    Failed {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl DeviceReport {
    pub(crate) fn camera_failed(error: DeviceError) -> Self {
        Self::Lost { kind: "camera", error }
    }

    pub(crate) fn microphone_failed(error: DeviceError) -> Self {
        Self::Lost { kind: "microphone", error }
    }

    pub(crate) fn speaker_failed(error: DeviceError) -> Self {
        Self::Lost { kind: "speaker", error }
    }

    pub(crate) fn video_refused(codecs: &[VideoCodec]) -> Self {
        let ours = codecs.iter().map(|codec| codec.name()).collect::<Vec<_>>().join(" or ");
        let reason =
            format!("the other side takes no {ours}, and this side sends nothing else; the call goes on with sound");
        Self::Failed { what: "video", reason }
    }

    pub(crate) fn ended(what: &'static str) -> Self {
        Self::Failed { what, reason: "it ended in a panic; the call goes on without it".to_owned() }
    }

    pub(crate) fn panicked(what: &'static str) -> Self {
        Self::Failed { what, reason: "opening it ended in a panic".to_owned() }
    }
}
