//! The transitions of a call, all of them.
//!
//! ```text
//! New ─ created ─> Waiting <─ wrong words, bad message, left, too late ─ Verifying ─ third guess ─> Closed(burnt)
//!                  Waiting <─ left before the server made a pair ─ Connecting      (creator alone: the code stays good)
//! New ─ let in ──────────────────────────┐                             (joiner: Closed(wrong words))
//! Waiting ─ somebody knocks ─> Verifying <┘ ─ both tags good ─> Connecting ─ ICE+DTLS up ─> Connected
//! Connected ─ path lost ─> Disconnected ─ path found, by itself or by an ICE restart ─> Connected
//! any ─ hang up · the other hung up or left · deadline · refused · broken ─> Closed(reason)
//! Closed ─ both want another call ─> Verifying                                   (neither waits for anybody else)
//! ```
//!
//! A state owns its data: whatever belongs to one particular other is in its `Link`, and goes with it. A state also owns
//! its deadlines: entering it stops all and starts its own.
//!
//! Who is gone for good, and who isn't:
//! - The other says goodbye, or leaves the room with a word of its own: closed.
//! - The server says that the other is lost, or that the two took too long. Before the call is up that ends it. While it
//!   is up nothing happens, since media doesn't depend on the server. While its path is lost too, the call is over.
//! - Either way a creator waits on for the next one as long as the server has made no pair.
//! - The server itself is gone for good, or the room is: a call that is up goes on without it. When its path is lost,
//!   nobody can carry the offer that restarts ICE, and the old path has [`Timer::Alone`] to come back by itself.
//! - A restart throws the old path away, which heals by itself the moment that a dark network is back. So the creator
//!   restarts, and the joiner asks for it, only when the server has answered since the path was lost: then the network is
//!   there and the path is not.
//! - Otherwise a lost path is mended again and again until [`Timer::Lost`].

use std::time::Instant;

use visavis_signaling::client::ClientInput;
use visavis_signaling::exchange::{MAX_GUESSES, Sid};
use visavis_signaling::message::reason;
use visavis_signaling::{Body, Exchange, Role, RoomCode, Terms};

use super::again::Apart;
use super::{Session, State};
use crate::control::ControlMessage;
use crate::input::{Again, CallEvent, TransportAction};
use crate::link::{Link, Step};
use crate::state::{CloseReason, DISMISSED};
use crate::timers::Timer;

impl Session {
    /// New → Waiting.
    pub(super) fn created(&mut self, now: Instant, code: RoomCode) {
        if matches!(self.state, State::New) {
            self.code = Some(code);
            self.enter(now, State::Waiting);
        }
    }

    /// New, Waiting → Verifying. Creator: somebody is in front of the door. Joiner: the door is open to us.
    pub(super) fn knocked(&mut self, now: Instant) {
        if !matches!(self.state, State::New | State::Waiting) {
            return;
        }
        // Nobody knocks where there is no code, and nobody is let in without one.
        let Some(code) = &self.code else { return };
        let terms = Terms::by_code(code, self.config.fingerprint);
        self.meet(now, terms);
    }

    /// → Verifying.
    pub(super) fn meet(&mut self, now: Instant, terms: Terms) {
        let (exchange, opening) = match self.role {
            Role::Creator => (Exchange::create(terms, self.guesses.clone(), &mut self.entropy), None),
            Role::Joiner => {
                let (exchange, opening) = Exchange::join(terms, &mut self.entropy);
                (exchange, Some(opening))
            }
        };
        self.generations += 1;
        let link = Link::new(self.role, self.generations, exchange);
        self.outputs.push_back(link.act(TransportAction::Open));
        self.enter(now, State::Verifying(link));
        if let Some(opening) = opening {
            self.client.handle_input(now, ClientInput::Relay(opening));
        }
    }

    /// Verifying → Connecting.
    pub(super) fn described(&mut self, now: Instant) {
        if !matches!(self.state, State::Verifying(_)) {
            return;
        }
        if let State::Verifying(link) = std::mem::replace(&mut self.state, State::New) {
            let (path_up, proof) = (link.path_up, link.exchange.proof().copied());
            self.client.handle_input(now, ClientInput::Confirm);
            self.enter(now, State::Connecting(link));
            if let Some(proof) = proof {
                self.event(CallEvent::Verified(proof.pictures));
            }
            if path_up {
                self.path_found(now);
            }
        }
    }

