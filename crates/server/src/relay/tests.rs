//! The table in virtual time: what is answered, who reaches whom, what each may use.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use visavis_signaling::Role;
use visavis_signaling::message::IceServer;
use visavis_signaling::server::Introductions as _;
use visavis_stun::{Builder, Class, Message, attribute, channel_data, long_term_key, method};

use super::*;

mod strangers;

const RELAY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const PUBLIC_PEER: &str = "93.184.215.14:40000";
const MEETING: MeetingId = [1; 16];
const HOUR: u64 = 3600;

#[derive(Default)]
struct FakePorts(u16);

impl Ports for FakePorts {
    type Socket = u16;

    fn open(&mut self, even: bool) -> Option<(u16, u16)> {
        self.0 += if even { 2 - self.0 % 2 } else { 1 };
        (self.0 < 60_000).then_some((self.0, self.0))
    }
}

struct World {
    now: Instant,
    issuer: Issuer,
    table: Table<FakePorts>,
    out: Vec<u8>,
    transactions: u32,
}

/// A client with its credential and the nonce it got.
struct Client {
    address: SocketAddr,
    username: String,
    password: String,
    nonce: String,
}

#[derive(Debug, PartialEq)]
enum Sent {
    Nothing,
    ToClient(SocketAddr),
    ToPeer(u16, SocketAddr, Vec<u8>),
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn secret() -> Secret {
    Secret::new("a secret")
}

fn issuer(live: LiveMeetings) -> Issuer {
    let own = Servers { urls: vec!["turn:198.51.100.7:3478".into()], secret: secret() };
    let others = Servers { urls: Vec::new(), secret: Secret::new("another secret") };
    Issuer { own, others, lifetime: Duration::from_secs(HOUR), live }
}

impl World {
    fn new(limits: RelayLimits) -> Self {
        let config = TableConfig {
            realm: "visavis".into(),
            address: RELAY,
            secret: secret(),
            filter: PeerFilter::new(vec!["10.9.0.0/16".parse().unwrap()], vec![RELAY]),
            limits,
            nonce_key: [3; 32],
            unix_time: Duration::from_secs(1_000_000),
        };
        let (now, live) = (Instant::now(), LiveMeetings::default());
        let table = Table::new(now, config, FakePorts(1000), Box::new(live.clone()));
        Self { now, issuer: issuer(live), table, out: Vec::new(), transactions: 0 }
    }

    /// One of a pair.
    fn client(&mut self, at: &str, meeting: MeetingId, role: Role) -> Client {
        let granted = self.issuer.grant(meeting, role, 1_000_000).unwrap();
        self.issuer.pair(meeting);
        self.client_with(address(at), granted.servers)
    }

    fn client_with(&mut self, address: SocketAddr, servers: Vec<IceServer>) -> Client {
        let [IceServer { username, credential: password, .. }] = servers.try_into().unwrap();
        let mut client = Client { address, username, password, nonce: String::new() };
        self.greet(&mut client);
        client
    }

    /// Asks without a signature, and keeps the nonce.
    fn greet(&mut self, client: &mut Client) {
        let request = Builder::new(Class::Request, method::ALLOCATE, &[0; 12]).unsigned();
        let answer = self.sends(client.address, &request);
        assert_eq!(answer, Sent::ToClient(client.address));
        let answer = Message::parse(&self.out).unwrap();
        assert_eq!(error(&answer), 401);
        client.nonce = answer.text(attribute::NONCE).unwrap().to_owned();
    }

    fn sends(&mut self, from: SocketAddr, datagram: &[u8]) -> Sent {
        match self.table.from_client(self.now, from.into(), datagram, &mut self.out) {
            Effect::Nothing => Sent::Nothing,
            Effect::ToClient(client) => Sent::ToClient(client.address),
            Effect::ToPeer(port, peer, data) => Sent::ToPeer(port, peer, data.to_vec()),
        }
    }

