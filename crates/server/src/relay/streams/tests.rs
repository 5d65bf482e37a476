//! What a stream may do that nobody knows: little, and not for long.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::Ipv4Addr;

use tokio::io::DuplexStream;
use visavis_stun::{Builder, Class, Message, attribute, method};

use super::super::{Clients, Meeting, MeetingId, Meetings, PeerFilter, Secret, Socket, Table, TableConfig, UdpPorts};
use super::*;

/// Far longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is a deadline in these tests.
const SOON: Duration = Duration::from_millis(200);
const NEVER: Duration = Duration::from_secs(3600);

struct Nobody;

impl Meetings for Nobody {
    fn find(&self, _: MeetingId) -> Option<Meeting> {
        None
    }
}

/// A relay without listeners, that nothing ends on its own account but what a test shortens.
fn service(shorten: impl FnOnce(&mut StreamLimits)) -> Arc<Service> {
    let mut limits = StreamLimits { frame: NEVER, without_allocation: NEVER, ..StreamLimits::new(8, 2) };
    shorten(&mut limits);
    let ip = Ipv4Addr::LOCALHOST.into();
    let udp = Socket::bind(SocketAddr::new(ip, 0)).unwrap();
    let clients = Arc::new(Clients { udp, streams: Streams::new(limits) });
    let config = TableConfig {
        realm: "visavis".to_owned(),
        address: ip,
        secret: Secret::new("a secret"),
        filter: PeerFilter::new(Vec::new(), vec![ip]),
        limits: super::super::RelayLimits::default(),
        nonce_key: [1; 32],
        unix_time: Duration::from_secs(1_000_000),
    };
    let table = Arc::new_cyclic(|table| {
        let (clients, table) = (Arc::clone(&clients), std::sync::Weak::clone(table));
        let ports = UdpPorts { ip, range: 50_000..=50_010, clients, table };
        Mutex::new(Table::new(std::time::Instant::now(), config, ports, Box::new(Nobody)))
    });
    Arc::new(Service { clients, table })
}

fn connect(service: &Arc<Service>, host: u8) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(4096);
    tokio::spawn(serve(theirs, SocketAddr::from(([192, 0, 2, host], 5000)), Arc::clone(service)));
    ours
}

/// Waits until it is closed.
async fn closes(stream: &mut DuplexStream) -> bool {
    timeout(PATIENCE, stream.read(&mut [0; 512])).await.is_ok_and(|read| read.is_ok_and(|count| count == 0))
}

fn allocate() -> Vec<u8> {
    Builder::new(Class::Request, method::ALLOCATE, &[1; 12]).unsigned()
}

/// Whether a request is answered, so that the stream is open.
async fn answers(stream: &mut DuplexStream, piece: usize) -> bool {
    for piece in allocate().chunks(piece) {
        stream.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = vec![0; 512];
    let count = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap();
    let answer = Message::parse(&answer[..count]);
    answer.is_some_and(|answer| {
        answer.error_code().is_some_and(|(code, _)| code == 401) && answer.text(attribute::NONCE).is_some()
    })
}

#[tokio::test]
async fn a_request_in_pieces_is_answered() {
    let service = service(|_| {});
    assert!(answers(&mut connect(&service, 1), 3).await);
}

#[tokio::test]
async fn what_isnt_stun_ends_it_at_once() {
    let service = service(|_| {});
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00\x01"[..], b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\xff"] {
        let mut stream = connect(&service, 1);
        stream.write_all(bytes).await.unwrap();
        assert!(closes(&mut stream).await, "{bytes:?}");
    }
}

#[tokio::test]
async fn who_sends_byte_by_byte_is_cut_off() {
    let service = service(|limits| limits.frame = SOON);
    let mut stream = connect(&service, 1);
    let (began, request) = (Instant::now(), allocate());
    for byte in &request[..8] {
        // The other end may just have closed.
        let _ = stream.write_all(&[*byte]).await;
        sleep(SOON / 4).await;
    }
    assert!(closes(&mut stream).await);
    assert!(began.elapsed() >= SOON, "it was closed before its time");
}

#[tokio::test]
async fn who_gets_no_allocation_may_not_stay() {
    let service = service(|limits| limits.without_allocation = SOON);
    let mut stream = connect(&service, 1);
    assert!(answers(&mut stream, 20).await);
    assert!(closes(&mut stream).await);
}

#[tokio::test]
async fn one_address_has_so_many_and_gets_them_back() {
    let service = service(|_| {});
    let (mut first, mut second) = (connect(&service, 1), connect(&service, 1));
    assert!(answers(&mut first, 20).await && answers(&mut second, 20).await);
    assert!(closes(&mut connect(&service, 1)).await, "a third from there");
    assert!(answers(&mut connect(&service, 2), 20).await, "one from elsewhere");
    drop(first);
    let began = Instant::now();
    loop {
        let mut again = connect(&service, 1);
        // Refused until the first one's end was noticed.
        let _ = again.write_all(&allocate()).await;
        if again.read(&mut [0; 512]).await.is_ok_and(|count| count > 0) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "its place isn't given back");
        tokio::task::yield_now().await;
    }
}
