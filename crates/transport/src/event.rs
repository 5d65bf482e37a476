//! What a connection tells its owner.

use crate::error::TransportError;

/// An ICE candidate as the W3C's `RTCIceCandidateInit` carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The candidate attribute (RFC 8839, section 5.1), with `candidate:` before it; empty: no more will come.
    pub candidate: String,
    /// The media section that it belongs to.
    pub sdp_mid: Option<String>,
    /// The index of that section.
    pub sdp_mline_index: Option<u16>,
    /// The ICE generation that it belongs to.
    pub username_fragment: Option<String>,
}

/// The peer connection's state in the W3C's terms (`RTCPeerConnectionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Nothing has begun.
    New,
    /// ICE or DTLS is under way.
    Connecting,
    /// Media and messages flow.
    Connected,
    /// Nothing has come from the other side for some seconds; it may come back, and an ICE restart may help.
    Disconnected,
    /// It will not come back by itself.
    Failed,
    /// Closed by us.
    Closed,
}

/// What happens on a connection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TransportEvent {
    /// An address of ours, for the other side.
    Candidate(Candidate),
    /// There are no more addresses of ours in this ICE generation.
    EndOfCandidates,
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