    fn request(&mut self, client: &Client, method: u16, fill: impl FnOnce(Builder) -> Builder) -> Vec<u8> {
        self.transactions += 1;
        let mut transaction = [9; 12];
        transaction[..4].copy_from_slice(&self.transactions.to_be_bytes());
        let builder = Builder::new(Class::Request, method, &transaction);
        let builder = fill(builder)
            .attribute(attribute::USERNAME, client.username.as_bytes())
            .attribute(attribute::REALM, b"visavis")
            .attribute(attribute::NONCE, client.nonce.as_bytes());
        builder.signed(&long_term_key(&client.username, "visavis", &client.password))
    }

    /// The error code of the answer; 0 for success.
    fn asks(&mut self, client: &Client, method: u16, fill: impl FnOnce(Builder) -> Builder) -> u16 {
        let request = self.request(client, method, fill);
        assert_eq!(self.sends(client.address, &request), Sent::ToClient(client.address));
        let answer = Message::parse(&self.out).unwrap();
        if answer.class == Class::Success {
            assert!(answer.is_signed_with(&long_term_key(&client.username, "visavis", &client.password)));
        }
        error(&answer)
    }

    fn allocates(&mut self, client: &Client) -> u16 {
        self.asks(client, method::ALLOCATE, |builder| builder.attribute(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]))
    }

    fn relayed(&self) -> SocketAddr {
        Message::parse(&self.out).unwrap().address(attribute::XOR_RELAYED_ADDRESS).unwrap()
    }

    fn permits(&mut self, client: &Client, peer: SocketAddr) -> u16 {
        self.asks(client, method::CREATE_PERMISSION, |builder| builder.address(attribute::XOR_PEER_ADDRESS, peer))
    }

    fn binds(&mut self, client: &Client, channel: u16, peer: SocketAddr) -> u16 {
        self.asks(client, method::CHANNEL_BIND, |builder| {
            let [high, low] = channel.to_be_bytes();
            builder.attribute(attribute::CHANNEL_NUMBER, &[high, low, 0, 0]).address(attribute::XOR_PEER_ADDRESS, peer)
        })
    }

    fn refreshes(&mut self, client: &Client, seconds: u32) -> u16 {
        self.asks(client, method::REFRESH, |b| b.attribute(attribute::LIFETIME, &seconds.to_be_bytes()))
    }

