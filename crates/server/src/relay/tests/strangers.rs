//! Somebody who doesn't know the words, with the rooms and the relay of one server: it is served where somebody waits as where the
//! server plays the creator, answer for answer, reaches nobody, and takes no place from a call.

use visavis_signaling::message::{ICE_SERVERS, ServerMessage};
use visavis_signaling::random::SplitMix;
use visavis_signaling::server::{ConnectionId, Limits, Rooms, RoomsInput, RoomsOutput};
use visavis_signaling::token::TokenKey;
use visavis_signaling::{ClientMessage, Nameplate};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
/// How long a credential is good: less than a room waits.
const CREDENTIAL: Duration = Duration::from_secs(600);
/// The stranger's own, in the public Internet.
const ACCOMPLICE: &str = "93.184.215.14:40000";

/// A server with both, and who talks to it.
struct Server {
    relay: World,
    rooms: Rooms,
    heard: Vec<Vec<ServerMessage>>,
    /// The creator that is there, and what its app has allocated.
    creator: Option<usize>,
    target: Nameplate,
    /// What the stranger got to see of the relay.
    seen: Vec<String>,
    sockets: u16,
}

impl Server {
    /// With somebody who waits, or nobody.
    fn new(somebody: bool, limits: RelayLimits) -> Self {
        let relay = World::new(limits);
        let key = TokenKey::new([5; TokenKey::BYTES]);
        let unix_time = Duration::from_secs(1_000_000);
        let rooms = Rooms::new(relay.now, unix_time, Limits::default(), key, Box::new(SplitMix::new(7)));
        let introductions = Issuer { lifetime: CREDENTIAL, ..issuer(relay.issuer.live.clone()) };
        let rooms = rooms.with_introductions(Box::new(introductions));
        let target = Nameplate::new("482713").unwrap();
        let mut server = Self { relay, rooms, heard: Vec::new(), creator: None, target, seen: Vec::new(), sockets: 0 };
        if somebody {
            (server.target, server.creator) = server.creates();
        }
        server
    }

    fn creates(&mut self) -> (Nameplate, Option<usize>) {
        let creator = self.connects();
        self.says(creator, &ClientMessage::Create);
        let Some(ServerMessage::Created { nameplate }) = self.heard[creator].last().cloned() else { panic!("no room") };
        (nameplate, Some(creator))
    }

    fn connects(&mut self) -> usize {
        let number = self.heard.len();
        self.heard.push(Vec::new());
        self.rooms.handle_input(self.relay.now, RoomsInput::Opened(ConnectionId(number as u64)));
        let hello = ClientMessage::Hello { version: 1, features: vec![ICE_SERVERS.into()], resume: None };
        self.says(number, &hello);
        number
    }

    fn says(&mut self, socket: usize, message: &ClientMessage) {
        let input = RoomsInput::Text(ConnectionId(socket as u64), message.to_json());
        self.rooms.handle_input(self.relay.now, input);
        self.hear();
    }

    fn closes(&mut self, socket: usize) {
        self.rooms.handle_input(self.relay.now, RoomsInput::Closed(ConnectionId(socket as u64)));
        self.hear();
    }

