//! The messages of an exchange as they stand in a relay body: one JSON object each, bytes in base64 with padding (RFC
//! 4648, section 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{ExchangeError, Sid};
use crate::cpace::{Point, Tag};
use crate::message::to_json;
use crate::seal::Sealed;

/// The longest word of a refusal, bytes.
pub const MAX_REFUSAL_BYTES: usize = 32;
/// The longest `ad`, bytes: what version 1 needs, and room for another version to name itself.
const MAX_AD_BYTES: usize = 256;

/// What kind of message; part of what its seal is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Reply,
    Confirm,
    Sealed,
    Refuse,
}

impl Kind {
    /// The `type` on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Reply => "reply",
            Self::Confirm => "confirm",
            Self::Sealed => "sealed",
            Self::Refuse => "refuse",
        }
    }
}

/// One message.
pub(super) enum Message {
    Open { sid: Sid, point: Point, ad: Vec<u8> },
    Reply { point: Point, ad: Vec<u8>, tag: Tag, sealed: Sealed },
    Confirm { tag: Tag, sealed: Sealed },
    Sealed(Sealed),
    Refuse { reason: String },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Wire {
    Open { sid: String, point: String, ad: String },
    Reply { point: String, ad: String, tag: String, number: u64, sealed: String },
    Confirm { tag: String, number: u64, sealed: String },
    Sealed { number: u64, sealed: String },
    Refuse { reason: String },
}

impl Message {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Open { .. } => Kind::Open,
            Self::Reply { .. } => Kind::Reply,
            Self::Confirm { .. } => Kind::Confirm,
            Self::Sealed(_) => Kind::Sealed,
            Self::Refuse { .. } => Kind::Refuse,
        }
    }

    pub(super) fn to_json(&self) -> String {
        let text = |bytes: &[u8]| STANDARD.encode(bytes);
        to_json(&match self {
            Self::Open { sid, point, ad } => Wire::Open { sid: text(sid), point: text(point), ad: text(ad) },
            Self::Reply { point, ad, tag, sealed: Sealed { number, bytes } } => {
                Wire::Reply { point: text(point), ad: text(ad), tag: text(tag), number: *number, sealed: text(bytes) }
            }
            Self::Confirm { tag, sealed: Sealed { number, bytes } } => {
                Wire::Confirm { tag: text(tag), number: *number, sealed: text(bytes) }
            }
            Self::Sealed(Sealed { number, bytes }) => Wire::Sealed { number: *number, sealed: text(bytes) },
            Self::Refuse { reason } => Wire::Refuse { reason: reason.clone() },
        })
    }

    pub(super) fn parse(text: &str) -> Result<Self, ExchangeError> {
        let wire: Wire = serde_json::from_str(text).map_err(|_| ExchangeError::Malformed("no such message"))?;
        Ok(match wire {
            Wire::Open { sid, point, ad } => {
                Self::Open { sid: array("sid", &sid)?, point: array("point", &point)?, ad: data(&ad)? }
            }
            Wire::Reply { point, ad, tag, number, sealed } => Self::Reply {
                point: array("point", &point)?,
                ad: data(&ad)?,
                tag: array("tag", &tag)?,
                sealed: seal(number, &sealed)?,
            },
            Wire::Confirm { tag, number, sealed } => {
                Self::Confirm { tag: array("tag", &tag)?, sealed: seal(number, &sealed)? }
            }
            Wire::Sealed { number, sealed } => Self::Sealed(seal(number, &sealed)?),
            Wire::Refuse { reason } if is_word(&reason) => Self::Refuse { reason },
            Wire::Refuse { .. } => return Err(ExchangeError::Malformed("reason")),
        })
    }
}

fn is_word(reason: &str) -> bool {
    reason.len() <= MAX_REFUSAL_BYTES && reason.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn bytes(field: &'static str, text: &str) -> Result<Vec<u8>, ExchangeError> {
    STANDARD.decode(text).map_err(|_| ExchangeError::Malformed(field))
}

fn array<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], ExchangeError> {
    bytes(field, text)?.try_into().map_err(|_| ExchangeError::Malformed(field))
}

fn data(text: &str) -> Result<Vec<u8>, ExchangeError> {
    let ad = bytes("ad", text)?;
    if ad.len() > MAX_AD_BYTES { Err(ExchangeError::Malformed("ad")) } else { Ok(ad) }
}

fn seal(number: u64, text: &str) -> Result<Sealed, ExchangeError> {
    Ok(Sealed { number, bytes: bytes("sealed", text)? })
}
