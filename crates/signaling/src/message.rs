//! The messages between a client and the signalling server: JSON objects in WebSocket text frames (RFC 6455, RFC
//! 8259), each with its `type`. Unknown fields are ignored, so fields may be added; an unknown type is an error, so a
//! new type is sent only to somebody who named its feature. `docs/protocol.md` shows each with examples.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::code::Nameplate;

/// The version of this protocol. A server refuses any other with [`ErrorCode::UnsupportedVersion`].
pub const PROTOCOL_VERSION: u32 = 1;
/// The largest relay body, bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// The largest message, bytes: a body and what stands around it.
pub const MAX_MESSAGE_BYTES: usize = MAX_BODY_BYTES + 1024;
/// How many relay bodies one side may have under way before the other has acknowledged them.
pub const MAX_UNACKNOWLEDGED: usize = 64;
/// How many bytes of bodies that may be.
pub const MAX_UNACKNOWLEDGED_BYTES: usize = 4 * MAX_BODY_BYTES;
/// The longest reason of a `leave`, bytes.
pub const MAX_REASON_BYTES: usize = 32;

/// The reasons that the server itself gives for a `peer-left`; a client's own reason comes through as it was sent.
pub mod reason {
    /// The other left without saying why.
    pub const LEFT: &str = "left";
    /// The other's connection was lost and didn't come back in time.
    pub const LOST: &str = "lost";
    /// The two didn't agree within the time of one exchange.
    pub const TIMED_OUT: &str = "timed-out";
}

/// Which of the two in a room somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Made the room and its code; offers first, and is the impolite side of the negotiation.
    Creator,
    /// Came with the code; polite.
    Joiner,
}

impl Role {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Creator => Self::Joiner,
            Self::Joiner => Self::Creator,
        }
    }
}

/// Asks to go on where a lost connection left off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The newest token that the server gave.
    pub token: String,
    /// The exchange that this client believes to be in; 0 for none.
    #[serde(default)]
    pub exchange: u32,
    /// The highest `seq` of that exchange that this client has received; 0 for none.
    #[serde(default)]
    pub received: u64,
}

/// The feature of a client that understands `ice-servers`.
pub const ICE_SERVERS: &str = "ice-servers";

/// The feature of a client that does work when it is asked to.
pub const WORK: &str = "work";

/// A STUN or TURN server (RFC 7064, RFC 7065), in the form of the W3C's RTCIceServer.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:host:port` or `turn:host:port`; several of one server.
    pub urls: Vec<String>,
    /// TURN: the user's name, else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// TURN: the password, else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub credential: String,
}

