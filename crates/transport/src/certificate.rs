//! The certificate that a side shows in DTLS, and its fingerprint (RFC 8122), by which the other side knows it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rtc::crypto::{self, RTCCryptoProvider, SignatureScheme};
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};

use crate::error::{TransportError, stopped};

/// SHA-256 of a certificate's DER form, as `a=fingerprint:sha-256` carries it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    /// `AB:CD:…`, upper case, as RFC 8122 section 5 asks for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if i == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = TransportError;

    /// Reads `AB:CD:…` in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || TransportError::BadDescription("a fingerprint that isn't SHA-256 in hexadecimal".to_owned());
        let mut bytes = [0; 32];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = u8::from_str_radix(part.ok_or_else(bad)?, 16).map_err(|_| bad())?;
        }
        if parts.next().is_some() { Err(bad()) } else { Ok(Self(bytes)) }
    }
}

/// A self-signed ECDSA P-256 certificate with its key. Made anew for each call unless it must outlive one connection.
#[derive(Clone)]
pub struct Certificate {
    inner: RTCCertificate,
    fingerprint: Fingerprint,
}

impl Certificate {
    /// Makes a new key and certificate.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Self, TransportError> {
        let provider = provider()?;
        // The name is seen by the other side: it must not say anything about this machine.
        let params = CertificateParams::new(vec!["visavis".to_owned()])
            .map_err(|error| TransportError::Stopped(error.to_string()))?;
        let inner =
            RTCCertificate::generate(provider.crypto(), SignatureScheme::EcdsaP256Sha256, params).map_err(stopped)?;
        let fingerprint = inner
            .get_fingerprints(provider.crypto())
            .map_err(stopped)?
            .into_iter()
            .find(|fingerprint| fingerprint.algorithm.eq_ignore_ascii_case("sha-256"))
            .ok_or_else(|| TransportError::Stopped("no SHA-256 fingerprint".to_owned()))?;
        Ok(Self { inner, fingerprint: fingerprint.value.parse()? })
    }

    /// What the other side knows this certificate by.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(crate) fn inner(&self) -> RTCCertificate {
        self.inner.clone()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// The one crypto provider of a connection.
pub(crate) fn provider() -> Result<Arc<dyn RTCCryptoProvider>, TransportError> {
    crypto::default_provider().map_err(|error| TransportError::Stopped(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_fingerprint_reads_back() {
        let fingerprint = Certificate::generate().unwrap().fingerprint();
        assert_eq!(fingerprint.to_string().parse::<Fingerprint>().unwrap(), fingerprint);
        assert_eq!(fingerprint.to_string().to_lowercase().parse::<Fingerprint>().unwrap(), fingerprint);
    }

    #[test]
    fn only_thirty_two_hexadecimal_bytes_are_a_fingerprint() {
        let good = Fingerprint::from([7; 32]).to_string();
        for bad in ["", "AB", &good[3..], &format!("{good}:00"), &good.replace('7', "+"), &good.replace(':', "")] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }
}
