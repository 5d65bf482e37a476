//! What goes into a session and what comes out of it.

pub use visavis_signaling::message::IceServer;
use visavis_signaling::{Fingerprint, Pictures, RoomCode};

use crate::control::{MediaState, ReceiveReport};
use crate::obstacle::Obstacle;
use crate::quality::{Measured, Quality};
use crate::state::{CallState, PeerState, SignalingState};
use crate::timers::Timer;

/// What the person wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// Get a code and wait.
    Create,
    /// Join the one who waits behind this code.
    Join(RoomCode),
}

/// Everything that can happen to a call, besides time passing.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The person, or the devices, changed something.
    Command(Command),
    /// The socket to the server.
    Socket(SocketInput),
    /// Somebody in the local network says that there is a call to be joined: one server more to ask, behind those known.
    ServerFound,
    /// The peer connection of this generation; results for older ones are skipped.
    Transport {
        /// The number that [`TransportAction::Open`] gave.
        generation: u32,
        /// What happened.
        input: TransportInput,
    },
}

/// What a person can do in a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// End the call.
    HangUp,
    /// Call the other again after the end: with this DTLS certificate, once both have said so.
    Again {
        /// Of the certificate.
        fingerprint: Fingerprint,
    },
    /// End the call, if it hasn't ended, and any thought of another one.
    Leave,
    /// What we send has changed.
    Media(MediaState),
    /// What was measured over the last second: the other side is told its part, and the call is judged by it.
    Measured(Measured),
    /// The addresses of this machine have changed.
    NetworkChanged {
        /// The path stood on one that is gone: it can't come back by itself.
        path_gone: bool,
    },
}

/// What the socket to the server reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketInput {
    /// It is open.
    Opened,
    /// A text frame came.
    Text(String),
    /// It is gone, or couldn't be opened.
    Closed {
        /// Why, in plain words.
        reason: String,
    },
    /// It couldn't be opened, because what answers there is something else: asking it again is of no use.
    Refused {
        /// Why, in plain words.
        reason: String,
    },
}

/// What the peer connection reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportInput {
    /// The offer that was asked for; it is the local description now.
    OfferReady(String),
    /// The answer to the other's offer; it is the local description now.
    AnswerReady(String),
    /// The other's answer is in force.
    AnswerAccepted,
    /// A local address was found.
    Candidate(Candidate),
    /// No more addresses will be found.
    EndOfCandidates,
    /// The peer connection's state changed.
    State(PeerState),
    /// The data channel `control` opened.
    ControlOpened,
    /// A text message came over it.
    Control(String),
    /// It closed.
    ControlClosed,
    /// The other's description, or its connection, shows another certificate than it must have.
    WrongCertificate,
    /// What stands in the way of a path, as far as is known now.
    Obstacle(Option<Obstacle>),
    /// An action failed.
    Failed {
        /// Why, in plain words.
        reason: String,
    },
}

/// An ICE candidate as the W3C's RTCIceCandidateInit carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The candidate-attribute, RFC 8839, section 5.1.
    pub candidate: String,
    /// The media section it belongs to.
    pub sdp_mid: Option<String>,
    /// The index of that section.
    pub sdp_mline_index: Option<u16>,
    /// The ICE generation it belongs to.
    pub username_fragment: Option<String>,
}

/// What the session wants done, or known.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To the socket of the server.
    Socket(SocketAction),
    /// To the peer connection of this generation.
    Transport {
        /// Which one.
        generation: u32,
        /// What to do, in the order given.
        action: TransportAction,
    },
    /// To whoever watches the call.
    Event(CallEvent),
}

/// What the socket is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketAction {
    /// Open a socket to the server of this index in the list that the session was given; an open one is dropped first.
    Connect {
        /// Index of the server.
        server: usize,
    },
    /// Send a text frame.
    Send(String),
    /// Close the socket.
    Disconnect,
}

/// What the peer connection is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportAction {
    /// Make a peer connection. The one before it is closed already.
    Open,
    /// Use these STUN and TURN servers, besides those that are set, from the next gathering on.
    UseServers(Vec<IceServer>),
    /// Make an offer.
    CreateOffer {
        /// With new ICE credentials.
        ice_restart: bool,
    },
    /// Take the other's offer and make an answer.
    AcceptOffer {
        /// The offer.
        sdp: String,
        /// What the other's certificate must have.
        fingerprint: Fingerprint,
    },
    /// Take the other's answer.
    AcceptAnswer {
        /// The answer.
        sdp: String,
        /// What the other's certificate must have.
        fingerprint: Fingerprint,
    },
    /// Take our offer back; the other side can't use it.
    Rollback,
    /// Take one of the other's addresses.
    AddCandidate(Candidate),
    /// Send a text message over the data channel `control`.
    SendControl(String),
    /// Close it.
    Close,
}

/// How things stand with another call of two whose call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The other is still there and may be asked.
    Possible,
    /// The other asks us.
    Asked,
    /// The other was asked.
    Awaited,
    /// The other is gone, or the way to it: another call needs another code.
    Over,
}

impl Again {
    /// A stable word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Asked => "asked",
            Self::Awaited => "awaited",
            Self::Over => "over",
        }
    }
}

/// What whoever watches the call is told.
#[derive(Clone, Debug, PartialEq)]
pub enum CallEvent {
    /// The call's state changed.
    State(CallState),
    /// The peer connection's state changed.
    Peer(PeerState),
    /// The connection to the server changed.
    Signaling(SignalingState),
    /// Somebody tried words that aren't ours, or gave up before showing that they have them. Who waits is told each time.
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
    /// What the other side sends changed.
    RemoteMedia(MediaState),
    /// What the other side receives from us.
    RemoteReport(ReceiveReport),
    /// How good the call is, once a second while it is connected.
    Quality(Quality),
    /// What keeps the call from coming up has changed; none: nothing that is known.
    Obstacle(Option<Obstacle>),
    /// So many people are in line before us.
    InLine {
        /// How many.
        ahead: u32,
    },
    /// How things stand with another call, after the end of this one.
    Again(Again),
    /// A deadline has passed; what follows from it comes next.
    Deadline(Timer),
    /// Something senseless came in a call that is up; it was dropped.
    Dropped {
        /// How many so far.
        count: u32,
    },
}
