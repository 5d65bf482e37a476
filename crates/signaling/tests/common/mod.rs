//! A server's rooms and any number of clients in virtual time, over sockets that can be lost at any point.

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use visavis_signaling::Nameplate;
use visavis_signaling::client::{Client, ClientEvent, ClientInput, ClientOutput, Intent};
use visavis_signaling::message::{ClientMessage, ServerMessage};
use visavis_signaling::random::SplitMix;
use visavis_signaling::server::{ConnectionId, Introductions, Limits, Record, Records, Rooms, RoomsInput, RoomsOutput};
use visavis_signaling::token::TokenKey;

/// One way from client to server.
pub const LATENCY: Duration = Duration::from_millis(20);

/// What a party does by itself when it is told something.
pub type Script = fn(&ClientEvent) -> Vec<ClientInput>;

pub struct Party {
    pub client: Client,
    pub events: Vec<ClientEvent>,
    /// Whether its attempts to connect succeed.
    pub reachable: bool,
    /// Whether its present socket has silently stopped to bring anything.
    pub deaf: bool,
    pub socket: Option<ConnectionId>,
    script: Script,
}

#[derive(Debug)]
enum Packet {
    Opened(ConnectionId),
    ToServer(ConnectionId, String),
    ToClient(ConnectionId, String),
    ClosedByServer(ConnectionId),
    ClosedByClient(ConnectionId),
    Unreachable(usize),
}

pub struct World {
    pub now: Instant,
    pub rooms: Rooms,
    pub parties: Vec<Party>,
    /// What a connection without a client has received.
    pub raw: BTreeMap<ConnectionId, Vec<ServerMessage>>,
    /// Raw connections that the server closed.
    pub closed: Vec<ConnectionId>,
    wire: BTreeMap<(Instant, u64), Packet>,
    owners: BTreeMap<ConnectionId, usize>,
    next_connection: u64,
    next_packet: u64,
    /// Frames that have arrived anywhere.
    pub arrivals: usize,
    /// After how many arrivals which party loses its socket, and whether the server notices.
    pub cuts: Vec<(usize, usize, bool)>,
    /// After how many arrivals the server crashes and is there again.
    pub restarts: Vec<usize>,
    /// What outlives the server.
    pub kept: Kept,
    /// Where its clients are, if it counts by that.
    pub source: Option<IpAddr>,
    started: Instant,
    restarted: u64,
}

/// What a server keeps on its disk.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<Record>>>);

impl Records for Kept {
    fn keep(&mut self, record: &Record, _: &Nameplate) {
        self.0.lock().unwrap().push(*record);
    }
}

impl Kept {
    pub fn all(&self) -> Vec<Record> {
        self.0.lock().unwrap().clone()
    }

    /// The disk is lost.
    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

fn rooms(now: Instant, time: Duration, limits: Limits, kept: &Kept, seed: u64) -> Rooms {
    let (unix, random) = (Duration::from_secs(1_800_000_000) + time, Box::new(SplitMix::new(seed)));
    let rooms = Rooms::new(now, unix, limits, TokenKey::new([3; 32]), random);
    rooms.with_records(Box::new(kept.clone()), kept.all())
}

pub fn silent(_: &ClientEvent) -> Vec<ClientInput> {
    Vec::new()
}

impl World {
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        // The one clock reading of a test: everything after it is virtual.
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let now = Instant::now();
        let kept = Kept::default();
        Self {
            now,
            rooms: rooms(now, Duration::ZERO, limits, &kept, 1),
            parties: Vec::new(),
            raw: BTreeMap::new(),
            closed: Vec::new(),
            wire: BTreeMap::new(),
            owners: BTreeMap::new(),
            next_connection: 0,
            next_packet: 0,
            arrivals: 0,
            cuts: Vec::new(),
            restarts: Vec::new(),
            kept,
            source: None,
            started: now,
            restarted: 0,
        }
    }

    /// The server crashes and is there again, with its key and its records and nothing else.
    pub fn restart(&mut self) {
        self.restarted += 1;
        let time = self.now - self.started;
        self.rooms = rooms(self.now, time, Limits::default(), &self.kept, 1 + self.restarted);
        self.raw.clear();
        for party in 0..self.parties.len() {
            self.cut(party, false);
        }
    }

    pub fn with_introductions(limits: Limits, introductions: Box<dyn Introductions>) -> Self {
        Self::with_limits(limits).introducing(introductions)
    }

    /// From now on, and until a restart.
    pub fn introducing(self, introductions: Box<dyn Introductions>) -> Self {
        Self { rooms: self.rooms.with_introductions(introductions), ..self }
    }

    pub fn add(&mut self, intent: Intent, script: Script) -> usize {
        let seed = self.parties.len() as u64;
        let client = Client::new(self.now, intent, seed);
        self.parties.push(Party { client, events: Vec::new(), reachable: true, deaf: false, socket: None, script });
        self.drain(self.parties.len() - 1);
        self.parties.len() - 1
    }

