//! What is spoken with servers that tell a client its address (STUN, RFC 8489) and relay for it (TURN, RFC 8656): messages
//! read and written, and how they follow one another on a stream. Our relay reads them, and so do those who use one. Nothing
//! here does I/O or asks the clock.

pub mod channel_data;
pub mod client;
pub mod framing;
pub mod message;
pub mod prefixed;
pub mod url;

use md5::{Digest as _, Md5};

pub use message::{Builder, Class, Message, TransactionId, attribute, method};
pub use url::{Carrier, ServerUrl, Service};

/// The port of STUN and TURN over UDP and TCP (RFC 8489, section 18.6).
pub const DEFAULT_PORT: u16 = 3478;
/// The port of both over TLS.
pub const DEFAULT_TLS_PORT: u16 = 5349;
/// UDP in REQUESTED-TRANSPORT, which is what a relay speaks with peers (the protocol numbers of IP).
pub const UDP: u8 = 17;

/// The key that signs messages of a long-term credential (RFC 8489, section 9.2.2, with MD5).
#[must_use]
pub fn long_term_key(username: &str, realm: &str, password: &str) -> [u8; 16] {
    Md5::digest(format!("{username}:{realm}:{password}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `turnadmin -k -u user -r realm -p pass` prints it.
    #[test]
    fn keys_are_those_of_others() {
        let key = u128::from_be_bytes(long_term_key("user", "realm", "pass"));
        assert_eq!(format!("{key:032x}"), "8493fbc53ba582fb4c044c456bdc40eb");
    }
}
