//! Streams over real sockets on loopback, and what is told of those that don't come about.
#![allow(clippy::unwrap_used, reason = "tests")]

use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use rcgen::generate_simple_self_signed;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const LOCAL: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

/// A TLS server for `localhost` that sends back what it gets: its port, and the certificate that it made itself.
async fn echo(protocols: &[&[u8]]) -> (u16, CertificateDer<'static>) {
    let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let (mut reader, mut writer) = tokio::io::split(stream);
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        }
    });
    (port, made.cert.der().clone())
}

fn trusting(certificate: CertificateDer<'static>) -> impl FnOnce() -> Arc<ClientConfig> {
    || {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        tls::trust(roots)
    }
}

fn at(host: &str, port: u16, tls: bool) -> StreamServer {
    StreamServer { host: host.to_owned(), port, tls }
}

async fn echoes(mut stream: Stream) -> bool {
    stream.writer.write_all(b"hello").await.unwrap();
    stream.writer.flush().await.unwrap();
    let mut answer = [0; 5];
    stream.reader.read_exact(&mut answer).await.is_ok() && &answer == b"hello"
}

async fn reason(server: StreamServer, trust: impl FnOnce() -> Arc<ClientConfig> + Send + 'static) -> String {
    dial(LOCAL, server, trust).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_trusted_relay_is_reached_whatever_it_calls_its_protocols() {
    for protocols in [&[][..], &[ALPN], &[b"http/1.1", ALPN], &[b"http/1.1"]] {
        let (port, certificate) = echo(protocols).await;
        let stream = dial(LOCAL, at("localhost", port, true), trusting(certificate)).await.unwrap();
        assert!(echoes(stream).await, "{protocols:?}");
    }
}

#[tokio::test]
async fn a_relay_that_isnt_who_it_should_be_is_refused_in_plain_words() {
    let (port, certificate) = echo(&[]).await;
    assert_eq!(reason(at("localhost", port, true), tls::system_trust).await, "its certificate isn't trusted");
    let by_address = reason(at("127.0.0.1", port, true), trusting(certificate)).await;
    assert_eq!(by_address, "its certificate is for another name");
}

#[tokio::test]
async fn what_cant_be_reached_says_why() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(reason(at("127.0.0.1", free, false), tls::system_trust).await, "nothing listens there");
    let elsewhere = reason(at("192.0.2.1", 443, false), tls::system_trust).await;
    assert_eq!(elsewhere, "there is no way there from this network");
}
