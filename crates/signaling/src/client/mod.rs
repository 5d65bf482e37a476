//! The client's side of one call's signalling: reaches the server, makes or enters a room, relays bodies in order
//! without losing or doubling one, and takes a lost connection up again without the caller noticing more than
//! [`ClientEvent::Offline`] and [`ClientEvent::Online`].
//!
//! ```text
//! link   Pausing ─ Reconnect ─> Connecting ─ SocketOpened ─> Greeting ─ welcome ─> Online
//!           ^─── socket closed · no answer in time · no pong ──────┴─────────────────┘
//!        any ─ refused for good · deadline · Leave ─> Ended
//! place  Nowhere ─ Create/Knock ─> Asking ─ created/waiting ─> Waiting ─ knocked ─> Meeting ─ confirmed ─> (paired)
//!           ^── refused ─────────────┴──────────────────────────┴─ peer-left (joiner, or paired) ─┘
//!                                                  creator: Waiting <─ peer-left ─ Meeting
//! ```
//! Link and place are apart on purpose: a place outlives any number of sockets.

mod exchange;
mod link;
mod place;
mod work;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::code::Nameplate;
use crate::message::{ClientMessage, ErrorCode, IceServer};
use crate::random::SplitMix;
use crate::timer::Timers;
use crate::work::Search;
use exchange::Exchange;

/// How long the way into a room may take: the server reached and `created`, `waiting` or `knocked` received.
pub const ENTRY_DEADLINE: Duration = Duration::from_secs(15);
/// How long one attempt to open a socket may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take to answer `hello`.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may be silent after a `ping`.
pub const PONG_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a place in a room that isn't a pair yet is believed in while offline: the server's grace and a little.
pub const PLACE_DEADLINE: Duration = Duration::from_secs(35);
/// The pause before the first new attempt; it doubles with each, up to [`LONGEST_PAUSE`], and half of it is random.
pub const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two attempts.
pub const LONGEST_PAUSE: Duration = Duration::from_millis(2500);

/// What somebody wants from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// A room of one's own.
    Create,
    /// Into a room.
    Knock(Nameplate),
    /// Only the connection; [`ClientInput::Create`] or [`ClientInput::Knock`] follows.
    StandBy,
}

/// What happened to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientInput {
    /// The socket of the last [`ClientOutput::Connect`] is open.
    SocketOpened,
    /// A text frame arrived on it.
    SocketText(String),
    /// It is closed, or couldn't be opened. Not said after [`ClientOutput::Disconnect`].
    SocketClosed {
        /// Why, for people.
        reason: String,
    },
    /// It couldn't be opened, because what answers at this address is something else: asking it again is of no use.
    SocketRefused {
        /// Why, for people.
        reason: String,
    },
    /// Something is in doubt that the server is needed for: ask it now whether it still answers.
    Probe,
    /// The network has changed: the socket may hang on an address that is gone. A new one is opened at once.
    NetworkChanged,
    /// Make a room. Refused while in one.
    Create,
    /// Knock at a room. Refused while in one.
    Knock(Nameplate),
    /// Bring this (sealed) body to the other. Refused with nobody there.
    Relay(String),
    /// Accept the other for good.
    Confirm,
    /// Leave the room and end this client; the word tells the other why, see [`crate::message::reason`].
    Leave(String),
}

/// What whoever drives the client has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientOutput {
    /// Open a WebSocket to the server.
    Connect,
    /// Send a text frame on it.
    Send(String),
    /// Close it behind what was sent (or stop opening it), and tell nothing more about it.
    Disconnect,
    /// Tell whoever uses the client.
    Event(ClientEvent),
}

