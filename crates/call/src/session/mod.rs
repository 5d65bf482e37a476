//! The session: what it holds and the contract by which it is driven. What it decides is elsewhere: [`transitions`] has
//! the drawing and every change of state, [`server`] what the signalling brings, [`peer`] what the peer connection and
//! the other side bring. [`again`] is what comes after the call.

mod again;
mod peer;
mod server;
mod transitions;

use std::collections::VecDeque;
use std::time::Instant;

use visavis_signaling::client::Client;
use visavis_signaling::exchange::Sid;
use visavis_signaling::{Entropy, Fingerprint, Role, RoomCode};

use self::again::Apart;
use crate::control::{ControlMessage, MediaState};
use crate::input::{CallEvent, Command, IceServer, Input, Intent, Output};
use crate::link::Link;
use crate::state::{CallState, CloseReason};
use crate::timers::{Timer, Timers};

/// What a session is made from.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// What the person wants.
    pub intent: Intent,
    /// How many servers may be asked; at least one, unless `nearby`. A joiner asks each in turn until one knows the code.
    pub servers: usize,
    /// Joiner: the servers are those of this machine and the local network. None of them is waited for.
    pub nearby: bool,
    /// More of those may be found ([`Input::ServerFound`]) for as long as [`Timer::Search`] runs.
    pub search: bool,
    /// Of our DTLS certificate.
    pub fingerprint: Fingerprint,
    /// What we send from the start.
    pub media: MediaState,
    /// Stay in the room when the call is over, so that the two may call one another again.
    pub stays: bool,
    /// Seed for what must be random but not secret (the jitter of reconnecting).
    pub seed: u64,
}

#[derive(Debug)]
enum State {
    New,
    Waiting,
    Verifying(Link),
    Connecting(Link),
    Connected {
        link: Link,
        since: Instant,
    },
    Disconnected {
        link: Link,
        since: Instant,
        lost: Instant,
    },
    Closed {
        reason: CloseReason,
        link: Option<Link>,
        /// While another call with the same other may follow.
        apart: Option<Apart>,
    },
}

/// One call.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    role: Role,
    client: Client,
    /// The server that is asked, or the next one to be, if there is nobody to ask.
    server: usize,
    /// How many are known.
    servers: usize,
    /// Whether the present server has answered at all.
    reached: bool,
    /// Whether one of the local network hasn't.
    silent: bool,
    code: Option<RoomCode>,
    /// What is secret of this call comes from here.
    entropy: Entropy,
    /// The exchanges in which somebody may have tested a guess at the words.
    guesses: Vec<Sid>,
    /// This is another call of two who have met: no code lets anybody else in.
    meets_again: bool,
    /// What the server told last.
    ice_servers: Vec<IceServer>,
    state: State,
    media: MediaState,
    timers: Timers,
    generations: u32,
    dropped: u32,
    finished: bool,
    outputs: VecDeque<Output>,
}

impl Session {
    /// A session; it wants its socket at once. Words and keys come from `entropy`.
    #[must_use]
    pub fn new(now: Instant, config: SessionConfig, entropy: Entropy) -> Self {
        let (role, code) = match &config.intent {
            Intent::Create => (Role::Creator, None),
            Intent::Join(code) => (Role::Joiner, Some(code.clone())),
        };
        let mut session = Self {
            client: Client::of_none(),
            media: config.media,
            config,
            role,
            server: 0,
            servers: 0,
            reached: false,
            silent: false,
            code,
            entropy,
            guesses: Vec::new(),
            meets_again: false,
            ice_servers: Vec::new(),
            state: State::New,
            timers: Timers::default(),
            generations: 0,
            dropped: 0,
            finished: false,
            outputs: VecDeque::new(),
        };
        session.event(CallEvent::State(CallState::New));
        session.begin(now);
        session.drain_client(now);
        session
    }