    fn indicates(&mut self, client: &Client, peer: SocketAddr, data: &[u8]) -> Sent {
        let message = Builder::new(Class::Indication, method::SEND, &[9; 12])
            .address(attribute::XOR_PEER_ADDRESS, peer)
            .attribute(attribute::DATA, data)
            .unsigned();
        self.sends(client.address, &message)
    }

    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

fn error(answer: &Message<'_>) -> u16 {
    let code = |value: &[u8]| u16::from(value[2]) * 100 + u16::from(value[3]);
    answer.attribute(attribute::ERROR_CODE).map_or(0, code)
}

fn two(world: &mut World) -> (Client, SocketAddr, Client, SocketAddr) {
    let creator = world.client("1.2.3.4:1000", MEETING, Role::Creator);
    assert_eq!(world.allocates(&creator), 0);
    let from_creator = world.relayed();
    let joiner = world.client("5.6.7.8:2000", MEETING, Role::Joiner);
    assert_eq!(world.allocates(&joiner), 0);
    let from_joiner = world.relayed();
    (creator, from_creator, joiner, from_joiner)
}

#[test]
fn a_binding_request_tells_the_address_that_it_came_from() {
    let mut world = World::new(RelayLimits::default());
    let client = address("1.2.3.4:5");
    let request = Builder::new(Class::Request, method::BINDING, &[8; 12]).with_fingerprint();
    assert_eq!(world.sends(client, &request), Sent::ToClient(client));
    let answer = Message::parse(&world.out).unwrap();
    assert_eq!(answer.address(attribute::XOR_MAPPED_ADDRESS), Some(client));
}

#[test]
fn data_goes_to_a_peer_and_comes_back() {
    let mut world = World::new(RelayLimits::default());
    let peer = address(PUBLIC_PEER);
    let client = world.client("1.2.3.4:1000", MEETING, Role::Creator);
    assert_eq!(world.indicates(&client, peer, b"early"), Sent::Nothing);
    assert_eq!(world.allocates(&client), 0);
    let port = world.relayed().port();
    assert_eq!(world.indicates(&client, peer, b"unpermitted"), Sent::Nothing);
    assert_eq!(world.table.from_peer(world.now, port, peer, b"unasked", &mut world.out), None);
    assert_eq!(world.permits(&client, peer), 0);
    assert_eq!(world.indicates(&client, peer, b"hello"), Sent::ToPeer(port, peer, b"hello".to_vec()));
    assert_eq!(world.table.from_peer(world.now, port, peer, b"hi", &mut world.out), Some(client.address.into()));
    let message = Message::parse(&world.out).unwrap();
    assert_eq!((message.class, message.method), (Class::Indication, method::DATA));
    assert_eq!(message.address(attribute::XOR_PEER_ADDRESS), Some(peer));
    assert_eq!(message.attribute(attribute::DATA), Some(&b"hi"[..]));
    assert_eq!(world.binds(&client, 0x4000, peer), 0);
    world.table.from_peer(world.now, port, peer, b"hi", &mut world.out).unwrap();
    assert_eq!(channel_data::parse(&world.out), Some((0x4000, &b"hi"[..])));
    assert_eq!(world.sends(client.address, &[0x40, 0, 0, 1, 7]), Sent::ToPeer(port, peer, vec![7]));
}

#[test]
fn two_of_one_meeting_reach_one_another_without_leaving_the_relay() {
    let mut world = World::new(RelayLimits::default());
    let (creator, from_creator, joiner, from_joiner) = two(&mut world);
    assert_eq!((world.permits(&creator, from_joiner), world.permits(&joiner, from_creator)), (0, 0));
    assert_eq!(world.indicates(&creator, from_joiner, b"hello"), Sent::ToClient(joiner.address));
    let message = Message::parse(&world.out).unwrap();
    assert_eq!(message.address(attribute::XOR_PEER_ADDRESS), Some(from_creator));
    assert_eq!(world.binds(&joiner, 0x4001, from_creator), 0);
    assert_eq!(world.sends(joiner.address, &[0x40, 1, 0, 1, 7]), Sent::ToClient(creator.address));
}

#[test]
fn of_another_meeting_or_another_port_nobody_is_reached() {
    let mut world = World::new(RelayLimits::default());
    let (creator, from_creator, ..) = two(&mut world);
    let stranger = world.client("9.9.9.9:1", [2; 16], Role::Creator);
    assert_eq!(world.allocates(&stranger), 0);
    let from_stranger = world.relayed();
    assert_eq!(world.permits(&stranger, from_creator), 0);
    assert_eq!(world.permits(&creator, from_stranger), 0);
    assert_eq!(world.indicates(&stranger, from_creator, b"hello"), Sent::Nothing);
    // No answer tells where somebody is: packets alone go nowhere.
    assert_eq!(world.binds(&stranger, 0x4000, from_creator), 0);
    assert_eq!(world.sends(stranger.address, &[0x40, 0, 0, 1, 7]), Sent::Nothing);
    let ssh = SocketAddr::new(RELAY, 22);
    assert_eq!(world.indicates(&creator, ssh, b"hello"), Sent::Nothing);
    assert_eq!(world.binds(&creator, 0x4000, ssh), 0);
    assert_eq!(world.sends(creator.address, &[0x40, 0, 0, 1, 7]), Sent::Nothing);
    // Nor by way of the network, with a forged source.
    let port = from_creator.port();
    assert_eq!(world.table.from_peer(world.now, port, from_stranger, b"x", &mut world.out), None);
}

#[test]
fn private_peers_are_refused_and_allowed_ones_are_not() {
    let mut world = World::new(RelayLimits::default());
    let (creator, ..) = two(&mut world);
    for peer in ["127.0.0.1:80", "10.0.0.1:80", "192.168.1.1:80", "169.254.169.254:80", "224.0.0.1:80"] {
        assert_eq!(world.permits(&creator, address(peer)), 403, "{peer}");
        assert_eq!(world.binds(&creator, 0x4000, address(peer)), 403, "{peer}");
        assert_eq!(world.indicates(&creator, address(peer), b"x"), Sent::Nothing);
    }
    assert_eq!(world.permits(&creator, address("[::ffff:10.0.0.1]:80")), 443);
    assert_eq!(world.permits(&creator, address("10.9.1.1:80")), 0);
}

#[test]
fn who_has_no_right_credential_gets_nothing() {
    let mut world = World::new(RelayLimits::default());
    let good = world.client("1.2.3.4:1000", MEETING, Role::Creator);
    let with = |username: String, password: String| Client {
        address: good.address,
        nonce: good.nonce.clone(),
        username,
        password,
    };
    let name = |expires, meeting| Grant { expires, meeting, role: Role::Creator }.username();
    let right = |username: &str| secret().password(username);
    let expired = name(1_000_000, MEETING);
    let refused = [
        with(good.username.clone(), "guess".into()),
        with(expired.clone(), right(&expired)),
        with("1735689600:alice".into(), right("1735689600:alice")),
        with(name(u64::MAX, MEETING), good.password.clone()),
    ];
    for client in refused {
        assert_eq!(world.allocates(&client), 401, "{}", client.username);
    }
    let over = name(1_000_000 + HOUR, [0; 16]);
    assert_eq!(world.allocates(&with(over.clone(), right(&over))), 403, "a meeting that is over");
    let mut stale = with(good.username.clone(), good.password.clone());
    stale.nonce = "0".repeat(40);
    assert_eq!(world.allocates(&stale), 438);
    assert_eq!(world.table.counts(world.now).allocations, 0);
    assert_eq!(world.allocates(&good), 0);
}

#[test]
fn an_allocation_is_its_owners() {
    let mut world = World::new(RelayLimits::default());
    let (creator, ..) = two(&mut world);
    let mut other = world.client("1.2.3.4:1000", [2; 16], Role::Creator);
    other.address = creator.address;
    assert_eq!(world.refreshes(&other, 0), 441);
    assert_eq!(world.permits(&other, address(PUBLIC_PEER)), 441);
    assert_eq!(world.allocates(&creator), 437);
    assert_eq!(world.refreshes(&creator, 0), 0);
    assert_eq!(world.refreshes(&creator, 600), 437);
    assert_eq!(world.table.counts(world.now).allocations, 1);
}

#[test]
fn an_answer_that_was_lost_is_given_again() {
    let mut world = World::new(RelayLimits::default());
    let client = world.client("1.2.3.4:1000", MEETING, Role::Creator);
    let request =
        world.request(&client, method::ALLOCATE, |b| b.attribute(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]));
    world.sends(client.address, &request);
    let first = world.out.clone();
    world.sends(client.address, &request);
    assert_eq!(world.out, first);
}

