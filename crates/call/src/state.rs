//! The states that a call shows, and the reasons for which it ends.

use std::fmt;
use std::time::Instant;

use visavis_signaling::message::reason;
use visavis_signaling::{Nameplate, RoomCode};

use crate::obstacle::Obstacle;

/// Where a call stands. The transitions, with their drawing, are in `session/transitions.rs`.
#[derive(Clone, Debug, PartialEq)]
pub enum CallState {
    /// Reaching the server, or in line to be let in.
    New,
    /// The code exists; nobody has typed it yet.
    Waiting {
        /// The code to tell the other.
        code: RoomCode,
    },
    /// Somebody typed the code (or we did): the exchange is going on.
    Verifying,
    /// Both know each other; the path between them is being found.
    Connecting,
    /// Sound and picture flow.
    Connected {
        /// Since when.
        since: Instant,
    },
    /// The path was lost and is being looked for anew.
    Disconnected {
        /// When the call had come up.
        since: Instant,
        /// When the path was lost.
        lost: Instant,
    },
    /// Over.
    Closed(CloseReason),
}

impl CallState {
    /// The state's name in the protocol's drawing.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Waiting { .. } => "waiting",
            Self::Verifying => "verifying",
            Self::Connecting => "connecting",
            Self::Connected { .. } => "connected",
            Self::Disconnected { .. } => "disconnected",
            Self::Closed(_) => "closed",
        }
    }
}

/// The peer connection's own states, as the W3C names them (RTCPeerConnectionState).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Nothing has happened.
    #[default]
    New,
    /// ICE or DTLS is going on.
    Connecting,
    /// A path is up.
    Connected,
    /// The path was lost, perhaps for a moment.
    Disconnected,
    /// No path works.
    Failed,
    /// Closed for good.
    Closed,
}

impl PeerState {
    /// The W3C's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

/// The connection to the signalling server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalingState {
    /// Being reached for the first time.
    Connecting,
    /// Reached.
    Online,
    /// Lost; being reached again.
    Offline {
        /// What went wrong, in plain words.
        reason: String,
    },
}

/// What a creator tells a joiner whose messages it couldn't use.
pub(crate) const DISMISSED: &str = "dismissed";
/// With what a creator leaves a room whose code is burnt.
const BURNT: &str = "burnt";

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// We hung up.
    HungUp,
    /// The other hung up.
    PeerHungUp,
    /// The other went away without a word, and didn't come back.
    PeerLost,
    /// The code had nobody waiting behind it.
    NoSuchRoom {
        /// The number that was asked for.
        nameplate: Nameplate,
    },
    /// Nobody in the local network, where there is no server to ask, waits behind the code.
    NobodyNear {
        /// The number that was asked for.
        nameplate: Nameplate,
        /// Somebody there announced a call, or was named in the code, and didn't answer.
        silent: bool,
    },
    /// Two people are already in the room.
    RoomFull,
    /// The one who waits didn't answer in time.
    NoAnswer,
    /// Joiner: nobody who knows these words waits there, or somebody in between changed something. A server that hides its rooms
    /// lets nobody tell a wrong word from a wrong number.
    WrongWords,
    /// Creator: three have tried words that aren't ours.
    Burnt,
    /// What came through the server isn't what the other side sent.
    Tampered {
        /// How that shows.
        reason: String,
    },
    /// The other's connection shows another certificate than the exchange of the code proved.
    WrongCertificate,
    /// The app of the one who waits couldn't use what ours sent.
    Dismissed,
    /// The code lapsed because nobody came.
    Expired,
    /// The server wasn't there, or isn't a Visavis server.
    ServerUnreachable {
        /// What went wrong, in plain words.
        reason: String,
    },
    /// The server said no.
    ServerRefused {
        /// The server's stable code.
        code: String,
        /// The server's words.
        text: String,
    },
    /// Both are there, but no path between them was found in time.
    NoPath {
        /// What stood in the way on our side, if that is known.
        obstacle: Option<Obstacle>,
    },
    /// The other side sent something that makes no sense before the call was up.
    BadMessage {
        /// What was wrong.
        reason: String,
    },
    /// The connection failed inside.
    TransportFailed {
        /// What went wrong.
        reason: String,
    },
}

