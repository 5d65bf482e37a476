//! The transitions of a call, all of them.
//!
//! ```text
//! New ─ created ─> Waiting <──── gave up, left, too late ────┐
//! New ─ let in ───────────────────────────┐                 │
//! Waiting ─ somebody knocks ─> Verifying <┘ ────────────────┘   (joiner: Closed(reason))
//! Verifying ─ descriptions exchanged ─> Connecting ─ ICE+DTLS up ─> Connected
//! Connected ─ path lost ─> Disconnected ─ path found (ICE restart) ─> Connected
//! any state ─ hang up · peer left · deadline · refused ─> Closed(reason)
//! ```
//!
//! A state owns its data: whatever belongs to one particular other is in its `Link`, and goes with it.

use std::collections::VecDeque;
use std::time::Instant;

use visavis_signaling::client::{Client, ClientEvent, ClientInput, ClientOutput, GiveUp};
use visavis_signaling::message::ErrorCode;
use visavis_signaling::{Body, Role, RoomCode, Seal, client};

use crate::control::{ControlMessage, MediaState};
use crate::input::{
    CallEvent, Command, Input, Intent, Output, SocketAction, SocketInput, TransportAction, TransportInput,
};
use crate::link::{Link, Step};
use crate::state::{CallState, CloseReason, PeerState, SignalingState};
use crate::timers::{Timer, Timers};

/// What a session is made from.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// What the person wants.
    pub intent: Intent,
    /// How many servers may be asked; at least one. A joiner asks each in turn until one knows the code.
    pub servers: usize,
    /// SHA-256 fingerprint of our DTLS certificate, `AB:CD:…` (RFC 8122, section 5).
    pub fingerprint: String,
    /// What we send from the start.
    pub media: MediaState,
    /// Seed for what must be random but not secret (the jitter of reconnecting).
    pub seed: u64,
}

#[derive(Debug)]
enum State {
    New,
    Waiting,
    Verifying(Link),
    Connecting(Link),
    Connected { link: Link, since: Instant },
    Disconnected { link: Link, since: Instant, lost: Instant },
    Closed { reason: CloseReason, link: Option<Link> },
}

/// One call.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    role: Role,
    client: Client,
    server: usize,
    code: Option<RoomCode>,
    state: State,
    media: MediaState,
    timers: Timers,
    generations: u32,
    dropped: u32,
    finished: bool,
    outputs: VecDeque<Output>,
}

