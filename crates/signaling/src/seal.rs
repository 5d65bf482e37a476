//! The envelope around every body that goes through the server.
//!
//! **Today it is a pass-through: it hides nothing and proves nothing.** The server could read and change what is
//! inside. It has the shape of the real envelope (numbers, directions, size classes, one sealing per number), so that
//! keys from the code exchange can be put under it without touching its users.
//!
//! Form: the JSON object `{"number":N,"from":"creator"|"joiner","body":{...}}`, filled up with spaces to the next size
//! class, in base64 with padding (RFC 4648, section 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::body::{Body, BodyError};
use crate::message::{MAX_BODY_BYTES, Role, to_json};

/// The sizes, bytes, that an envelope may have before base64. What the server sees of a message's length is its class.
pub const SIZE_CLASSES: [usize; 9] = [256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 49_152];

/// Seals what one side sends in one exchange and opens what the other side sends. A new exchange takes a new `Seal`.
#[derive(Debug)]
pub struct Seal {
    role: Role,
    sealed: u64,
    opened: u64,
}

#[derive(Serialize)]
struct OutgoingEnvelope<'a> {
    number: u64,
    from: Role,
    body: &'a Body,
}

#[derive(Deserialize)]
struct IncomingEnvelope {
    number: u64,
    from: Role,
    body: Body,
}

impl Seal {
    /// An envelope without secrecy, for the side that has `role`.
    #[must_use]
    pub fn pass_through(role: Role) -> Self {
        Self { role, sealed: 0, opened: 0 }
    }

    /// Seals a body under the next number. Keep the result and send the same bytes again if need be: a body is never
    /// sealed twice.
    ///
    /// # Errors
    /// [`SealError::Body`] and [`SealError::TooLarge`]; the number isn't used up then.
    pub fn seal(&mut self, body: &Body) -> Result<String, SealError> {
        body.check()?;
        let number = self.sealed + 1;
        let mut bytes = to_json(&OutgoingEnvelope { number, from: self.role, body }).into_bytes();
        let class = SIZE_CLASSES.into_iter().find(|class| *class >= bytes.len());
        bytes.resize(class.ok_or(SealError::TooLarge { bytes: bytes.len() })?, b' ');
        self.sealed = number;
        Ok(STANDARD.encode(bytes))
    }

    /// Opens what the other side sealed. Numbers only rise: one that was there before is refused.
    ///
    /// # Errors
    /// [`SealError`]; whatever it says, the next envelope can still be opened.
    pub fn open(&mut self, sealed: &str) -> Result<Body, SealError> {
        if sealed.len() > MAX_BODY_BYTES {
            return Err(SealError::TooLarge { bytes: sealed.len() });
        }
        let bytes = STANDARD.decode(sealed).map_err(|_| SealError::Encoding)?;
        if !SIZE_CLASSES.contains(&bytes.len()) {
            return Err(SealError::Padding { bytes: bytes.len() });
        }
        let envelope: IncomingEnvelope =
            serde_json::from_slice(&bytes).map_err(|error| SealError::Content(error.to_string()))?;
        if envelope.from == self.role {
            return Err(SealError::Reflected);
        }
        if envelope.number <= self.opened {
            return Err(SealError::Replayed { number: envelope.number, newest: self.opened });
        }
        envelope.body.check()?;
        self.opened = envelope.number;
        Ok(envelope.body)
    }
}

/// Why an envelope can't be made or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It doesn't fit the largest size class.
    #[error("an envelope of {bytes} bytes is too large")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not base64.
    #[error("the envelope isn't base64")]
    Encoding,
    /// The length is none of [`SIZE_CLASSES`].
    #[error("an envelope of {bytes} bytes is of no size class")]
    Padding {
        /// Its size.
        bytes: usize,
    },
    /// No body of this protocol inside.
    #[error("the envelope's content can't be read: {0}")]
    Content(String),
    /// A field of the body breaks its bounds.
    #[error("the envelope's content is out of bounds: {0}")]
    Body(#[from] BodyError),
    /// The number was there before.
    #[error("envelope {number} comes after envelope {newest}")]
    Replayed {
        /// Its number.
        number: u64,
        /// The highest number opened.
        newest: u64,
    },
    /// This side sealed it itself.
    #[error("the envelope comes from this side")]
    Reflected,
}
