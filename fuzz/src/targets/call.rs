//! The call: the control channel's messages, and a whole session that is told nonsense.

use std::time::{Duration, Instant};

use visavis_call::{
    Candidate, Command, ControlMessage, Input, Intent, Measured, MediaState, Output, PeerState, Session, SessionConfig,
    SocketInput, TransportAction, TransportInput,
};
use visavis_signaling::{Body, Role, RoomCode, Seal, ServerMessage};

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
    seal: Seal,
    seq: u64,
    role: Role,
}

impl Captive {
    fn new(role: Role) -> Option<Self> {
        let now = Instant::now();
        let intent = match role {
            Role::Creator => Intent::Create,
            Role::Joiner => Intent::Join(RoomCode::parse("123456").ok()?),
        };
        let fingerprint = ["AB"; 32].join(":");
        let config = SessionConfig { intent, servers: 2, fingerprint, media: MediaState::default(), seed: 1 };
        let session = Session::new(now, config);
        let seal = Seal::pass_through(role.other());
        let mut captive = Self { session, now, generation: 0, exchange: 0, seal, seq: 0, role };
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
        if let Ok(ServerMessage::Knocked { exchange }) = ServerMessage::parse(&text) {
            (self.exchange, self.seq, self.seal) = (exchange, 0, Seal::pass_through(self.role.other()));
        }
        self.input(Input::Socket(SocketInput::Text(text)));
    }

    /// Something sealed by the other side, as it comes through the server.
    fn body(&mut self, json: &str) {
        let Ok(body) = serde_json::from_str::<Body>(json) else { return };
        let Ok(body) = self.seal.seal(&body) else { return };
        self.seq += 1;
        self.server(ServerMessage::Relay { exchange: self.exchange, seq: self.seq, body }.to_json());
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
            if let Output::Transport { generation, action: TransportAction::Open } = output {
                self.generation = generation;
            }
        }
    }

    fn perform(&mut self, what: char, line: &str) {
        let text = || line.to_owned();
        match what {
            '{' => self.server(format!("{{{line}")),
            'b' => self.body(line),
            'o' => self.input(Input::Socket(SocketInput::Opened)),
            'c' => self.input(Input::Socket(SocketInput::Closed { reason: text() })),
            'h' => self.input(Input::Command(Command::HangUp)),
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
/// character `j` makes it a joiner's call.
pub(crate) fn session(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let role = if text.starts_with('j') { Role::Joiner } else { Role::Creator };
    let Some(mut captive) = Captive::new(role) else { return };
    for (what, line) in script::lines(&text).skip(1) {
        captive.perform(what, line);
    }
    captive.input(Input::Command(Command::HangUp));
    captive.pass(GOODBYE);
    assert!(captive.session.is_finished(), "it was hung up and hangs: {:?}", captive.session.state());
}
