//! One socket with relays behind it, in virtual time: who is asked when, what gets through, and what is told of each.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::IpAddr;
use std::time::Instant;

use futures::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use visavis_stun::framing::{Frames, MAX_FRAME_BYTES, write};
use visavis_stun::{Builder, Class, Message, attribute, channel_data, method};
use visavis_testkit::net::{LinkConfig, World};

use super::*;
use crate::streams::pipe::{Pipe, pipe};
use crate::streams::{Dialing, Stream, StreamListener, StreamServer};

const KEY: &[u8] = b"key";
const RELAYED: &str = "198.51.100.9:50000";

/// What a relay does with requests.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Temper {
    Kind,
    RefusesThePassword,
    Deaf,
    Unreachable,
}

/// As a relay answers a request; everything else comes back as it is.
fn answer(temper: Temper, datagram: &[u8]) -> Option<Vec<u8>> {
    let Some(request) = Message::parse(datagram) else { return Some(datagram.to_vec()) };
    let signed = request.attribute(attribute::MESSAGE_INTEGRITY).is_some();
    let begin = |class| Builder::new(class, request.method, &request.transaction);
    match temper {
        Temper::Deaf | Temper::Unreachable => None,
        Temper::Kind if signed => {
            Some(begin(Class::Success).address(attribute::XOR_RELAYED_ADDRESS, RELAYED.parse().unwrap()).unsigned())
        }
        Temper::Kind | Temper::RefusesThePassword => Some(begin(Class::Error).error(401, "Unauthorized").unsigned()),
    }
}

