//! Whole calls in virtual time: sessions, the servers' real room machines between them, sockets that can be lost at any
//! point, and peer connections that follow a script.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use visavis_call::{
    CallEvent, CallState, Command, Input, Intent, Output, PeerState, Session, SessionConfig, SocketInput,
    TransportInput,
};
use visavis_signaling::random::SplitMix;
use visavis_signaling::server::{ConnectionId, Limits, Rooms, RoomsInput};
use visavis_signaling::token::TokenKey;
use visavis_signaling::{Body, RoomCode};

use super::attacker::Attacker;
use super::fake_peer::{FakePeer, Pace};
use super::tap::{Taps, number};
use super::wire::Packet;
use super::{config, entropy, origin, reason};

/// One way between a client and a server.
pub const LATENCY: Duration = Duration::from_millis(20);
/// One way between the two.
pub const DIRECT: Duration = Duration::from_millis(30);

pub struct Party {
    pub session: Session,
    pub intent: Intent,
    pub outputs: Vec<Output>,
    pub peer: Option<FakePeer>,
    /// Peer connections that were opened and not closed yet.
    pub open_peers: usize,
    pub pace: Pace,
    /// Whether it reaches any server.
    pub reachable: bool,
    /// Whether the process is there at all.
    pub alive: bool,
    pub(super) servers: Vec<usize>,
    pub(super) socket: Option<(usize, ConnectionId)>,
}

pub struct World {
    pub now: Instant,
    pub servers: Vec<Option<Rooms>>,
    pub parties: Vec<Party>,
    /// Every body that a client sent, in order.
    pub bodies: Vec<(usize, Body)>,
    pub(super) taps: Taps,
    /// What a hostile server does to the bodies on their way.
    pub(super) attacker: Option<Attacker>,
    /// Whether a path between the two can be found, and holds.
    pub path: bool,
    /// Frames that have arrived anywhere.
    pub arrivals: usize,
    /// After how many arrivals which party loses its socket.
    pub cuts: Vec<(usize, usize)>,
    pub(super) wire: BTreeMap<(Instant, u64), Packet>,
    pub(super) owners: BTreeMap<ConnectionId, usize>,
    pub(super) connections: u64,
    pub(super) packets: u64,
}

impl World {
    /// With a server for everybody, which tells nobody what rooms it has.
    pub fn new() -> Self {
        let mut world = Self::with_servers(1);
        world.start_server(0);
        world
    }

    /// With servers of apps, which do tell: somebody looks for a call among them.
    pub fn with_servers(count: usize) -> Self {
        let now = origin();
        let limits = Limits { decoys: 0, ..Limits::default() };
        let key = TokenKey::new([3; 32]);
        let servers = (0..count).map(|n| Some(rooms_of(now, n as u64, limits.clone(), key.clone()))).collect();
        Self {
            now,
            servers,
            parties: Vec::new(),
            bodies: Vec::new(),
            taps: Taps::default(),
            attacker: None,
            path: true,
            arrivals: 0,
            cuts: Vec::new(),
            wire: BTreeMap::new(),
            owners: BTreeMap::new(),
            connections: 0,
            packets: 0,
        }
    }

    /// Creator 0 and joiner 1, connected.
    pub fn connected() -> Self {
        let mut world = Self::new();
        world.create();
        world.join();
        world.run(Duration::from_secs(2));
        assert_eq!(world.names(), ["connected", "connected"]);
        world
    }

    /// The same two, who stay in their room when their call is over.
    pub fn connected_for_more() -> Self {
        let mut world = Self::new();
        world.add_staying(Intent::Create);
        world.run(Duration::from_secs(1));
        let code = world.code();
        world.add_staying(Intent::Join(code));
        world.run(Duration::from_secs(2));
        assert_eq!(world.names(), ["connected", "connected"]);
        world
    }

    pub fn add_staying(&mut self, intent: Intent) {
        let config = config(intent, number(self.parties.len()), 1);
        self.add_with(SessionConfig { stays: true, ..config }, &[0]);
    }

    // ── people ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// Somebody who knows these servers, in this order.
    pub fn add(&mut self, intent: Intent, servers: &[usize]) -> usize {
        let config = config(intent, number(self.parties.len()), servers.len());
        self.add_with(config, servers)
    }

    /// Somebody who searches the local network, and knows these servers in it from the start.
    pub fn search(&mut self, code: RoomCode, servers: &[usize]) -> usize {
        let config = config(Intent::Join(code), number(self.parties.len()), servers.len());
        self.add_with(SessionConfig { nearby: true, search: true, ..config }, servers)
    }

    /// What a search finds.
    pub fn found(&mut self, who: usize, server: usize) {
        self.parties[who].servers.push(server);
        self.input(who, Input::ServerFound);
    }