    /// A creator whose room is there, and its nameplate.
    pub fn creator(&mut self, script: Script) -> (usize, Nameplate) {
        let creator = self.add(Intent::Create, script);
        self.run_for(Duration::from_secs(1));
        (creator, self.nameplate(creator))
    }

    pub fn nameplate(&self, party: usize) -> Nameplate {
        let created = |event: &ClientEvent| match event {
            ClientEvent::Created { nameplate } => Some(nameplate.clone()),
            _ => None,
        };
        self.parties[party].events.iter().find_map(created).unwrap()
    }

    pub fn input(&mut self, party: usize, input: ClientInput) {
        self.parties[party].client.handle_input(self.now, input);
        self.drain(party);
    }

    pub fn relayed(&self, party: usize) -> Vec<String> {
        let body = |event: &ClientEvent| match event {
            ClientEvent::Relayed(body) => Some(body.clone()),
            _ => None,
        };
        self.parties[party].events.iter().filter_map(body).collect()
    }

    pub fn count(&self, party: usize, wanted: impl Fn(&ClientEvent) -> bool) -> usize {
        self.parties[party].events.iter().filter(|event| wanted(event)).count()
    }

    /// A connection that says what a test wants it to say.
    pub fn raw_connection(&mut self) -> ConnectionId {
        let id = self.new_connection();
        self.raw.insert(id, Vec::new());
        self.rooms.handle_input(self.now, RoomsInput::Opened(id));
        self.drain_rooms();
        id
    }

    /// One from that address.
    pub fn raw_connection_from(&mut self, address: IpAddr) -> ConnectionId {
        let id = self.new_connection();
        self.raw.insert(id, Vec::new());
        self.rooms.handle_input(self.now, RoomsInput::OpenedFrom(id, address));
        self.drain_rooms();
        id
    }

    pub fn raw_close(&mut self, id: ConnectionId) {
        self.rooms.handle_input(self.now, RoomsInput::Closed(id));
        self.drain_rooms();
    }

    pub fn raw_send(&mut self, id: ConnectionId, text: &str) {
        self.rooms.handle_input(self.now, RoomsInput::Text(id, text.to_owned()));
        self.drain_rooms();
    }

    /// A raw connection that has been welcomed; the token it got.
    pub fn raw_hello(&mut self) -> (ConnectionId, String) {
        let id = self.raw_connection();
        let hello = ClientMessage::Hello { version: 1, features: vec![], resume: None };
        self.raw_send(id, &hello.to_json());
        match self.raw[&id].last() {
            Some(ServerMessage::Welcome { token, .. }) => (id, token.clone()),
            other => panic!("no welcome but {other:?}"),
        }
    }

    fn new_connection(&mut self) -> ConnectionId {
        self.next_connection += 1;
        ConnectionId(self.next_connection)
    }

    fn post(&mut self, delay: Duration, packet: Packet) {
        self.next_packet += 1;
        self.wire.insert((self.now + delay, self.next_packet), packet);
    }

    pub fn drain(&mut self, party: usize) {
        while let Some(output) = self.parties[party].client.poll_output() {
            match output {
                ClientOutput::Connect if self.parties[party].reachable => {
                    let id = self.new_connection();
                    self.owners.insert(id, party);
                    self.parties[party].socket = Some(id);
                    self.parties[party].deaf = false;
                    self.post(LATENCY, Packet::Opened(id));
                }
                ClientOutput::Connect => self.post(LATENCY, Packet::Unreachable(party)),
                ClientOutput::Send(text) => {
                    let id = self.parties[party].socket.unwrap();
                    self.post(LATENCY, Packet::ToServer(id, text));
                }
                ClientOutput::Disconnect => {
                    let id = self.parties[party].socket.take().unwrap();
                    self.post(LATENCY, Packet::ClosedByClient(id));
                }
                ClientOutput::Event(event) => {
                    let inputs = (self.parties[party].script)(&event);
                    self.parties[party].events.push(event);
                    for input in inputs {
                        self.parties[party].client.handle_input(self.now, input);
                    }
                }
            }
        }
    }

