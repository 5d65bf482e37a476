//! Tokens that resume a session after a lost connection: signed by the server (HMAC-SHA256, RFC 2104), bound to a
//! session, a role and a room, expiring, and of one generation only.
//!
//! A token also says what a server that has forgotten everything needs to make its bearer's room again: whom else it
//! belongs to, under which nameplate, and how far the two had come.
//!
//! Form: base64url without padding of `version ‖ session ‖ place ‖ generation ‖ expiry ‖ tag`, where the place is `role ‖
//! stage ‖ room ‖ former room ‖ other session ‖ exchange ‖ nameplate`, all zero for none; to a client it is an opaque string.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::code::Nameplate;
use crate::message::Role;

/// A random name of 128 bits, of a session or a room.
pub(crate) type Id = [u8; 16];

/// An id as it stands on the wire.
pub(crate) fn hex(id: Id) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

const VERSION: u8 = 2;
/// The longest nameplate; a shorter one is filled up with zero bytes.
const NAMEPLATE_BYTES: usize = 9;
const PLACE_BYTES: usize = 1 + 1 + 16 + 16 + 16 + 4 + NAMEPLATE_BYTES;
const CLAIMS_BYTES: usize = 1 + 16 + PLACE_BYTES + 4 + 8;
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

    /// By what servers find out that they have the same key: it says nothing else about it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mac = self.mac(b"visavis signing key").map(|mac| mac.finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(mac.unwrap_or_default())
    }

    /// An id that looks as random as any other and that [`TokenKey::is_decoy`] knows again.
    pub(crate) fn decoy(&self, random: [u8; 8]) -> Id {
        let mut id = Id::default();
        let (drawn, derived) = id.split_at_mut(random.len());
        drawn.copy_from_slice(&random);
        if let Some(mac) = self.mac(&[b"visavis decoy", random.as_slice()].concat()) {
            let bytes = mac.finalize().into_bytes();
            derived.copy_from_slice(&bytes[..derived.len()]);
        }
        id
    }

    /// Whether that is the id of a room whose creator was played.
    pub(crate) fn is_decoy(&self, id: &Id) -> bool {
        id.first_chunk().is_some_and(|random| self.decoy(*random) == *id)
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
    /// Nothing before there is one.
    pub(crate) place: Option<ClaimedPlace>,
    pub(crate) generation: u32,
    pub(crate) expires_unix_seconds: u64,
}

/// Where in a room a session sits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimedPlace {
    pub(crate) room: Id,
    /// The room's name before the two became a pair.
    pub(crate) former_room: Option<Id>,
    pub(crate) role: Role,
    pub(crate) stage: ClaimedStage,
    /// The creator's session for a joiner; for a creator, that of the joiner inside.
    pub(crate) other: Option<Id>,
    /// The exchange one is in; for a creator that waits, the last one.
    pub(crate) exchange: u32,
    pub(crate) nameplate: Nameplate,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimedStage {
    /// Alone, or in line.
    Waiting,
    /// In an exchange.
    Meeting,
    /// One of a pair.
    Paired,
}

impl Claims {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CLAIMS_BYTES + TAG_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.session);
        match &self.place {
            None => bytes.resize(bytes.len() + PLACE_BYTES, 0),
            Some(place) => place.write(&mut bytes),
        }
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.expires_unix_seconds.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (place, rest) = rest.split_first_chunk::<PLACE_BYTES>()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (expiry, rest) = rest.split_first_chunk::<8>()?;
        let place = if *place == [0; PLACE_BYTES] { None } else { Some(ClaimedPlace::read(place)?) };
        (*version == VERSION && rest.is_empty()).then(|| Self {
            session: *session,
            place,
            generation: u32::from_be_bytes(*generation),
            expires_unix_seconds: u64::from_be_bytes(*expiry),
        })
    }
}

impl ClaimedPlace {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(match self.role {
            Role::Creator => 1,
            Role::Joiner => 2,
        });
        bytes.push(match self.stage {
            ClaimedStage::Waiting => 1,
            ClaimedStage::Meeting => 2,
            ClaimedStage::Paired => 3,
        });
        bytes.extend_from_slice(&self.room);
        bytes.extend_from_slice(&self.former_room.unwrap_or_default());
        bytes.extend_from_slice(&self.other.unwrap_or_default());
        bytes.extend_from_slice(&self.exchange.to_be_bytes());
        let mut nameplate = [0; NAMEPLATE_BYTES];
        nameplate.iter_mut().zip(self.nameplate.as_str().bytes()).for_each(|(to, digit)| *to = digit);
        bytes.extend_from_slice(&nameplate);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (role, rest) = bytes.split_first()?;
        let (stage, rest) = rest.split_first()?;
        let (room, rest) = rest.split_first_chunk::<16>()?;
        let (former, rest) = rest.split_first_chunk::<16>()?;
        let (other, rest) = rest.split_first_chunk::<16>()?;
        let (exchange, rest) = rest.split_first_chunk::<4>()?;
        let digits = rest.split(|byte| *byte == 0).next()?;
        let some = |id: &Id| (*id != Id::default()).then_some(*id);
        Some(Self {
            room: *room,
            former_room: some(former),
            role: match role {
                1 => Role::Creator,
                2 => Role::Joiner,
                _ => return None,
            },
            stage: match stage {
                1 => ClaimedStage::Waiting,
                2 => ClaimedStage::Meeting,
                3 => ClaimedStage::Paired,
                _ => return None,
            },
            other: some(other),
            exchange: u32::from_be_bytes(*exchange),
            nameplate: Nameplate::new(std::str::from_utf8(digits).ok()?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn claims() -> Claims {
        let place = ClaimedPlace {
            room: [9; 16],
            former_room: Some([8; 16]),
            role: Role::Joiner,
            stage: ClaimedStage::Paired,
            other: Some([6; 16]),
            exchange: 2,
            nameplate: Nameplate::new("0042").unwrap(),
        };
        Claims { session: [7; 16], place: Some(place), generation: 3, expires_unix_seconds: 1000 }
    }

    #[test]
    fn a_decoys_id_is_known_to_who_has_the_key() {
        let (key, other) = (TokenKey::new([3; 32]), TokenKey::new([4; 32]));
        let id = key.decoy([7; 8]);
        assert!(key.is_decoy(&id) && !other.is_decoy(&id));
        assert!(!key.is_decoy(&[7; 16]));
    }

    #[test]
    fn a_token_is_short_and_may_say_nothing_of_a_place() {
        let key = TokenKey::new([1; 32]);
        let waiting = ClaimedPlace {
            former_room: None,
            stage: ClaimedStage::Waiting,
            other: None,
            nameplate: Nameplate::new("123456789").unwrap(),
            ..claims().place.unwrap()
        };
        for place in [None, Some(waiting)] {
            let claims = Claims { place, ..claims() };
            let token = key.sign(&claims);
            assert!(token.len() <= 256, "{} bytes", token.len());
            assert_eq!(key.verify(&token, 0), Ok(claims));
        }
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
