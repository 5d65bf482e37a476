//! What the signalling brings: the way to a server, the room, and the sealed bodies of the other side.

use std::time::Instant;

use visavis_signaling::client::{self, Client, ClientEvent, ClientInput, ClientOutput, GiveUp};
use visavis_signaling::message::ErrorCode;
use visavis_signaling::{Body, ExchangeError, Fingerprint, Opened, Role, RoomCode, SealError, Words};

use super::{Session, SessionConfig, State};
use crate::input::{CallEvent, Candidate, Intent, Output, SocketAction, SocketInput, TransportAction};
use crate::link::Step;
use crate::state::{CloseReason, SignalingState};
use crate::timers::Timer;

/// Servers of the local network that are asked for one code: with [`Timer::Reach`] for each, who has a wrong code is told so
/// within a quarter of a minute whatever is announced there.
const MOST_SERVERS: usize = 8;
/// A server that names more is taken at its first ones: each is asked from each of our addresses.
const MAX_ICE_SERVERS: usize = 8;

impl Session {
    pub(super) fn drain_client(&mut self, now: Instant) {
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
            ClientEvent::Online => self.on_online(),
            ClientEvent::Offline { reason } => self.on_offline(now, reason),
            // The server gives the number. The words are made here, and stay here.
            ClientEvent::Created { nameplate } => {
                let words = Words::draw(&mut self.entropy);
                self.created(now, RoomCode::new(nameplate, words));
            }
            ClientEvent::Waiting { ahead } => self.event(CallEvent::InLine { ahead }),
            ClientEvent::Knocked => self.knocked(now),
            ClientEvent::IceServers(mut servers) => {
                servers.truncate(MAX_ICE_SERVERS);
                self.ice_servers.clone_from(&servers);
                self.act(TransportAction::UseServers(servers));
            }
            ClientEvent::PeerLeft { reason } => self.peer_left(now, &reason),
            ClientEvent::Relayed(text) => self.on_relayed(now, &text),
            // Nothing waits for it: the two have agreed in what they relayed.
            ClientEvent::Confirmed => {}
            ClientEvent::Refused { code, text } => self.on_refused(now, code, text),
            ClientEvent::GaveUp { cause, reason } => self.on_gave_up(now, cause, reason),
        }
    }

    fn on_online(&mut self) {
        self.reached = true;
        self.timers.stop(Timer::Reach);
        self.event(CallEvent::Signaling(SignalingState::Online));
    }

    fn on_offline(&mut self, now: Instant, reason: String) {
        self.event(CallEvent::Signaling(SignalingState::Offline { reason: reason.clone() }));
        // One of several that isn't there at all isn't waited for; the last one is, unless it is one of the local network.
        if !self.reached && (self.has_next_server() || self.asks_nearby()) {
            self.try_next_server(now, CloseReason::ServerUnreachable { reason });
        }
    }

    fn on_refused(&mut self, now: Instant, code: ErrorCode, text: String) {
        // Two who know one another need the server's help, not its leave.
        if self.is_up() || matches!(self.state, State::Connecting(_)) {
            return;
        }
        match (code, &self.config.intent) {
            (ErrorCode::NoSuchRoom, Intent::Join(code)) => {
                let nameplate = code.nameplate().clone();
                self.try_next_server(now, CloseReason::NoSuchRoom { nameplate });
            }
            (ErrorCode::RoomFull, _) => self.close(now, CloseReason::RoomFull),
            (ErrorCode::RoomClosed, Intent::Join(_)) => self.close(now, CloseReason::NoAnswer),
            (ErrorCode::Expired, _) => self.close(now, CloseReason::Expired),
            (code, _) => self.close(now, CloseReason::ServerRefused { code: code.as_str().to_owned(), text }),
        }
    }

    /// The client has ended by itself. A call whose path is up, or being found, goes on without it.
    fn on_gave_up(&mut self, now: Instant, cause: GiveUp, reason: String) {
        if self.is_up() || matches!(self.state, State::Connecting(_)) {
            self.event(CallEvent::Signaling(SignalingState::Offline { reason }));
            self.server_is_gone(now);
            return;
        }
        self.apart_for_good(now);
        let refused = |code: &str, text| CloseReason::ServerRefused { code: code.to_owned(), text };
        let why = match cause {
            GiveUp::Unreachable | GiveUp::NotAServer | GiveUp::Version => CloseReason::ServerUnreachable { reason },
            GiveUp::ServerFull => refused("server-full", reason),
            GiveUp::RoomLost => refused("room-lost", reason),
            GiveUp::Superseded => refused("superseded", reason),
            // The enum may grow.
            GiveUp::Protocol | _ => refused("protocol", reason),
        };
        self.try_next_server(now, why);
    }

    /// The other is no longer in the room, and the call goes on without the server.
    pub(super) fn leave_server(&mut self, now: Instant) {
        self.client.handle_input(now, ClientInput::Leave(String::new()));
        let reason = "the other person's connection to the server was lost".to_owned();
        self.event(CallEvent::Signaling(SignalingState::Offline { reason }));
        self.server_is_gone(now);
    }

    fn server_is_gone(&mut self, now: Instant) {
        if matches!(self.state, State::Disconnected { .. }) {
            self.timers.stop(Timer::Restart);
            self.timers.stop(Timer::RestartAgain);
            self.timers.start(Timer::Alone, now);
        }
    }

    // ── which server ────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn begin(&mut self, now: Instant) {
        self.servers = self.config.servers;
        if self.config.search {
            self.timers.start(Timer::Search, now);
        }
        if self.servers > 0 {
            self.ask(now);
        }
    }

    /// Asks the server whose turn it is.
    fn ask(&mut self, now: Instant) {
        self.reached = false;
        self.client = new_client(now, &self.config);
        if self.config.nearby {
            self.timers.start(Timer::Reach, now);
        }
        self.event(CallEvent::Signaling(SignalingState::Connecting));
    }

    fn is_choosing(&self) -> bool {
        self.role == Role::Joiner && matches!(self.state, State::New)
    }

    fn has_next_server(&self) -> bool {
        self.is_choosing() && self.server + 1 < self.servers
    }

    fn asks_nearby(&self) -> bool {
        self.is_choosing() && self.config.nearby
    }

    /// The present server is of no use. In the local network another may be found yet.
    fn try_next_server(&mut self, now: Instant, otherwise: CloseReason) {
        if !self.is_choosing() {
            return self.close(now, otherwise);
        }
        self.silent |= !self.reached;
        if self.has_next_server() {
            self.server += 1;
            return self.ask(now);
        }
        if !self.timers.is_running(Timer::Search) {
            let reason = if self.config.nearby { self.nobody_near(otherwise) } else { otherwise };
            return self.close(now, reason);
        }
        self.server = self.servers;
        self.timers.stop(Timer::Reach);
        // Its socket goes with it, whatever it is just doing.
        self.client.handle_input(now, ClientInput::Leave(String::new()));
    }

    pub(super) fn server_found(&mut self, now: Instant) {
        if !self.config.search || !self.asks_nearby() || self.servers >= MOST_SERVERS {
            return;
        }
        self.servers += 1;
        if self.client.has_ended() {
            self.ask(now);
        }
    }

    /// Whoever is being asked is still waited for.
    pub(super) fn search_over(&mut self, now: Instant) {
        if self.asks_nearby() && self.client.has_ended() {
            let reason = "nobody there says that there is a call".to_owned();
            let nobody = self.nobody_near(CloseReason::ServerUnreachable { reason });
            self.close(now, nobody);
        }
    }

    /// What it means for the local network as a whole that its servers were of no use.
    fn nobody_near(&self, reason: CloseReason) -> CloseReason {
        match (&self.code, reason) {
            (Some(code), CloseReason::NoSuchRoom { .. } | CloseReason::ServerUnreachable { .. }) => {
                let nameplate = code.nameplate().clone();
                if self.config.search {
                    CloseReason::NobodyNear { nameplate, silent: self.silent }
                } else {
                    CloseReason::NoSuchRoom { nameplate }
                }
            }
            (_, reason) => reason,
        }
    }

    pub(super) fn out_of_reach(&mut self, now: Instant) {
        let reason = "it didn't answer".to_owned();
        self.try_next_server(now, CloseReason::ServerUnreachable { reason });
    }

    // ── what the other side says through the server ─────────────────────────────────────────────────────────────

    fn on_relayed(&mut self, now: Instant, text: &str) {
        let is_over = matches!(self.state, State::Closed { .. });
        let Some(link) = self.link_mut() else { return };
        match link.exchange.open(text) {
            Ok(Opened::Body(Body::Again)) if is_over => self.asked_again(now),
            Ok(_) | Err(_) if is_over => {}
            Ok(Opened::Opening) => self.on_opening(),
            Ok(Opened::Body(body)) => self.on_body(now, body),
            Ok(Opened::Refused { reason }) => self.goodbye(now, &reason),
            Err(error) => self.senseless(now, why_refused(&error, self.meets_again)),
        }
    }

    /// Creator: somebody has shown their half of the exchange. Ours goes out with the offer.
    fn on_opening(&mut self) {
        if let Some(link) = self.link_mut() {
            link.step = Step::MakingOffer;
            self.act(TransportAction::CreateOffer { ice_restart: false });
        }
    }

    fn on_body(&mut self, now: Instant, body: Body) {
        match body {
            Body::Offer { sdp, .. } => self.on_offer(now, sdp),
            Body::Answer { sdp } => self.on_answer(now, sdp),
            // The peer connection keeps those that come before their description.
            Body::Candidate { candidate, sdp_mid, sdp_mline_index, username_fragment } => {
                let candidate = Candidate { candidate, sdp_mid, sdp_mline_index, username_fragment };
                self.act(TransportAction::AddCandidate(candidate));
            }
            Body::EndOfCandidates => {}
            Body::Control { text } => self.on_control(now, &text),
            Body::Bye { reason } => self.goodbye(now, &reason),
            Body::Again => self.out_of_place(now, self.step()),
        }
    }

    fn on_offer(&mut self, now: Instant, sdp: String) {
        match self.step() {
            Some(Step::AwaitOffer | Step::Stable) => {
                self.take(Step::MakingAnswer, |fingerprint| TransportAction::AcceptOffer { sdp, fingerprint })
            }
            // Both offered at once: ours, the creator's, stands, and the other gives way. (A joiner of ours never offers.)
            Some(Step::MakingOffer | Step::AwaitAnswer | Step::TakingAnswer) => {}
            step @ (Some(Step::AwaitOpening | Step::MakingAnswer) | None) => self.out_of_place(now, step),
        }
    }

    fn on_answer(&mut self, now: Instant, sdp: String) {
        match self.step() {
            Some(Step::AwaitAnswer) => {
                self.take(Step::TakingAnswer, |fingerprint| TransportAction::AcceptAnswer { sdp, fingerprint })
            }
            step => self.out_of_place(now, step),
        }
    }

    /// Hands a description of the other's to the peer connection, with the only certificate that it may name.
    fn take(&mut self, next: Step, action: impl FnOnce(Fingerprint) -> TransportAction) {
        let Some(link) = self.link_mut() else { return };
        // What came in sealed comes from one who is proved.
        let Some(proof) = link.exchange.proof() else { return };
        let action = action(proof.fingerprint);
        link.step = next;
        self.act(action);
    }

    fn out_of_place(&mut self, now: Instant, step: Option<Step>) {
        if let Some(step) = step {
            let reason = format!("a message that doesn't fit here ({step:?})");
            self.senseless(now, CloseReason::BadMessage { reason });
        }
    }

    fn step(&self) -> Option<Step> {
        self.link().map(|link| link.step)
    }

    /// Seals a body and hands it to the server, which brings it to the other side even if either is offline just now.
    pub(super) fn relay(&mut self, now: Instant, body: &Body) {
        if !self.client.is_in_room() {
            return;
        }
        let Some(link) = self.link_mut() else { return };
        match (link.exchange.seal(body), body) {
            (Ok(sealed), _) => self.client.handle_input(now, ClientInput::Relay(sealed)),
            (Err(error), Body::Offer { .. } | Body::Answer { .. }) => {
                self.failed(now, CloseReason::TransportFailed { reason: error.to_string() });
            }
            // Of an address, or a word, one can be left out.
            (
                Err(_),
                Body::Candidate { .. } | Body::EndOfCandidates | Body::Control { .. } | Body::Bye { .. } | Body::Again,
            ) => {}
        }
    }
}