    pub fn drain_rooms(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            match output {
                RoomsOutput::Send(id, text) => match self.raw.get_mut(&id) {
                    Some(received) => received.push(ServerMessage::parse(&text).unwrap()),
                    None => self.post(LATENCY, Packet::ToClient(id, text)),
                },
                RoomsOutput::Close(id, _) if self.raw.contains_key(&id) => self.closed.push(id),
                RoomsOutput::Close(id, _) => self.post(LATENCY, Packet::ClosedByServer(id)),
                RoomsOutput::Move(moved) => panic!("a server that is alone moves nobody: {moved:?}"),
            }
        }
    }

    /// The party's socket is gone, with everything on its way. The server may learn of it only by silence.
    pub fn cut(&mut self, party: usize, server_notices: bool) {
        let Some(id) = self.parties[party].socket.take() else { return };
        self.wire.retain(|_, packet| match packet {
            Packet::Opened(other)
            | Packet::ToServer(other, _)
            | Packet::ToClient(other, _)
            | Packet::ClosedByServer(other)
            | Packet::ClosedByClient(other) => *other != id,
            Packet::Unreachable(_) => true,
        });
        self.owners.remove(&id);
        if server_notices {
            self.rooms.handle_input(self.now, RoomsInput::Closed(id));
            self.drain_rooms();
        }
        self.input(party, ClientInput::SocketClosed { reason: "cut".into() });
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn next_moment(&self) -> Option<Instant> {
        let wire = self.wire.first_key_value().map(|((at, _), _)| *at);
        let clients = self.parties.iter().filter_map(|party| party.client.poll_timeout());
        wire.into_iter().chain(self.rooms.poll_timeout()).chain(clients).min()
    }

    fn step(&mut self) {
        let due = self.wire.first_key_value().is_some_and(|((at, _), _)| *at <= self.now);
        if due && let Some((_, packet)) = self.wire.pop_first() {
            self.deliver(packet);
            self.arrivals += 1;
            let arrivals = self.arrivals;
            for (_, party, notices) in self.cuts.clone().into_iter().filter(|(after, ..)| *after == arrivals) {
                self.cut(party, notices);
            }
            if self.restarts.contains(&arrivals) {
                self.restart();
            }
            return;
        }
        self.rooms.handle_timeout(self.now);
        self.drain_rooms();
        for party in 0..self.parties.len() {
            self.parties[party].client.handle_timeout(self.now);
            self.drain(party);
        }
    }

    fn deliver(&mut self, packet: Packet) {
        match packet {
            Packet::Opened(id) => {
                let opened = match self.source {
                    Some(address) => RoomsInput::OpenedFrom(id, address),
                    None => RoomsInput::Opened(id),
                };
                self.rooms.handle_input(self.now, opened);
                self.drain_rooms();
                self.reach_client(id, ClientInput::SocketOpened);
            }
            Packet::ToServer(id, text) => {
                self.rooms.handle_input(self.now, RoomsInput::Text(id, text));
                self.drain_rooms();
            }
            Packet::ToClient(id, text) => self.reach_client(id, ClientInput::SocketText(text)),
            Packet::ClosedByServer(id) => {
                let owner = self.owners.get(&id).copied().filter(|owner| self.parties[*owner].socket == Some(id));
                if let Some(owner) = owner {
                    self.parties[owner].socket = None;
                    self.input(owner, ClientInput::SocketClosed { reason: "closed by the server".into() });
                }
            }
            Packet::ClosedByClient(id) => {
                self.rooms.handle_input(self.now, RoomsInput::Closed(id));
                self.drain_rooms();
            }
            Packet::Unreachable(party) => {
                self.input(party, ClientInput::SocketClosed { reason: "connection refused".into() });
            }
        }
    }

    fn reach_client(&mut self, id: ConnectionId, input: ClientInput) {
        if let Some(owner) = self.owners.get(&id).copied()
            && self.parties[owner].socket == Some(id)
            && !self.parties[owner].deaf
        {
            self.input(owner, input);
        }
    }
}

/// A creator that answers the first body with an offer and candidates and accepts the answer.
pub fn creator_script(event: &ClientEvent) -> Vec<ClientInput> {
    match event {
        ClientEvent::Relayed(body) if body == "knock" => {
            let bodies = ["offer", "c1", "c2", "c3"];
            bodies.into_iter().map(|body| ClientInput::Relay(body.into())).collect()
        }
        ClientEvent::Relayed(body) if body == "answer" => vec![ClientInput::Confirm],
        ClientEvent::Confirmed => vec![ClientInput::Relay("c-last".into())],
        _ => Vec::new(),
    }
}

/// A joiner that goes with it.
pub fn joiner_script(event: &ClientEvent) -> Vec<ClientInput> {
    match event {
        ClientEvent::Knocked => vec![ClientInput::Relay("knock".into())],
        ClientEvent::Relayed(body) if body == "offer" => {
            let bodies = ["answer", "j1", "j2"];
            let mut inputs: Vec<_> = bodies.into_iter().map(|body| ClientInput::Relay(body.into())).collect();
            inputs.insert(1, ClientInput::Confirm);
            inputs
        }
        ClientEvent::Confirmed => vec![ClientInput::Relay("j-last".into())],
        _ => Vec::new(),
    }
}

/// What the creator of such a call receives.
pub const TO_CREATOR: [&str; 5] = ["knock", "answer", "j1", "j2", "j-last"];
/// What its joiner receives.
pub const TO_JOINER: [&str; 5] = ["offer", "c1", "c2", "c3", "c-last"];
