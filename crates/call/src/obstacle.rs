//! What stands in the way of a path to the other, as far as this side can tell: a person who looks at "connecting" is told
//! the cause, and so is one whose call didn't come about.

use std::fmt;

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No datagram comes back from any server.
    UdpBlocked {
        /// The relays over streams that are being asked instead, as "TLS on 443"; none: there are none, or all have failed.
        trying: Option<String>,
    },
    /// A relay didn't answer.
    RelaySilent {
        /// Its host and port.
        relay: String,
    },
    /// A relay knows no such user and password.
    RelayPassword {
        /// Its host and port.
        relay: String,
    },
    /// A relay said no for another reason.
    RelayRefused {
        /// Its host and port.
        relay: String,
        /// Its own words.
        words: String,
    },
    /// A relay can't be reached.
    RelayUnreachable {
        /// Its host and port.
        relay: String,
        /// Why, in plain words.
        reason: String,
    },
    /// No relay is known, so that two strict routers keep the two apart.
    NoRelay,
}

impl Obstacle {
    /// A stable word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UdpBlocked { .. } => "udp-blocked",
            Self::RelaySilent { .. } => "relay-silent",
            Self::RelayPassword { .. } => "relay-password",
            Self::RelayRefused { .. } => "relay-refused",
            Self::RelayUnreachable { .. } => "relay-unreachable",
            Self::NoRelay => "no-relay",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UdpBlocked { trying: Some(trying) } => write!(f, "This network blocks UDP; trying {trying}…"),
            Self::UdpBlocked { trying: None } => {
                f.write_str("This network blocks UDP, and there is no TURN server that can be reached without it.")
            }
            Self::RelaySilent { relay } => write!(f, "The TURN server {relay} didn't answer."),
            Self::RelayPassword { relay } => {
                write!(f, "The TURN server {relay} refused the user name or the password.")
            }
            Self::RelayRefused { relay, words } => write!(f, "The TURN server {relay} refused: {words}."),
            Self::RelayUnreachable { relay, reason } => {
                write!(f, "The TURN server {relay} can't be reached: {reason}.")
            }
            Self::NoRelay => f.write_str("No TURN server is known that could stand between the two networks."),
        }
    }
}