/// What the user of the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// The server answers.
    Online,
    /// The server doesn't answer; the client tries on by itself.
    Offline {
        /// Why, for people.
        reason: String,
    },
    /// The room is there.
    Created {
        /// What to tell the other person.
        nameplate: Nameplate,
    },
    /// In line before a room.
    Waiting {
        /// How many are before this one.
        ahead: u32,
    },
    /// An exchange begins: both are there. Each exchange takes a new [`crate::Exchange`].
    Knocked,
    /// By what the two may reach one another. A later one replaces it.
    IceServers(Vec<IceServer>),
    /// The exchange is over. A creator whose call isn't confirmed waits on; everybody else is out of the room.
    PeerLeft {
        /// Why; see [`crate::message::reason`].
        reason: String,
    },
    /// A (sealed) body from the other: each once, in order.
    Relayed(String),
    /// Both have accepted.
    Confirmed,
    /// The server refused something. [`Client::is_in_room`] tells whether the place is gone too.
    Refused {
        /// What, for programs.
        code: ErrorCode,
        /// What, for people.
        text: String,
    },
    /// The client has ended and does nothing more.
    GaveUp {
        /// Why, for programs.
        cause: GiveUp,
        /// Why, for people.
        reason: String,
    },
}

/// Why a client gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GiveUp {
    /// The way into a room took longer than [`ENTRY_DEADLINE`].
    Unreachable,
    /// Something answers there that isn't a Visavis server.
    NotAServer,
    /// The server speaks another version.
    Version,
    /// The server has no place left.
    ServerFull,
    /// The connection came back too late, or to a server that doesn't know the room any more.
    RoomLost,
    /// The session goes on somewhere else.
    Superseded,
    /// The server calls what this client sent wrong.
    Protocol,
}

/// The deadlines of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    /// [`ENTRY_DEADLINE`]
    Entry,
    /// [`PLACE_DEADLINE`]
    Place,
    /// The pause between two attempts.
    Reconnect,
    /// [`CONNECT_TIMEOUT`]
    Connect,
    /// [`GREETING_TIMEOUT`]
    Greeting,
    /// The time of the next `ping`.
    Heartbeat,
    /// [`PONG_TIMEOUT`]
    Pong,
    /// The next slice of the work that the server asked for.
    Work,
}

/// The state of the way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Between two attempts.
    Pausing,
    /// The socket is being opened.
    Connecting,
    /// `hello` is sent.
    Greeting,
    /// `welcome` came.
    Online {
        /// The time between two pings.
        heartbeat: Duration,
    },
    /// For good.
    Ended,
}

/// Where in the server's rooms this client is, as far as it knows.
#[derive(Debug)]
enum Place {
    /// In no room.
    Nowhere,
    /// `create` (no nameplate) or `knock` is to be answered.
    Asking(Option<Nameplate>),
    /// In a room, nobody else there or not this one's turn.
    Waiting(Seat),
    /// With the other one.
    Meeting(Seat, Exchange),
}

/// What a place keeps of how it was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seat {
    /// Made the room that has this nameplate.
    Creator(Nameplate),
    /// Came into it; the last position told.
    Joiner(Option<u32>),
}

/// The signalling of one call, seen from one side. Sans-IO; see the crate's contract.
#[derive(Debug)]
pub struct Client {
    link: Link,
    place: Place,
    token: Option<String>,
    timers: Timers<Timer>,
    outputs: VecDeque<ClientOutput>,
    jitter: SplitMix,
    /// Attempts since the last `welcome`.
    attempts: u32,
    /// What was said last: online or not. Nothing yet is `None`.
    said_online: Option<bool>,
    /// When the server said something last.
    heard: Option<Instant>,
    /// Why the last attempt failed, for people.
    last_failure: Option<String>,
    /// What the server wants to see before it looks for the room.
    work: Option<Search>,
    ignored: u64,
}

impl Client {
    /// A client that begins to connect at once. `seed` varies the pauses between attempts, so that the clients of a
    /// server that restarts don't all come back at the same moment.
    #[must_use]
    pub fn new(now: Instant, intent: Intent, seed: u64) -> Self {
        let mut client = Self { link: Link::Pausing, jitter: SplitMix::new(seed), ..Self::of_none() };
        match intent {
            Intent::Create => client.ask(now, None),
            Intent::Knock(nameplate) => client.ask(now, Some(nameplate)),
            Intent::StandBy => {}
        }
        client.connect(now);
        client
    }

