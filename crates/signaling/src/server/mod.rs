//! The server's side: every connection, session and room of one server, as one machine without I/O.
//!
//! A connection is a socket. A session is a client, over any number of connections one after the other. A room is
//! where two sessions meet:
//! ```text
//! Waiting ─ knock, creator there ─> Meeting ─ both confirmed ─> Paired ─ one leaves ─> Ended ─> (gone)
//!    ^── joiner left · lost · 10 s over ─┘  (the next in line gets its turn)
//! any ─ creator left · lost before Paired · nobody came ─> (gone)
//! ```
//! What leaves a room for good takes its id along as a tombstone, so that a replayed token revives nothing. A server that
//! was restarted gets its rooms back from its clients' tokens.

mod decoy;
mod guard;
mod introduce;
mod lane;
mod leave;
mod limit;
mod meet;
mod numbers;
mod place;
mod record;
mod relay;
mod restore;
mod room;
mod session;
mod source;
mod tally;
mod tempo;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::code::Nameplate;
use crate::message::{ClientMessage, ErrorCode, ICE_SERVERS, ServerMessage, WORK};
use crate::random::Randomness;
use crate::timer::Timers;
use crate::token::{Id, TokenKey};
use decoy::{Decoys, PLAYED};
use guard::{Misses, Pending};
pub use introduce::{Granted, Introductions};
use lane::UnderWay;
use limit::Bucket;
pub use limit::Limits;
use numbers::Alone;
pub use numbers::{Home, Moved, Numbers};
use record::Memory;
pub use record::{Record, Records};
use room::Room;
use session::Session;
pub use source::source_of;
use source::{Source, Sources};
pub use tally::{Counts, Tally};
use tempo::Tempos;

/// A socket, as whoever drives the machine numbers it. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What happened to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomsInput {
    /// A socket was accepted, by a server for one call that knows no sources.
    Opened(ConnectionId),
    /// A socket was accepted, from there.
    OpenedFrom(ConnectionId, IpAddr),
    /// A text frame came from it.
    Text(ConnectionId, String),
    /// Something else came from it: a binary frame, one over the size limit, text that isn't UTF-8.
    Unreadable(ConnectionId, ErrorCode),
    /// It is closed. Not needed after [`RoomsOutput::Close`].
    Closed(ConnectionId),
    /// Another server has taken nameplates from this one: [`Numbers::home_of`] says which.
    NumbersLost,
    /// The server goes down: everybody is told, and nobody is let in any more.
    Shutdown,
}

/// What whoever drives the machine has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomsOutput {
    /// Send a text frame.
    Send(ConnectionId, String),
    /// Close the socket behind what was sent.
    Close(ConnectionId, ErrorCode),
    /// Carry the connection to another server.
    Move(Moved),
}

/// The deadlines of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    /// [`Limits::hello`]
    Hello(ConnectionId),
    /// [`Limits::idle`]
    Idle(ConnectionId),
    /// [`Limits::grace`]
    Grace(Id),
    /// Half of [`Limits::token_lifetime`]
    Renew(Id),
    /// [`Limits::exchange`]
    Exchange(RoomKey),
    /// [`Limits::unused_room`]
    Unused(RoomKey),
    /// [`Limits::linger`]
    Linger(RoomKey),
    /// Half of [`Granted::lifetime`]
    Regrant(RoomKey),
    /// What a played creator does next
    Play(RoomKey),
}

/// A room inside this process; never told to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct RoomKey(u64);

#[derive(Debug)]
struct Connection {
    session: Option<Id>,
    source: Option<Source>,
    messages: Bucket,
    bytes: Bucket,
    knocks: u32,
    /// A knock that waits for its work.
    pending: Option<Pending>,
    /// Whether it understands `ice-servers`.
    takes_ice_servers: bool,
    /// Whether it understands `work`.
    does_work: bool,
}

/// All rooms of a server. Sans-IO; see the crate's contract.
pub struct Rooms {
    limits: Limits,
    key: TokenKey,
    random: Box<dyn Randomness>,
    started: Instant,
    unix_at_start: Duration,
    connections: BTreeMap<ConnectionId, Connection>,
    sessions: HashMap<Id, Session>,
    rooms: HashMap<RoomKey, Room>,
    by_nameplate: HashMap<Nameplate, RoomKey>,
    /// By id, and by the id before the pair.
    by_id: HashMap<Id, RoomKey>,
    /// The rooms that are gone.
    tombstones: Memory<()>,
    /// Sessions of an earlier process, and the first generation of theirs that may still be good.
    used: Memory<u32>,
    records: Option<Box<dyn Records>>,
    numbers: Box<dyn Numbers>,
    sources: Sources,
    misses: Misses,
    under_way: UnderWay,
    decoys: Decoys,
    tempos: Tempos,
    tally: Tally,
    introductions: Option<Box<dyn Introductions>>,
    timers: Timers<Timer>,
    outputs: VecDeque<RoomsOutput>,
    last_room: u64,
    shutting_down: bool,
}

