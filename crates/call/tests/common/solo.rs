//! One session, driven by hand: the test is its server, its peer connection and the other side.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use visavis_call::{
    CallEvent, CallState, Candidate, Command, Input, Intent, Output, PeerState, Session, SocketAction, SocketInput,
    TransportAction, TransportInput,
};
use visavis_signaling::message::reason;
use visavis_signaling::{Body, ClientMessage, Exchange, Nameplate, Opened, Role, RoomCode, ServerMessage};

use super::{code, config, entropy, origin, reason as closed_for, terms};

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    New,
    Waiting,
    /// Creator: nothing said yet. Joiner: has opened the exchange.
    Verifying,
    /// Both: our description is being made.
    Describing,
    Connecting,
    Connected,
    Disconnected,
    Closed,
}

impl Stage {
    pub const ALL: [Self; 8] = [
        Self::New,
        Self::Waiting,
        Self::Verifying,
        Self::Describing,
        Self::Connecting,
        Self::Connected,
        Self::Disconnected,
        Self::Closed,
    ];

    /// Those that a side goes through.
    pub fn of(role: Role) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |stage| role == Role::Creator || *stage != Self::Waiting)
    }

    /// Both sides in each of their stages.
    pub fn everywhere() -> impl Iterator<Item = (Role, Self)> {
        [Role::Creator, Role::Joiner].into_iter().flat_map(|role| Self::of(role).map(move |stage| (role, stage)))
    }
}

pub struct Solo {
    pub now: Instant,
    pub session: Session,
    pub role: Role,
    /// Everything that came out and wasn't taken yet.
    pub outputs: Vec<Output>,
    /// Of the last peer connection that was asked for.
    pub generation: u32,
    pub exchange: u32,
    /// The server answers no ping: everything is dark, and nobody has noticed yet.
    pub dark: bool,
    /// The code, once there is one.
    pub code: RoomCode,
    other: Exchange,
    /// What the other said first, if it is the joiner.
    opening: Option<String>,
    /// What the session said to the other since the last `take`.
    heard: Vec<Body>,
    /// Every body that was relayed: what is sent again is heard once.
    relayed: HashSet<String>,
    seq: u64,
}

/// The number by which the other side goes.
pub const OTHER: u8 = 9;

impl Solo {
    pub fn new(role: Role) -> Self {
        let intent = if role == Role::Creator { Intent::Create } else { Intent::Join(code("123456")) };
        Self::with_servers(role, intent, 1)
    }

    pub fn with_servers(role: Role, intent: Intent, servers: usize) -> Self {
        let now = origin();
        let session = Session::new(now, config(intent, 1, servers), entropy(1));
        let code = code("123456");
        let (other, opening) = other_side(role, &code, 0);
        let mut solo = Self {
            now,
            session,
            role,
            outputs: Vec::new(),
            generation: 0,
            exchange: 0,
            dark: false,
            code,
            other,
            opening,
            heard: Vec::new(),
            relayed: HashSet::new(),
            seq: 0,
        };
        solo.drain();
        solo
    }

    /// A session that has come that far, with nothing left to take.
    pub fn at(role: Role, stage: Stage) -> Self {
        let mut solo = Self::new(role);
        solo.go_to(stage);
        solo.take();
        solo
    }

    pub fn go_to(&mut self, stage: Stage) {
        self.online();
        self.steps(0, stage);
    }

    /// From [`Stage::Verifying`] on.
    pub fn continue_to(&mut self, stage: Stage) {
        self.steps(2, stage);
        self.take();
    }

    fn steps(&mut self, done: usize, stage: Stage) {
        let path: &[fn(&mut Self)] =
            &[Self::created, Self::knocked, Self::describing, Self::described, Self::path_up, Self::path_down];
        let steps = match stage {
            Stage::New => 0,
            Stage::Waiting => 1,
            Stage::Verifying => 2,
            Stage::Describing => 3,
            Stage::Connecting => 4,
            Stage::Connected => 5,
            Stage::Disconnected | Stage::Closed => 6,
        };
        for step in &path[done..steps] {
            step(self);
        }
        if stage == Stage::Closed {
            self.input(Input::Command(Command::HangUp));
        }
    }