    /// Connecting, Disconnected → Connected.
    pub(super) fn path_found(&mut self, now: Instant) {
        match std::mem::replace(&mut self.state, State::New) {
            State::Connecting(link) => self.enter(now, State::Connected { link, since: now }),
            State::Disconnected { mut link, since, .. } => {
                link.found = Some(now);
                link.judge.reset();
                link.hopeless = false;
                self.enter(now, State::Connected { link, since });
                // What changed meanwhile may have had no way to the other.
                self.over_channel(&ControlMessage::Media(self.media));
            }
            State::Connected { link, since } => {
                self.timers.stop(Timer::RestartAgain);
                self.state = State::Connected { link, since };
            }
            same @ (State::New | State::Waiting | State::Verifying(_) | State::Closed { .. }) => self.state = same,
        }
    }

    /// Connected → Disconnected. `beyond_hope`: it can't come back by itself.
    pub(super) fn path_lost(&mut self, now: Instant, beyond_hope: bool) {
        match std::mem::replace(&mut self.state, State::New) {
            State::Connected { link, since } => {
                let under_way = self.timers.is_running(Timer::RestartAgain);
                self.enter(now, State::Disconnected { link, since, lost: now });
                self.client.handle_input(now, ClientInput::Probe);
                if under_way && self.timers.is_running(Timer::Restart) {
                    self.timers.stop(Timer::Restart);
                    self.timers.start(Timer::RestartAgain, now);
                }
            }
            // While connecting, the deadline decides: another candidate may still come.
            same @ (State::New
            | State::Waiting
            | State::Verifying(_)
            | State::Connecting(_)
            | State::Disconnected { .. }
            | State::Closed { .. }) => self.state = same,
        }
        if beyond_hope && self.timers.is_running(Timer::Restart) {
            if let Some(link) = self.link_mut() {
                link.hopeless = true;
            }
            self.mend(now);
        }
    }

    /// The server says that the other is out of the room.
    pub(super) fn peer_left(&mut self, now: Instant, word: &str) {
        let by_itself = !matches!(word, reason::LOST | reason::TIMED_OUT);
        let still_in_room = self.client.is_in_room();
        match (&self.state, self.role) {
            (State::Verifying(_) | State::Connecting(_), Role::Creator) if still_in_room => self.back_to_waiting(now),
            (State::New, _) => {}
            (State::Closed { .. }, _) => self.apart_for_good(now),
            (State::Waiting, _) if still_in_room => {}
            (State::Verifying(_), Role::Joiner) if !by_itself => self.close(now, CloseReason::NoAnswer),
            (State::Connecting(_), Role::Joiner) if word == reason::TIMED_OUT => self.close(now, CloseReason::NoAnswer),
            (State::Connected { .. }, _) if !by_itself => self.leave_server(now),
            (State::Waiting | State::Verifying(_) | State::Connecting(_), _)
            | (State::Connected { .. } | State::Disconnected { .. }, _) => {
                self.close(now, CloseReason::from_word(word));
            }
        }
    }

    /// The other says goodbye.
    pub(super) fn goodbye(&mut self, now: Instant, word: &str) {
        match (&self.state, self.role) {
            (State::Verifying(_), Role::Creator) if !self.meets_again => self.back_to_waiting(now),
            (State::Verifying(_), _)
            | (State::New | State::Waiting | State::Connecting(_) | State::Closed { .. }, _)
            | (State::Connected { .. } | State::Disconnected { .. }, _) => {
                self.close(now, CloseReason::from_word(word));
            }
        }
    }

    /// Before the call is up, sense is required; afterwards nonsense from the server's side must not end it.
    pub(super) fn senseless(&mut self, now: Instant, why: CloseReason) {
        match (&self.state, self.role) {
            (State::New | State::Waiting | State::Closed { .. }, _) => {}
            (State::Verifying(_), Role::Creator) if !self.meets_again => self.dismiss(now),
            (State::Verifying(_) | State::Connecting(_), _) => self.close(now, why),
            (State::Connected { .. } | State::Disconnected { .. }, _) => {
                self.dropped += 1;
                self.event(CallEvent::Dropped { count: self.dropped });
            }
        }
    }