impl Session {
    /// A session; it wants its socket at once.
    #[must_use]
    pub fn new(now: Instant, config: SessionConfig) -> Self {
        let (role, code) = match &config.intent {
            Intent::Create => (Role::Creator, None),
            Intent::Join(code) => (Role::Joiner, Some(code.clone())),
        };
        let mut session = Self {
            client: new_client(now, &config),
            media: config.media,
            config,
            role,
            server: 0,
            code,
            state: State::New,
            timers: Timers::default(),
            generations: 0,
            dropped: 0,
            finished: false,
            outputs: VecDeque::new(),
        };
        session.event(CallEvent::State(CallState::New));
        session.event(CallEvent::Signaling(SignalingState::Connecting));
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
            Input::Socket(input) => self.client.handle_input(now, client_input(input)),
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

    // ── what the person does ────────────────────────────────────────────────────────────────────────────────────

    fn on_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::HangUp => self.close(now, CloseReason::HungUp),
            Command::Media(media) => {
                self.media = media;
                self.control(now, &ControlMessage::Media(media));
            }
            Command::Report(report) => {
                if self.link().is_some_and(|link| link.control_open) {
                    self.control(now, &ControlMessage::Stats(report));
                }
            }
        }
    }

    // ── what the server says ────────────────────────────────────────────────────────────────────────────────────

    fn drain_client(&mut self, now: Instant) {
        while let Some(output) = self.client.poll_output() {
            match output {
                ClientOutput::Connect => {
                    self.outputs.push_back(Output::Socket(SocketAction::Connect { server: self.server }));
                }
                ClientOutput::Send(text) => self.outputs.push_back(Output::Socket(SocketAction::Send(text))),
                ClientOutput::Disconnect => self.outputs.push_back(Output::Socket(SocketAction::Disconnect)),
                ClientOutput::Event(event) => self.on_client(now, event),
            }
        }
    }

    fn on_client(&mut self, now: Instant, event: ClientEvent) {
        match event {
            ClientEvent::Online => self.event(CallEvent::Signaling(SignalingState::Online)),
            ClientEvent::Offline { reason } => {
                self.event(CallEvent::Signaling(SignalingState::Offline { reason }));
            }
            ClientEvent::Created { nameplate } => self.on_created(RoomCode::from(nameplate)),
            ClientEvent::Waiting { ahead } => self.event(CallEvent::InLine { ahead }),
            ClientEvent::Knocked => self.on_knocked(now),
            ClientEvent::PeerLeft { reason } => self.on_peer_left(now, &reason),
            ClientEvent::Relayed(text) => self.on_relayed(now, &text),
            ClientEvent::Confirmed => {}
            ClientEvent::Refused { code, text } => self.on_refused(now, code, text),
            ClientEvent::GaveUp { cause, reason } => self.on_gave_up(now, cause, reason),
        }
    }

    fn on_created(&mut self, code: RoomCode) {
        self.code = Some(code);
        if matches!(self.state, State::New) {
            self.enter(State::Waiting);
        }
    }

    /// Creator: somebody is in front of the door. Joiner: the door is open to us.
    fn on_knocked(&mut self, now: Instant) {
        if !matches!(self.state, State::New | State::Waiting) {
            return;
        }
        self.generations += 1;
        let seal = Seal::pass_through(self.role);
        let link = Link::new(self.role, self.generations, seal);
        self.outputs.push_back(link.act(TransportAction::Open));
        if self.role == Role::Joiner {
            self.enter(State::Verifying(link));
            self.relay(now, &Body::Knock { version: Body::VERSION, fingerprint: self.config.fingerprint.clone() });
        } else {
            self.enter(State::Verifying(link));
        }
        self.timers.start(Timer::Exchange, now);
    }

    fn on_peer_left(&mut self, now: Instant, reason: &str) {
        match (&self.state, self.role) {
            (State::New | State::Waiting | State::Closed { .. }, _) => {}
            (State::Verifying(_), Role::Creator) => self.back_to_waiting(),
            (State::Verifying(_), Role::Joiner) => self.close(now, CloseReason::NoAnswer),
            // Media doesn't depend on the server: a lost socket over there is no reason to end a call that is up.
            (State::Connected { .. }, _) if reason != "hung-up" => {}
            (State::Connecting(_) | State::Connected { .. } | State::Disconnected { .. }, _) => {
                let why = if reason == "hung-up" { CloseReason::PeerHungUp } else { CloseReason::PeerLost };
                self.close(now, why);
            }
        }
    }

    fn on_refused(&mut self, now: Instant, code: ErrorCode, text: String) {
        if self.is_up() {
            return;
        }
        match (code, &self.config.intent) {
            (ErrorCode::NoSuchRoom, Intent::Join(code)) => {
                let nameplate = code.nameplate().clone();
                self.try_next_server(now, CloseReason::NoSuchRoom { nameplate });
            }
            (ErrorCode::RoomFull, _) => self.close(now, CloseReason::RoomFull),
            (ErrorCode::Expired, _) => self.close(now, CloseReason::Expired),
            (code, _) => self.close(now, CloseReason::ServerRefused { code: code.as_str().to_owned(), text }),
        }
    }

    /// A call whose path is up, or being found, needs no server.
    fn on_gave_up(&mut self, now: Instant, cause: GiveUp, reason: String) {
        if self.is_up() || matches!(self.state, State::Connecting(_)) {
            return;
        }
        let why = match cause {
            GiveUp::Unreachable | GiveUp::NotAServer | GiveUp::Version => CloseReason::ServerUnreachable { reason },
            _ => CloseReason::ServerRefused { code: "gave-up".to_owned(), text: reason },
        };
        self.try_next_server(now, why);
    }

    fn try_next_server(&mut self, now: Instant, otherwise: CloseReason) {
        let joining = self.role == Role::Joiner && matches!(self.state, State::New);
        if !joining || self.server + 1 >= self.config.servers {
            self.close(now, otherwise);
            return;
        }
        self.server += 1;
        self.client = new_client(now, &self.config);
    }

    // ── what the other side says through the server ─────────────────────────────────────────────────────────────

    fn on_relayed(&mut self, now: Instant, text: &str) {
        let Some(link) = self.link_mut() else { return };
        match link.seal.open(text) {
            Ok(body) => self.on_body(now, body),
            Err(error) => self.on_senseless(now, &error.to_string()),
        }
    }

    fn on_body(&mut self, now: Instant, body: Body) {
        let step = self.link().map(|link| link.step);
        match (body, step) {
            (_, None) => {}
            (Body::Knock { fingerprint, .. }, Some(Step::AwaitKnock)) => {
                self.bind(now, &fingerprint, Step::MakingOffer, TransportAction::CreateOffer { ice_restart: false });
            }
            (Body::Offer { sdp, fingerprint, .. }, Some(Step::AwaitOffer | Step::Stable)) => {
                let action = TransportAction::AcceptOffer { sdp, fingerprint: fingerprint.clone() };
                self.bind(now, &fingerprint, Step::MakingAnswer, action);
            }
            // Both offered at once: ours stands, the other gives way (the joiner never offers by itself).
            (Body::Offer { .. }, Some(Step::MakingOffer | Step::AwaitAnswer)) if self.role == Role::Creator => {}
            (Body::Answer { sdp, fingerprint }, Some(Step::AwaitAnswer)) => {
                let action = TransportAction::AcceptAnswer { sdp, fingerprint: fingerprint.clone() };
                self.bind(now, &fingerprint, Step::AwaitAnswer, action);
            }
            (Body::Candidate { candidate, sdp_mid, sdp_mline_index, username_fragment }, Some(_)) => {
                let candidate = crate::input::Candidate { candidate, sdp_mid, sdp_mline_index, username_fragment };
                self.act(TransportAction::AddCandidate(candidate));
            }
            (Body::EndOfCandidates, Some(_)) => {}
            (Body::Control { text }, Some(_)) => self.on_control(now, &text),
            (Body::Bye { .. }, Some(_)) => self.on_bye(now),
            (Body::Knock { .. } | Body::Offer { .. } | Body::Answer { .. }, Some(step)) => {
                self.on_senseless(now, &format!("a message that doesn't fit here ({step:?})"));
            }
        }
    }

    /// Goes on with `action` if `fingerprint` is the one that this exchange is bound to.
    fn bind(&mut self, now: Instant, fingerprint: &str, next: Step, action: TransportAction) {
        let Some(link) = self.link_mut() else { return };
        if link.bind_fingerprint(fingerprint) {
            link.step = next;
            self.act(action);
        } else {
            self.on_senseless(now, "a description with another certificate");
        }
    }

    fn on_bye(&mut self, now: Instant) {
        match (&self.state, self.role) {
            (State::Verifying(_), Role::Creator) => self.back_to_waiting(),
            _ => self.close(now, CloseReason::PeerHungUp),
        }
    }

    /// Before the call is up, sense is required; afterwards nonsense from the server's side must not end it.
    fn on_senseless(&mut self, now: Instant, what: &str) {
        let reason = CloseReason::BadMessage { reason: what.to_owned() };
        match (&self.state, self.role) {
            (State::New | State::Waiting | State::Closed { .. }, _) => {}
            (State::Verifying(_), Role::Creator) => self.back_to_waiting(),
            (State::Verifying(_) | State::Connecting(_), _) => self.close(now, reason),
            (State::Connected { .. } | State::Disconnected { .. }, _) => {
                self.dropped += 1;
                self.event(CallEvent::Dropped { count: self.dropped });
            }
        }
    }

    // ── what the peer connection says ───────────────────────────────────────────────────────────────────────────

    fn on_transport(&mut self, now: Instant, input: TransportInput) {
        match input {
            TransportInput::OfferReady(sdp) => self.on_offer_ready(now, sdp),
            TransportInput::AnswerReady(sdp) => self.on_answer_ready(now, sdp),
            TransportInput::AnswerAccepted => self.on_answer_accepted(now),
            TransportInput::Candidate(candidate) => self.trickle(now, Body::from(candidate)),
            TransportInput::EndOfCandidates => self.trickle(now, Body::EndOfCandidates),
            TransportInput::State(state) => self.on_peer_state(now, state),
            TransportInput::ControlOpened => {
                if let Some(link) = self.link_mut() {
                    link.control_open = true;
                }
                self.control(now, &ControlMessage::Media(self.media));
            }
            TransportInput::Control(text) => self.on_control(now, &text),
            TransportInput::ControlClosed => {
                if let Some(link) = self.link_mut() {
                    link.control_open = false;
                }
            }
            TransportInput::Failed { reason } => self.on_transport_failed(now, reason),
        }
    }

    fn on_offer_ready(&mut self, now: Instant, sdp: String) {
        let restart = self.is_up();
        let fingerprint = self.config.fingerprint.clone();
        self.describe(now, Step::MakingOffer, Step::AwaitAnswer, Body::Offer { sdp, fingerprint, restart });
    }

    fn on_answer_ready(&mut self, now: Instant, sdp: String) {
        let fingerprint = self.config.fingerprint.clone();
        self.describe(now, Step::MakingAnswer, Step::Stable, Body::Answer { sdp, fingerprint });
        self.descriptions_done(now);
    }

    fn on_answer_accepted(&mut self, now: Instant) {
        if let Some(link) = self.link_mut()
            && link.step == Step::AwaitAnswer
        {
            link.step = Step::Stable;
        }
        self.descriptions_done(now);
    }

    /// Sends our description, and the candidates that waited for it.
    fn describe(&mut self, now: Instant, from: Step, to: Step, body: Body) {
        let Some(link) = self.link_mut().filter(|link| link.step == from) else { return };
        link.step = to;
        let held = link.release_held();
        self.relay(now, &body);
        for body in held {
            self.relay(now, &body);
        }
    }

    fn descriptions_done(&mut self, now: Instant) {
        if !matches!(self.state, State::Verifying(_)) {
            return;
        }
        if let State::Verifying(link) = std::mem::replace(&mut self.state, State::New) {
            self.client.handle_input(now, ClientInput::Confirm);
            self.timers.stop(Timer::Exchange);
            self.timers.start(Timer::Connecting, now);
            self.enter(State::Connecting(link));
        }
    }

    fn trickle(&mut self, now: Instant, body: Body) {
        if let Some(body) = self.link_mut().and_then(|link| link.trickle(body)) {
            self.relay(now, &body);
        }
    }

    fn on_peer_state(&mut self, now: Instant, peer: PeerState) {
        self.event(CallEvent::Peer(peer));
        match peer {
            PeerState::New | PeerState::Connecting | PeerState::Closed => {}
            PeerState::Connected => self.on_path_found(now),
            PeerState::Disconnected | PeerState::Failed => self.on_path_lost(now),
        }
    }

    fn on_path_found(&mut self, now: Instant) {
        self.timers.stop(Timer::Connecting);
        self.timers.stop(Timer::Restart);
        match std::mem::replace(&mut self.state, State::New) {
            State::Connecting(link) => self.enter(State::Connected { link, since: now }),
            State::Disconnected { link, since, .. } => self.enter(State::Connected { link, since }),
            // DTLS can be up before our own "answer accepted" is through: the exchange is finished then.
            State::Verifying(link) => {
                self.state = State::Verifying(link);
                self.descriptions_done(now);
                if matches!(self.state, State::Connecting(_)) {
                    self.on_path_found(now);
                }
            }
            same @ (State::New | State::Waiting | State::Connected { .. } | State::Closed { .. }) => self.state = same,
        }
    }

    fn on_path_lost(&mut self, now: Instant) {
        match std::mem::replace(&mut self.state, State::New) {
            State::Connected { link, since } => {
                self.timers.start(Timer::Restart, now);
                self.enter(State::Disconnected { link, since, lost: now });
            }
            // While connecting, the deadline decides: another candidate may still come.
            same @ (State::New
            | State::Waiting
            | State::Verifying(_)
            | State::Connecting(_)
            | State::Disconnected { .. }
            | State::Closed { .. }) => self.state = same,
        }
    }

    fn on_transport_failed(&mut self, now: Instant, reason: String) {
        let reason = CloseReason::TransportFailed { reason };
        match (&self.state, self.role) {
            (State::New | State::Waiting | State::Closed { .. }, _) => {}
            (State::Verifying(_), Role::Creator) => self.back_to_waiting(),
            (State::Verifying(_) | State::Connecting(_), _) => self.close(now, reason),
            // A failed restart leaves the call where it was: disconnected, to be tried again.
            (State::Connected { .. } | State::Disconnected { .. }, _) => {
                if let Some(link) = self.link_mut() {
                    link.step = Step::Stable;
                }
            }
        }
    }

    // ── what the other side says over the control channel ───────────────────────────────────────────────────────

    fn on_control(&mut self, now: Instant, text: &str) {
        let Some(message) = ControlMessage::from_text(text) else { return };
        match message {
            ControlMessage::Media(media) => {
                if let Some(link) = self.link_mut()
                    && link.remote_media.replace(media) != Some(media)
                {
                    self.event(CallEvent::RemoteMedia(media));
                }
            }
            ControlMessage::Bye { .. } => self.on_bye(now),
            ControlMessage::Stats(report) => self.event(CallEvent::RemoteReport(report)),
            ControlMessage::PleaseRestart => self.restart(now),
        }
    }

    // ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────

    fn on_timer(&mut self, now: Instant, timer: Timer) {
        match (timer, self.role) {
            (Timer::Exchange, Role::Creator) => self.back_to_waiting(),
            (Timer::Exchange, Role::Joiner) => self.close(now, CloseReason::NoAnswer),
            (Timer::Connecting, _) => self.close(now, CloseReason::NoPath),
            (Timer::Restart, Role::Creator) => self.restart(now),
            (Timer::Restart, Role::Joiner) => {
                if matches!(self.state, State::Disconnected { .. }) {
                    self.control(now, &ControlMessage::PleaseRestart);
                    self.timers.start(Timer::Restart, now);
                }
            }
            (Timer::Linger, _) => self.finish(),
        }
    }

    /// Only the creator restarts ICE, and only one restart is under way at a time.
    fn restart(&mut self, now: Instant) {
        if self.role != Role::Creator || !matches!(self.state, State::Disconnected { .. }) {
            return;
        }
        self.timers.start(Timer::Restart, now);
        if let Some(link) = self.link_mut()
            && link.step == Step::Stable
        {
            link.step = Step::MakingOffer;
            self.act(TransportAction::CreateOffer { ice_restart: true });
        }
    }

    // ── ways out ────────────────────────────────────────────────────────────────────────────────────────────────

    /// Creator: this one wasn't it; the code stays good for the next.
    /// (The server ends the exchange by its own clock, and lets the next in line knock.)
    fn back_to_waiting(&mut self) {
        if let State::Verifying(link) = std::mem::replace(&mut self.state, State::New) {
            self.timers.stop(Timer::Exchange);
            self.outputs.push_back(link.act(TransportAction::Close));
            self.enter(State::Waiting);
        }
    }

    fn close(&mut self, now: Instant, reason: CloseReason) {
        let old = std::mem::replace(&mut self.state, State::New);
        let (link, said) = match old {
            State::Closed { .. } => {
                self.state = old;
                return;
            }
            State::New | State::Waiting => (None, false),
            State::Verifying(link) => (Some(link), false),
            State::Connecting(link) | State::Connected { link, .. } | State::Disconnected { link, .. } => {
                (Some(link), true)
            }
        };
        self.timers.stop_all();
        self.enter(State::Closed { reason: reason.clone(), link });
        let word = if reason == CloseReason::HungUp { "hung-up" } else { reason.code() };
        if said && reason != CloseReason::PeerHungUp {
            self.control(now, &ControlMessage::Bye { reason: word.to_owned() });
        }
        self.client.handle_input(now, ClientInput::Leave(word.to_owned()));
        self.timers.start(Timer::Linger, now);
    }

    fn finish(&mut self) {
        if let Some(action) = self.link().map(|link| link.act(TransportAction::Close)) {
            self.outputs.push_back(action);
        }
        self.outputs.push_back(Output::Socket(SocketAction::Disconnect));
        self.finished = true;
    }

    // ── small helpers ───────────────────────────────────────────────────────────────────────────────────────────

    fn enter(&mut self, state: State) {
        self.state = state;
        self.event(CallEvent::State(self.state()));
    }

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

    fn act(&mut self, action: TransportAction) {
        if let Some(output) = self.link().map(|link| link.act(action)) {
            self.outputs.push_back(output);
        }
    }

    fn relay(&mut self, now: Instant, body: &Body) {
        if let Some(link) = self.link_mut() {
            match link.seal.seal(body) {
                Ok(sealed) => self.client.handle_input(now, ClientInput::Relay(sealed)),
                // Only our own peer connection could make something that large.
                Err(error) => self.on_transport_failed(now, error.to_string()),
            }
        }
    }

    /// Over the data channel while it is open and the path holds, over the server's relay otherwise.
    fn control(&mut self, now: Instant, message: &ControlMessage) {
        let Some(open) = self.link().map(|link| link.control_open) else { return };
        let path_lost = matches!(self.state, State::Disconnected { .. });
        let text = message.to_text();
        if open && !path_lost {
            self.act(TransportAction::SendControl(text));
        } else {
            self.relay(now, &Body::Control { text });
        }
    }
}

fn new_client(now: Instant, config: &SessionConfig) -> Client {
    let intent = match &config.intent {
        Intent::Create => client::Intent::Create,
        Intent::Join(code) => client::Intent::Knock(code.nameplate().clone()),
    };
    Client::new(now, intent, config.seed)
}

fn client_input(input: SocketInput) -> ClientInput {
    match input {
        SocketInput::Opened => ClientInput::SocketOpened,
        SocketInput::Text(text) => ClientInput::SocketText(text),
        SocketInput::Closed { reason } => ClientInput::SocketClosed { reason },
    }
}
