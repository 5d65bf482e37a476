//! Whole calls in virtual time: sessions, the servers' real room machines between them, sockets that can be lost at any
//! point, and peer connections that follow a script.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use visavis_call::{
    CallEvent, CallState, Command, Input, Intent, Output, PeerState, Session, SocketAction, SocketInput,
    TransportAction, TransportInput,
};
use visavis_signaling::message::ClientMessage;
use visavis_signaling::random::SplitMix;
use visavis_signaling::server::{ConnectionId, Limits, Rooms, RoomsInput, RoomsOutput};
use visavis_signaling::token::TokenKey;
use visavis_signaling::{Body, RoomCode, Seal};

use super::fake_peer::{FakePeer, Pace};
use super::{config, origin, reason, role_of};

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
    servers: Vec<usize>,
    socket: Option<(usize, ConnectionId)>,
}

#[derive(Debug)]
enum Packet {
    Opened(usize, ConnectionId),
    ToServer(usize, ConnectionId, String),
    ToClient(ConnectionId, String),
    ClosedByServer(ConnectionId),
    ClosedByClient(usize, ConnectionId),
    Unreachable(usize),
    Peer(usize, u32, TransportInput),
    Control(usize, String),
}

pub struct World {
    pub now: Instant,
    pub servers: Vec<Option<Rooms>>,
    pub parties: Vec<Party>,
    /// Every body that a client sent, in order, sent again or not.
    pub bodies: Vec<(usize, Body)>,
    /// Whether a path between the two can be found, and holds.
    pub path: bool,
    /// Frames that have arrived anywhere.
    pub arrivals: usize,
    /// After how many arrivals which party loses its socket.
    pub cuts: Vec<(usize, usize)>,
    wire: BTreeMap<(Instant, u64), Packet>,
    owners: BTreeMap<ConnectionId, usize>,
    connections: u64,
    packets: u64,
}

impl World {
    pub fn new() -> Self {
        Self::with_servers(1)
    }