impl CloseReason {
    /// A stable word for programs: the UI and scripts branch on it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::HungUp => "hung-up",
            Self::PeerHungUp => "peer-hung-up",
            Self::PeerLost => "peer-lost",
            Self::NoSuchRoom { .. } => "no-such-room",
            Self::NobodyNear { .. } => "nobody-near",
            Self::RoomFull => "room-full",
            Self::NoAnswer => "no-answer",
            Self::WrongWords => "wrong-words",
            Self::Burnt => BURNT,
            Self::Tampered { .. } => "tampered",
            Self::WrongCertificate => "wrong-certificate",
            Self::Dismissed => DISMISSED,
            Self::Expired => "expired",
            Self::ServerUnreachable { .. } => "server-unreachable",
            Self::ServerRefused { .. } => "server-refused",
            Self::NoPath { .. } => "no-path",
            Self::BadMessage { .. } => "bad-message",
            Self::TransportFailed { .. } => "transport-failed",
        }
    }
}

impl CloseReason {
    /// What the word means with which the other side, or the server for it, ended the call.
    pub(crate) fn from_word(word: &str) -> Self {
        match word {
            "hung-up" | reason::LEFT => Self::PeerHungUp,
            "no-path" => Self::NoPath { obstacle: None },
            DISMISSED => Self::Dismissed,
            // Others have used up the guesses at the code.
            BURNT => Self::NoAnswer,
            _ => Self::PeerLost,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HungUp => f.write_str("You hung up."),
            Self::PeerHungUp => f.write_str("The other person hung up."),
            Self::PeerLost => f.write_str("The connection to the other person was lost. You can call again."),
            Self::NoSuchRoom { nameplate } => {
                write!(f, "No one is waiting on {nameplate}. Check the number, or ask for a new code.")
            }
            Self::NobodyNear { nameplate, silent: false } => write!(
                f,
                "No one in this network is waiting on {nameplate}. Check the number, ask for the longer code with the address in \
                 it, or set the same server on both sides."
            ),
            Self::NobodyNear { nameplate, silent: true } => write!(
                f,
                "No one who answers in this network is waiting on {nameplate}. A machine is there that doesn't answer, perhaps \
                 behind a firewall: allow Visavis there, or set the same server on both sides."
            ),
            Self::RoomFull => {
                f.write_str("Two people are already here. If you didn't expect that, ask for a new code.")
            }
            Self::NoAnswer => f.write_str("The person with this code didn't answer. Try again, or ask for a new code."),
            Self::WrongWords => f.write_str(
                "No one is waiting under this code: a digit or a word is wrong, or it has lapsed; or somebody is in between. \
                 Check it with the other person, or ask for a new one.",
            ),
            Self::Burnt => f.write_str(
                "Three tries with wrong words: this code is burnt, and nobody got in. Start a new call for a new code.",
            ),
            Self::Tampered { reason } => write!(
                f,
                "Somebody between you and the other person tampered with the call: {reason}. No picture or sound was sent. Try \
                 again with a new code, perhaps over another server."
            ),
            Self::WrongCertificate => f.write_str(
                "What answered isn't the other person's app. No picture or sound was sent to it. Try again with a new code.",
            ),
            Self::Dismissed => f.write_str(
                "The other person's app couldn't use what this one sent. Try again; if that doesn't help, both need the \
                 same version of Visavis.",
            ),
            Self::Expired => f.write_str("Nobody came, and the code has lapsed. Start a new call for a new code."),
            Self::ServerUnreachable { reason } => {
                write!(f, "The server can't be reached: {reason}. Check its address in the settings.")
            }
            Self::ServerRefused { text, .. } => write!(f, "The server said no: {text}"),
            Self::NoPath { obstacle: None } => f.write_str(
                "No path to the other person was found, and this side's network isn't the cause. Ask whether theirs is.",
            ),
            Self::NoPath { obstacle: Some(Obstacle::NoRelay) } => {
                f.write_str("No path to the other person was found. A TURN server in the settings would help here.")
            }
            Self::NoPath { obstacle: Some(obstacle) } => {
                write!(f, "No path to the other person was found. {obstacle}")
            }
            Self::BadMessage { reason } => {
                write!(f, "The other side's app doesn't speak this version's language: {reason}.")
            }
            Self::TransportFailed { reason } => write!(f, "The connection failed: {reason}. You can call again."),
        }
    }
}
