//! The ways by which one call may come about: the servers that have a name, and the local network. Nobody can tell beforehand
//! where a code is good, so a joiner goes all ways at once, each a [`Session`] of its own; the first that is connected goes on
//! and the others are left. Driven like a session, with the way named where it matters.
//!
//! ```text
//! Server ─ new ─ verifying ─ connecting ┬─ connected: chosen, the other is hung up on
//! Nearby ─ new ─ verifying ─ connecting ┘
//!          the last one closed: closed, for the reason that says most
//! ```
//! - What fails on one way leaves the others alone: somebody in the local network who announces a call, and even somebody
//!   there who passes everything on to the right one and then falls silent, only costs time.
//! - Whoever answers a joiner can test one guess at the words by it. A session takes one answer, so that at most one guess
//!   goes to the local network and one to the servers, however many there are of them.
//! - Who starts a call goes one way: a server is set or it isn't.

use std::collections::VecDeque;
use std::time::Instant;

use visavis_signaling::random::Randomness as _;
use visavis_signaling::{Entropy, Fingerprint};

use crate::control::MediaState;
use crate::input::{CallEvent, Command, Input, Intent, Output};
use crate::session::{Session, SessionConfig};
use crate::state::{CallState, CloseReason, PeerState, SignalingState};

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// By the servers that have a name, or by that in our own app.
    Server,
    /// By the local network.
    Nearby,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Server, Self::Nearby];
}

/// What is known of the local network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearbyServers {
    /// Servers that are known from the start.
    pub known: usize,
    /// Whether more may be found.
    pub search: bool,
}

/// What a call is made from.
#[derive(Clone, Debug)]
pub struct WaysConfig {
    /// What the person wants.
    pub intent: Intent,
    /// How many servers have a name.
    pub servers: usize,
    /// Joiner: what is asked besides.
    pub nearby: NearbyServers,
    /// Of our DTLS certificate.
    pub fingerprint: Fingerprint,
    /// What we send from the start.
    pub media: MediaState,
    /// Stay in the room when the call is over, so that the two may call one another again.
    pub stays: bool,
    /// Seed for what must be random but not secret.
    pub seed: u64,
}

#[derive(Debug)]
struct Lane {
    way: Way,
    session: Session,
    /// What is told once this one is chosen.
    signaling: Option<SignalingState>,
    peer: Option<PeerState>,
    closed: Option<CloseReason>,
}

/// One call, by whichever way it comes about.
#[derive(Debug)]
pub struct Ways {
    lanes: Vec<Lane>,
    /// The way that the call goes; none while several are open.
    chosen: Option<Way>,
    /// How far it looks from outside.
    shown: CallState,
    outputs: VecDeque<(Way, Output)>,
}

impl Ways {
    /// A call on all its ways; each wants its socket at once. With nothing to ask and nothing to search there is none, and the
    /// call is over before it begins: whoever makes one sees to that.
    #[must_use]
    pub fn new(now: Instant, config: WaysConfig, mut entropy: Entropy) -> Self {
        let joins = matches!(config.intent, Intent::Join(_));
        let NearbyServers { known, search } = config.nearby;
        let mut lanes = Vec::new();
        for way in Way::ALL {
            let (servers, nearby, is_open) = match way {
                Way::Server => (config.servers, false, config.servers > 0),
                Way::Nearby => (known, true, joins && (known > 0 || search)),
            };
            let search = nearby && search;
            if is_open {
                let mut key = [0; 32];
                entropy.fill(&mut key);
                let WaysConfig { intent, fingerprint, media, stays, seed, .. } = config.clone();
                let seed = seed ^ way as u64;
                let config = SessionConfig { intent, servers, nearby, search, fingerprint, media, stays, seed };
                let session = Session::new(now, config, Entropy::new(key));
                lanes.push(Lane { way, session, signaling: None, peer: None, closed: None });
            }
        }
        let chosen = match lanes.as_slice() {
            [only] => Some(only.way),
            _ => None,
        };
        let mut ways = Self { lanes, chosen, shown: CallState::New, outputs: VecDeque::new() };
        if chosen.is_none() {
            ways.event(Way::Server, CallEvent::State(CallState::New));
        }
        ways.drain(now);
        ways
    }

