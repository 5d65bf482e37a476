//! The relay: anybody's datagrams, signed requests of those who have met, and what peers send to an allocation.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use visavis_server::relay::{
    Effect, Grant, Meeting, MeetingId, Meetings, PeerFilter, Ports, RelayLimits, Secret, Table, TableConfig,
};
use visavis_signaling::Role;
use visavis_stun::{Builder, Class, Message, attribute, channel_data, long_term_key, method};

use crate::Bytes;

const REALM: &str = "visavis";
const RELAY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const NOW_UNIX: u64 = 1_000_000;
const CLIENTS: usize = 5;
/// The first two are a pair; the third and the fourth have met and aren't, and the last one's meeting is over.
const PAIRED: usize = 2;
const METHODS: [u16; 6] =
    [method::BINDING, method::ALLOCATE, method::REFRESH, method::CREATE_PERMISSION, method::CHANNEL_BIND, method::SEND];
/// Where a client may want to send: outside, another's allocation, this machine, the network behind it.
const PEERS: [&str; 8] = [
    "93.184.215.14:40000",
    "93.184.215.14:40001",
    "198.51.100.7:1001",
    "127.0.0.1:7880",
    "10.1.2.3:22",
    "169.254.169.254:80",
    "[::ffff:127.0.0.1]:7880",
    "[2606:2800:21f::1]:9",
];

struct Numbered(u16);

impl Ports for Numbered {
    type Socket = u16;

    fn open(&mut self, even: bool) -> Option<(u16, u16)> {
        self.0 = self.0.checked_add(if even { 2 - self.0 % 2 } else { 1 })?;
        Some((self.0, self.0))
    }
}

/// Those that go on: of a pair, and of two who have only met. The second one ends on the way.
#[derive(Clone, Default)]
struct Two([Meeting; 2]);

impl Meetings for Two {
    fn find(&self, meeting: MeetingId) -> Option<Meeting> {
        self.0.get(usize::from(meeting[0])).cloned()
    }
}

struct Client {
    address: SocketAddr,
    username: String,
    key: [u8; 16],
    nonce: String,
}

struct Relay {
    now: Instant,
    meetings: Two,
    table: Table<Numbered>,
    clients: Vec<Client>,
    out: Vec<u8>,
    transactions: u8,
}

fn secret() -> Secret {
    Secret::new("a secret")
}

fn filter() -> PeerFilter {
    PeerFilter::new(Vec::new(), vec![RELAY])
}

fn client(number: usize) -> Client {
    let role = if number.is_multiple_of(2) { Role::Creator } else { Role::Joiner };
    let meeting = [(number / PAIRED) as u8; 16];
    let username = Grant { expires: NOW_UNIX + 3600, meeting, role }.username();
    let key = long_term_key(&username, REALM, &secret().password(&username));
    let address = SocketAddr::from(([203, 0, 113, number as u8 + 1], 5000));
    Client { address, username, key, nonce: String::new() }
}

impl Relay {
    fn new() -> Self {
        let config = TableConfig {
            realm: REALM.to_owned(),
            address: RELAY,
            secret: secret(),
            filter: filter(),
            limits: RelayLimits { allocations: 4, per_grant: 2, ..RelayLimits::default() },
            nonce_key: [3; 32],
            unix_time: Duration::from_secs(NOW_UNIX),
        };
        let (now, meetings) = (Instant::now(), Two::default());
        meetings.0[0].pair();
        let table = Table::new(now, config, Numbered(1000), Box::new(meetings.clone()));
        Self { now, meetings, table, clients: (0..CLIENTS).map(client).collect(), out: Vec::new(), transactions: 0 }
    }