/// What a message of the other side that isn't taken means for a call that isn't up yet.
fn why_refused(error: &ExchangeError, meets_again: bool) -> CloseReason {
    let reason = error.to_string();
    match error {
        // Nobody types a rejoin secret.
        ExchangeError::WrongTag if !meets_again => CloseReason::WrongWords,
        // Nobody but the other could have sent this, or the other may have meant it well.
        ExchangeError::Version
        | ExchangeError::Malformed(_)
        | ExchangeError::TooLarge { .. }
        | ExchangeError::Seal(SealError::Content(_) | SealError::Body(_)) => CloseReason::BadMessage { reason },
        // The enum may grow.
        ExchangeError::WrongTag
        | ExchangeError::Reflected
        | ExchangeError::Point(_)
        | ExchangeError::SidSeen
        | ExchangeError::OutOfTurn { .. }
        | ExchangeError::TooEarly
        | ExchangeError::Seal(_)
        | _ => CloseReason::Tampered { reason },
    }
}

pub(super) fn new_client(now: Instant, config: &SessionConfig) -> Client {
    let intent = match &config.intent {
        Intent::Create => client::Intent::Create,
        Intent::Join(code) => client::Intent::Knock(code.nameplate().clone()),
    };
    Client::new(now, intent, config.seed)
}

pub(super) fn client_input(input: SocketInput) -> ClientInput {
    match input {
        SocketInput::Opened => ClientInput::SocketOpened,
        SocketInput::Text(text) => ClientInput::SocketText(text),
        SocketInput::Closed { reason } => ClientInput::SocketClosed { reason },
        SocketInput::Refused { reason } => ClientInput::SocketRefused { reason },
    }
}