    fn hear(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            if let RoomsOutput::Send(to, text) = output {
                self.heard[to.0 as usize].push(ServerMessage::parse(&text).unwrap());
            }
        }
    }

    /// Time goes by, and those who are connected stay so.
    fn pass(&mut self, time: Duration) {
        let end = self.relay.now + time;
        while self.relay.now < end {
            self.relay.now += SECOND.min(end - self.relay.now);
            self.rooms.handle_timeout(self.relay.now);
            self.hear();
            for socket in 0..self.heard.len() {
                self.says(socket, &ClientMessage::Ping);
            }
        }
    }

    /// What a socket was given last.
    fn given(&self, socket: usize) -> Vec<IceServer> {
        let servers = |message: &ServerMessage| {
            if let ServerMessage::IceServers { servers, .. } = message { Some(servers.clone()) } else { None }
        };
        self.heard[socket].iter().rev().find_map(servers).unwrap()
    }

    /// A client of the relay at a socket of its own, with what it was given over signalling.
    fn relays_with(&mut self, servers: Vec<IceServer>, ip: [u8; 4]) -> Client {
        self.sockets += 1;
        self.relay.client_with(SocketAddr::from((ip, 1000 + self.sockets)), servers)
    }

    /// Knocks. If somebody waits there, their app does what apps do when somebody knocks: it allocates.
    fn knocks(&mut self) -> (usize, Client) {
        let stranger = self.connects();
        self.says(stranger, &ClientMessage::Knock { nameplate: self.target.clone() });
        if let Some(creator) = self.creator {
            let numbers = (self.sockets, self.relay.transactions);
            let client = self.relays_with(self.given(creator), [1, 1, 1, 1]);
            assert_eq!(self.relay.allocates(&client), 0);
            (self.sockets, self.relay.transactions) = numbers;
        }
        let client = self.relays_with(self.given(stranger), [6, 6, 6, 6]);
        (stranger, client)
    }

    /// Sends a datagram and takes down what becomes of it, but for what is drawn.
    fn tries(&mut self, client: &Client, datagram: &[u8]) -> u16 {
        let sent = self.relay.sends(client.address, datagram);
        let code = Message::parse(&self.relay.out).filter(|_| sent != Sent::Nothing).map(|answer| error(&answer));
        let answer = if sent == Sent::Nothing { String::new() } else { without_what_is_drawn(&self.relay.out) };
        self.seen.push(format!("{sent:?} {answer}"));
        code.unwrap_or(u16::MAX)
    }

    fn asks(&mut self, client: &Client, method: u16, fill: impl FnOnce(Builder) -> Builder) -> u16 {
        let request = self.relay.request(client, method, fill);
        self.tries(client, &request);
        // As it is repeated where the answer was lost.
        self.tries(client, &request)
    }

    fn allocates(&mut self, client: &Client) -> u16 {
        self.asks(client, method::ALLOCATE, |b| b.attribute(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]))
    }

    fn refreshes(&mut self, client: &Client, seconds: u32) -> u16 {
        self.asks(client, method::REFRESH, |b| b.attribute(attribute::LIFETIME, &seconds.to_be_bytes()))
    }

    fn permits(&mut self, client: &Client, peer: SocketAddr) -> u16 {
        self.asks(client, method::CREATE_PERMISSION, |b| b.address(attribute::XOR_PEER_ADDRESS, peer))
    }

    fn binds(&mut self, client: &Client, channel: u16, peer: SocketAddr) -> u16 {
        let [high, low] = channel.to_be_bytes();
        self.asks(client, method::CHANNEL_BIND, |b| {
            b.attribute(attribute::CHANNEL_NUMBER, &[high, low, 0, 0]).address(attribute::XOR_PEER_ADDRESS, peer)
        })
    }

    /// Tries all ways to get something through, to everybody whom it may name.
    fn sends_everywhere(&mut self, client: &Client, port: u16) {
        for peer in everybody() {
            let indication = Builder::new(Class::Indication, method::SEND, &[9; 12])
                .address(attribute::XOR_PEER_ADDRESS, peer)
                .attribute(attribute::DATA, b"is somebody there?")
                .unsigned();
            self.tries(client, &indication);
            let to = self.relay.table.from_peer(self.relay.now, port, peer, b"here", &mut self.relay.out);
            self.seen.push(format!("{peer}: {to:?}"));
        }
        for channel in 0x4000..0x4010_u16 {
            let [high, low] = channel.to_be_bytes();
            self.tries(client, &[high, low, 0, 1, 7]);
        }
    }

    /// Everything that TURN has, with one allocation.
    fn goes_through_all(&mut self, client: &Client) {
        let code = self.allocates(client);
        let port = if code == 0 { self.relay.relayed().port() } else { 0 };
        self.sends_everywhere(client, port);
        for (channel, peer) in (0x4000..).zip(everybody()) {
            self.permits(client, peer);
            self.binds(client, channel, peer);
        }
        self.sends_everywhere(client, port);
        self.refreshes(client, 1);
        self.refreshes(client, 9999);
    }
}

/// Outside, where the accomplice is; within; and the relay itself, where allocations are and where there are none.
fn everybody() -> Vec<SocketAddr> {
    let elsewhere = [ACCOMPLICE, "93.184.215.15:1", "10.0.0.1:80", "10.9.0.1:80", "[2606:4700::1111]:1"].map(address);
    elsewhere.into_iter().chain((1000..1008).map(|port| SocketAddr::new(RELAY, port))).collect()
}

