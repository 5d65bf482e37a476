//! What the system says of a connection that didn't come about, in words for people.

use std::io::{self, ErrorKind};

use crate::tls;

/// Why a server can't be reached.
#[allow(clippy::wildcard_enum_match_arm, reason = "the enum is the library's, and open")]
pub(crate) fn of_network(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
            "there is no way there from this network".to_owned()
        }
        ErrorKind::TimedOut => "it didn't answer".to_owned(),
        _ => tls::plain_words(error).unwrap_or_else(|| error.to_string()),
    }
}