    fn add_with(&mut self, config: SessionConfig, servers: &[usize]) -> usize {
        let who = self.parties.len();
        let intent = config.intent.clone();
        let session = Session::new(self.now, config, entropy(number(who)));
        self.parties.push(Party {
            session,
            intent,
            outputs: Vec::new(),
            peer: None,
            open_peers: 0,
            pace: Pace::default(),
            reachable: true,
            alive: true,
            servers: servers.to_vec(),
            socket: None,
        });
        self.drain(who);
        who
    }

    /// A creator who waits.
    pub fn create(&mut self) -> usize {
        let who = self.add(Intent::Create, &[0]);
        self.run(Duration::from_secs(1));
        assert_eq!(self.name(who), "waiting");
        who
    }

    /// A joiner with the first creator's code.
    pub fn join(&mut self) -> usize {
        let code = self.code();
        self.add(Intent::Join(code), &[0])
    }

    pub fn code(&self) -> RoomCode {
        self.code_of(0).unwrap()
    }

    pub fn command(&mut self, who: usize, command: Command) {
        self.input(who, Input::Command(command));
    }

    pub fn input(&mut self, who: usize, input: Input) {
        if self.parties[who].alive {
            self.parties[who].session.handle_input(self.now, input);
            self.drain(who);
        }
    }

    pub fn transport(&mut self, who: usize, input: TransportInput) {
        let generation = self.parties[who].peer.as_ref().map_or(0, |peer| peer.generation);
        self.input(who, Input::Transport { generation, input });
    }

    pub fn state(&self, who: usize) -> CallState {
        self.parties[who].session.state()
    }

    pub fn name(&self, who: usize) -> &'static str {
        self.state(who).name()
    }

    pub fn names(&self) -> Vec<&'static str> {
        (0..self.parties.len()).map(|who| self.name(who)).collect()
    }

    /// The stable word for why it ended.
    pub fn ended(&self, who: usize) -> Option<&'static str> {
        reason(&self.state(who)).map(|reason| reason.code())
    }

    pub fn events(&self, who: usize) -> Vec<CallEvent> {
        let event = |output: &Output| match output {
            Output::Event(event) => Some(event.clone()),
            _ => None,
        };
        self.parties[who].outputs.iter().filter_map(event).collect()
    }

    /// The states that a party was told, in order.
    pub fn path_of(&self, who: usize) -> Vec<&'static str> {
        super::states(&self.parties[who].outputs)
    }

    // ── what can go wrong ───────────────────────────────────────────────────────────────────────────────────────

    /// Gone without a word: the machine takes its sockets along, and the server notices.
    pub fn vanish(&mut self, who: usize) {
        self.parties[who].alive = false;
        self.cut_socket(who);
        self.cut_path();
    }

    /// The path is lost, and both notice.
    pub fn cut_path(&mut self) {
        self.path = false;
        for who in 0..self.parties.len() {
            if self.parties[who].peer.as_mut().is_some_and(|peer| std::mem::take(&mut peer.up)) {
                self.transport(who, TransportInput::State(PeerState::Disconnected));
            }
        }
    }

    /// There is a path again, for those who look for it.
    pub fn restore_path(&mut self) {
        self.path = true;
        self.find_paths();
    }

    /// The socket is gone, with everything on its way.
    pub fn cut_socket(&mut self, who: usize) {
        let Some((server, id)) = self.parties[who].socket.take() else { return };
        self.forget(id);
        self.rooms(server, RoomsInput::Closed(id));
        self.input(who, Input::Socket(SocketInput::Closed { reason: "cut".into() }));
    }

    pub fn stop_server(&mut self, server: usize) {
        self.servers[server] = None;
        for who in 0..self.parties.len() {
            if self.parties[who].socket.is_some_and(|(of, _)| of == server) {
                self.cut_socket(who);
            }
        }
    }

    pub fn start_server(&mut self, server: usize) {
        self.servers[server] = Some(rooms(self.now, 77));
    }

    /// One that doesn't know the key of the one before it, and so none of its rooms.
    pub fn start_forgetful_server(&mut self, server: usize) {
        self.servers[server] = Some(rooms_of(self.now, 77, Limits::default(), TokenKey::new([4; 32])));
    }

    fn forget(&mut self, id: ConnectionId) {
        self.owners.remove(&id);
        self.wire.retain(|_, packet| match packet {
            Packet::Opened(_, other)
            | Packet::ToServer(_, other, _)
            | Packet::ToClient(other, _)
            | Packet::ClosedByServer(other)
            | Packet::ClosedByClient(_, other) => *other != id,
            Packet::Unreachable(_) | Packet::Peer(..) | Packet::Control(..) => true,
        });
    }
}

fn rooms(now: Instant, seed: u64) -> Rooms {
    rooms_of(now, seed, Limits::default(), TokenKey::new([3; 32]))
}

fn rooms_of(now: Instant, seed: u64, limits: Limits, key: TokenKey) -> Rooms {
    let random = Box::new(SplitMix::new(seed));
    Rooms::new(now, Duration::from_secs(1_800_000_000), limits, key, random)
}
