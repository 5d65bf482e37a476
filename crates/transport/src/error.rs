//! Everything that can go wrong with a peer connection, each variant a thing that a caller can act on.

/// Why a transport refused something, or stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A description isn't one that we can use; the connection is as it was before.
    #[error("the other side's session description can't be used: {0}")]
    BadDescription(String),
    /// A description names another certificate than the one agreed on; the connection is as it was before.
    #[error("the session description names another certificate than the one agreed on")]
    WrongFingerprint,
    /// A candidate isn't one; the connection is as it was before.
    #[error("the other side's network address can't be used: {0}")]
    BadCandidate(String),
    /// More than the limit; what is over it was not taken.
    #[error("{what} is larger than the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes or in pieces.
        limit: usize,
    },
    /// An offer or answer that doesn't fit what went before (RFC 8829, section 3.2).
    #[error("that doesn't fit the state of the negotiation: {0}")]
    WrongState(String),
    /// Not connected, or this kind of media was not agreed on.
    #[error("the connection isn't up, or the other side doesn't take this kind of media")]
    NotConnected,
    /// The data channel isn't open.
    #[error("the control channel isn't open")]
    ControlClosed,
    /// The connection is closed.
    #[error("the connection is closed")]
    Closed,
    /// A network address of this machine couldn't be used, or there is none.
    #[error("no network address of this machine can be used: {0}")]
    Network(String),
    /// Only relayed addresses may be told, and no TURN server is known.
    #[error("only relayed addresses may be used, and there is no TURN server: set one, or turn relay-only off")]
    NoRelay,
    /// An entry in the list of STUN and TURN servers is unusable.
    #[error("the STUN or TURN server {url} can't be used: {reason}")]
    BadServer {
        /// As it was given.
        url: String,
        /// Why.
        reason: String,
    },
    /// The connection's own machinery stopped; a new connection is needed.
    #[error("the connection stopped: {0}")]
    Stopped(String),
}

/// What goes wrong below without being the other side's doing.
pub(crate) fn stopped(error: webrtc::error::Error) -> TransportError {
    if matches!(error, webrtc::error::Error::ErrConnectionClosed) {
        return TransportError::Closed;
    }
    TransportError::Stopped(error.to_string())
}
