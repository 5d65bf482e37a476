//! The call: the control channel's messages, and a whole session that is told nonsense.

use std::time::{Duration, Instant};

use visavis_call::{
    CallEvent, CallState, Candidate, Command, ControlMessage, Entropy, Fingerprint, Input, Intent, Measured,
    MediaState, Output, PeerState, Session, SessionConfig, SocketAction, SocketInput, TransportAction, TransportInput,
};
use visavis_signaling::{Body, ClientMessage, Exchange, Opened, Role, RoomCode, ServerMessage, Terms};

use crate::script;

/// The longest that a call may take to end once it was hung up.
const GOODBYE: Duration = Duration::from_secs(60);

/// A message of the control channel.
pub(crate) fn control(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(message) = ControlMessage::from_text(&text) {
        let again = ControlMessage::from_text(&message.to_text());
        assert!(again.is_some(), "its own form isn't read: {}", message.to_text());
    }
}

/// A session in the hands of its enemies.
struct Captive {
    session: Session,
    now: Instant,
    generation: u32,
    exchange: u32,
    code: RoomCode,
    /// The other side of the exchange, who knows the words.
    other: Exchange,
    /// What the other says first, if it is the joiner and calls again.
    opening: Option<String>,
    seq: u64,
    role: Role,
}

impl Captive {
    fn new(role: Role, nearby: bool) -> Option<Self> {
        let now = Instant::now();
        let code = RoomCode::parse("123456-tulip-orbit").ok()?;
        let intent = match role {
            Role::Creator => Intent::Create,
            Role::Joiner => Intent::Join(code.clone()),
        };
        let fingerprint = Fingerprint([0xAB; 32]);
        let config = SessionConfig {
            intent,
            servers: 2,
            nearby,
            search: nearby,
            fingerprint,
            media: MediaState::default(),
            stays: true,
            seed: 1,
        };
        let session = Session::new(now, config, Entropy::new([1; 32]));
        let (other, _) = other_side(role, &code);
        let mut captive = Self { session, now, generation: 0, exchange: 0, code, other, opening: None, seq: 0, role };
        captive.drain();
        Some(captive)
    }

    fn input(&mut self, input: Input) {
        self.session.handle_input(self.now, input);
        self.drain();
    }

    fn transport(&mut self, input: TransportInput) {
        self.input(Input::Transport { generation: self.generation, input });
    }

    fn server(&mut self, text: String) {
        let knocked = match ServerMessage::parse(&text) {
            Ok(ServerMessage::Knocked { exchange }) => Some(exchange),
            _ => None,
        };
        let mut opening = None;
        if let Some(exchange) = knocked {
            (self.exchange, self.seq) = (exchange, 0);
            (self.other, opening) = other_side(self.role, &self.code);
        }
        self.input(Input::Socket(SocketInput::Text(text)));
        if let Some(body) = opening {
            self.relay(body);
        }
    }

    fn relay(&mut self, body: String) {
        self.seq += 1;
        self.server(ServerMessage::Relay { exchange: self.exchange, seq: self.seq, body }.to_json());
    }

