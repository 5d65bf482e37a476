//! Tokens that resume a session after a lost connection: signed by the server (HMAC-SHA256, RFC 2104), bound to a
//! session, a role and a room, expiring, and of one generation only.
//!
//! Form: base64url without padding of `version ‖ session ‖ room ‖ role ‖ generation ‖ expiry ‖ tag`; to a client it is
//! an opaque string.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::message::Role;

/// A random name of 128 bits, of a session or a room.
pub(crate) type Id = [u8; 16];

/// An id as it stands on the wire.
pub(crate) fn hex(id: Id) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

const VERSION: u8 = 1;
const CLAIMS_BYTES: usize = 1 + 16 + 16 + 1 + 4 + 8;
const TAG_BYTES: usize = 32;

/// The server's signing key. It has no `Debug`, so that no log can hold it.
#[derive(Clone)]
pub struct TokenKey([u8; Self::BYTES]);

impl TokenKey {
    /// The size of a key.
    pub const BYTES: usize = 32;

    /// A key from random bytes; keep them, and tokens outlive the server's process.
    #[must_use]
    pub fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    fn mac(&self, claims: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(claims);
        Some(mac)
    }

    pub(crate) fn sign(&self, claims: &Claims) -> String {
        let mut bytes = claims.to_bytes();
        if let Some(mac) = self.mac(&bytes) {
            bytes.extend_from_slice(&mac.finalize().into_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Checks signature and expiry. `unix_seconds` is the wall clock.
    pub(crate) fn verify(&self, token: &str, unix_seconds: u64) -> Result<Claims, TokenError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenError::Forged)?;
        if bytes.len() != CLAIMS_BYTES + TAG_BYTES {
            return Err(TokenError::Forged);
        }
        let (claims, tag) = bytes.split_at(CLAIMS_BYTES);
        self.mac(claims).and_then(|mac| mac.verify_slice(tag).ok()).ok_or(TokenError::Forged)?;
        let claims = Claims::from_bytes(claims).ok_or(TokenError::Forged)?;
        if claims.expires_unix_seconds <= unix_seconds { Err(TokenError::Expired) } else { Ok(claims) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// Not signed by this server, or no token at all.
    Forged,
    Expired,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) session: Id,
    /// The room and the role in it; nothing before there is one.
    pub(crate) seat: Option<(Id, Role)>,
    pub(crate) generation: u32,
    pub(crate) expires_unix_seconds: u64,
}

impl Claims {
    fn to_bytes(&self) -> Vec<u8> {
        let (room, role) = match self.seat {
            None => (Id::default(), 0),
            Some((room, Role::Creator)) => (room, 1),
            Some((room, Role::Joiner)) => (room, 2),
        };
        let mut bytes = Vec::with_capacity(CLAIMS_BYTES + TAG_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.session);
        bytes.extend_from_slice(&room);
        bytes.push(role);
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.expires_unix_seconds.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (room, rest) = rest.split_first_chunk::<16>()?;
        let (role, rest) = rest.split_first()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (expiry, rest) = rest.split_first_chunk::<8>()?;
        let seat = match role {
            0 => None,
            1 => Some((*room, Role::Creator)),
            2 => Some((*room, Role::Joiner)),
            _ => return None,
        };
        (*version == VERSION && rest.is_empty()).then(|| Self {
            session: *session,
            seat,
            generation: u32::from_be_bytes(*generation),
            expires_unix_seconds: u64::from_be_bytes(*expiry),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn claims() -> Claims {
        Claims { session: [7; 16], seat: Some(([9; 16], Role::Joiner)), generation: 3, expires_unix_seconds: 1000 }
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let key = TokenKey::new([1; 32]);
        let token = key.sign(&claims());
        assert_eq!(key.verify(&token, 999), Ok(claims()));
        assert_eq!(key.verify(&token, 1000), Err(TokenError::Expired));
        assert_eq!(TokenKey::new([2; 32]).verify(&token, 0), Err(TokenError::Forged));
    }

    #[test]
    fn no_changed_or_shortened_token_is_believed() {
        let key = TokenKey::new([1; 32]);
        let token = key.sign(&claims());
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(key.verify(&URL_SAFE_NO_PAD.encode(changed), 0), Err(TokenError::Forged), "byte {index}");
            assert_eq!(key.verify(&URL_SAFE_NO_PAD.encode(&bytes[..index]), 0), Err(TokenError::Forged));
        }
        for text in ["", "x", "not base64!", &"A".repeat(10_000)] {
            assert_eq!(key.verify(text, 0), Err(TokenError::Forged));
        }
    }
}