impl Rooms {
    /// A server without rooms. `unix_time` is the wall clock at `now`, since 1970; tokens expire by it.
    #[must_use]
    pub fn new(now: Instant, unix_time: Duration, limits: Limits, key: TokenKey, random: Box<dyn Randomness>) -> Self {
        let under_way = UnderWay::new(limits.bytes_under_way);
        Self {
            limits,
            key,
            random,
            started: now,
            unix_at_start: unix_time,
            connections: BTreeMap::new(),
            sessions: HashMap::new(),
            rooms: HashMap::new(),
            by_nameplate: HashMap::new(),
            by_id: HashMap::new(),
            tombstones: Memory::default(),
            used: Memory::default(),
            records: None,
            numbers: Box::new(Alone),
            sources: Sources::new(),
            misses: Misses::new(now),
            under_way,
            decoys: Decoys::default(),
            tempos: Tempos::default(),
            tally: Tally::default(),
            introductions: None,
            timers: Timers::new(),
            outputs: VecDeque::new(),
            last_room: 0,
            shutting_down: false,
        }
    }

    /// Lets the rooms hand out servers to those who have met.
    #[must_use]
    pub fn with_introductions(mut self, introductions: Box<dyn Introductions>) -> Self {
        self.introductions = Some(introductions);
        self
    }

    /// Tells the server what happened.
    pub fn handle_input(&mut self, now: Instant, input: RoomsInput) {
        match input {
            RoomsInput::Opened(connection) => self.opened(now, connection, None),
            RoomsInput::OpenedFrom(connection, address) => self.opened(now, connection, Some(address)),
            RoomsInput::Text(connection, text) => self.handle_text(now, connection, &text),
            RoomsInput::Unreadable(connection, code) => {
                self.fatal(now, connection, code, "only text frames of limited size are taken");
            }
            RoomsInput::Closed(connection) => self.detach(now, connection),
            RoomsInput::NumbersLost => self.let_go(),
            RoomsInput::Shutdown => self.shut_down(),
        }
        self.take_in(now);
    }

