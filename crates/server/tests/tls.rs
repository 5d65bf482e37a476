//! TLS over real sockets, with an authority made for the test.
#![cfg(feature = "hosting")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::{Connector, connect_async_tls_with_config};
use visavis_server::tls::{TlsConfig, TlsError};
use visavis_server::{Config, Server, ServerError};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes a certificate for this name and its key.
    fn issue(&self, name: &str, folder: &Path) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        certificate
    }

    fn trust(&self) -> Connector {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Connector::Rustls(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }
}

fn config(folder: &Path) -> Config {
    let mut config = hosted();
    let (certificates, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    config.tls = Some(TlsConfig::Files { certificates, key, look_every: Duration::from_millis(20) });
    config
}

/// Opens a WebSocket over TLS; what the server is known by.
async fn connect(server: &TestServer, trust: Connector) -> Result<(TestClient, CertificateDer<'static>), String> {
    let url = format!("wss://localhost:{}/ws", server.address.port());
    let (socket, _) =
        connect_async_tls_with_config(url, None, true, Some(trust)).await.map_err(|error| error.to_string())?;
    let tokio_tungstenite::MaybeTlsStream::Rustls(tls) = socket.get_ref() else { panic!("not over TLS") };
    let shown = tls.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
    Ok((TestClient { socket }, shown))
}

#[tokio::test]
async fn two_meet_over_tls_and_a_stranger_is_not_trusted() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.issue("localhost", folder.path());
    let server = TestServer::with(config(folder.path())).await;
    let (mut client, _) = connect(&server, authority.trust()).await.unwrap();
    client.send(&hello(None)).await;
    client.create().await;
    let stranger = connect(&server, Authority::new().trust()).await;
    assert!(stranger.is_err(), "signed by somebody else");
    // In the clear nobody gets through.
    assert!(!get(server.address, "/healthz", "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn changed_certificates_are_taken_up_and_calls_go_on() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let first = authority.issue("localhost", folder.path());
    let server = TestServer::with(config(folder.path())).await;
    let (mut client, shown) = connect(&server, authority.trust()).await.unwrap();
    assert_eq!(shown, *first.der());
    client.send(&hello(None)).await;
    // Half of the pair is no use: the old one serves on.
    std::fs::write(folder.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let (_, shown) = connect(&server, authority.trust()).await.unwrap();
    assert_eq!(shown, *first.der());
    let second = authority.issue("localhost", folder.path());
    loop {
        let (_, shown) = connect(&server, authority.trust()).await.unwrap();
        if shown == *second.der() {
            break;
        }
        assert_eq!(shown, *first.der());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.create().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_named() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let refused = async |config| match Server::bind(config).await {
        Err(ServerError::Tls(error)) => error,
        other => panic!("{other:?}"),
    };
    let missing = refused(config(folder.path())).await;
    assert!(missing.to_string().contains("cert.pem"), "{missing}");
    authority.issue("localhost", folder.path());
    std::fs::write(folder.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let other = refused(config(folder.path())).await;
    assert!(matches!(other, TlsError::Pair { .. }), "{other}");
    std::fs::write(folder.path().join("cert.pem"), "nothing").unwrap();
    let empty = refused(config(folder.path())).await;
    assert!(matches!(empty, TlsError::File { .. }), "{empty}");
}

#[tokio::test]
async fn who_doesnt_shake_hands_holds_nobody_up() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.issue("localhost", folder.path());
    let server = TestServer::with(config(folder.path())).await;
    let _silent = tokio::net::TcpStream::connect(server.address).await.unwrap();
    connect(&server, authority.trust()).await.unwrap();
}
