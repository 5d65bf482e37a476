//! What goes into the exchange besides the words, and what is derived from its key (HKDF-SHA512, RFC 5869).

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha512;
use zeroize::Zeroizing;

use super::{ExchangeError, Secret};
use crate::cpace::{SessionKey, lv};
use crate::emoji::{Pictures, SHOWN, choose};
use crate::fingerprint::{FINGERPRINT_BYTES, Fingerprint};
use crate::message::Role;
use crate::seal::Key;

/// What both sides must speak; in the channel identifier, in the associated data and in each export.
pub const VERSION: &str = "visavis/1";

/// In the place of a number where the two have met before, and what that is exported under.
const AGAIN: &[u8] = b"again";

/// By what two who have met may meet again: nobody but them has it, and it is good for one exchange.
#[derive(Clone)]
pub struct RejoinSecret(Zeroizing<[u8; 32]>);

impl RejoinSecret {
    pub(super) fn bytes(&self) -> &[u8] {
        &*self.0
    }
}

impl fmt::Debug for RejoinSecret {
    // It has no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RejoinSecret")
    }
}

/// `CI`: what is spoken, and where.
pub(super) fn channel_identifier(secret: &Secret) -> Vec<u8> {
    let place = match secret {
        Secret::Code { nameplate, .. } => nameplate.as_str().as_bytes(),
        Secret::Rejoin(_) => AGAIN,
    };
    lv(&[VERSION.as_bytes(), place])
}

/// The name of a role in the associated data.
const fn word(role: Role) -> &'static str {
    match role {
        Role::Joiner => "join",
        Role::Creator => "create",
    }
}

/// `AD` of one side: what it speaks, who it is, and its certificate.
pub(super) fn associated_data(role: Role, fingerprint: &Fingerprint) -> Vec<u8> {
    lv(&[VERSION.as_bytes(), word(role).as_bytes(), &fingerprint.0])
}

/// What an `AD` says.
pub(super) struct AssociatedData {
    pub(super) role: Role,
    pub(super) fingerprint: Fingerprint,
}

/// Reads an `AD`, which must be exactly as [`associated_data`] writes it.
pub(super) fn read_associated_data(ad: &[u8]) -> Result<AssociatedData, ExchangeError> {
    const MALFORMED: ExchangeError = ExchangeError::Malformed("ad");
    // No part is as long as 128 bytes, so each length is one byte.
    let mut rest = ad;
    let mut part = || {
        let (length, behind) = rest.split_first()?;
        let (part, behind) = behind.split_at_checked(usize::from(*length))?;
        rest = behind;
        Some(part)
    };
    if part() != Some(VERSION.as_bytes()) {
        return Err(ExchangeError::Version);
    }
    let (name, hash) = (part().ok_or(MALFORMED)?, part().ok_or(MALFORMED)?);
    let role = [Role::Joiner, Role::Creator].into_iter().find(|role| word(*role).as_bytes() == name);
    let fingerprint = Fingerprint(<[u8; FINGERPRINT_BYTES]>::try_from(hash).map_err(|_| MALFORMED)?);
    if !rest.is_empty() {
        return Err(MALFORMED);
    }
    Ok(AssociatedData { role: role.ok_or(MALFORMED)?, fingerprint })
}

/// What is derived from a key.
pub(super) struct Derived {
    pub(super) sending: Key,
    pub(super) receiving: Key,
    pub(super) pictures: Pictures,
    pub(super) rejoin: RejoinSecret,
}

/// Derives everything for the side that has `role`.
pub(super) fn derive(key: &SessionKey, role: Role, own: &Fingerprint, other: &Fingerprint) -> Derived {
    let hkdf = Hkdf::<Sha512>::new(None, key.bytes());
    let from = |sender: Role| {
        let name: &[u8] = if sender == Role::Creator { b"from creator" } else { b"from joiner" };
        let mut out = Zeroizing::new([0; 32]);
        expand(&hkdf, &lv(&[VERSION.as_bytes(), name]), &mut *out);
        out
    };
    let (joiner, creator) = if role == Role::Joiner { (own, other) } else { (other, own) };
    let mut bytes = [0; SHOWN];
    expand(&hkdf, &lv(&[VERSION.as_bytes(), b"pictures", &joiner.0, &creator.0]), &mut bytes);
    let mut rejoin = Zeroizing::new([0; 32]);
    expand(&hkdf, &lv(&[VERSION.as_bytes(), AGAIN]), &mut *rejoin);
    Derived {
        sending: from(role),
        receiving: from(role.other()),
        pictures: choose(bytes),
        rejoin: RejoinSecret(rejoin),
    }
}

fn expand(hkdf: &Hkdf<Sha512>, info: &[u8], out: &mut [u8]) {
    // Only more than 255 blocks of 64 bytes can't be expanded.
    if hkdf.expand(info, out).is_err() {
        unreachable!("an export of {} bytes", out.len());
    }
}
