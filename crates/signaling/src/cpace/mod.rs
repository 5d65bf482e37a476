//! CPace over ristretto255 with SHA-512 (draft-irtf-cfrg-cpace-21): how two who share a password of twenty bits agree on
//! a key of hundreds, so that somebody in between has one guess for each exchange and learns nothing else.
//!
//! This module is the draft's arithmetic with the draft's names and test vectors; what Visavis puts into it, and does
//! with the result, is in [`crate::exchange`]. Nothing here draws randomness: whoever calls brings the bytes.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

const DSI: &[u8] = b"CPaceRistretto255";
const DSI_ISK: &[u8] = b"CPaceRistretto255_ISK";
const DSI_MAC: &[u8] = b"CPaceMac";
/// The block of SHA-512, bytes: the password fills the first one, whatever its length.
const BLOCK: usize = 128;

/// The size of a point on the wire, bytes.
pub const POINT_BYTES: usize = 32;
/// The size of a confirmation tag, bytes.
pub const TAG_BYTES: usize = 64;
/// The size of a session id as Visavis draws it, bytes.
pub const SID_BYTES: usize = 16;

/// A point as it goes over the wire.
pub type Point = [u8; POINT_BYTES];
/// A confirmation tag.
pub type Tag = [u8; TAG_BYTES];

/// Appends `data` behind its length as unsigned LEB128 (the draft's `prepend_len`).
pub fn put_lv(out: &mut Vec<u8>, data: &[u8]) {
    let mut length = data.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(data);
}

/// The concatenation of every part behind its length (`lv_cat`).
#[must_use]
pub fn lv(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + 2).sum());
    parts.iter().for_each(|part| put_lv(&mut out, part));
    out
}

/// Why the other's point isn't taken. The draft's `scalar_mult_vfy` aborts on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// No canonical encoding of a point.
    #[error("the point doesn't decode")]
    Encoding,
    /// The identity, with which every key would be the same.
    #[error("the point is the identity")]
    Identity,
}

/// What one side draws for one exchange: the secret scalar and its point.
pub struct KeyShare {
    secret: Scalar,
    point: Point,
}

impl KeyShare {
    /// The share for a password, channel identifier and session id. `wide` is 64 bytes of randomness, reduced to an even
    /// scalar.
    #[must_use]
    pub fn new(password: &[u8], ci: &[u8], sid: &[u8], wide: &[u8; 64]) -> Self {
        Self::with_scalar(password, ci, sid, Scalar::from_bytes_mod_order_wide(wide))
    }

    fn with_scalar(password: &[u8], ci: &[u8], sid: &[u8], secret: Scalar) -> Self {
        let mut generator = generator(password, ci, sid);
        let point = (generator * secret).compress().to_bytes();
        generator.zeroize();
        Self { secret, point }
    }

    /// What is sent to the other.
    #[must_use]
    pub fn point(&self) -> &Point {
        &self.point
    }

    /// The shared point with the other's share.
    ///
    /// # Errors
    /// [`PointError`].
    pub fn shared(&self, other: &Point) -> Result<Zeroizing<Point>, PointError> {
        let other = CompressedRistretto(*other).decompress().ok_or(PointError::Encoding)?;
        let mut shared = other * self.secret;
        let identity = shared.is_identity();
        let bytes = Zeroizing::new(shared.compress().to_bytes());
        shared.zeroize();
        if identity { Err(PointError::Identity) } else { Ok(bytes) }
    }
}

impl Drop for KeyShare {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// The generator that belongs to a password.
fn generator(password: &[u8], ci: &[u8], sid: &[u8]) -> RistrettoPoint {
    let mut input = Zeroizing::new(lv(&[DSI, password]));
    let padding = (BLOCK - 1).saturating_sub(input.len());
    put_lv(&mut input, &vec![0; padding]);
    put_lv(&mut input, ci);
    put_lv(&mut input, sid);
    let mut hash = Zeroizing::new([0; 64]);
    hash.copy_from_slice(&Sha512::digest(&*input));
    RistrettoPoint::from_uniform_bytes(&hash)
}

/// The intermediate session key of one exchange. It proves itself by tags and is the source of every later key.
pub struct SessionKey {
    isk: Zeroizing<[u8; 64]>,
    mac_key: Zeroizing<[u8; 64]>,
}

impl SessionKey {
    /// `transcript` is both sides' points and associated data, the initiator's first.
    #[must_use]
    pub fn new(sid: &[u8], shared: &Point, transcript: &[u8]) -> Self {
        let prefix = Zeroizing::new(lv(&[DSI_ISK, sid, shared]));
        let isk = hash(&[&prefix, transcript]);
        let mac_key = hash(&[DSI_MAC, sid, &*isk]);
        Self { isk, mac_key }
    }

    /// The bytes from which keys are derived.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 64] {
        &self.isk
    }

    /// The tag of the side that sent this point and this associated data.
    #[must_use]
    pub fn tag(&self, point: &Point, ad: &[u8]) -> Tag {
        self.mac(point, ad).finalize().into_bytes().into()
    }

    /// Whether the other's tag is good. Takes the same time whatever is wrong with it.
    #[must_use]
    pub fn verifies(&self, tag: &Tag, point: &Point, ad: &[u8]) -> bool {
        self.tag(point, ad).ct_eq(tag).into()
    }

    fn mac(&self, point: &Point, ad: &[u8]) -> Hmac<Sha512> {
        // HMAC takes a key of any length; the error can't occur, and an unkeyed tag would verify nowhere.
        let mut mac = <Hmac<Sha512> as Mac>::new_from_slice(&*self.mac_key)
            .unwrap_or_else(|_| <Hmac<Sha512> as Mac>::new(&Default::default()));
        mac.update(&lv(&[point, ad]));
        mac
    }
}

/// The transcript of an exchange in which the initiator speaks first (`transcript_ir`).
#[must_use]
pub fn transcript(initiator: (&Point, &[u8]), responder: (&Point, &[u8])) -> Vec<u8> {
    lv(&[initiator.0, initiator.1, responder.0, responder.1])
}

fn hash(parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    let mut out = Zeroizing::new([0; 64]);
    out.copy_from_slice(&hash.finalize());
    out
}

#[cfg(test)]
mod tests;