/// The bytes without the signature, which is made with a password that is drawn, and the port that was free.
fn without_what_is_drawn(message: &[u8]) -> String {
    let (mut bytes, mut at) = (message.to_vec(), 20);
    while let Some([high, low, length_high, length_low]) = bytes.get(at..at + 4) {
        let kind = u16::from_be_bytes([*high, *low]);
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        match kind {
            attribute::MESSAGE_INTEGRITY => bytes[at + 4..at + 4 + length].fill(0),
            attribute::XOR_RELAYED_ADDRESS => bytes[at + 6..at + 8].fill(0),
            _ => {}
        }
        at += 4 + length.next_multiple_of(4);
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same script where somebody waits and where nobody does.
fn same(limits: &RelayLimits, script: impl Fn(&mut Server)) -> Vec<String> {
    let [real, played] = [true, false].map(|somebody| {
        let mut server = Server::new(somebody, limits.clone());
        script(&mut server);
        assert_eq!(server.relay.table.counts(server.relay.now).relayed, 0);
        server.seen
    });
    assert_eq!(real, played);
    assert!(
        !played.iter().any(|seen| seen.contains("ToPeer") || seen.contains("Some(")),
        "something passes: {played:?}"
    );
    played
}

#[test]
fn the_relay_says_the_same_where_nobody_waits() {
    let seen = same(&RelayLimits::default(), |server| {
        let (stranger, client) = server.knocks();
        server.goes_through_all(&client);
        let second = server.relays_with(server.given(stranger), [6, 6, 6, 7]);
        server.goes_through_all(&second);
        server.says(stranger, &ClientMessage::Confirmed { exchange: 1 });
        server.pass(9 * SECOND);
        server.goes_through_all(&client);
        assert_eq!(server.refreshes(&client, 600), 0, "it is there for as long as the meeting");
    });
    assert!(seen.len() > 400);
}

/// A pair's packets do pass, by the same script: it would see if they did.
#[test]
fn of_a_pair_the_script_sees_packets() {
    let mut server = Server::new(true, RelayLimits::default());
    let (stranger, client) = server.knocks();
    for socket in [stranger, server.creator.unwrap()] {
        server.says(socket, &ClientMessage::Confirmed { exchange: 1 });
    }
    server.goes_through_all(&client);
    let seen = |what: &str| server.seen.iter().any(|seen| seen.contains(what));
    assert!(seen("ToPeer") && seen("Some("), "{:?}", server.seen);
    server.says(stranger, &ClientMessage::Leave { reason: "hung-up".into() });
    server.pass(60 * SECOND);
    assert_eq!(server.refreshes(&client, 600), 0, "a call outlives its room");
    assert!(matches!(server.relay.indicates(&client, address(ACCOMPLICE), b"x"), Sent::ToPeer(..)));
}

#[test]
fn it_ends_at_the_same_time() {
    let ends: [fn(&mut Server, usize); 3] = [
        |server, stranger| server.says(stranger, &ClientMessage::Leave { reason: "wrong-words".into() }),
        |server, stranger| {
            server.closes(stranger);
            server.pass(Limits::default().exchange - SECOND);
        },
        |server, _| server.pass(Limits::default().exchange - SECOND),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        same(&RelayLimits::default(), |server| {
            let (stranger, mut client) = server.knocks();
            assert_eq!(server.allocates(&client), 0);
            end(server, stranger);
            assert_eq!(server.refreshes(&client, 600), if number == 0 { 437 } else { 0 });
            server.pass(SECOND);
            assert_eq!(server.refreshes(&client, 600), 437, "nobody holds what is of no use");
            server.goes_through_all(&client);
            assert_eq!(server.allocates(&client), 403);
            server.pass(CREDENTIAL);
            server.relay.greet_again(&mut client);
            assert_eq!(server.allocates(&client), 401, "the credential has run out");
            let (_, next) = server.knocks();
            server.goes_through_all(&next);
        });
    }
}

#[test]
fn quotas_are_the_same() {
    for (per_grant, per_source) in [(3, 9), (9, 3)] {
        same(&RelayLimits { per_grant, per_source, ..RelayLimits::default() }, |server| {
            for _ in 0..2 {
                let (stranger, client) = server.knocks();
                assert_eq!(server.allocates(&client), 0);
                let more = [[6, 6, 6, 6]; 3].map(|ip| server.relays_with(server.given(stranger), ip));
                assert_eq!(more.map(|client| server.allocates(&client)), [0, 0, 486]);
                server.says(stranger, &ClientMessage::Leave { reason: "left".into() });
            }
        });
    }
}

/// Neither by one's own two allocations, nor by those of two who both are with played creators.
#[test]
fn nothing_passes_between_strangers() {
    let mut server = Server::new(false, RelayLimits::default());
    let (stranger, first) = server.knocks();
    let second = server.relays_with(server.given(stranger), [6, 6, 6, 7]);
    server.target = Nameplate::new("482714").unwrap();
    let (_, third) = server.knocks();
    let clients = [first, second, third];
    let ports = [0, 1, 2].map(|number| {
        assert_eq!(server.relay.allocates(&clients[number]), 0);
        server.relay.relayed()
    });
    for client in &clients {
        for (channel, peer) in (0x4000..).zip(ports) {
            assert_eq!(server.relay.binds(client, channel, peer), 0);
        }
    }
    for client in &clients {
        for (channel, peer) in (0..).zip(ports) {
            assert_eq!(server.relay.indicates(client, peer, b"x"), Sent::Nothing);
            assert_eq!(server.relay.sends(client.address, &[0x40, channel, 0, 1, 7]), Sent::Nothing);
        }
    }
    let counts = server.relay.table.counts(server.relay.now);
    assert_eq!((counts.relayed, counts.allocations, counts.of_pairs, counts.unpaired), (0, 3, 0, 18));
}

/// Another one of a flood: at an empty number, from one of four addresses, with several allocations.
fn floods(server: &mut Server) {
    let number = server.heard.len();
    server.target = Nameplate::new(&format!("{number:06}")).unwrap();
    let stranger = server.connects();
    server.says(stranger, &ClientMessage::Knock { nameplate: server.target.clone() });
    for _ in 0..4 {
        let client = server.relays_with(server.given(stranger), [7, 7, 7, number as u8 % 4]);
        server.relay.allocates(&client);
    }
}

/// Creates, knocks, allocates, and confirms in the end.
fn calls(server: &mut Server, between: impl Fn(&mut Server)) -> [Client; 2] {
    let (nameplate, creator) = server.creates();
    let joiner = server.connects();
    server.says(joiner, &ClientMessage::Knock { nameplate });
    let sockets = [creator.unwrap(), joiner];
    let clients = [(sockets[0], 1), (sockets[1], 2)].map(|(socket, ip)| {
        let client = server.relays_with(server.given(socket), [1, 1, 1, ip]);
        assert_eq!(server.relay.allocates(&client), 0, "a call finds a place");
        client
    });
    between(server);
    sockets.iter().for_each(|socket| server.says(*socket, &ClientMessage::Confirmed { exchange: 1 }));
    clients
}

fn talks(server: &mut Server, [creator, joiner]: &[Client; 2]) {
    for client in [creator, joiner] {
        assert_eq!(server.relay.refreshes(client, 600), 0);
        assert_eq!(server.relay.permits(client, address(ACCOMPLICE)), 0);
        assert!(matches!(server.relay.indicates(client, address(ACCOMPLICE), b"x"), Sent::ToPeer(..)));
    }
}

#[test]
fn strangers_push_no_call_out() {
    let mut server = Server::new(false, RelayLimits { allocations: 16, ..RelayLimits::default() });
    let flood = |server: &mut Server| (0..20).for_each(|_| floods(server));
    flood(&mut server);
    let counts = server.relay.table.counts(server.relay.now);
    assert_eq!((counts.allocations, counts.refused.full), (16, 0));
    // Even between its allocations and its confirmation: those give way first who have most.
    let first = calls(&mut server, flood);
    let second = calls(&mut server, |_| {});
    flood(&mut server);
    talks(&mut server, &first);
    talks(&mut server, &second);
    let counts = server.relay.table.counts(server.relay.now);
    assert_eq!((counts.allocations, counts.of_pairs), (16, 4));
    assert!(counts.displaced > 100);
    server.pass(60 * SECOND);
    talks(&mut server, &first);
    assert_eq!(server.relay.table.counts(server.relay.now).allocations, 4, "nothing of the flood stays");
}

/// The same where it is the ports that are few.
#[test]
fn a_port_is_handed_on() {
    let mut server = Server::new(false, RelayLimits::default());
    server.relay.table.ports = FakePorts(59_997);
    floods(&mut server);
    server.pass(SECOND);
    let pair = calls(&mut server, |_| {});
    floods(&mut server);
    talks(&mut server, &pair);
    let counts = server.relay.table.counts(server.relay.now);
    assert_eq!((counts.allocations, counts.of_pairs, counts.displaced, counts.refused.full), (2, 2, 4, 4));
    // Both ports lead to the two now.
    for client in &pair {
        for (channel, port) in [(0, 59_998), (1, 59_999)] {
            assert_eq!(server.relay.binds(client, 0x4000 + channel, SocketAddr::new(RELAY, port)), 0);
        }
    }
    for (client, channel) in pair.iter().flat_map(|client| [(client, 0), (client, 1)]) {
        assert!(matches!(server.relay.sends(client.address, &[0x40, channel, 0, 1, 7]), Sent::ToClient(_)));
    }
}

/// Where calls have every place there is none, for whomever.
#[test]
fn of_calls_the_first_come_first() {
    let mut server = Server::new(false, RelayLimits { allocations: 4, ..RelayLimits::default() });
    let there = [0; 2].map(|_| calls(&mut server, |_| {}));
    floods(&mut server);
    let counts = server.relay.table.counts(server.relay.now);
    assert_eq!((counts.of_pairs, counts.refused.full, counts.displaced), (4, 4, 0));
    there.iter().for_each(|pair| talks(&mut server, pair));
}