    // ── the server ──────────────────────────────────────────────────────────────────────────────────────────────

    pub fn online(&mut self) {
        self.welcome(false);
    }

    /// A (new) socket and the server's greeting.
    pub fn welcome(&mut self, resumed: bool) {
        self.socket(SocketInput::Opened);
        let (version, features, token) = (1, Vec::new(), "token".to_owned());
        let received = 0;
        self.server(&ServerMessage::Welcome { version, features, heartbeat_ms: 60_000, token, resumed, received });
    }

    pub fn offline(&mut self) {
        self.socket(SocketInput::Closed { reason: "cut".into() });
    }

    /// The connection comes back after its pause.
    pub fn back_online(&mut self, resumed: bool) {
        self.pass(Duration::from_millis(500));
        self.welcome(resumed);
    }

    pub fn server(&mut self, message: &ServerMessage) {
        self.socket(SocketInput::Text(message.to_json()));
    }

    pub fn created(&mut self) {
        if self.role == Role::Creator {
            self.server(&ServerMessage::Created { nameplate: Nameplate::new("123456").unwrap() });
        }
    }

    pub fn knocked(&mut self) {
        self.exchange += 1;
        self.seq = 0;
        (self.other, self.opening) = other_side(self.role, &self.code, self.exchange);
        self.server(&ServerMessage::Knocked { exchange: self.exchange });
    }

    pub fn peer_left(&mut self, why: &str) {
        self.server(&ServerMessage::PeerLeft { exchange: self.exchange, reason: why.into() });
    }

    pub fn lost(&mut self) {
        self.peer_left(reason::LOST);
    }

    // ── the other side ──────────────────────────────────────────────────────────────────────────────────────────

    /// Says it, or what nobody could have sealed while there is no key for it.
    pub fn body(&mut self, body: &Body) {
        let unkeyed = r#"{"type":"sealed","number":1,"sealed":""}"#;
        let sealed = self.other.seal(body).unwrap_or_else(|_| unkeyed.to_owned());
        self.sealed(sealed);
    }

    /// What the joiner is about to say first.
    pub fn opening(&self) -> &str {
        self.opening.as_deref().unwrap()
    }

    /// Says it.
    pub fn open(&mut self) {
        if let Some(opening) = self.opening.take() {
            self.sealed(opening);
        }
    }

    pub fn sealed(&mut self, body: String) {
        self.seq += 1;
        self.server(&ServerMessage::Relay { exchange: self.exchange, seq: self.seq, body });
    }

    pub fn offer(restart: bool) -> Body {
        Body::Offer { sdp: "their offer".into(), restart }
    }

    pub fn answer() -> Body {
        Body::Answer { sdp: "their answer".into() }
    }

    pub fn candidate() -> Candidate {
        Candidate { candidate: "candidate:1 1 udp 1 192.0.2.1 5000 typ host".into(), ..Candidate::default() }
    }

