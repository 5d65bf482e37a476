//! Sockets with streams behind them, in virtual time: what goes over a stream and what doesn't, and who may bring one.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Instant;

use futures::StreamExt as _;
use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use visavis_stun::prefixed::{Prefixed, write};
use visavis_stun::{Builder, Class, method};
use visavis_testkit::net::{LinkConfig, World};

use super::*;
use crate::stats::CandidateEnd;
use crate::streams::pipe::pipe;
use crate::streams::{Accepting, Dialing, Stream, StreamListener, StreamServer};

/// Where our port for streams is, on the address of its socket.
const PORT: u16 = 40_000;

/// Both ends of a stream.
fn ends() -> (Stream, Stream) {
    let ((one_out, other_in), (other_out, one_in)) = (pipe(), pipe());
    (Stream { reader: one_in, writer: Box::new(one_out) }, Stream { reader: other_in, writer: Box::new(other_out) })
}

type Caller = (Stream, SocketAddr);

/// The network of these tests, whose machines all have this address.
fn is_of_network(ip: IpAddr) -> bool {
    ip == Ipv4Addr::LOCALHOST || !ip.to_canonical().is_loopback()
}

/// A network of streams around one socket: what it dials and who comes.
#[derive(Debug, Default)]
struct Around {
    dialled: Mutex<Vec<(SocketAddr, Stream)>>,
    door: Mutex<Option<mpsc::UnboundedSender<Caller>>>,
}

struct Port(SocketAddr, mpsc::UnboundedReceiver<Caller>);

impl StreamListener for Port {
    fn local(&self) -> SocketAddr {
        self.0
    }

    fn accept(&mut self) -> Accepting<'_> {
        Box::pin(async { self.1.next().await.ok_or_else(|| io::ErrorKind::ConnectionAborted.into()) })
    }
}

