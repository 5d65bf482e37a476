//! Who is believed to be the server behind a `wss://` address (TLS, RFC 8446; names, RFC 9525).
//!
//! The system's own roots decide, so that a certificate authority that somebody has installed for their home or company
//! counts here as it does in their browser. Cryptography is ring's, as in the peer connection.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};

/// The system's roots are read once: that takes many milliseconds, and blocks.
pub(crate) fn system_trust() -> Arc<ClientConfig> {
    static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    Arc::clone(SYSTEM.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some of the system's certificates can't be read");
        }
        let mut roots = RootCertStore::empty();
        let (added, ignored) = roots.add_parsable_certificates(found.certs);
        tracing::debug!(added, ignored, "the system's certificates");
        trust(roots)
    }))
}

/// Trusts whatever one of these roots vouches for.
pub(crate) fn trust(roots: RootCertStore) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let versions = match builder.with_safe_default_protocol_versions() {
        Ok(versions) => versions,
        // Only a provider without the suites of TLS 1.2 and 1.3 fails here; ring's has both.
        Err(error) => unreachable!("ring can't do TLS: {error}"),
    };
    Arc::new(versions.with_root_certificates(roots).with_no_client_auth())
}

/// What went wrong with TLS, in plain words; `None` when it was something else.
#[allow(clippy::wildcard_enum_match_arm, reason = "the enums matched here are the library's, and open")]
pub(crate) fn plain_words(error: &io::Error) -> Option<String> {
    let words = match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired"
        }
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "its certificate isn't valid yet, or this machine's clock is wrong"
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name",
        Error::InvalidCertificate(_) => "its certificate isn't trusted",
        Error::InvalidMessage(_) => "it doesn't speak TLS",
        other => return Some(format!("TLS failed: {other}")),
    };
    Some(words.to_owned())
}