    pub fn with_servers(count: usize) -> Self {
        let now = origin();
        let servers = (0..count).map(|n| Some(rooms(now, n as u64))).collect();
        Self {
            now,
            servers,
            parties: Vec::new(),
            bodies: Vec::new(),
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

    // ── people ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// Somebody who knows these servers, in this order.
    pub fn add(&mut self, intent: Intent, servers: &[usize]) -> usize {
        let who = self.parties.len();
        let session = Session::new(self.now, config(intent.clone(), u8::try_from(who).unwrap() + 1, servers.len()));
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
        let code = |output: &Output| match output {
            Output::Event(CallEvent::State(CallState::Waiting { code })) => Some(code.clone()),
            _ => None,
        };
        self.parties[0].outputs.iter().find_map(code).unwrap()
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

    // ── time ────────────────────────────────────────────────────────────────────────────────────────────────────

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    /// Runs until it holds; how long that took.
    pub fn run_until(&mut self, longest: Duration, holds: impl Fn(&Self) -> bool) -> Duration {
        let begin = self.now;
        while !holds(self) {
            let next = self.next_moment().expect("nothing more will happen");
            assert!(next <= begin + longest, "not within {longest:?}: {:?}", self.names());
            self.now = self.now.max(next);
            self.step();
        }
        self.now - begin
    }

    fn next_moment(&self) -> Option<Instant> {
        let wire = self.wire.first_key_value().map(|((at, _), _)| *at);
        let alive = self.parties.iter().filter(|party| party.alive);
        let sessions = alive.filter_map(|party| party.session.poll_timeout());
        let rooms = self.servers.iter().flatten().filter_map(Rooms::poll_timeout);
        wire.into_iter().chain(rooms).chain(sessions).min()
    }

    fn step(&mut self) {
        let due = self.wire.first_key_value().is_some_and(|((at, _), _)| *at <= self.now);
        if due && let Some((_, packet)) = self.wire.pop_first() {
            self.deliver(packet);
            self.arrivals += 1;
            let arrivals = self.arrivals;
            for (_, who) in self.cuts.clone().into_iter().filter(|(after, _)| *after == arrivals) {
                self.cut_socket(who);
            }
            return;
        }
        for server in 0..self.servers.len() {
            if let Some(rooms) = &mut self.servers[server] {
                rooms.handle_timeout(self.now);
            }
            self.drain_rooms(server);
        }
        for who in 0..self.parties.len() {
            if self.parties[who].alive {
                self.parties[who].session.handle_timeout(self.now);
                self.drain(who);
            }
        }
    }

    // ── the wire ────────────────────────────────────────────────────────────────────────────────────────────────

    fn post(&mut self, delay: Duration, packet: Packet) {
        self.packets += 1;
        self.wire.insert((self.now + delay, self.packets), packet);
    }

    fn deliver(&mut self, packet: Packet) {
        match packet {
            Packet::Opened(server, id) => {
                self.rooms(server, RoomsInput::Opened(id));
                self.reach(id, SocketInput::Opened);
            }
            Packet::ToServer(server, id, text) => self.rooms(server, RoomsInput::Text(id, text)),
            Packet::ToClient(id, text) => self.reach(id, SocketInput::Text(text)),
            Packet::ClosedByServer(id) => {
                if let Some(who) = self.owner(id) {
                    self.parties[who].socket = None;
                    self.input(who, Input::Socket(SocketInput::Closed { reason: "closed by the server".into() }));
                }
            }
            Packet::ClosedByClient(server, id) => self.rooms(server, RoomsInput::Closed(id)),
            Packet::Unreachable(who) => {
                self.input(who, Input::Socket(SocketInput::Closed { reason: "connection refused".into() }));
            }
            Packet::Peer(who, generation, input) => {
                self.input(who, Input::Transport { generation, input });
            }
            Packet::Control(who, text) => self.transport(who, TransportInput::Control(text)),
        }
    }

    fn owner(&self, id: ConnectionId) -> Option<usize> {
        self.owners.get(&id).copied().filter(|who| self.parties[*who].socket.is_some_and(|(_, open)| open == id))
    }

    fn reach(&mut self, id: ConnectionId, input: SocketInput) {
        if let Some(who) = self.owner(id) {
            self.input(who, Input::Socket(input));
        }
    }

    fn rooms(&mut self, server: usize, input: RoomsInput) {
        if let Some(rooms) = &mut self.servers[server] {
            rooms.handle_input(self.now, input);
        }
        self.drain_rooms(server);
    }

    fn drain_rooms(&mut self, server: usize) {
        while let Some(output) = self.servers[server].as_mut().and_then(Rooms::poll_output) {
            match output {
                RoomsOutput::Send(id, text) => self.post(LATENCY, Packet::ToClient(id, text)),
                RoomsOutput::Close(id, _) => self.post(LATENCY, Packet::ClosedByServer(id)),
            }
        }
    }

    // ── what sessions want done ─────────────────────────────────────────────────────────────────────────────────

    fn drain(&mut self, who: usize) {
        while let Some(output) = self.parties[who].session.poll_output() {
            self.parties[who].outputs.push(output.clone());
            match output {
                Output::Socket(action) => self.on_socket(who, action),
                Output::Transport { generation, action } => self.on_transport(who, generation, action),
                _ => {}
            }
        }
    }

    fn on_socket(&mut self, who: usize, action: SocketAction) {
        match action {
            SocketAction::Connect { server } => {
                let server = self.parties[who].servers[server];
                self.close_socket(who);
                if !self.parties[who].reachable || self.servers[server].is_none() {
                    return self.post(LATENCY, Packet::Unreachable(who));
                }
                self.connections += 1;
                let id = ConnectionId(self.connections);
                self.owners.insert(id, who);
                self.parties[who].socket = Some((server, id));
                self.post(LATENCY, Packet::Opened(server, id));
            }
            SocketAction::Send(text) => {
                if let Ok(ClientMessage::Relay { body, .. }) = ClientMessage::parse(&text) {
                    let other = role_of(&self.parties[who].intent).other();
                    self.bodies.push((who, Seal::pass_through(other).open(&body).unwrap()));
                }
                let (server, id) = self.parties[who].socket.expect("no socket to send on");
                self.post(LATENCY, Packet::ToServer(server, id, text));
            }
            SocketAction::Disconnect => self.close_socket(who),
        }
    }

    fn close_socket(&mut self, who: usize) {
        if let Some((server, id)) = self.parties[who].socket.take() {
            self.post(LATENCY, Packet::ClosedByClient(server, id));
        }
    }

    fn on_transport(&mut self, who: usize, generation: u32, action: TransportAction) {
        let (now_open, pace) = (self.parties[who].peer.is_some(), self.parties[who].pace);
        match &action {
            TransportAction::Open => {
                assert!(!now_open, "the one before must be closed first");
                self.parties[who].peer = Some(FakePeer::new(generation));
                self.parties[who].open_peers += 1;
            }
            TransportAction::Close => {
                assert!(self.parties[who].peer.take().is_some(), "closed twice");
                self.parties[who].open_peers -= 1;
            }
            TransportAction::SendControl(text) => self.send_control(who, text.clone()),
            TransportAction::CreateOffer { .. }
            | TransportAction::AcceptOffer { .. }
            | TransportAction::AcceptAnswer { .. }
            | TransportAction::AddCandidate(_) => {
                let peer = self.parties[who].peer.as_mut().expect("no peer connection to act on");
                assert_eq!(peer.generation, generation);
                for (delay, input) in peer.act(who, pace, &action) {
                    self.post(delay, Packet::Peer(who, generation, input));
                }
                self.find_paths();
            }
        }
    }

    fn send_control(&mut self, who: usize, text: String) {
        let up = |party: &Party| party.peer.as_ref().is_some_and(|peer| peer.up);
        let Some(other) = (0..self.parties.len()).find(|other| *other != who && up(&self.parties[*other])) else {
            return;
        };
        if self.path && up(&self.parties[who]) {
            self.post(DIRECT, Packet::Control(other, text));
        }
    }

    fn find_paths(&mut self) {
        let count = self.parties.len();
        let pairs = (0..count).flat_map(|a| (0..a).map(move |b| (b, a)));
        for (a, b) in pairs.filter(|_| self.path).collect::<Vec<_>>() {
            let fits = match (&self.parties[a].peer, &self.parties[b].peer) {
                (Some(x), Some(y)) => x.fits(y) && !(x.up && y.up),
                _ => false,
            };
            if fits && self.parties[a].alive && self.parties[b].alive {
                self.connect_peer(a);
                self.connect_peer(b);
            }
        }
    }

    fn connect_peer(&mut self, who: usize) {
        let Some(peer) = self.parties[who].peer.as_mut() else { return };
        let generation = peer.generation;
        peer.up = true;
        let first = !std::mem::replace(&mut peer.control_open, true);
        self.post(DIRECT, Packet::Peer(who, generation, TransportInput::State(PeerState::Connecting)));
        self.post(DIRECT * 3, Packet::Peer(who, generation, TransportInput::State(PeerState::Connected)));
        if first {
            self.post(DIRECT * 4, Packet::Peer(who, generation, TransportInput::ControlOpened));
        }
    }
}

fn rooms(now: Instant, seed: u64) -> Rooms {
    let random = Box::new(SplitMix::new(seed));
    Rooms::new(now, Duration::from_secs(1_800_000_000), Limits::default(), TokenKey::new([3; 32]), random)
}
