//! TLS, and what a person is told when it fails.
#![allow(clippy::unwrap_used, reason = "tests")]

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A server on loopback that greets whoever gets in: its port, and the certificate that it made itself.
async fn server(name: &str) -> (u16, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap().der().clone();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            socket.send(Message::text("hello")).await.unwrap();
            let _ = socket.close(None).await;
        }
    });
    (port, certificate)
}

/// What a socket to there tells until it closes, and how it ends.
async fn talk(url: &str, trust: impl FnOnce() -> Arc<ClientConfig> + Send + 'static) -> Vec<SocketInput> {
    let (mut events, told) = mpsc::channel(8);
    let (_words, outgoing) = mpsc::unbounded();
    let end = run(url, outgoing, &mut events, trust).await;
    events.send(end).await.unwrap();
    drop(events);
    told.collect().await
}

fn closed(reason: &str) -> SocketInput {
    SocketInput::Closed { reason: reason.to_owned() }
}

fn refused(reason: &str) -> SocketInput {
    SocketInput::Refused { reason: reason.to_owned() }
}

fn trusting(certificate: CertificateDer<'static>) -> impl FnOnce() -> Arc<ClientConfig> {
    || {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        tls::trust(roots)
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_in_plain_words() {
    let (port, _) = server("localhost").await;
    let told = talk(&format!("wss://localhost:{port}/ws"), tls::system_trust).await;
    assert_eq!(told, [refused("its certificate isn't trusted")]);
}

#[tokio::test]
async fn a_trusted_server_is_talked_to_over_tls() {
    let (port, certificate) = server("localhost").await;
    let told = talk(&format!("wss://localhost:{port}/ws"), trusting(certificate)).await;
    assert_eq!(
        told,
        [SocketInput::Opened, SocketInput::Text("hello".to_owned()), closed("the server closed the connection")]
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (port, certificate) = server("elsewhere.example").await;
    let told = talk(&format!("wss://localhost:{port}/ws"), trusting(certificate)).await;
    assert_eq!(told, [refused("its certificate is for another name")]);
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = stream;
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let told = talk(&format!("wss://localhost:{port}/ws"), tls::system_trust).await;
    assert_eq!(told, [refused("it doesn't speak TLS")]);
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(talk(&format!("ws://127.0.0.1:{port}/ws"), tls::system_trust).await, [closed("nothing listens there")]);
}

#[tokio::test]
async fn a_name_that_nobody_has_is_said_to_be_unknown() {
    assert_eq!(talk("ws://nobody.invalid/ws", tls::system_trust).await, [closed("its name can't be found")]);
}

#[tokio::test]
async fn another_server_is_told_from_one_that_is_just_starting() {
    for (answer, told) in [
        ("HTTP/1.1 404 Not Found\r\n\r\n", refused("it isn't a Visavis server (it answered 404 Not Found)")),
        ("SSH-2.0-OpenSSH_9.2\r\n", refused("it isn't a Visavis server")),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", closed("it isn't a Visavis server (it answered 502 Bad Gateway)")),
        ("", closed("it isn't a Visavis server")),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            tokio::io::AsyncReadExt::read(&mut stream, &mut request).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.unwrap();
        });
        assert_eq!(talk(&format!("ws://127.0.0.1:{port}/ws"), tls::system_trust).await, [told], "{answer:?}");
    }
}
