//! The sealed part of what goes through the server: AES-256-GCM (NIST SP 800-38D), one key for each direction, so that
//! whoever relays it can neither read it, change it, make it up, send it back, nor send it twice.
//!
//! The plain text is the body's JSON, filled up with spaces (which JSON ignores at its end) so that the sealed bytes have
//! one of a few sizes. The nonce is four zero bytes and the number as eight, big-endian; the associated data is the kind
//! of message around it behind its length, and the same eight bytes. What stands around it is in [`crate::exchange`].

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{AeadInPlace, KeyInit};
use zeroize::Zeroizing;

use crate::body::{Body, BodyError};
use crate::cpace::put_lv;
use crate::message::to_json;

/// The sizes, bytes, that sealed bytes may have, their tag among them. What the server sees of a message's length is its
/// class.
pub const SIZE_CLASSES: [usize; 9] = [256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 40_960];

/// The size of GCM's tag, bytes.
const TAG: usize = 16;

/// The key of one direction.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// Seals what one side sends in one exchange and opens what the other side sends.
pub(crate) struct Seal {
    sending: Aes256Gcm,
    receiving: Aes256Gcm,
    sealed: u64,
    opened: u64,
}

/// Sealed bytes and the number under which they were sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Seal {
    pub(crate) fn new(sending: &Key, receiving: &Key) -> Self {
        let cipher = |key: &Key| Aes256Gcm::new((&**key).into());
        Self { sending: cipher(sending), receiving: cipher(receiving), sealed: 0, opened: 0 }
    }

    /// Seals a body under the next number. A number is used once: what has to be sent again is kept and sent as it is.
    pub(crate) fn seal(&mut self, kind: &str, body: &Body) -> Result<Sealed, SealError> {
        body.check()?;
        let mut bytes = to_json(body).into_bytes();
        let class = SIZE_CLASSES.into_iter().find(|class| *class >= bytes.len() + TAG);
        bytes.resize(class.ok_or(SealError::TooLarge { bytes: bytes.len() })? - TAG, b' ');
        let number = self.sealed + 1;
        let tag =
            self.sending.encrypt_in_place_detached((&nonce(number)).into(), &associated(kind, number), &mut bytes);
        bytes.extend_from_slice(&tag.map_err(|_| SealError::TooLarge { bytes: bytes.len() })?);
        self.sealed = number;
        Ok(Sealed { number, bytes })
    }

    /// Opens what the other side sealed. Each number follows the one before: the server delivers in order and once, so
    /// that anything else is its doing.
    ///
    /// Whatever is refused, the next one can still be opened.
    pub(crate) fn open(&mut self, kind: &str, sealed: &Sealed) -> Result<Body, SealError> {
        let number = sealed.number;
        if !SIZE_CLASSES.contains(&sealed.bytes.len()) {
            return Err(SealError::Padding { bytes: sealed.bytes.len() });
        }
        let Some(plain) = decrypt(&self.receiving, kind, sealed) else {
            let own = decrypt(&self.sending, kind, sealed).is_some();
            return Err(if own { SealError::Reflected } else { SealError::Forged });
        };
        let expected = self.opened + 1;
        if number < expected {
            return Err(SealError::Replayed { number, newest: self.opened });
        }
        self.opened = number;
        if number > expected {
            return Err(SealError::Missing { number, expected });
        }
        let body: Body = serde_json::from_slice(&plain).map_err(|error| SealError::Content(error.to_string()))?;
        body.check()?;
        Ok(body)
    }
}

fn decrypt(cipher: &Aes256Gcm, kind: &str, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
    let (text, tag) = sealed.bytes.split_at_checked(sealed.bytes.len().checked_sub(TAG)?)?;
    let mut plain = Zeroizing::new(text.to_vec());
    let associated = associated(kind, sealed.number);
    cipher.decrypt_in_place_detached((&nonce(sealed.number)).into(), &associated, &mut plain, tag.into()).ok()?;
    Some(plain)
}

fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce
}

fn associated(kind: &str, number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_lv(&mut out, kind.as_bytes());
    out.extend_from_slice(&number.to_be_bytes());
    out
}

/// Why a body can't be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It doesn't fit the largest size class.
    #[error("a body of {bytes} bytes is too large")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The length is none of [`SIZE_CLASSES`].
    #[error("a sealed message of {bytes} bytes was cut or lengthened")]
    Padding {
        /// Its size.
        bytes: usize,
    },
    /// Nobody who has the key has sealed this as it is.
    #[error("a message was forged or changed")]
    Forged,
    /// This side sealed it itself.
    #[error("a message of this side came back")]
    Reflected,
    /// The number was there before.
    #[error("message {number} came again behind message {newest}")]
    Replayed {
        /// Its number.
        number: u64,
        /// The highest number opened.
        newest: u64,
    },
    /// Numbers before it are missing.
    #[error("message {number} came where message {expected} was due")]
    Missing {
        /// Its number.
        number: u64,
        /// The number that was due.
        expected: u64,
    },
    /// The other side sealed something that is no body of this protocol.
    #[error("the content of a message can't be read: {0}")]
    Content(String),
    /// A field of the body breaks its bounds.
    #[error("the content of a message is out of bounds: {0}")]
    Body(#[from] BodyError),
}
