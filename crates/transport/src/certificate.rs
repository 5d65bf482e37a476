//! The certificate that a side shows in DTLS, and its fingerprint (RFC 8122), by which the other side knows it.

use std::fmt;
use std::sync::Arc;

use rtc::crypto::{self, RTCCryptoProvider, SignatureScheme};
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};

use visavis_call::Fingerprint;

use crate::error::{TransportError, stopped};

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
        Ok(Self {
            inner,
            fingerprint: fingerprint
                .value
                .parse()
                .map_err(|_| TransportError::Stopped("no SHA-256 fingerprint".to_owned()))?,
        })
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
}
