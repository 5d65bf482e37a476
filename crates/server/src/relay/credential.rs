//! Short-lived TURN credentials in the form that coturn and others share ("TURN REST API", draft-uberti-behave-turn-rest):
//! the user name is `expiry:rest`, the password base64(HMAC-SHA1(secret, user name)). Whoever has the secret can check
//! them; nothing is stored. Ours carry in `rest` the meeting and the role that they were made for.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use visavis_signaling::Role;

/// The longest user name that is looked at, bytes (RFC 8489, section 14.3 allows 508).
pub const MAX_USERNAME_BYTES: usize = 128;

/// What servers share to check each other's credentials. It has no contents in `Debug`, so that no log can hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A secret from bytes: random ones, or what is configured on another server.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The password that goes with a user name.
    #[must_use]
    pub fn password(&self, username: &str) -> String {
        Hmac::<Sha1>::new_from_slice(&self.0).map_or_else(
            |_| String::new(),
            |mut mac| {
                mac.update(username.as_bytes());
                STANDARD.encode(mac.finalize().into_bytes())
            },
        )
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A random name of 128 bits for two who have met, and for what is granted to them.
pub type MeetingId = [u8; 16];

/// What a user name says: for whom it was made, and how long it is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Until when, seconds since 1970.
    pub expires: u64,
    /// The meeting.
    pub meeting: MeetingId,
    /// Which of the two.
    pub role: Role,
}

impl Grant {
    /// Reads a user name. `None` when it isn't one of ours.
    #[must_use]
    pub fn parse(username: &str) -> Option<Self> {
        let mut parts = username.splitn(3, ':');
        let expires = number(parts.next()?)?;
        let meeting = parts.next().filter(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let meeting = u128::from_str_radix(meeting, 16).ok()?.to_be_bytes();
        let role = match parts.next()? {
            "creator" => Role::Creator,
            "joiner" => Role::Joiner,
            _ => return None,
        };
        Some(Self { expires, meeting, role })
    }

    /// The user name.
    #[must_use]
    pub fn username(&self) -> String {
        let role = match self.role {
            Role::Creator => "creator",
            Role::Joiner => "joiner",
        };
        format!("{}:{:032x}:{role}", self.expires, u128::from_be_bytes(self.meeting))
    }

    /// Whether both are for the same one of the same two, be it one a renewal of the other.
    #[must_use]
    pub fn is_for_the_same(&self, other: &Self) -> bool {
        (self.meeting, self.role) == (other.meeting, other.role)
    }
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    /// From `openssl dgst -sha1 -hmac`.
    #[test]
    fn passwords_are_those_of_others() {
        assert_eq!(Secret::new("secret").password("1735689600:name"), PASSWORD);
    }

    const PASSWORD: &str = "RI6nPhJ+cg+sDc8lxQvyZ/EsWiQ=";

    #[test]
    fn what_isnt_ours_is_none() {
        let good = "1735689600:000102030405060708090a0b0c0d0e0f:joiner";
        assert!(Grant::parse(good).is_some());
        for bad in [
            "",
            ":",
            "1735689600",
            "1735689600:alice",
            "+1:000102030405060708090a0b0c0d0e0f:joiner",
            "99999999999999999999:000102030405060708090a0b0c0d0e0f:joiner",
            "1:+00102030405060708090a0b0c0d0e0f:joiner",
            "1:000102030405060708090a0b0c0d0e0f:",
            "1:000102030405060708090a0b0c0d0e0f:joiner:x",
        ] {
            assert_eq!(Grant::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(expires: u64, meeting: MeetingId, creator: bool) {
            let role = if creator { Role::Creator } else { Role::Joiner };
            let grant = Grant { expires, meeting, role };
            prop_assert!(grant.username().len() <= MAX_USERNAME_BYTES);
            prop_assert_eq!(Grant::parse(&grant.username()), Some(grant));
        }

        #[test]
        fn any_text_is_a_grant_or_none(text in "\\PC{0,60}") {
            let _ = Grant::parse(&text);
        }
    }
}
