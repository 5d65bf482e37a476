//! The way to the server: attempts with growing, jittered pauses, the greeting, heartbeats.

use std::time::{Duration, Instant};

use super::{
    CONNECT_TIMEOUT, Client, ClientEvent, ClientOutput, FIRST_PAUSE, GREETING_TIMEOUT, GiveUp, LONGEST_PAUSE, Link,
    PLACE_DEADLINE, PONG_TIMEOUT, Place, Timer,
};
use crate::message::{ClientMessage, ErrorCode, ICE_SERVERS, PROTOCOL_VERSION, Resume, ServerMessage, WORK};

/// What a server may ask for as the time between two pings.
const HEARTBEAT_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

impl Client {
    pub(super) fn connect(&mut self, now: Instant) {
        self.link = Link::Connecting;
        self.timers.set(Timer::Connect, now + CONNECT_TIMEOUT);
        self.outputs.push_back(ClientOutput::Connect);
    }

    pub(super) fn greet(&mut self, now: Instant) {
        if self.link != Link::Connecting {
            return;
        }
        self.link = Link::Greeting;
        self.timers.clear(Timer::Connect);
        self.timers.set(Timer::Greeting, now + GREETING_TIMEOUT);
        let (exchange, received) = match &self.place {
            Place::Meeting(_, exchange) => (exchange.number, exchange.received()),
            Place::Nowhere | Place::Asking(_) | Place::Waiting(_) => (0, 0),
        };
        let resume = self.token.clone().map(|token| Resume { token, exchange, received });
        let features = [ICE_SERVERS, WORK].map(str::to_owned).to_vec();
        self.send(&ClientMessage::Hello { version: PROTOCOL_VERSION, features, resume });
    }

    /// The socket is gone: begins the pause before the next attempt.
    pub(super) fn lose_socket(&mut self, now: Instant, reason: String) {
        if matches!(self.link, Link::Pausing | Link::Ended) {
            return;
        }
        for timer in [Timer::Connect, Timer::Greeting, Timer::Heartbeat, Timer::Pong, Timer::Work] {
            self.timers.clear(timer);
        }
        self.work = None;
        self.link = Link::Pausing;
        if self.is_in_room() && !self.is_paired() && !self.timers.is_set(Timer::Place) {
            self.timers.set(Timer::Place, now + PLACE_DEADLINE);
        }
        let pause = self.next_pause();
        self.timers.set(Timer::Reconnect, now + pause);
        self.last_failure = Some(reason.clone());
        if self.said_online != Some(false) {
            self.said_online = Some(false);
            self.event(ClientEvent::Offline { reason });
        }
    }

    /// Something else answers. Who has been welcomed there goes on trying: a network's login page stands in between now and
    /// then, and goes away.
    pub(super) fn be_refused(&mut self, now: Instant, reason: String) {
        if self.token.is_some() {
            self.lose_socket(now, reason);
        } else if self.link != Link::Ended {
            self.link = Link::Pausing;
            self.give_up(GiveUp::NotAServer, reason);
        }
    }

    /// Closes a socket that is of no use and goes on as if it had been lost.
    pub(super) fn drop_socket(&mut self, now: Instant, reason: &str) {
        self.outputs.push_back(ClientOutput::Disconnect);
        self.lose_socket(now, reason.to_owned());
    }

    fn next_pause(&mut self) -> Duration {
        let longest = FIRST_PAUSE.saturating_mul(1 << self.attempts.min(8)).min(LONGEST_PAUSE);
        self.attempts = self.attempts.saturating_add(1);
        let half = longest / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_micros(self.jitter.next_u64() % spread)
    }

    pub(super) fn ping(&mut self, now: Instant) {
        let Link::Online { heartbeat } = self.link else { return };
        self.send(&ClientMessage::Ping);
        self.timers.set(Timer::Heartbeat, now + heartbeat);
        if !self.timers.is_set(Timer::Pong) {
            self.timers.set(Timer::Pong, now + PONG_TIMEOUT);
        }
    }

    pub(super) fn probe(&mut self, now: Instant) {
        if matches!(self.link, Link::Online { .. }) && !self.timers.is_set(Timer::Pong) {
            self.ping(now);
        }
    }

    pub(super) fn change_network(&mut self, now: Instant) {
        match self.link {
            Link::Ended => return,
            Link::Pausing => {}
            Link::Connecting | Link::Greeting | Link::Online { .. } => self.drop_socket(now, "the network has changed"),
        }
        self.attempts = 0;
        self.timers.clear(Timer::Reconnect);
        self.connect(now);
    }

    pub(super) fn handle_text(&mut self, now: Instant, text: &str) {
        self.timers.clear(Timer::Pong);
        if matches!(self.link, Link::Greeting | Link::Online { .. }) {
            self.heard = Some(now);
        }
        match (self.link, ServerMessage::parse(text)) {
            (Link::Pausing | Link::Connecting | Link::Ended, _) => {}
            (Link::Greeting, Ok(ServerMessage::Welcome { heartbeat_ms, token, resumed, received, .. })) => {
                self.welcome(now, Duration::from_millis(heartbeat_ms), token);
                self.take_place_up(resumed, received);
            }
            (Link::Greeting | Link::Online { .. }, Ok(ServerMessage::Error { code, text, fatal })) => {
                self.handle_error(now, code, text, fatal);
            }
            (Link::Greeting, _) => {
                self.give_up(GiveUp::NotAServer, "what answers at this address is no Visavis server".into());
            }
            (Link::Online { .. }, Ok(message)) => self.handle_message(now, message),
            (Link::Online { .. }, Err(_)) => self.ignored += 1,
        }
    }

    fn welcome(&mut self, now: Instant, heartbeat: Duration, token: String) {
        let heartbeat = heartbeat.clamp(HEARTBEAT_BOUNDS.0, HEARTBEAT_BOUNDS.1);
        self.link = Link::Online { heartbeat };
        self.token = Some(token);
        self.attempts = 0;
        self.last_failure = None;
        self.said_online = Some(true);
        self.timers.clear(Timer::Greeting);
        self.timers.clear(Timer::Place);
        self.timers.set(Timer::Heartbeat, now + heartbeat);
        self.event(ClientEvent::Online);
    }

    fn handle_error(&mut self, now: Instant, code: ErrorCode, text: String, fatal: bool) {
        if !fatal {
            return self.handle_refusal(code, text);
        }
        match code {
            ErrorCode::ShuttingDown | ErrorCode::Idle => self.drop_socket(now, &text),
            ErrorCode::UnsupportedVersion => self.give_up(GiveUp::Version, text),
            ErrorCode::ServerFull => self.give_up(GiveUp::ServerFull, text),
            ErrorCode::Superseded => self.give_up(GiveUp::Superseded, text),
            ErrorCode::BadMessage
            | ErrorCode::NoSuchRoom
            | ErrorCode::RoomFull
            | ErrorCode::RoomClosed
            | ErrorCode::LineFull
            | ErrorCode::TooLarge
            | ErrorCode::TooFast
            | ErrorCode::QueueFull
            | ErrorCode::NotAllowed
            | ErrorCode::OutOfOrder
            | ErrorCode::ResumeRefused
            | ErrorCode::Expired
            | ErrorCode::Unknown => self.give_up(GiveUp::Protocol, text),
        }
    }
}
