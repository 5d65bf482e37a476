//! What a connection tells its owner.

pub use visavis_call::{Candidate, PeerState};

use crate::error::TransportError;

/// What happens on a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum TransportEvent {
    /// An address of ours, for the other side.
    Candidate(Candidate),
    /// There are no more addresses of ours in this ICE generation.
    EndOfCandidates,
    /// Only relayed addresses may be told, and no TURN server has given us one.
    NoRelay,
    /// The connection's state changed.
    State(PeerState),
    /// The data channel `control` opened.
    ControlOpen,
    /// A text message came over it.
    ControlMessage(String),
    /// It closed.
    ControlClosed,
    /// The other side can't go on decoding: its PLI or FIR (RFC 4585, RFC 5104) asks for a whole picture.
    KeyframeWanted,
    /// The other side takes no video of ours: it knows none of our codecs, or wants none.
    VideoRefused,
    /// The first video packet of the other side came.
    RemoteVideo {
        /// The codec's media type, for instance `video/H264`.
        codec: String,
    },
    /// The first audio packet of the other side came.
    RemoteAudio {
        /// The codec's media type, for instance `audio/opus`.
        codec: String,
    },
    /// The connection's own machinery stopped.
    Failed(TransportError),
}