#[test]
fn what_isnt_served_is_said() {
    let mut world = World::new(RelayLimits::default());
    let client = world.client("1.2.3.4:1000", MEETING, Role::Creator);
    let transport = |builder: Builder, value: &[u8]| builder.attribute(attribute::REQUESTED_TRANSPORT, value);
    assert_eq!(world.asks(&client, method::ALLOCATE, |b| b), 400);
    assert_eq!(world.asks(&client, method::ALLOCATE, |b| transport(b, &[6, 0, 0, 0])), 442);
    let ipv6 = |b| transport(b, &[17, 0, 0, 0]).attribute(attribute::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    assert_eq!(world.asks(&client, method::ALLOCATE, ipv6), 440);
    let reserving = |b| transport(b, &[17, 0, 0, 0]).attribute(attribute::EVEN_PORT, &[0x80]);
    assert_eq!(world.asks(&client, method::ALLOCATE, reserving), 508);
    // DONT-FRAGMENT.
    assert_eq!(world.asks(&client, method::ALLOCATE, |b| b.attribute(0x001A, &[])), 420);
    assert_eq!(Message::parse(&world.out).unwrap().attribute(attribute::UNKNOWN_ATTRIBUTES), Some(&[0, 0x1A][..]));
    assert_eq!(world.table.counts(world.now).allocations, 0);
    let even = |b| transport(b, &[17, 0, 0, 0]).attribute(attribute::EVEN_PORT, &[0]);
    assert_eq!(world.asks(&client, method::ALLOCATE, even), 0);
    assert_eq!(world.relayed().port() % 2, 0);
}

#[test]
fn quotas_hold_per_side_and_per_source() {
    let limits = RelayLimits { per_grant: 2, per_source: 3, ..RelayLimits::default() };
    let mut world = World::new(limits);
    let allocate = |world: &mut World, at: &str, meeting: u8, role| {
        let client = world.client(at, [meeting; 16], role);
        world.allocates(&client)
    };
    assert_eq!(allocate(&mut world, "1.1.1.1:1", 1, Role::Creator), 0);
    assert_eq!(allocate(&mut world, "1.1.1.2:2", 1, Role::Creator), 0);
    assert_eq!(allocate(&mut world, "1.1.1.3:3", 1, Role::Creator), 486);
    assert_eq!(allocate(&mut world, "1.1.1.1:3", 1, Role::Joiner), 0);
    assert_eq!(allocate(&mut world, "1.1.1.1:4", 2, Role::Joiner), 0);
    assert_eq!(allocate(&mut world, "1.1.1.1:5", 3, Role::Joiner), 486);
    world.later(601);
    assert_eq!(allocate(&mut world, "1.1.1.1:5", 3, Role::Joiner), 0, "what has lapsed doesn't count");
}

#[test]
fn a_source_of_ipv6_is_a_64() {
    let mut world = World::new(RelayLimits { per_source: 2, ..RelayLimits::default() });
    let codes = [1, 2, 3].map(|number| {
        let client = world.client(&format!("[2001:db8:1:2::{number}]:1"), [number; 16], Role::Creator);
        world.allocates(&client)
    });
    assert_eq!(codes, [0, 0, 486]);
    let elsewhere = world.client("[2001:db8:1:3::1]:1", [4; 16], Role::Creator);
    assert_eq!(world.allocates(&elsewhere), 0);
}

#[test]
fn lifetimes_are_bounded_on_both_sides() {
    let mut world = World::new(RelayLimits::default());
    let (creator, from_creator, ..) = two(&mut world);
    let lifetime = |world: &World| Message::parse(&world.out).unwrap().number(attribute::LIFETIME).unwrap();
    assert_eq!(world.refreshes(&creator, 1), 0);
    assert_eq!(lifetime(&world), 600);
    assert_eq!(world.refreshes(&creator, 999_999), 0);
    assert_eq!(lifetime(&world), 3600);
    // Its credential has expired since, and the call goes on, with a new nonce and for twelve hours in all.
    let mut creator = creator;
    for _ in 0..12 {
        world.later(3590);
        world.greet_again(&mut creator);
        assert_eq!(world.refreshes(&creator, 3600), 0);
    }
    assert!(lifetime(&world) < 300);
    world.later(300);
    let peer = address(PUBLIC_PEER);
    assert_eq!(world.table.from_peer(world.now, from_creator.port(), peer, b"x", &mut world.out), None);
    world.sends(creator.address, b"");
    assert_eq!(world.table.counts(world.now).allocations, 0);
}

impl World {
    fn greet_again(&mut self, client: &mut Client) {
        let request = Builder::new(Class::Request, method::REFRESH, &[0; 12]).unsigned();
        self.sends(client.address, &request);
        client.nonce = Message::parse(&self.out).unwrap().text(attribute::NONCE).unwrap().to_owned();
    }
}

#[test]
fn permissions_and_channels_run_out() {
    let mut world = World::new(RelayLimits::default());
    let (creator, ..) = two(&mut world);
    let peer = address(PUBLIC_PEER);
    assert_eq!(world.binds(&creator, 0x4000, peer), 0);
    assert_eq!(world.binds(&creator, 0x4001, peer), 400, "one channel for a peer");
    assert_eq!(world.binds(&creator, 0x4000, address("93.184.215.15:1")), 400, "one peer for a channel");
    assert_eq!(world.binds(&creator, 0x8000, address("93.184.215.15:1")), 400);
    world.later(301);
    assert_eq!(world.sends(creator.address, &[0x40, 0, 0, 1, 7]), Sent::Nothing, "the permission is over first");
    assert_eq!(world.permits(&creator, peer), 0);
    assert!(matches!(world.sends(creator.address, &[0x40, 0, 0, 1, 7]), Sent::ToPeer(..)));
    for n in 0..80 {
        world.permits(&creator, SocketAddr::new(Ipv4Addr::new(8, 8, 4, n).into(), 1));
    }
    assert_eq!(world.permits(&creator, address("8.8.8.8:1")), 508);
}

#[test]
fn an_allocation_has_its_share_of_the_line() {
    let mut world = World::new(RelayLimits { bytes_per_second: 2000, ..RelayLimits::default() });
    let (creator, ..) = two(&mut world);
    let peer = address(PUBLIC_PEER);
    world.permits(&creator, peer);
    let passed =
        |world: &mut World| (0..10).filter(|_| world.indicates(&creator, peer, &[0; 500]) != Sent::Nothing).count();
    assert_eq!(passed(&mut world), 4);
    world.later(1);
    assert_eq!(passed(&mut world), 4);
}

#[test]
fn a_flood_is_answered_a_little() {
    let mut world = World::new(RelayLimits { unsigned_answers: 10, ..RelayLimits::default() });
    let request = Builder::new(Class::Request, method::ALLOCATE, &[0; 12]).unsigned();
    let victim = address("1.2.3.4:5");
    let answered = (0..100).filter(|_| world.sends(victim, &request) != Sent::Nothing).count();
    assert_eq!(answered, 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a stranger sends, and whatever a client with a right credential asks, nothing goes to a refused address.
    #[test]
    fn nothing_private_is_reached(
        steps in proptest::collection::vec((0u8..5, any::<u32>(), any::<u16>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..30),
    ) {
        let mut world = World::new(RelayLimits::default());
        let (creator, _, _, from_joiner) = two(&mut world);
        for (step, ip, port, data) in steps {
            let peer = SocketAddr::new(Ipv4Addr::from_bits(if port % 3 == 0 { ip & 0xFF | 0x0A00_0000 } else { ip }).into(), port);
            let peer = if port % 7 == 0 { SocketAddr::new(from_joiner.ip(), port) } else { peer };
            let sent = match step {
                0 => { world.permits(&creator, peer); Sent::Nothing }
                1 => { world.binds(&creator, 0x4000 | port & 0xFF, peer); Sent::Nothing }
                2 => world.indicates(&creator, peer, &data),
                3 => world.sends(creator.address, &[&[0x40, port as u8, 0, 1], &data[..]].concat()),
                _ => world.sends(creator.address, &data),
            };
            if let Sent::ToPeer(_, peer, _) = sent {
                prop_assert!(is_public(peer.ip()) || peer.ip().to_string().starts_with("10.9."), "{}", peer);
            }
        }
    }
}