    /// Where the call stands.
    #[must_use]
    pub fn state(&self) -> CallState {
        match self.chosen.and_then(|way| self.lane(way)) {
            Some(lane) => lane.session.state(),
            None => self.shown.clone(),
        }
    }

    /// The way that the call goes, once that is certain.
    #[must_use]
    pub const fn chosen(&self) -> Option<Way> {
        self.chosen
    }

    /// The call is over on every way, and nothing will come out any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.outputs.is_empty() && self.lanes.iter().all(|lane| lane.session.is_finished())
    }

    /// The next thing that is wanted, and on which way.
    pub fn poll_output(&mut self) -> Option<(Way, Output)> {
        self.outputs.pop_front()
    }

    /// When to call [`Ways::handle_timeout`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(|lane| lane.session.poll_timeout()).min()
    }

    /// Takes what happened on one way. What a person does, and what happens to the machine, happens on all.
    pub fn handle_input(&mut self, now: Instant, way: Way, input: Input) {
        match input {
            Input::Command(command) => self.handle_command(now, &command),
            input @ (Input::Socket(_) | Input::ServerFound | Input::Transport { .. }) => {
                if let Some(lane) = self.lane_mut(way) {
                    lane.session.handle_input(now, input);
                }
                self.drain(now);
            }
        }
    }

    /// Takes what a person does, or what happens to the machine.
    pub fn handle_command(&mut self, now: Instant, command: &Command) {
        for lane in &mut self.lanes {
            lane.session.handle_input(now, Input::Command(command.clone()));
        }
        self.drain(now);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        for lane in &mut self.lanes {
            if lane.session.poll_timeout().is_some_and(|due| due <= now) {
                lane.session.handle_timeout(now);
            }
        }
        self.drain(now);
    }

    /// Passes on what the sessions say, until none has more to say: a choice makes another one speak.
    fn drain(&mut self, now: Instant) {
        while let Some((way, output)) =
            self.lanes.iter_mut().find_map(|lane| Some((lane.way, lane.session.poll_output()?)))
        {
            match output {
                Output::Event(event) => self.on_event(now, way, event),
                output @ (Output::Socket(_) | Output::Transport { .. }) => self.outputs.push_back((way, output)),
            }
        }
    }

    fn on_event(&mut self, now: Instant, way: Way, event: CallEvent) {
        match self.chosen {
            Some(chosen) if chosen == way => self.event(way, event),
            // It is being left, and nobody cares any more.
            Some(_) => {}
            None => self.on_event_of_many(now, way, event),
        }
    }

    fn on_event_of_many(&mut self, now: Instant, way: Way, event: CallEvent) {
        match event {
            CallEvent::State(state) => self.on_state(now, way, &state),
            CallEvent::Signaling(state) => {
                // The server that has a name is the one that somebody expects to be there.
                if way == Way::Server {
                    self.event(way, CallEvent::Signaling(state.clone()));
                }
                self.lane_mut(way).into_iter().for_each(|lane| lane.signaling = Some(state.clone()));
            }
            CallEvent::Peer(state) => self.lane_mut(way).into_iter().for_each(|lane| lane.peer = Some(state)),
            event @ (CallEvent::WrongGuess { .. }
            | CallEvent::Verified(_)
            | CallEvent::RemoteGuest { .. }
            | CallEvent::RemoteMedia(_)
            | CallEvent::RemoteReport(_)
            | CallEvent::Quality(_)
            | CallEvent::InLine { .. }
            | CallEvent::Obstacle(_)
            | CallEvent::Again(_)
            | CallEvent::Deadline(_)
            | CallEvent::Dropped { .. }) => self.event(way, event),
        }
    }

    fn on_state(&mut self, now: Instant, way: Way, state: &CallState) {
        match state {
            CallState::Connected { .. } | CallState::Disconnected { .. } => self.choose(now, way),
            CallState::Closed(reason) => {
                self.lane_mut(way).into_iter().for_each(|lane| lane.closed = Some(reason.clone()));
                if self.lanes.iter().all(|lane| lane.closed.is_some()) { self.give_up() } else { self.show() }
            }
            CallState::New | CallState::Waiting { .. } | CallState::Verifying | CallState::Connecting => self.show(),
        }
    }

    /// The call goes this way from now on.
    fn choose(&mut self, now: Instant, way: Way) {
        self.chosen = Some(way);
        let Some(lane) = self.lane_mut(way) else { return };
        let (signaling, peer, state) = (lane.signaling.clone(), lane.peer, lane.session.state());
        let news = [signaling.map(CallEvent::Signaling), peer.map(CallEvent::Peer), Some(CallEvent::State(state))];
        news.into_iter().flatten().for_each(|event| self.event(way, event));
        for lane in self.lanes.iter_mut().filter(|lane| lane.way != way) {
            lane.session.handle_input(now, Input::Command(Command::Leave));
        }
    }

    /// No way is left.
    fn give_up(&mut self) {
        let reasons = self.lanes.iter().filter_map(|lane| Some((lane.way, lane.closed.clone()?)));
        let Some((way, reason)) = reasons.max_by_key(|(way, reason)| (telling(reason), *way == Way::Server)) else {
            return;
        };
        self.chosen = Some(way);
        self.event(way, CallEvent::State(CallState::Closed(reason)));
    }

    /// As far as the way that has come farthest.
    fn show(&mut self) {
        let open = self.lanes.iter().filter(|lane| lane.closed.is_none());
        let Some((way, state)) =
            open.map(|lane| (lane.way, lane.session.state())).max_by_key(|(_, state)| progress(state))
        else {
            return;
        };
        if state != self.shown {
            self.shown = state.clone();
            self.event(way, CallEvent::State(state));
        }
    }

    // ── small helpers ───────────────────────────────────────────────────────────────────────────────────────────

    fn event(&mut self, way: Way, event: CallEvent) {
        self.outputs.push_back((way, Output::Event(event)));
    }

    fn lane(&self, way: Way) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.way == way)
    }

    fn lane_mut(&mut self, way: Way) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.way == way)
    }
}