    fn say(&mut self, client: usize, datagram: &[u8]) {
        let address = self.clients[client].address;
        match self.table.from_client(self.now, address.into(), datagram, &mut self.out) {
            Effect::Nothing => {}
            Effect::ToClient(to) => {
                let to_pair = self.clients[..PAIRED].iter().any(|client| client.address == to.address);
                let is_answer = to.address == address
                    && Message::parse(&self.out)
                        .is_some_and(|sent| matches!(sent.class, Class::Success | Class::Error));
                assert!(is_answer || (client < PAIRED && to_pair), "something passes that isn't a pair's");
                if let Some(answer) = Message::parse(&self.out)
                    && let Some(nonce) = answer.text(attribute::NONCE)
                    && to.address == address
                {
                    nonce.clone_into(&mut self.clients[client].nonce);
                }
            }
            Effect::ToPeer(_, peer, data) => {
                assert!(client < PAIRED, "it relays for a stranger");
                assert!(filter().allows(peer.ip()), "it sends to {peer}");
                assert!(data.len() <= datagram.len(), "it sends more than it got");
            }
        }
    }

    /// A request (or an indication) with a good signature and whatever the input wants to say in it.
    fn signed(&mut self, input: &mut Bytes<'_>) {
        let number = usize::from(input.byte()) % CLIENTS;
        let what = usize::from(input.byte());
        let class = if what & 0x80 == 0 { Class::Request } else { Class::Indication };
        self.transactions = self.transactions.wrapping_add(1);
        let mut message = Builder::new(class, METHODS[what % METHODS.len()], &[self.transactions; 12]);
        for _ in 0..input.byte() % 8 {
            message = self.attribute(message, input);
        }
        let client = &self.clients[number];
        let message = message
            .attribute(attribute::USERNAME, client.username.as_bytes())
            .attribute(attribute::REALM, REALM.as_bytes())
            .attribute(attribute::NONCE, client.nonce.as_bytes())
            .signed(&client.key);
        self.say(number, &message);
    }

    fn attribute(&self, message: Builder, input: &mut Bytes<'_>) -> Builder {
        match input.byte() % 7 {
            0 => message.address(attribute::XOR_PEER_ADDRESS, peer(input)),
            1 => message.attribute(attribute::CHANNEL_NUMBER, &[input.byte(), input.byte(), 0, 0]),
            2 => message.attribute(attribute::LIFETIME, &input.long().to_be_bytes()),
            3 => message.attribute(attribute::REQUESTED_TRANSPORT, &[input.byte(), 0, 0, 0]),
            4 => message.attribute(attribute::DATA, input.chunk()),
            5 => message.attribute(attribute::EVEN_PORT, &[input.byte()]),
            _ => message.attribute(input.word(), input.chunk()),
        }
    }
}

fn peer(input: &mut Bytes<'_>) -> SocketAddr {
    let number = usize::from(input.byte());
    PEERS[number % PEERS.len()].parse().unwrap_or(SocketAddr::new(RELAY, 9))
}

/// Everything that may come to a relay, from all sides.
pub(crate) fn relay(data: &[u8]) {
    let mut input = Bytes::new(data);
    let mut relay = Relay::new();
    while !input.is_empty() {
        match input.byte() % 6 {
            0 => {
                let number = usize::from(input.byte()) % CLIENTS;
                relay.say(number, input.chunk());
            }
            1 => relay.signed(&mut input),
            2 => {
                let (port, from) = (1000 + u16::from(input.byte() % 8), peer(&mut input));
                let datagram = input.chunk();
                let to = relay.table.from_peer(relay.now, port, from, datagram, &mut relay.out);
                let pair = &relay.clients[..PAIRED];
                assert!(to.is_none() || pair.iter().any(|client| to == Some(client.address.into())));
            }
            3 => {
                let mut framed = Vec::new();
                let (number, channel) = (usize::from(input.byte()) % CLIENTS, input.word());
                channel_data::write(channel, input.chunk(), &mut framed);
                relay.say(number, &framed);
            }
            4 => relay.now += Duration::from_secs(input.word().into()),
            _ => relay.meetings.0[1].end(),
        }
        assert!(relay.table.counts(relay.now).allocations <= 4, "more allocations than it may have");
    }
    relay.now += 2 * RelayLimits::default().longest;
    relay.say(0, &[]);
    assert_eq!(relay.table.counts(relay.now).allocations, 0, "an allocation outlives all its deadlines");
}