    /// Something that the peer connection was asked for went wrong.
    pub(super) fn failed(&mut self, now: Instant, why: CloseReason) {
        match (&self.state, self.role) {
            (State::New | State::Waiting | State::Closed { .. }, _) => {}
            // The answer was no good: this one wasn't it. Everything before the answer is our own failure.
            (State::Verifying(link), Role::Creator) if link.step == Step::TakingAnswer && !self.meets_again => {
                self.dismiss(now);
            }
            (State::Verifying(_) | State::Connecting(_), _) => self.close(now, why),
            // A failed restart leaves the call where it was, to be tried again.
            (State::Connected { .. } | State::Disconnected { .. }, role) => {
                let refused = role == Role::Joiner && self.link().is_some_and(|link| link.step == Step::MakingAnswer);
                self.abandon_step(now);
                if refused {
                    self.relay(now, &Body::Control { text: ControlMessage::RestartFailed.to_text() });
                }
            }
        }
    }

    /// The peer connection is closed without our doing: there is nothing left to mend.
    pub(super) fn broken(&mut self, now: Instant) {
        self.close(now, CloseReason::TransportFailed { reason: "the peer connection has ended".to_owned() });
    }

    /// Verifying → Waiting. Creator: what this one sent is of no use, and it is told so.
    pub(super) fn dismiss(&mut self, now: Instant) {
        self.relay(now, &Body::Bye { reason: DISMISSED.to_owned() });
        self.back_to_waiting(now);
    }

    /// Verifying, Connecting → Waiting. Creator: this one wasn't it; the code stays good for the next.
    /// (The server ends the exchange by its own clock, and lets the next in line knock. Once we have confirmed, only the
    /// server may send us back: it could make the pair at any moment.)
    pub(super) fn back_to_waiting(&mut self, now: Instant) {
        match std::mem::replace(&mut self.state, State::New) {
            State::Verifying(link) | State::Connecting(link) => {
                self.outputs.push_back(link.act(TransportAction::Close));
                match link.exchange.unanswered() {
                    Some(guess) => self.guessed(now, guess),
                    None => self.enter(now, State::Waiting),
                }
            }
            same @ (State::New
            | State::Waiting
            | State::Connected { .. }
            | State::Disconnected { .. }
            | State::Closed { .. }) => self.state = same,
        }
    }

    /// Verifying → Waiting, or Closed. Creator: our tag was out, and no good one came back. Whoever took it could test one
    /// guess at the words by it: wrong words, a vanished joiner and a server that swapped something look the same.
    fn guessed(&mut self, now: Instant, guess: Sid) {
        self.guesses.push(guess);
        let left = MAX_GUESSES.saturating_sub(u32::try_from(self.guesses.len()).unwrap_or(MAX_GUESSES));
        self.event(CallEvent::WrongGuess { left });
        if left == 0 {
            self.close(now, CloseReason::Burnt);
        } else {
            self.enter(now, State::Waiting);
        }
    }

    /// Any → Closed.
    pub(super) fn close(&mut self, now: Instant, reason: CloseReason) {
        let apart = self.stays_after(&reason).then(Apart::default);
        let stays = apart.is_some();
        let (link, acquainted) = match std::mem::replace(&mut self.state, State::New) {
            closed @ State::Closed { .. } => {
                self.state = closed;
                return;
            }
            State::New | State::Waiting => (None, false),
            State::Verifying(link) => (Some(link), false),
            State::Connecting(link) | State::Connected { link, .. } | State::Disconnected { link, .. } => {
                (Some(link), true)
            }
        };
        let word = reason.code().to_owned();
        let unsaid = acquainted && reason != CloseReason::PeerHungUp;
        self.enter(now, State::Closed { reason, link, apart });
        if unsaid {
            // By both ways, since either may be dead without our knowing.
            self.over_channel(&ControlMessage::Bye { reason: word.clone() });
            self.relay(now, &Body::Bye { reason: word.clone() });
        }
        if stays {
            self.event(CallEvent::Again(Again::Possible));
        } else {
            self.client.handle_input(now, ClientInput::Leave(word));
        }
    }

    pub(super) fn enter(&mut self, now: Instant, state: State) {
        self.timers.stop_all();
        let deadlines: &[Timer] = match &state {
            State::New | State::Waiting | State::Connected { .. } => &[],
            State::Verifying(_) => &[Timer::Exchange],
            State::Connecting(_) => &[Timer::Connecting],
            State::Disconnected { .. } if self.client.has_ended() => &[Timer::Lost, Timer::Alone],
            State::Disconnected { .. } => &[Timer::Lost, Timer::Restart],
            State::Closed { .. } => &[Timer::Linger],
        };
        for timer in deadlines {
            self.timers.start(*timer, now);
        }
        self.state = state;
        self.event(CallEvent::State(self.state()));
    }
}