impl fmt::Debug for IceServer {
    // A password has no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ClientMessage {
    /// The first message on every connection; nothing else is sent before its `welcome`.
    Hello {
        /// [`PROTOCOL_VERSION`].
        version: u32,
        /// What the client can do beyond this version.
        #[serde(default)]
        features: Vec<String>,
        /// Set to take up a session after a lost connection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<Resume>,
    },
    /// Asks for a room of one's own.
    Create,
    /// Asks to be let into a room.
    Knock {
        /// Which.
        nameplate: Nameplate,
    },
    /// The answer to the server's `work`; the knock that it was asked for goes on.
    Work {
        /// See [`crate::work`].
        nonce: String,
    },
    /// A body for the other in the room, which the server can't read.
    Relay {
        /// The exchange it belongs to, from `knocked`.
        exchange: u32,
        /// Its number within the exchange and direction: 1, 2, 3...
        seq: u64,
        /// What it says; at most [`MAX_BODY_BYTES`].
        body: String,
    },
    /// Every body up to `seq` has arrived.
    Ack {
        /// The exchange.
        exchange: u32,
        /// The highest number received.
        seq: u64,
    },
    /// This side accepts the other.
    Confirmed {
        /// The exchange.
        exchange: u32,
    },
    /// Leaves the room.
    Leave {
        /// Why, as a short kebab-case word for the other's program; see [`reason`].
        #[serde(default)]
        reason: String,
    },
    /// "Are you there?", every `heartbeat_ms`.
    Ping,
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ServerMessage {
    /// The answer to `hello`.
    Welcome {
        /// [`PROTOCOL_VERSION`].
        version: u32,
        /// What the server can do beyond this version.
        #[serde(default)]
        features: Vec<String>,
        /// How often the client pings, milliseconds.
        heartbeat_ms: u64,
        /// What resumes this session after a lost connection; replaces any older one.
        token: String,
        /// Whether the session that `hello` named was taken up.
        #[serde(default)]
        resumed: bool,
        /// After a resume: the highest `seq` of the exchange that the server has from this client.
        #[serde(default)]
        received: u64,
    },
    /// A newer token for the session, bound to the room it is in now.
    Token {
        /// What resumes this session from now on.
        token: String,
    },
    /// The room is there, and somebody may knock.
    Created {
        /// What to tell the other person.
        nameplate: Nameplate,
    },
    /// The knock was heard; others are before this joiner, or the creator is away for the moment.
    Waiting {
        /// How many are before this one, not counting whoever is in the room now.
        ahead: u32,
    },
    /// The knock waits for an answer to this; only to who named [`WORK`]. See [`crate::work`].
    Work {
        /// How many zero bits are wanted.
        bits: u8,
        /// 32 hex digits, good once.
        challenge: String,
    },
    /// An exchange begins, for both sides.
    Knocked {
        /// Its number in this room: 1, 2, 3...
        exchange: u32,
    },
    /// By what the two may reach one another; only to who named [`ICE_SERVERS`]. A later one replaces it.
    IceServers {
        /// The exchange it belongs to.
        exchange: u32,
        /// STUN and TURN servers, with credentials for this exchange alone.
        servers: Vec<IceServer>,
        /// How long the credentials are good, seconds.
        ttl: u64,
    },
    /// A body from the other side.
    Relay {
        /// The exchange it belongs to.
        exchange: u32,
        /// Its number, as the sender gave it.
        seq: u64,
        /// What it says.
        body: String,
    },
    /// The other side has every body up to `seq`.
    Ack {
        /// The exchange.
        exchange: u32,
        /// The highest number received.
        seq: u64,
    },
    /// Both have accepted: the two are a pair, and the nameplate is free again.
    Confirmed {
        /// The exchange that led here.
        exchange: u32,
        /// The random 128-bit id under which they go on, 32 hex digits.
        room: String,
    },
    /// The exchange is over because the other is gone.
    PeerLeft {
        /// The exchange that ended.
        exchange: u32,
        /// Why; see [`reason`].
        reason: String,
    },
    /// Something was wrong.
    Error {
        /// What, for programs.
        code: ErrorCode,
        /// What, for people.
        text: String,
        /// Whether the server closes the connection behind it.
        #[serde(default)]
        fatal: bool,
    },
    /// The answer to `ping`.
    Pong,
}

/// What went wrong, for programs. The strings are stable: one may be added, none changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// Not a message of this protocol.
    BadMessage,
    /// Another version of the protocol.
    UnsupportedVersion,
    /// Nobody waits under this nameplate.
    NoSuchRoom,
    /// Two others have met in this room.
    RoomFull,
    /// Whoever made the room has left it.
    RoomClosed,
    /// Too many are already waiting for this room.
    LineFull,
    /// A message or body is larger than allowed.
    TooLarge,
    /// Too many messages, or too many wrong knocks.
    TooFast,
    /// More bodies under way than [`MAX_UNACKNOWLEDGED`] or [`MAX_UNACKNOWLEDGED_BYTES`].
    QueueFull,
    /// Not now, or not by this side.
    NotAllowed,
    /// A message before `hello`, a second `hello`, or a body whose number leaves a gap.
    OutOfOrder,
    /// The token is unknown, used up, expired or for a room that is closed.
    ResumeRefused,
    /// The session goes on over a newer connection.
    Superseded,
    /// Nothing was heard for too long.
    Idle,
    /// Nobody came to this room for too long.
    Expired,
    /// The server has no place left.
    ServerFull,
    /// The server is going down; it may come back.
    ShuttingDown,
    /// A code that this version doesn't know.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// The code as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadMessage => "bad-message",
            Self::UnsupportedVersion => "unsupported-version",
            Self::NoSuchRoom => "no-such-room",
            Self::RoomFull => "room-full",
            Self::RoomClosed => "room-closed",
            Self::LineFull => "line-full",
            Self::TooLarge => "too-large",
            Self::TooFast => "too-fast",
            Self::QueueFull => "queue-full",
            Self::NotAllowed => "not-allowed",
            Self::OutOfOrder => "out-of-order",
            Self::ResumeRefused => "resume-refused",
            Self::Superseded => "superseded",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::ServerFull => "server-full",
            Self::ShuttingDown => "shutting-down",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Larger than [`MAX_MESSAGE_BYTES`].
    #[error("a message of {bytes} bytes is over the limit of {MAX_MESSAGE_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON, an unknown type, or a field missing or of the wrong kind.
    #[error("not a message of this protocol: {0}")]
    Malformed(String),
}

impl MessageError {
    /// The code by which a server answers such a message.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Malformed(_) => ErrorCode::BadMessage,
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, MessageError> {
    if text.len() > MAX_MESSAGE_BYTES {
        return Err(MessageError::TooLarge { bytes: text.len() });
    }
    serde_json::from_str(text).map_err(|error| MessageError::Malformed(error.to_string()))
}

/// Writes JSON. Strings, numbers and booleans are all that the messages hold, and those can't fail.
pub(crate) fn to_json<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

impl ClientMessage {
    /// Reads what a client sent.
    ///
    /// # Errors
    /// [`MessageError`] when it is too large or no message of this protocol.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        parse(text)
    }

    /// The message as it goes into a text frame.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

impl ServerMessage {
    /// Reads what the server sent.
    ///
    /// # Errors
    /// [`MessageError`] when it is too large or no message of this protocol.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        parse(text)
    }

    /// The message as it goes into a text frame.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}
