//! The SHA-256 fingerprint of a DTLS certificate (RFC 8122, section 5): what the exchange of the code binds a call to.

use std::fmt;
use std::str::FromStr;

/// How many bytes there are.
pub(crate) const FINGERPRINT_BYTES: usize = 32;

/// The fingerprint of one certificate. Read and written as `AB:CD:…`, in either case, without the name of the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; FINGERPRINT_BYTES]);

/// The text isn't 32 pairs of hex digits joined by colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 fingerprint")]
pub struct FingerprintError;

impl From<[u8; FINGERPRINT_BYTES]> for Fingerprint {
    fn from(bytes: [u8; FINGERPRINT_BYTES]) -> Self {
        Self(bytes)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let mut bytes = [0; FINGERPRINT_BYTES];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(FingerprintError)?;
        }
        if pairs.next().is_some() { Err(FingerprintError) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn either_case_is_read_and_upper_case_written() {
        let text = ["aB"; 32].join(":");
        assert_eq!(text.parse::<Fingerprint>().unwrap().to_string(), text.to_uppercase());
    }

    #[test]
    fn anything_else_is_refused() {
        let (short, long, wide) = (["AB"; 31].join(":"), ["AB"; 33].join(":"), ["ABC"; 32].join(":"));
        for text in ["", "AB", &short, &long, &wide, &["XY"; 32].join(":"), &["é"; 32].join(":"), &["+A"; 32].join(":")]
        {
            assert_eq!(text.parse::<Fingerprint>(), Err(FingerprintError), "{text}");
        }
    }
}