    /// Something sealed by the other side, as it comes through the server.
    fn body(&mut self, json: &str) {
        let Ok(body) = serde_json::from_str::<Body>(json) else { return };
        let Ok(body) = self.other.seal(&body) else { return };
        self.relay(body);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.drain();
            assert!(self.session.poll_timeout().is_none_or(|next| next > self.now), "it is due again at once");
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transport { generation, action: TransportAction::Open } => self.generation = generation,
                Output::Event(CallEvent::State(CallState::Waiting { code })) => self.code = code,
                Output::Event(CallEvent::State(CallState::Verifying)) => {
                    if let Some(secret) = self.other.rejoin_secret() {
                        let terms = Terms::again(secret, Fingerprint([0xCE; 32]));
                        (self.other, self.opening) = meeting(self.role, terms);
                    }
                }
                Output::Socket(SocketAction::Send(text)) => {
                    if let Ok(ClientMessage::Relay { body, .. }) = ClientMessage::parse(&text) {
                        // What is sent again, or to one before, isn't due; the other loses nothing by it.
                        let opened = self.other.open(&body);
                        assert!(!matches!(opened, Ok(Opened::Refused { .. })) || self.role == Role::Creator);
                    }
                }
                Output::Transport { .. } | Output::Event(_) | Output::Socket(_) => {}
            }
        }
    }

    fn perform(&mut self, what: char, line: &str) {
        let text = || line.to_owned();
        match what {
            '{' => self.server(format!("{{{line}")),
            'b' => self.body(line),
            'x' => self.relay(text()),
            'o' => self.input(Input::Socket(SocketInput::Opened)),
            'n' => self.input(Input::ServerFound),
            'c' => self.input(Input::Socket(SocketInput::Closed { reason: text() })),
            'h' => self.input(Input::Command(Command::HangUp)),
            'g' => self.input(Input::Command(Command::Again { fingerprint: Fingerprint([0xAC; 32]) })),
            'l' => self.input(Input::Command(Command::Leave)),
            'p' => self.opening.take().into_iter().for_each(|opening| self.relay(opening)),
            'm' => self.input(Input::Command(Command::Media(MediaState { microphone: true, camera: true }))),
            'r' => self.input(Input::Command(Command::Measured(Measured::default()))),
            '~' => self.pass(script::wait(line)),
            's' => self.transport(TransportInput::State(state(script::number(line).0))),
            't' => self.transport(TransportInput::Control(text())),
            'u' => self.transport(TransportInput::ControlOpened),
            'd' => self.transport(TransportInput::ControlClosed),
            'O' => self.transport(TransportInput::OfferReady(text())),
            'A' => self.transport(TransportInput::AnswerReady(text())),
            'a' => self.transport(TransportInput::AnswerAccepted),
            'i' => self.transport(TransportInput::Candidate(Candidate { candidate: text(), ..Candidate::default() })),
            'e' => self.transport(TransportInput::EndOfCandidates),
            'f' => self.transport(TransportInput::Failed { reason: text() }),
            _ => self.input(Input::Socket(SocketInput::Text(text()))),
        }
    }
}

/// The other side of an exchange, and what it says first if it is the joiner.
fn other_side(role: Role, code: &RoomCode) -> (Exchange, Option<String>) {
    meeting(role, Terms::by_code(code, Fingerprint([0xCD; 32])))
}

fn meeting(role: Role, terms: Terms) -> (Exchange, Option<String>) {
    let mut entropy = Entropy::new([2; 32]);
    match role {
        Role::Creator => {
            let (joiner, opening) = Exchange::join(terms, &mut entropy);
            (joiner, Some(opening))
        }
        Role::Joiner => (Exchange::create(terms, Vec::new(), &mut entropy), None),
    }
}

fn state(number: u64) -> PeerState {
    match number {
        0 => PeerState::New,
        1 => PeerState::Connecting,
        2 => PeerState::Connected,
        3 => PeerState::Disconnected,
        4 => PeerState::Failed,
        _ => PeerState::Closed,
    }
}

/// Server, peer connection, other side and user, none of them in their right mind, in lines: see `Captive::perform`. A first
/// character `j` makes it a joiner's call, `n` one by the local network.
pub(crate) fn session(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let nearby = text.starts_with('n');
    let role = if nearby || text.starts_with('j') { Role::Joiner } else { Role::Creator };
    let Some(mut captive) = Captive::new(role, nearby) else { return };
    for (what, line) in script::lines(&text).skip(1) {
        captive.perform(what, line);
    }
    captive.input(Input::Command(Command::Leave));
    captive.pass(GOODBYE);
    assert!(captive.session.is_finished(), "it was left and hangs: {:?}", captive.session.state());
}
