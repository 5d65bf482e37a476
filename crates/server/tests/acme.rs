//! A certificate by ACME (RFC 8555) from an authority that nobody here wrote: Let's Encrypt's Pebble, which looks at the server's own port over
//! TLS (RFC 8737) and gives out what a client then trusts.
#![cfg(all(target_os = "linux", feature = "hosting"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::{Connector, client_async_tls_with_config};
use visavis_server::tls::TlsConfig;
use visavis_signaling::message::ServerMessage;

/// The name that the certificate is for; where it leads is what the authority's name server says.
const NAME: &str = "call.example.test";

struct Program(Child);

impl Program {
    fn start(command: &mut Command) -> Option<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.spawn().ok().map(Self)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Pebble, and the name server that sends it to loopback.
struct Authority {
    directory: String,
    management: SocketAddr,
    _programs: [Program; 2],
}

impl Authority {
    /// Looks at that port of whatever it is asked for. Its own certificate, by a root in `folder`, is for `localhost`. `None`: it isn't
    /// installed.
    fn start(folder: &Path, looks_at: u16) -> Option<Self> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &root).unwrap();
        let [listen, management, names, unused] = [0; 4].map(|_| free_address());
        let file = |name: &str| folder.join(name);
        std::fs::write(file("root.pem"), root.pem()).unwrap();
        std::fs::write(file("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(file("cert.pem"), own.pem()).unwrap();
        let config = serde_json::json!({ "pebble": {
            "listenAddress": listen.to_string(), "managementListenAddress": management.to_string(),
            "certificate": file("cert.pem"), "privateKey": file("key.pem"),
            "httpPort": unused.port(), "tlsPort": looks_at, "ocspResponderURL": "",
        }});
        std::fs::write(file("pebble.json"), config.to_string()).unwrap();
        let mut server = Command::new("pebble-challtestsrv");
        server.args(["-dns01", &names.to_string(), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]);
        server.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", &unused.to_string()]);
        let server = Program::start(&mut server)?;
        let mut pebble = Command::new("pebble");
        pebble.arg("-config").arg(file("pebble.json")).args(["-dnsserver", &names.to_string()]);
        let pebble = Program::start(pebble.env("PEBBLE_VA_NOSLEEP", "1"))?;
        let directory = format!("https://localhost:{}/dir", listen.port());
        Some(Self { directory, management, _programs: [server, pebble] })
    }

    /// The root of what it gives out, which it makes anew at each start.
    async fn root(&self, folder: &Path) -> String {
        let begun = Instant::now();
        let stream = loop {
            match TcpStream::connect(self.management).await {
                Ok(stream) => break stream,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let trust = trust(&std::fs::read_to_string(folder.join("root.pem")).unwrap());
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = tokio_rustls::TlsConnector::from(trust).connect(name, stream).await.unwrap();
        stream.write_all(b"GET /roots/0 HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

fn trust(pem: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A client that trusts that root alone, by the server's name.
async fn connect(server: SocketAddr, root: &str) -> Option<TestClient> {
    let stream = TcpStream::connect(server).await.unwrap();
    let connector = Connector::Rustls(trust(root));
    let url = format!("wss://{NAME}/ws");
    let (socket, _) = client_async_tls_with_config(url, stream, None, Some(connector)).await.ok()?;
    Some(TestClient { socket })
}

#[tokio::test]
async fn an_authority_looks_at_the_port_and_gives_a_certificate_that_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = hosted();
    config.listen = free_address();
    let Some(authority) = Authority::start(folder.path(), config.listen.port()) else {
        return eprintln!("SKIPPED: pebble isn't installed");
    };
    let root = authority.root(folder.path()).await;
    config.tls = Some(TlsConfig::Acme {
        domains: vec![NAME.to_owned()],
        email: Some("host@example.test".to_owned()),
        directory: Some(authority.directory.clone()),
        roots: Some(folder.path().join("root.pem")),
        cache: folder.path().join("acme"),
    });
    // As an older server may have left it.
    std::fs::create_dir(folder.path().join("acme")).unwrap();
    let mut server = TestServer::with(config.clone()).await;
    let begun = Instant::now();
    let mut client = loop {
        match connect(server.address, &root).await {
            Some(client) => break client,
            None => assert!(begun.elapsed() < PATIENCE, "no certificate"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    client.send(&hello(None)).await;
    assert!(matches!(client.next().await, ServerMessage::Welcome { .. }));
    drop(client);
    server.tell_to_stop();
    server.stopped().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.path().join("acme")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "keys lie in it");
    }
    // From what was kept: nobody is asked.
    drop(authority);
    let server = TestServer::with(config).await;
    let begun = Instant::now();
    while connect(server.address, &root).await.is_none() {
        assert!(begun.elapsed() < PATIENCE, "the certificate wasn't kept");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