    /// A client that has ended before it began: of no server.
    #[must_use]
    pub fn of_none() -> Self {
        Self {
            link: Link::Ended,
            place: Place::Nowhere,
            token: None,
            timers: Timers::new(),
            outputs: VecDeque::new(),
            jitter: SplitMix::new(0),
            attempts: 0,
            said_online: None,
            heard: None,
            last_failure: None,
            work: None,
            ignored: 0,
        }
    }

    /// Tells the client what happened.
    pub fn handle_input(&mut self, now: Instant, input: ClientInput) {
        if self.link == Link::Ended {
            return;
        }
        match input {
            ClientInput::SocketOpened => self.greet(now),
            ClientInput::SocketText(text) => self.handle_text(now, &text),
            ClientInput::SocketClosed { reason } => self.lose_socket(now, reason),
            ClientInput::SocketRefused { reason } => self.be_refused(now, reason),
            ClientInput::Probe => self.probe(now),
            ClientInput::NetworkChanged => self.change_network(now),
            ClientInput::Create => self.ask(now, None),
            ClientInput::Knock(nameplate) => self.ask(now, Some(nameplate)),
            ClientInput::Relay(body) => self.relay(body),
            ClientInput::Confirm => self.confirm(),
            ClientInput::Leave(reason) => self.leave(reason),
        }
    }

    /// Fires every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Entry => {
                    let reason = self.last_failure.take().unwrap_or_else(|| "the server didn't answer in time".into());
                    self.give_up(GiveUp::Unreachable, reason);
                }
                Timer::Place => self.give_up(GiveUp::RoomLost, "the server couldn't be reached again in time".into()),
                Timer::Reconnect => self.connect(now),
                Timer::Connect => self.drop_socket(now, "the server didn't open the connection in time"),
                Timer::Greeting => self.drop_socket(now, "the server didn't answer the greeting in time"),
                Timer::Heartbeat => self.ping(now),
                Timer::Pong => self.drop_socket(now, "the server has gone silent"),
                Timer::Work => self.work_on(now),
            }
        }
    }

    /// The next thing to do, `None` when there is nothing more for now.
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`Client::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Whether the server answers at the moment.
    #[must_use]
    pub fn is_online(&self) -> bool {
        matches!(self.link, Link::Online { .. })
    }

    /// Whether the server answers, and has said something at `then` or later.
    #[must_use]
    pub fn has_answered_since(&self, then: Instant) -> bool {
        self.is_online() && self.heard.is_some_and(|heard| heard >= then)
    }

    /// Whether this client is in a room, or in line before one.
    #[must_use]
    pub fn is_in_room(&self) -> bool {
        matches!(self.place, Place::Waiting(_) | Place::Meeting(..))
    }

    /// Whether the client has ended for good.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.link == Link::Ended
    }

    /// How many messages of the server made no sense and were dropped.
    #[must_use]
    pub fn ignored_messages(&self) -> u64 {
        self.ignored
    }

    fn event(&mut self, event: ClientEvent) {
        self.outputs.push_back(ClientOutput::Event(event));
    }

    fn refused(&mut self, code: ErrorCode, text: impl Into<String>) {
        self.event(ClientEvent::Refused { code, text: text.into() });
    }

    fn send(&mut self, message: &ClientMessage) {
        self.outputs.push_back(ClientOutput::Send(message.to_json()));
    }

    fn give_up(&mut self, cause: GiveUp, reason: String) {
        self.end();
        self.event(ClientEvent::GaveUp { cause, reason });
    }

    /// Closes what is open and stops for good.
    fn end(&mut self) {
        if matches!(self.link, Link::Connecting | Link::Greeting | Link::Online { .. }) {
            self.outputs.push_back(ClientOutput::Disconnect);
        }
        self.link = Link::Ended;
        self.place = Place::Nowhere;
        self.timers = Timers::new();
    }
}
