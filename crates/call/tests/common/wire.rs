//! What carries everything in a [`World`]: frames between clients and servers, results of the peer connections, and what
//! goes over the direct path, each with its delay.

use std::time::{Duration, Instant};

use visavis_call::{Input, Output, PeerState, SocketAction, SocketInput, TransportAction, TransportInput};
use visavis_signaling::message::ClientMessage;
use visavis_signaling::server::{ConnectionId, Rooms, RoomsInput, RoomsOutput};

use super::attacker::is_ack;
use super::fake_peer::FakePeer;
use super::world::{DIRECT, LATENCY, Party, World};

#[derive(Debug)]
pub enum Packet {
    Opened(usize, ConnectionId),
    ToServer(usize, ConnectionId, String),
    ToClient(ConnectionId, String),
    ClosedByServer(ConnectionId),
    ClosedByClient(usize, ConnectionId),
    Unreachable(usize),
    Peer(usize, u32, TransportInput),
    Control(usize, String),
}

impl World {
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
            Packet::ToServer(_, _, text) if self.attacker.is_some() && is_ack(&text) => {}
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

    pub(super) fn owner(&self, id: ConnectionId) -> Option<usize> {
        self.owners.get(&id).copied().filter(|who| self.parties[*who].socket.is_some_and(|(_, open)| open == id))
    }

    fn reach(&mut self, id: ConnectionId, input: SocketInput) {
        if let Some(who) = self.owner(id) {
            self.input(who, Input::Socket(input));
        }
    }

    pub(super) fn rooms(&mut self, server: usize, input: RoomsInput) {
        if let Some(rooms) = &mut self.servers[server] {
            rooms.handle_input(self.now, input);
        }
        self.drain_rooms(server);
    }

    fn drain_rooms(&mut self, server: usize) {
        while let Some(output) = self.servers[server].as_mut().and_then(Rooms::poll_output) {
            match output {
                RoomsOutput::Send(id, text) => {
                    for text in self.through_attacker(server, id, text) {
                        self.post(LATENCY, Packet::ToClient(id, text));
                    }
                }
                RoomsOutput::Close(id, _) => self.post(LATENCY, Packet::ClosedByServer(id)),
                RoomsOutput::Move(moved) => panic!("a server that is alone moves nobody: {moved:?}"),
            }
        }
    }

    // ── what sessions want done ─────────────────────────────────────────────────────────────────────────────────

    pub(super) fn drain(&mut self, who: usize) {
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
                    let body = self.tap(who, &body);
                    self.bodies.extend(body.map(|body| (who, body)));
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
            | TransportAction::Rollback
            | TransportAction::UseServers(_)
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

    pub(super) fn find_paths(&mut self) {
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