    /// Fires every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Hello(connection) => self.fatal(now, connection, ErrorCode::Idle, "no hello came"),
                Timer::Idle(connection) => self.fatal(now, connection, ErrorCode::Idle, "no ping came"),
                Timer::Grace(session) => self.end_session(now, session, crate::message::reason::LOST),
                Timer::Renew(session) => self.renew_token(now, session),
                Timer::Exchange(room) => self.exchange_timed_out(now, room),
                Timer::Unused(room) => self.room_unused(now, room),
                Timer::Linger(room) => self.remove_room(now, room),
                Timer::Regrant(room) => self.introduce(now, room),
                Timer::Play(room) => self.play(now, room),
            }
            self.take_in(now);
        }
    }

    /// The next thing to do, `None` when there is nothing more for now.
    pub fn poll_output(&mut self) -> Option<RoomsOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`Rooms::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn opened(&mut self, now: Instant, id: ConnectionId, address: Option<IpAddr>) {
        let (code, text) = if self.shutting_down {
            (ErrorCode::ShuttingDown, "the server is going down")
        } else if self.connections.len() >= self.limits.connections {
            (ErrorCode::ServerFull, "the server has no place left")
        } else {
            match address.map(|address| self.sources.connect(now, address, &self.limits)) {
                Some(None) => (ErrorCode::ServerFull, "too many connections come from this address"),
                None => return self.let_in(now, id, None),
                Some(source) => return self.let_in(now, id, source),
            }
        };
        self.tally.refused += 1;
        self.send_to(id, &ServerMessage::Error { code, text: text.into(), fatal: true });
        self.outputs.push_back(RoomsOutput::Close(id, code));
    }

    fn let_in(&mut self, now: Instant, id: ConnectionId, source: Option<Source>) {
        let limits = &self.limits;
        let connection = Connection {
            session: None,
            source,
            messages: Bucket::new(now, f64::from(limits.messages_per_second), limits.message_burst),
            bytes: Bucket::new(now, f64::from(limits.bytes_per_second), limits.byte_burst),
            knocks: 0,
            pending: None,
            takes_ice_servers: false,
            does_work: false,
        };
        self.tally.opened += 1;
        self.connections.insert(id, connection);
        self.timers.set(Timer::Hello(id), now + self.limits.hello);
    }

    fn handle_text(&mut self, now: Instant, id: ConnectionId, text: &str) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let session = connection.session;
        self.tally.messages += 1;
        if !connection.messages.take(now, 1.0) || !connection.bytes.take(now, text.len() as f64) {
            return self.fatal(now, id, ErrorCode::TooFast, "too much was sent at once");
        }
        match (session, ClientMessage::parse(text)) {
            (_, Err(error)) => self.fatal(now, id, error.code(), &error.to_string()),
            (None, Ok(ClientMessage::Hello { version, features, resume })) => {
                connection.takes_ice_servers = features.iter().any(|feature| feature == ICE_SERVERS);
                connection.does_work = features.iter().any(|feature| feature == WORK);
                self.hello(now, id, version, resume);
            }
            (None, Ok(_)) => self.fatal(now, id, ErrorCode::OutOfOrder, "the first message is hello"),
            (Some(_), Ok(ClientMessage::Hello { .. })) => {
                self.fatal(now, id, ErrorCode::OutOfOrder, "hello is said once");
            }
            (Some(session), Ok(message)) => self.handle_message(now, id, session, message),
        }
    }

    fn handle_message(&mut self, now: Instant, connection: ConnectionId, session: Id, message: ClientMessage) {
        self.timers.set(Timer::Idle(connection), now + self.limits.idle);
        // It has read its welcome, and the token in it, or it wouldn't send.
        self.token_has_arrived(now, session);
        match message {
            ClientMessage::Hello { .. } => {}
            ClientMessage::Create => self.create(now, connection, session),
            ClientMessage::Knock { nameplate } => self.knock(now, connection, session, &nameplate),
            ClientMessage::Work { nonce } => self.work_done(now, connection, session, &nonce),
            ClientMessage::Relay { exchange, seq, body } => self.relay(now, connection, session, exchange, seq, body),
            ClientMessage::Ack { exchange, seq } => self.acknowledge(now, connection, session, exchange, seq),
            ClientMessage::Confirmed { exchange } => self.confirm(now, session, exchange),
            ClientMessage::Leave { reason } => self.leave(now, session, &reason),
            ClientMessage::Ping => self.send_to(connection, &ServerMessage::Pong),
        }
    }

    fn send_to(&mut self, connection: ConnectionId, message: &ServerMessage) {
        self.outputs.push_back(RoomsOutput::Send(connection, message.to_json()));
    }

    /// Sends to a session's connection, if it has one.
    fn send(&mut self, session: Id, message: &ServerMessage) {
        let Some(Session { connection: Some(connection), seat, .. }) = self.sessions.get(&session) else { return };
        match seat.filter(|_| *connection == PLAYED) {
            Some(seat) => self.decoys.hear(seat.room, message),
            None => self.send_to(*connection, message),
        }
    }

    /// Tells that something was wrong; the connection goes on.
    fn refuse(&mut self, session: Id, code: ErrorCode, text: &str) {
        self.send(session, &ServerMessage::Error { code, text: text.to_owned(), fatal: false });
    }

    /// Tells what was wrong and closes. Only who was merely silent may come back to its place.
    fn fatal(&mut self, now: Instant, id: ConnectionId, code: ErrorCode, text: &str) {
        let Some(session) = self.connections.get(&id).map(|connection| connection.session) else { return };
        self.tally.thrown_out += 1;
        self.send_to(id, &ServerMessage::Error { code, text: text.to_owned(), fatal: true });
        self.outputs.push_back(RoomsOutput::Close(id, code));
        self.detach(now, id);
        if let Some(session) = session
            && code != ErrorCode::Idle
        {
            self.end_session(now, session, crate::message::reason::LOST);
        }
    }

    fn forget_connection(&mut self, id: ConnectionId) -> Option<Connection> {
        self.timers.clear(Timer::Hello(id));
        self.timers.clear(Timer::Idle(id));
        let gone = self.connections.remove(&id)?;
        if let Some(source) = gone.source {
            self.sources.disconnect(source);
        }
        Some(gone)
    }

    fn random_id(&mut self) -> Id {
        let mut id = Id::default();
        self.random.fill(&mut id);
        id
    }

    fn unix_seconds(&self, now: Instant) -> u64 {
        (self.unix_at_start + now.saturating_duration_since(self.started)).as_secs()
    }
}
