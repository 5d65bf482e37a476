//! Why a server can't be reached, in plain words, and whether asking it again makes sense.

use std::io;

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use visavis_call::SocketInput;

use crate::{tls, words};

/// A socket that couldn't be opened.
#[derive(Debug)]
pub(crate) struct Failure {
    reason: String,
    /// Something answers there, and it will still not be a Visavis server in a second.
    hopeless: bool,
}

impl Failure {
    pub(super) fn no_answer() -> Self {
        Self { reason: "it didn't answer".to_owned(), hopeless: false }
    }

    /// No address belongs to the server's name (RFC 1035): a typing error, or no network.
    pub(super) fn no_such_name() -> Self {
        Self { reason: "its name can't be found".to_owned(), hopeless: false }
    }

    /// What a person is told.
    pub(crate) fn into_reason(self) -> String {
        self.reason
    }

    /// How the session is told.
    pub(super) fn into_input(self) -> SocketInput {
        let Self { reason, hopeless } = self;
        if hopeless { SocketInput::Refused { reason } } else { SocketInput::Closed { reason } }
    }
}

impl From<Error> for Failure {
    #[allow(clippy::wildcard_enum_match_arm, reason = "the enum is the library's, and open")]
    fn from(error: Error) -> Self {
        let hopeless = match &error {
            // 5xx: a proxy before a server that is just starting.
            Error::Http(response) => !response.status().is_server_error(),
            // Gone before it said a word: it may be starting, too.
            Error::Protocol(ProtocolError::HandshakeIncomplete | ProtocolError::ResetWithoutClosingHandshake) => false,
            Error::Protocol(_) | Error::HttpFormat(_) | Error::Url(_) => true,
            Error::Io(error) => tls::plain_words(error).is_some(),
            _ => false,
        };
        Self { reason: plain_words(&error), hopeless }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Error::Io(error).into()
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the enums matched here are the library's, and open")]
pub(super) fn plain_words(error: &Error) -> String {
    match error {
        Error::Io(error) => words::of_network(error),
        Error::Http(response) => format!("it isn't a Visavis server (it answered {})", response.status()),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => "the connection broke".to_owned(),
        Error::Protocol(_) | Error::HttpFormat(_) => "it isn't a Visavis server".to_owned(),
        Error::Url(error) => format!("the address is wrong: {error}"),
        error => error.to_string(),
    }
}
