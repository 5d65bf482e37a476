//! Nonces (RFC 8489, section 9.2): an expiry and its signature over the client's address, so that the server remembers
//! none. A table of those given out would grow with every datagram from anybody.

use std::net::SocketAddr;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// How long a nonce is good, seconds.
const LIFETIME: u64 = 3600;
const TAG_BYTES: usize = 12;

/// Makes and checks nonces.
pub(super) struct Nonces {
    key: [u8; 32],
}

impl Nonces {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A nonce for this client; `seconds` count from anywhere.
    pub(super) fn give(&self, client: SocketAddr, seconds: u64) -> String {
        let expires = seconds + LIFETIME;
        format!("{expires:016x}{}", hex(&self.tag(client, expires)))
    }

    /// Whether this server gave it to this client, and not too long ago.
    pub(super) fn is_good(&self, nonce: &str, client: SocketAddr, seconds: u64) -> bool {
        let Some((expires, tag)) = nonce.split_at_checked(16) else { return false };
        let Ok(expires) = u64::from_str_radix(expires, 16) else { return false };
        (seconds..=seconds + LIFETIME).contains(&expires) && tag == hex(&self.tag(client, expires))
    }

    fn tag(&self, client: SocketAddr, expires: u64) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) {
            mac.update(&expires.to_be_bytes());
            mac.update(client.to_string().as_bytes());
            tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG_BYTES]);
        }
        tag
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_nonce_is_for_one_client_and_an_hour() {
        let nonces = Nonces::new([1; 32]);
        let (client, other) = ("192.0.2.1:5".parse().unwrap(), "192.0.2.1:6".parse().unwrap());
        let nonce = nonces.give(client, 10);
        assert!(nonces.is_good(&nonce, client, 10) && nonces.is_good(&nonce, client, 10 + LIFETIME));
        assert!(!nonces.is_good(&nonce, client, 11 + LIFETIME));
        assert!(!nonces.is_good(&nonce, other, 10));
        assert!(!Nonces::new([2; 32]).is_good(&nonce, client, 10));
        for bad in ["", "é", &nonce[1..], "ffffffffffffffff"] {
            assert!(!nonces.is_good(bad, client, 10));
        }
    }
}