    /// Where the call stands.
    #[must_use]
    pub fn state(&self) -> CallState {
        match &self.state {
            State::New => CallState::New,
            // A creator who waits has a code.
            State::Waiting => self.code.clone().map_or(CallState::New, |code| CallState::Waiting { code }),
            State::Verifying(_) => CallState::Verifying,
            State::Connecting(_) => CallState::Connecting,
            State::Connected { since, .. } => CallState::Connected { since: *since },
            State::Disconnected { since, lost, .. } => CallState::Disconnected { since: *since, lost: *lost },
            State::Closed { reason, .. } => CallState::Closed(reason.clone()),
        }
    }

    /// The call is closed, the goodbye has had its time, and nothing will come out any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished && self.outputs.is_empty()
    }

    /// The next thing that the session wants done or known.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Session::handle_timeout`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.finished {
            return None;
        }
        [self.timers.next(), self.client.poll_timeout()].into_iter().flatten().min()
    }

    /// Takes one input.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        if self.finished {
            return;
        }
        match input {
            Input::Command(command) => self.on_command(now, command),
            Input::Socket(input) => {
                self.client.handle_input(now, server::client_input(input));
                self.mend_if_due(now);
            }
            Input::ServerFound => self.server_found(now),
            Input::Transport { generation, input } => {
                if self.link().is_some_and(|link| link.generation == generation) {
                    self.on_transport(now, input);
                }
            }
        }
        self.drain_client(now);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.finished {
            return;
        }
        while let Some(timer) = self.timers.expired(now) {
            self.on_timer(now, timer);
        }
        self.client.handle_timeout(now);
        self.drain_client(now);
    }

    fn on_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::HangUp => self.close(now, CloseReason::HungUp),
            Command::Again { fingerprint } => self.ask_again(now, fingerprint),
            Command::Leave => self.leave(now),
            Command::Media(media) => {
                self.media = media;
                self.control(now, &ControlMessage::Media(media));
            }
            Command::Measured(measured) => self.measured(now, &measured),
            Command::NetworkChanged { path_gone } => self.network_changed(now, path_gone),
        }
    }

    fn on_timer(&mut self, now: Instant, timer: Timer) {
        self.event(CallEvent::Deadline(timer));
        match (timer, self.role) {
            (Timer::Search, _) => self.search_over(now),
            (Timer::Reach, _) => self.out_of_reach(now),
            (Timer::Exchange, Role::Creator) if !self.meets_again => self.dismiss(now),
            (Timer::Exchange, _) if self.meets_again => self.close(now, CloseReason::PeerLost),
            (Timer::Exchange, _) => self.close(now, CloseReason::NoAnswer),
            (Timer::Connecting, _) => {
                let obstacle = self.link_mut().and_then(|link| link.obstacle.take());
                self.close(now, CloseReason::NoPath { obstacle });
            }
            (Timer::Restart | Timer::RestartAgain, _) => self.mend(now),
            (Timer::Lost | Timer::Alone, _) => self.close(now, CloseReason::PeerLost),
            (Timer::Linger, _) => self.lingered(now),
            (Timer::Apart, _) => self.apart_for_good(now),
        }
    }

    // ── small helpers ───────────────────────────────────────────────────────────────────────────────────────────

    fn event(&mut self, event: CallEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn link(&self) -> Option<&Link> {
        match &self.state {
            State::New | State::Waiting => None,
            State::Closed { link, .. } => link.as_ref(),
            State::Verifying(link)
            | State::Connecting(link)
            | State::Connected { link, .. }
            | State::Disconnected { link, .. } => Some(link),
        }
    }

    fn link_mut(&mut self) -> Option<&mut Link> {
        match &mut self.state {
            State::New | State::Waiting => None,
            State::Closed { link, .. } => link.as_mut(),
            State::Verifying(link)
            | State::Connecting(link)
            | State::Connected { link, .. }
            | State::Disconnected { link, .. } => Some(link),
        }
    }

    const fn is_up(&self) -> bool {
        matches!(self.state, State::Connected { .. } | State::Disconnected { .. })
    }
}