/// Relays over streams, all of one temper, and what they have seen.
#[derive(Debug)]
struct Dialer {
    runtime: Arc<dyn Runtime>,
    temper: Temper,
    dialed: Mutex<Vec<(Instant, StreamServer)>>,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Streams for Dialer {
    fn dial(&self, _: IpAddr, server: StreamServer) -> Dialing {
        self.dialed.lock().unwrap().push((self.runtime.now(), server));
        if self.temper == Temper::Unreachable {
            return Box::pin(async { Err(io::Error::other("nothing listens there")) });
        }
        let ((to_relay, from_client), (to_client, from_relay)) = (pipe(), pipe());
        let relay = serve_stream(self.temper, from_client, to_client, Arc::clone(&self.heard));
        self.runtime.spawn(Box::pin(relay)).detach();
        Box::pin(async { Ok(Stream { reader: from_relay, writer: Box::new(to_relay) }) })
    }

    fn dial_peer(&self, _: IpAddr, _: SocketAddr) -> Dialing {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn listen(&self, _: IpAddr) -> io::Result<Box<dyn StreamListener>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

async fn serve_stream(
    temper: Temper,
    mut reader: Box<dyn AsyncRead + Send + Unpin>,
    mut writer: Pipe,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
) {
    let (mut frames, mut read) = (Frames::with_limit(MAX_FRAME_BYTES), [0; 64]);
    while let Ok(count @ 1..) = reader.read(&mut read).await {
        frames.push(&read[..count]);
        while let Some(frame) = frames.next_frame().unwrap() {
            heard.lock().unwrap().push(frame.to_vec());
            let mut bytes = Vec::new();
            if answer(temper, frame).is_some_and(|answer| write(&answer, &mut bytes)) {
                writer.write_all(&bytes).await.unwrap();
            }
        }
    }
}

struct Rig {
    runtime: Arc<dyn Runtime>,
    relays: Arc<Relays>,
    dialer: Arc<Dialer>,
    socket: Arc<dyn AsyncUdpSocket>,
    began: Instant,
}

impl Rig {
    /// Plays in a world in which relays over streams have this temper.
    fn play<F: Future<Output = ()>>(streams: Temper, play: impl FnOnce(World, Self) -> F) {
        let world = World::new(1);
        world.connect("us", "relay", &LinkConfig::default());
        let runtime: Arc<dyn Runtime> = world.host("us");
        let of_dialer = Arc::clone(&runtime);
        let (dialed, heard) = (Mutex::default(), Arc::default());
        let dialer = Arc::new(Dialer { runtime: of_dialer, temper: streams, dialed, heard });
        let relays = Relays::new(Some(Arc::clone(&dialer) as _));
        let inner = runtime.wrap_udp_socket(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let socket = relays.guard(inner, Arc::clone(&runtime)).unwrap();
        let began = runtime.now();
        world.run(play(world.clone(), Self { runtime, relays, dialer, socket, began }));
    }

    /// Where the library would send for this URL.
    async fn server(&self, url: &str) -> SocketAddr {
        let url = self.relays.for_library(&url.parse().unwrap()).unwrap();
        let place = url.trim_start_matches("turn:").trim_start_matches("stun:").split('?').next().unwrap().to_owned();
        self.relays.resolve(&self.runtime, &place).await.unwrap()[0]
    }

    async fn send(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<usize> {
        self.socket.send_to(datagram, to).await
    }

    async fn receive(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2000];
        let (length, from) = self.socket.recv_from(&mut buffer).await.unwrap();
        (buffer[..length].to_vec(), from)
    }

    /// The library's two requests and the answer to the second.
    async fn allocate(&self, at: SocketAddr) {
        self.send(at, &allocate(1, false)).await.unwrap();
        let (challenge, from) = self.receive().await;
        assert_eq!((Message::parse(&challenge).unwrap().error_code().unwrap().0, from), (401, at));
        self.send(at, &allocate(2, true)).await.unwrap();
        assert_eq!(Message::parse(&self.receive().await.0).unwrap().class, Class::Success);
    }

    fn standing(&self) -> Standing {
        self.relays.reports(&self.runtime).pop().unwrap().standing
    }

    fn dialed_after(&self) -> Vec<Duration> {
        self.dialer.dialed.lock().unwrap().iter().map(|(at, _)| at.duration_since(self.began)).collect()
    }

    async fn pass(&self, time: Duration) {
        self.runtime.sleep(time).await;
    }
}

fn allocate(transaction: u8, signed: bool) -> Vec<u8> {
    let request = Builder::new(Class::Request, method::ALLOCATE, &[transaction; 12]);
    let request = request.attribute(attribute::REQUESTED_TRANSPORT, &[visavis_stun::UDP, 0, 0, 0]);
    if signed { request.attribute(attribute::USERNAME, b"ann").signed(KEY) } else { request.unsigned() }
}

/// A relay over UDP.
fn serve_datagrams(world: &World, temper: Temper) -> SocketAddr {
    let runtime = world.host("relay");
    let socket = runtime.wrap_udp_socket(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let serving = async move {
        let mut buffer = [0; 2000];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            if let Some(answer) = answer(temper, &buffer[..length]) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    };
    runtime.spawn(Box::pin(serving)).detach();
    address
}

const TLS: &str = "turns:relay.example:443";

#[test]
fn a_relay_over_tls_alone_is_asked_at_once() {
    Rig::play(Temper::Kind, |_, rig| async move {
        let relay = rig.server(TLS).await;
        rig.allocate(relay).await;
        assert_eq!(rig.standing(), Standing::Works(RELAYED.parse().unwrap()));
        let dialed = rig.dialer.dialed.lock().unwrap().clone();
        let wanted = StreamServer { host: "relay.example".to_owned(), port: 443, tls: true };
        assert_eq!(dialed, [(rig.began, wanted)]);
    });
}

#[test]
fn media_goes_both_ways_padded_on_the_stream() {
    Rig::play(Temper::Kind, |_, rig| async move {
        let relay = rig.server("turn:relay.example?transport=tcp").await;
        rig.allocate(relay).await;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        channel_data::write(0x4000, b"hello", &mut first);
        channel_data::write(0x4000, b"there!", &mut second);
        for datagram in [&first, &second] {
            rig.send(relay, datagram).await.unwrap();
            assert_eq!(rig.receive().await, (datagram.clone(), relay));
        }
    });
}

#[test]
fn datagrams_have_a_head_start_before_streams_and_a_stream_before_the_next() {
    Rig::play(Temper::Deaf, |world, rig| async move {
        let deaf = serve_datagrams(&world, Temper::Deaf);
        let urls = [format!("turn:{deaf}"), "turn:relay.example?transport=tcp".to_owned(), TLS.to_owned()];
        for url in urls {
            let relay = rig.server(&url).await;
            rig.send(relay, &allocate(1, false)).await.unwrap();
        }
        rig.pass(Duration::from_secs(2)).await;
        assert_eq!(rig.dialed_after(), [HEAD_START, HEAD_START * 2]);
    });
}

#[test]
fn where_datagrams_get_through_no_stream_is_opened() {
    Rig::play(Temper::Kind, |world, rig| async move {
        let kind = serve_datagrams(&world, Temper::Kind);
        let over_udp = rig.server(&format!("turn:{kind}")).await;
        let over_tls = rig.server(TLS).await;
        rig.send(over_tls, &allocate(9, false)).await.unwrap();
        rig.allocate(over_udp).await;
        rig.pass(Duration::from_secs(1)).await;
        assert!(rig.dialed_after().is_empty());
        assert!(rig.send(over_tls, &allocate(9, false)).await.is_err(), "the library would wait for it");
        assert_eq!(rig.standing(), Standing::Unasked);
    });
}

#[test]
fn a_refused_password_is_told_and_ends_the_asking() {
    for url in ["turn:UDP", TLS] {
        Rig::play(Temper::RefusesThePassword, |world, rig| async move {
            let over_udp = serve_datagrams(&world, Temper::RefusesThePassword).to_string();
            let relay = rig.server(&url.replace("UDP", &over_udp)).await;
            rig.send(relay, &allocate(1, false)).await.unwrap();
            rig.receive().await;
            assert_eq!(rig.standing(), Standing::Challenged);
            rig.send(relay, &allocate(2, true)).await.unwrap();
            let waiting = select(Box::pin(rig.receive()), rig.runtime.sleep(Duration::from_secs(1))).await;
            if let Either::Left(((datagram, _), _)) = waiting {
                assert!(Message::parse(&datagram).is_none(), "the refusal reached the library");
            }
            assert_eq!(rig.standing(), Standing::Refused(401, "Unauthorized".to_owned()));
            assert!(rig.send(relay, &allocate(2, true)).await.is_err());
        });
    }
}

#[test]
fn a_repeated_request_isnt_repeated_on_a_stream() {
    Rig::play(Temper::Deaf, |_, rig| async move {
        let relay = rig.server(TLS).await;
        for _ in 0..3 {
            rig.send(relay, &allocate(1, false)).await.unwrap();
            rig.pass(Duration::from_millis(100)).await;
        }
        assert_eq!(rig.dialer.heard.lock().unwrap().len(), 1);
    });
}

#[test]
fn a_relay_that_cant_be_connected_to_says_why() {
    Rig::play(Temper::Unreachable, |_, rig| async move {
        let relay = rig.server(TLS).await;
        rig.send(relay, &allocate(1, false)).await.unwrap();
        rig.pass(Duration::from_millis(10)).await;
        assert_eq!(rig.standing(), Standing::Failed("nothing listens there".to_owned()));
        assert!(rig.send(relay, &allocate(1, false)).await.is_err());
        assert_eq!(rig.dialed_after().len(), 1, "it isn't dialed again and again");
    });
}

#[test]
fn a_silent_server_is_given_up() {
    Rig::play(Temper::Deaf, |world, rig| async move {
        let relay = rig.server(&format!("turn:{}", serve_datagrams(&world, Temper::Deaf))).await;
        rig.send(relay, &allocate(1, false)).await.unwrap();
        assert_eq!(rig.standing(), Standing::Asked);
        rig.pass(ledger::PATIENCE).await;
        assert_eq!(rig.standing(), Standing::Silent);
        assert!(rig.send(relay, &allocate(1, false)).await.is_err());
    });
}

#[test]
fn a_closed_socket_takes_its_streams_along() {
    Rig::play(Temper::Kind, |_, rig| async move {
        let relay = rig.server(TLS).await;
        rig.allocate(relay).await;
        let Rig { relays, runtime, socket, .. } = rig;
        drop(socket);
        assert_eq!(relays.reports(&runtime).pop().unwrap().standing, Standing::Unasked);
    });
}

#[test]
fn an_address_of_ipv6_finds_its_brackets() {
    Rig::play(Temper::Kind, |_, rig| async move {
        rig.relays.for_library(&"turn:[2001:db8::1]:3479".parse().unwrap()).unwrap();
        let found = rig.relays.resolve(&rig.runtime, "2001:db8::1:3479").await.unwrap();
        assert_eq!(found, ["[2001:db8::1]:3479".parse::<SocketAddr>().unwrap()]);
    });
}