    /// One of each body that the other side may send, and of each control message.
    pub fn every_body() -> Vec<Body> {
        let control = |text: &str| Body::Control { text: text.into() };
        vec![
            Self::offer(false),
            Self::offer(true),
            Self::answer(),
            Body::from(Self::candidate()),
            Body::EndOfCandidates,
            control(r#"{"type":"media","microphone":true}"#),
            control(r#"{"type":"stats"}"#),
            control(r#"{"type":"please-restart"}"#),
            control(r#"{"type":"dance"}"#),
            control(r#"{"type":"bye","reason":"hung-up"}"#),
            Body::Bye { reason: "hung-up".into() },
        ]
    }

    // ── the peer connection ─────────────────────────────────────────────────────────────────────────────────────

    pub fn transport(&mut self, input: TransportInput) {
        self.input(Input::Transport { generation: self.generation, input });
    }

    pub fn peer(&mut self, state: PeerState) {
        self.transport(TransportInput::State(state));
    }

    fn describing(&mut self) {
        match self.role {
            Role::Creator => self.open(),
            Role::Joiner => self.body(&Self::offer(false)),
        }
    }

    fn described(&mut self) {
        match self.role {
            Role::Creator => {
                self.transport(TransportInput::OfferReady("our offer".into()));
                self.body(&Self::answer());
                self.transport(TransportInput::AnswerAccepted);
            }
            Role::Joiner => self.transport(TransportInput::AnswerReady("our answer".into())),
        }
        self.server(&ServerMessage::Confirmed { exchange: self.exchange, room: "00".repeat(16) });
    }

    pub fn path_up(&mut self) {
        self.peer(PeerState::Connected);
        self.transport(TransportInput::ControlOpened);
    }

    pub fn path_down(&mut self) {
        self.peer(PeerState::Disconnected);
    }

    // ── the session itself ──────────────────────────────────────────────────────────────────────────────────────

    pub fn socket(&mut self, input: SocketInput) {
        self.input(Input::Socket(input));
    }

    pub fn input(&mut self, input: Input) {
        self.session.handle_input(self.now, input);
        self.drain();
    }

    /// Lets time pass, stopping at every deadline.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.session.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.session.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            if let Output::Transport { generation, action: TransportAction::Open } = &output {
                self.generation = *generation;
            }
            if let Output::Event(CallEvent::State(CallState::Waiting { code })) = &output {
                self.code = code.clone();
            }
            self.hear(&output);
            let ping = matches!(&output, Output::Socket(SocketAction::Send(text))
                if matches!(ClientMessage::parse(text), Ok(ClientMessage::Ping)));
            self.outputs.push(output);
            if ping && !self.dark {
                let pong = SocketInput::Text(ServerMessage::Pong.to_json());
                self.session.handle_input(self.now, Input::Socket(pong));
            }
        }
    }

    /// The other side takes what is relayed to it.
    fn hear(&mut self, output: &Output) {
        let Output::Socket(SocketAction::Send(text)) = output else { return };
        let Ok(ClientMessage::Relay { body, .. }) = ClientMessage::parse(text) else { return };
        if !self.relayed.insert(body.clone()) {
            return;
        }
        match self.other.open(&body) {
            Ok(Opened::Body(body)) => self.heard.push(body),
            Ok(Opened::Refused { reason }) => self.heard.push(Body::Bye { reason }),
            Ok(Opened::Opening) | Err(_) => {}
        }
    }

    pub fn take(&mut self) -> Vec<Output> {
        self.heard.clear();
        std::mem::take(&mut self.outputs)
    }

    pub fn state(&self) -> CallState {
        self.session.state()
    }

    pub fn closed_for(&self) -> Option<visavis_call::CloseReason> {
        closed_for(&self.session.state())
    }

    /// What the session asked its peer connection for since the last `take`.
    pub fn actions(&self) -> Vec<TransportAction> {
        let action = |output: &Output| match output {
            Output::Transport { action, .. } => Some(action.clone()),
            _ => None,
        };
        self.outputs.iter().filter_map(action).collect()
    }

    /// What it sent to the server since the last `take`.
    pub fn sent(&self) -> Vec<ClientMessage> {
        let message = |output: &Output| match output {
            Output::Socket(SocketAction::Send(text)) => ClientMessage::parse(text).ok(),
            _ => None,
        };
        self.outputs.iter().filter_map(message).collect()
    }

    /// The bodies among it, as the other opened them.
    pub fn relayed(&self) -> Vec<Body> {
        self.heard.clone()
    }
}

fn other_side(role: Role, code: &RoomCode, exchange: u32) -> (Exchange, Option<String>) {
    let mut random = visavis_signaling::random::SplitMix::new(u64::from(exchange) + 1);
    match role {
        Role::Creator => {
            let (joiner, opening) = Exchange::join(terms(code, OTHER), &mut random);
            (joiner, Some(opening))
        }
        Role::Joiner => (Exchange::create(terms(code, OTHER), Vec::new(), &mut random), None),
    }
}