impl Streams for Around {
    fn dial(&self, _: IpAddr, _: StreamServer) -> Dialing {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn dial_peer(&self, _: IpAddr, to: SocketAddr) -> Dialing {
        let (ours, theirs) = ends();
        self.dialled.lock().unwrap().push((to, theirs));
        Box::pin(async { Ok(ours) })
    }

    fn listen(&self, on: IpAddr) -> io::Result<Box<dyn StreamListener>> {
        let (door, callers) = mpsc::unbounded();
        *self.door.lock().unwrap() = Some(door);
        Ok(Box::new(Port(SocketAddr::new(on, PORT), callers)))
    }

    fn is_of_network(&self, ip: IpAddr) -> bool {
        is_of_network(ip)
    }
}

struct Rig {
    runtime: Arc<dyn Runtime>,
    ice: Arc<IceTcp>,
    around: Arc<Around>,
    socket: Arc<dyn AsyncUdpSocket>,
    /// Somebody who can be reached with datagrams.
    other: Arc<dyn AsyncUdpSocket>,
    began: Instant,
}

impl Rig {
    fn play<F: Future<Output = ()>>(play: impl FnOnce(Self) -> F) {
        let world = World::new(1);
        world.connect("us", "other", &LinkConfig::default());
        let runtime: Arc<dyn Runtime> = world.host("us");
        let around = Arc::<Around>::default();
        let ice = IceTcp::new(Some(Arc::clone(&around) as _));
        let bind = |runtime: &Arc<dyn Runtime>| {
            runtime.wrap_udp_socket(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap()
        };
        let socket = ice.guard(bind(&runtime), Arc::clone(&runtime)).unwrap();
        let other = bind(&(world.host("other") as _));
        let began = runtime.now();
        world.run(play(Self { runtime, ice, around, socket, other, began }));
    }

    fn host_candidate(&self) -> String {
        let at = self.socket.local_addr().unwrap();
        format!("candidate:77 1 udp 2130706431 {} {} typ host", at.ip(), at.port())
    }

    async fn send(&self, to: SocketAddr, datagram: &[u8]) {
        self.socket.send_to(datagram, to).await.unwrap();
    }

    /// What comes within a second.
    async fn receive(&self) -> Option<(Vec<u8>, SocketAddr)> {
        receive_at(&self.socket, &self.runtime).await
    }

    /// Somebody dials our port: their end.
    fn comes(&self, from: SocketAddr) -> Stream {
        let (ours, theirs) = ends();
        let door = self.around.door.lock().unwrap();
        // A port that has closed takes nobody, and the stream is over.
        let _ = door.as_ref().unwrap().unbounded_send((ours, from));
        theirs
    }

    async fn pass(&self, time: Duration) {
        self.runtime.sleep(time).await;
    }

    /// Whether the stream is over: what its other end reads, by then.
    async fn is_over(&self, stream: &mut Stream) -> bool {
        let mut bytes = [0; 2000];
        let reading = stream.reader.read(&mut bytes);
        match select(Box::pin(reading), self.runtime.sleep(Duration::from_millis(10))).await {
            Either::Left((read, _)) => read.map_or(true, |count| count == 0),
            Either::Right(_) => false,
        }
    }
}

async fn receive_at(socket: &Arc<dyn AsyncUdpSocket>, runtime: &Arc<dyn Runtime>) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = [0; 2000];
    let receiving = socket.recv_from(&mut buffer);
    let received = match select(Box::pin(receiving), runtime.sleep(Duration::from_secs(1))).await {
        Either::Left((received, _)) => Some(received.unwrap()),
        Either::Right(_) => None,
    };
    received.map(|(length, from)| (buffer[..length].to_vec(), from))
}

fn at(place: &str) -> SocketAddr {
    place.parse().unwrap()
}

fn stun(class: Class, transaction: u8) -> Vec<u8> {
    Builder::new(class, method::BINDING, &[transaction; 12]).unsigned()
}

async fn put(stream: &mut Stream, datagram: &[u8]) {
    let mut bytes = Vec::new();
    assert!(write(datagram, &mut bytes));
    // Who has hung up is told so by the reader.
    let _ = stream.writer.write_all(&bytes).await;
}

async fn take(stream: &mut Stream) -> Vec<u8> {
    let (mut cut, mut bytes) = (Prefixed::default(), [0; 2000]);
    loop {
        if let Some(datagram) = cut.next_datagram() {
            return datagram.to_vec();
        }
        let count = stream.reader.read(&mut bytes).await.unwrap();
        assert_ne!(count, 0, "it is over");
        cut.push(&bytes[..count]);
    }
}

fn passive(to: SocketAddr) -> String {
    format!("candidate:1 1 tcp 1518280447 {} {} typ host tcptype passive", to.ip(), to.port())
}

#[test]
fn a_host_candidate_has_a_port_for_streams_beside_it() {
    Rig::play(|rig| async move {
        let ip = rig.socket.local_addr().unwrap().ip();
        let told = rig.ice.beside(&rig.host_candidate()).unwrap();
        assert_eq!(told, format!("candidate:77tcp 1 tcp 1352663039 {ip} {PORT} typ host tcptype passive"));
        let reflexive = rig.host_candidate().replace("typ host", "typ srflx raddr 10.0.0.1 rport 9");
        for line in
            [reflexive.as_str(), "", "candidate:1 1 udp 1 10.9.9.9 9 typ host", "candidate:1 1 udp x y z typ host"]
        {
            assert_eq!(rig.ice.beside(line), None, "{line}");
        }
        let mut held_back = rig.comes(at("192.0.2.7:49999"));
        rig.pass(Duration::from_millis(10)).await;
        rig.ice.close_ports();
        assert!(rig.is_over(&mut held_back).await, "datagrams were quicker");
        assert_eq!(rig.ice.beside(&rig.host_candidate()), None, "there is a path");
        let mut late = rig.comes(at("192.0.2.7:50000"));
        assert!(rig.is_over(&mut late).await, "the port is open after that");
    });
}

#[test]
fn what_the_other_side_names_is_dialled_by_what_is_sent_there() {
    Rig::play(|rig| async move {
        let to = at("192.0.2.7:50000");
        rig.send(to, b"no stream yet").await;
        let line = "candidate:1 1 udp 1518280447 192.0.2.7 50000 typ host";
        assert_eq!(rig.ice.for_library(&passive(to)), Some((to, line.to_owned())));
        rig.send(to, b"not yet").await;
        assert!(rig.around.dialled.lock().unwrap().is_empty());
        assert!(rig.ice.dial(to));
        for datagram in [&b"first"[..], b"second"] {
            rig.send(to, datagram).await;
        }
        let (dialled, mut theirs) = rig.around.dialled.lock().unwrap().pop().unwrap();
        assert_eq!((dialled, take(&mut theirs).await), (to, b"first".to_vec()));
        put(&mut theirs, b"back").await;
        assert_eq!(rig.receive().await, Some((b"back".to_vec(), to)));
        // Once it is over nobody dials again, and datagrams don't go there either.
        drop(theirs);
        rig.pass(Duration::from_millis(10)).await;
        rig.send(to, b"third").await;
        assert!(rig.around.dialled.lock().unwrap().is_empty());
    });
}

/// The ports of this machine, of its router and its cloud, and those of other kinds of servers are no business of a caller's.
#[test]
fn not_everything_is_dialled() {
    Rig::play(|rig| async move {
        for place in [
            "127.0.0.2:50000",
            "[::1]:50000",
            "[::ffff:127.0.0.2]:50000",
            "0.0.0.0:50000",
            "169.254.169.254:8080",
            "[fe80::1]:50000",
            "224.0.0.1:50000",
            "[ff02::1]:50000",
            "255.255.255.255:50000",
            "192.0.2.7:25",
            "192.0.2.7:443",
            "192.0.2.7:0",
        ] {
            assert_eq!(rig.ice.for_library(&passive(at(place))), None, "{place}");
        }
        assert_eq!(rig.ice.for_library("candidate:1 1 tcp"), None);
        let alone = IceTcp::new(None);
        assert_eq!(alone.for_library(&passive(at("192.0.2.7:50000"))), None, "without streams");
        for i in 0..40 {
            let to = at(&format!("192.0.2.{i}:50000"));
            assert!(rig.ice.for_library(&passive(to)).is_some() && rig.ice.dial(to));
            rig.send(to, b"hello").await;
        }
        assert_eq!(rig.around.dialled.lock().unwrap().len(), 8, "from one socket");
    });
}

#[test]
fn a_stream_that_comes_is_held_back_and_proves_itself_by_an_answered_check() {
    Rig::play(|rig| async move {
        let from = at("192.0.2.7:50000");
        let mut theirs = rig.comes(from);
        put(&mut theirs, &stun(Class::Request, 1)).await;
        assert_eq!(rig.receive().await, None, "datagrams have a second and a half");
        assert_eq!(rig.receive().await, Some((stun(Class::Request, 1), from)));
        assert!(rig.runtime.now().duration_since(rig.began) >= HEAD_START);
        let mut pair = SelectedPair {
            local: CandidateEnd { port: 9000, protocol: "udp".into(), ..CandidateEnd::default() },
            remote: CandidateEnd { address: "192.0.2.7".into(), port: 50_000, ..CandidateEnd::default() },
            rtt: None,
        };
        rig.ice.tell(&mut pair);
        assert_eq!(pair.local.protocol, "udp", "nothing is proven yet");
        rig.send(from, &stun(Class::Success, 1)).await;
        assert_eq!(take(&mut theirs).await, stun(Class::Success, 1));
        for datagram in [&b"media"[..], b"more"] {
            put(&mut theirs, datagram).await;
            assert_eq!(rig.receive().await, Some((datagram.to_vec(), from)));
        }
        rig.send(from, b"ours").await;
        assert_eq!(take(&mut theirs).await, b"ours");
        rig.ice.tell(&mut pair);
        assert_eq!((pair.local.port, pair.local.protocol, pair.remote.protocol), (PORT, "tcp".into(), "tcp".into()));
        rig.pass(Duration::from_secs(60)).await;
        assert!(!rig.is_over(&mut theirs).await);
    });
}

/// Somebody behind the other side's router dials from the very address that our datagrams go to.
#[test]
fn a_stream_that_proves_nothing_takes_no_datagram_of_ours() {
    Rig::play(|rig| async move {
        let from = rig.other.local_addr().unwrap();
        let mut theirs = rig.comes(from);
        rig.pass(HEAD_START).await;
        put(&mut theirs, &stun(Class::Request, 1)).await;
        rig.receive().await.unwrap();
        for ours in [&b"media"[..], &stun(Class::Request, 1), &stun(Class::Success, 2)] {
            rig.send(from, ours).await;
            let came = receive_at(&rig.other, &rig.runtime).await;
            assert_eq!(came.map(|(datagram, _)| datagram), Some(ours.to_vec()));
        }
        // A refusal of the library's goes back, and proves nothing.
        rig.send(from, &stun(Class::Error, 1)).await;
        assert_eq!(take(&mut theirs).await, stun(Class::Error, 1));
        rig.pass(Duration::from_secs(5)).await;
        assert!(rig.is_over(&mut theirs).await);
        rig.send(from, b"media").await;
        assert!(receive_at(&rig.other, &rig.runtime).await.is_some());
    });
}

#[test]
fn what_begins_with_something_else_is_over_at_once() {
    Rig::play(|rig| async move {
        rig.pass(HEAD_START).await;
        for (port, nonsense) in [(1, b"GET / HTTP/1.1".to_vec()), (2, stun(Class::Success, 1)), (3, b"\x80".to_vec())] {
            let mut theirs = rig.comes(at(&format!("192.0.2.7:{port}")));
            put(&mut theirs, &nonsense).await;
            assert!(rig.is_over(&mut theirs).await, "{nonsense:?}");
        }
        assert_eq!(rig.receive().await, None);
    });
}

#[test]
fn a_crowd_before_the_port_keeps_nobody_out() {
    Rig::play(|rig| async move {
        rig.pass(HEAD_START).await;
        let mut crowd: Vec<Stream> = (0..200).map(|i| rig.comes(at(&format!("192.0.2.8:{}", 1000 + i)))).collect();
        let mut theirs = rig.comes(at("192.0.2.7:50000"));
        put(&mut theirs, &stun(Class::Request, 1)).await;
        let mut check = None;
        for _ in 0..60 {
            check = check.or(rig.receive().await);
        }
        assert_eq!(check, Some((stun(Class::Request, 1), at("192.0.2.7:50000"))));
        let mut open = 0;
        for stream in &mut crowd {
            open += usize::from(!rig.is_over(stream).await);
        }
        assert_eq!(open, 0, "those that prove nothing go");
    });
}

/// One number for both, or a lie: what is known as a place for datagrams stays one.
#[test]
fn a_place_for_datagrams_isnt_dialled() {
    Rig::play(|rig| async move {
        let to = rig.other.local_addr().unwrap();
        rig.ice.takes_datagrams(&format!("candidate:1 1 udp 1 {} {} typ host", to.ip(), to.port()));
        assert!(!rig.ice.dial(to));
        rig.send(to, b"hello").await;
        assert!(receive_at(&rig.other, &rig.runtime).await.is_some());
        assert!(rig.around.dialled.lock().unwrap().is_empty());
        rig.ice.described();
        assert!(rig.ice.dial(to), "the other side has others now");
    });
}

/// A stream that pours checks in doesn't keep datagrams out, and is over soon.
#[test]
fn a_stream_that_pours_keeps_no_datagram_out() {
    Rig::play(|rig| async move {
        rig.pass(HEAD_START).await;
        let mut theirs = rig.comes(at("192.0.2.7:50000"));
        for i in 0..100 {
            put(&mut theirs, &stun(Class::Request, i)).await;
        }
        for _ in 0..5 {
            rig.other.send_to(b"media", rig.socket.local_addr().unwrap()).await.unwrap();
        }
        rig.pass(Duration::from_millis(10)).await;
        let (mut checks, mut media) = (0, 0);
        while let Some((datagram, _)) = rig.receive().await {
            if datagram == b"media" {
                media += 1
            } else {
                checks += 1
            }
            assert!(media == 5 || checks <= media + 2, "{checks} checks and {media} datagrams");
        }
        assert_eq!((checks, media), (64, 5));
        assert!(rig.is_over(&mut theirs).await);
    });
}

#[test]
fn a_closed_socket_takes_its_streams_along() {
    Rig::play(|rig| async move {
        let to = at("192.0.2.7:50000");
        assert!(rig.ice.dial(to));
        rig.send(to, b"hello").await;
        let (_, mut theirs) = rig.around.dialled.lock().unwrap().pop().unwrap();
        take(&mut theirs).await;
        let Rig { runtime, socket, ice, around, other, began } = rig;
        drop(socket);
        let rest = Rig { socket: Arc::clone(&other), runtime, ice, around, other, began };
        assert!(rest.is_over(&mut theirs).await);
        let mut late = rest.comes(at("192.0.2.7:50001"));
        assert!(rest.is_over(&mut late).await);
    });
}

/// Two machines that can open streams to one another.
#[derive(Debug, Default)]
struct Street {
    doors: Mutex<HashMap<SocketAddr, mpsc::UnboundedSender<Caller>>>,
    dialled: Mutex<u16>,
}

impl Streams for Street {
    fn dial(&self, _: IpAddr, _: StreamServer) -> Dialing {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn dial_peer(&self, from: IpAddr, to: SocketAddr) -> Dialing {
        let (ours, theirs) = ends();
        let mut dialled = self.dialled.lock().unwrap();
        *dialled += 1;
        let from = SocketAddr::new(from, 50_000 + *dialled);
        let door = self.doors.lock().unwrap().get(&to).cloned();
        let opened = door.is_some_and(|door| door.unbounded_send((theirs, from)).is_ok());
        Box::pin(async move { if opened { Ok(ours) } else { Err(io::ErrorKind::ConnectionRefused.into()) } })
    }

    fn listen(&self, on: IpAddr) -> io::Result<Box<dyn StreamListener>> {
        let (door, callers) = mpsc::unbounded();
        let mut doors = self.doors.lock().unwrap();
        let at = SocketAddr::new(on, PORT + u16::try_from(doors.len()).unwrap());
        doors.insert(at, door);
        Ok(Box::new(Port(at, callers)))
    }

    fn is_of_network(&self, ip: IpAddr) -> bool {
        is_of_network(ip)
    }
}

/// A whole connection: how long it took, how many streams were opened, and what its path is said to be.
fn connect(loss: f64) -> (Duration, u16, CandidateEnd) {
    use crate::{PeerState, Transport, TransportConfig, TransportEvent, media_queues};

    let world = World::new(1);
    world.connect("ann", "bob", &LinkConfig { loss, ..LinkConfig::with_delay(Duration::from_millis(10)) });
    let street = Arc::<Street>::default();
    let hosts = ["ann", "bob"].map(|name| world.host(name));
    world.run(async move {
        let began = hosts[0].now();
        let mut sides = Vec::new();
        for host in &hosts {
            let bind = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
            let config =
                TransportConfig { bind, streams: Some(Arc::clone(&street) as _), ..TransportConfig::default() };
            let (sender, events) = mpsc::unbounded();
            // Their media go nowhere.
            let (sinks, sources) = media_queues();
            let transport = Transport::new(Arc::clone(host) as _, config, sinks, sender).await.unwrap();
            sides.push((transport, events, sources));
        }
        let [(ann, mut of_ann, _a), (bob, mut of_bob, _b)] = <[_; 2]>::try_from(sides).ok().unwrap();
        let offer = ann.create_offer(false).await.unwrap();
        let answer = bob.accept_offer(&offer, &ann.fingerprint()).await.unwrap();
        ann.accept_answer(&answer, &bob.fingerprint()).await.unwrap();
        let mut up = [false; 2];
        while up != [true; 2] {
            let (event, of) = match select(of_ann.next(), of_bob.next()).await {
                Either::Left((event, _)) => (event.unwrap(), 0),
                Either::Right((event, _)) => (event.unwrap(), 1),
            };
            if event == TransportEvent::State(PeerState::Connected) {
                up[of] = true;
            } else if let TransportEvent::Candidate(candidate) = event {
                [&bob, &ann][of].add_candidate(candidate).await.unwrap();
            }
        }
        let took = hosts[0].now().duration_since(began);
        let end = ann.stats().await.pair.unwrap().remote;
        let dialled = *street.dialled.lock().unwrap();
        for side in [ann, bob] {
            side.close().await;
        }
        (took, dialled, end)
    })
}

#[test]
fn where_datagrams_pass_nobody_is_dialled() {
    let (took, dialled, end) = connect(0.0);
    assert!(took < HEAD_START, "{took:?}");
    assert_eq!((dialled, end.protocol.as_str()), (0, "udp"));
}

#[test]
fn where_none_passes_a_stream_carries_the_connection() {
    let (took, dialled, end) = connect(1.0);
    assert!((HEAD_START..HEAD_START * 3).contains(&took), "{took:?}");
    assert!((1..=2).contains(&dialled), "{dialled}, one from either side at most");
    assert_eq!(end.protocol, "tcp", "{end:?}");
}