/// How much a reason says of why there is no call. Where one way got as far as the other person, that is what happened; wrong
/// words say less, for a server that hides its rooms answers so where nobody waits; that nobody was there, or no server, says
/// still less, and of the local network least.
const fn telling(reason: &CloseReason) -> u8 {
    match reason {
        CloseReason::NobodyNear { .. } => 0,
        CloseReason::NoSuchRoom { .. } => 1,
        CloseReason::ServerUnreachable { .. } => 2,
        CloseReason::ServerRefused { .. } => 3,
        CloseReason::WrongWords => 4,
        CloseReason::HungUp
        | CloseReason::PeerHungUp
        | CloseReason::PeerLost
        | CloseReason::RoomFull
        | CloseReason::NoAnswer
        | CloseReason::Burnt
        | CloseReason::Tampered { .. }
        | CloseReason::WrongCertificate
        | CloseReason::Dismissed
        | CloseReason::Expired
        | CloseReason::NoPath { .. }
        | CloseReason::BadMessage { .. }
        | CloseReason::TransportFailed { .. } => 5,
    }
}

const fn progress(state: &CallState) -> u8 {
    match state {
        CallState::Closed(_) => 0,
        CallState::New => 1,
        CallState::Waiting { .. } => 2,
        CallState::Verifying => 3,
        CallState::Connecting => 4,
        CallState::Connected { .. } | CallState::Disconnected { .. } => 5,
    }
}
