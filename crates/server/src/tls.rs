//! TLS for a hosted server (RFC 8446), by certificates from files, which may change while it runs, or by certificates that
//! it asks an ACME authority for (RFC 8555, with the TLS-ALPN challenge of RFC 8737, so that port 443 is enough).
//! Cryptography is ring's, as everywhere in Visavis.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_acme::caches::DirCache;
use rustls_acme::{AcmeConfig, is_tls_alpn_challenge};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{info, warn};

use crate::local::make_private_folder;

/// How often the files are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Where certificates come from.
#[derive(Debug, Clone)]
pub enum TlsConfig {
    /// PEM files (RFC 7468), looked at again as they change.
    Files {
        /// The server's certificate and those between it and its root.
        certificates: PathBuf,
        /// Its private key.
        key: PathBuf,
        /// How often they are looked at.
        look_every: Duration,
    },
    /// An ACME authority.
    Acme {
        /// The names to ask for.
        domains: Vec<String>,
        /// Whom the authority may write to.
        email: Option<String>,
        /// The authority's directory; none: Let's Encrypt.
        directory: Option<String>,
        /// A PEM file with the roots that the authority itself is known by; none: the system's.
        roots: Option<PathBuf>,
        /// Where the account and the certificates are kept, so that a restart asks for none.
        cache: PathBuf,
    },
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read, or has nothing of what it should have.
    #[error("can't read {path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The key isn't the certificate's, or of a kind that isn't known.
    #[error("the certificate in {certificates} and the key in {key} don't fit: {reason}")]
    Pair {
        /// The file with the certificate.
        certificates: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The library refuses.
    #[error("TLS can't be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// Accepts TLS. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    normal: Arc<ServerConfig>,
    /// For the authority that looks whether this is the server of that name.
    challenge: Option<Arc<ServerConfig>>,
    /// Ends what keeps the certificates fresh.
    _fresh: Arc<Fresh>,
}

#[derive(Debug)]
struct Fresh(AbortHandle);

impl Drop for Fresh {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Tls {
    /// Reads or asks for certificates, within a Tokio runtime.
    pub(crate) fn start(config: &TlsConfig) -> Result<Self, TlsError> {
        match config {
            TlsConfig::Files { certificates, key, look_every } => from_files(certificates, key, *look_every),
            TlsConfig::Acme { .. } => from_authority(config),
        }
    }

    /// The handshake. `None`: it was the authority, which wanted no more.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
        if let Some(challenge) = self.challenge.as_ref().filter(|_| is_tls_alpn_challenge(&start.client_hello())) {
            info!("the certificate authority has looked whether this is the server that it is asked for");
            let mut stream = start.into_stream(Arc::clone(challenge)).await?;
            tokio::io::AsyncWriteExt::shutdown(&mut stream).await?;
            return Ok(None);
        }
        start.into_stream(Arc::clone(&self.normal)).await.map(Some)
    }
}

fn server_config(resolver: Arc<dyn ResolvesServerCert>) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    // WebSockets need HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec(), crate::shared_port::TURN.to_vec()];
    Ok(Arc::new(config))
}

// ── from files ──────────────────────────────────────────────────────────────────────────────────────────────────────

#[derive(Debug)]
struct Newest(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Newest {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn from_files(certificates: &Path, key: &Path, look_every: Duration) -> Result<Tls, TlsError> {
    let newest = Arc::new(Newest(RwLock::new(read_pair(certificates, key)?)));
    let normal = server_config(Arc::clone(&newest) as Arc<dyn ResolvesServerCert>)?;
    let looking = tokio::spawn(look_again(newest, certificates.to_owned(), key.to_owned(), look_every));
    Ok(Tls { normal, challenge: None, _fresh: Arc::new(Fresh(looking.abort_handle())) })
}

fn read_pair(certificates: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let file_error = |path: &Path, reason: String| TlsError::File { path: path.to_owned(), reason };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect)
        .map_err(|error| file_error(certificates, error.to_string()))?;
    if chain.is_empty() {
        return Err(file_error(certificates, "there is no certificate in it".into()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| file_error(key, error.to_string()))?;
    let pair = CertifiedKey::from_der(chain, private, &provider());
    let pair = pair.and_then(|pair| pair.keys_match().map(|()| pair)).map_err(|error| TlsError::Pair {
        certificates: certificates.to_owned(),
        key: key.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(Arc::new(pair))
}

/// What of a file changes when it is written again.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}

/// Whoever renews certificates writes two files one after the other: a pair that doesn't fit yet is tried again at the next
/// look, and until then the old one serves.
async fn look_again(newest: Arc<Newest>, certificates: PathBuf, key: PathBuf, every: Duration) {
    let mut known = (stamp(&certificates), stamp(&key));
    let mut complained = false;
    loop {
        tokio::time::sleep(every).await;
        let present = (stamp(&certificates), stamp(&key));
        if present == known {
            continue;
        }
        match read_pair(&certificates, &key) {
            Ok(pair) => {
                *newest.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
                (known, complained) = (present, false);
                info!("the certificate was changed");
            }
            Err(error) if !std::mem::replace(&mut complained, true) => {
                warn!(%error, "the changed certificate can't be used; the old one serves on");
            }
            Err(_) => {}
        }
    }
}

// ── from an authority ───────────────────────────────────────────────────────────────────────────────────────────────

/// The library writes keys that everybody on the machine could read. What keeps them is the folder, an older one too.
fn keep_private(folder: &Path) -> io::Result<()> {
    make_private_folder(folder)?;
    #[cfg(unix)]
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

fn from_authority(config: &TlsConfig) -> Result<Tls, TlsError> {
    let TlsConfig::Acme { domains, email, directory, roots, cache } = config else {
        unreachable!("asked for by its caller alone")
    };
    let trust = authority_trust(roots.as_deref())?;
    keep_private(cache).map_err(|error| TlsError::File { path: cache.clone(), reason: error.to_string() })?;
    let mut acme = AcmeConfig::new_with_client_config(domains, trust).cache(DirCache::new(cache.clone()));
    if let Some(email) = email {
        acme = acme.contact_push(format!("mailto:{email}"));
    }
    acme = match directory {
        Some(directory) => acme.directory(directory),
        None => acme.directory_lets_encrypt(true),
    };
    let mut state = acme.state();
    let challenge = state.challenge_rustls_config_with_provider(provider());
    let normal = server_config(state.resolver())?;
    let asking = tokio::spawn(async move {
        while let Some(event) = state.next().await {
            match event {
                Ok(event) => info!(?event, "certificate authority"),
                Err(error) => warn!(%error, "the certificate authority gives no certificate; it is asked again"),
            }
        }
    });
    Ok(Tls { normal, challenge: Some(challenge), _fresh: Arc::new(Fresh(asking.abort_handle())) })
}

fn authority_trust(roots: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut store = RootCertStore::empty();
    match roots {
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let file_error = |reason: String| TlsError::File { path: path.to_owned(), reason };
            for root in CertificateDer::pem_file_iter(path).map_err(|error| file_error(error.to_string()))? {
                store.add(root.map_err(|error| file_error(error.to_string()))?)?;
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(store).with_no_client_auth()))
}
