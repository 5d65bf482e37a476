//! After the call: two who were connected stay in their room for a while and may call one another again, without a code.
//!
//! ```text
//! Closed, apart ─ we ask · they ask ─> Closed, apart ─ both have asked ─> Verifying
//! Closed, apart ─ either leaves · the server is gone · nobody asks in time ─> Closed
//! ```
//! What proves them is the rejoin secret of the call before, so the next one is as well protected as the first was by its
//! words, with keys, certificates and addresses of its own. docs/protocol.md, "Again".

use std::time::Instant;

use visavis_signaling::client::ClientInput;
use visavis_signaling::message::reason;
use visavis_signaling::{Body, Fingerprint, Terms};

use super::{Session, State};
use crate::input::{Again, CallEvent, TransportAction};
use crate::state::CloseReason;
use crate::timers::Timer;

/// What is said of another call by two whose call is over.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// We want one, with this certificate.
    ours: Option<Fingerprint>,
    /// The other wants one.
    theirs: bool,
}

impl Session {
    /// Whether we stay in the room of a call that is up and now ends like this.
    pub(super) fn stays_after(&self, end: &CloseReason) -> bool {
        let ended_well = match end {
            CloseReason::HungUp
            | CloseReason::PeerHungUp
            | CloseReason::PeerLost
            | CloseReason::NoPath { .. }
            | CloseReason::TransportFailed { .. } => true,
            CloseReason::NoSuchRoom { .. }
            | CloseReason::NobodyNear { .. }
            | CloseReason::RoomFull
            | CloseReason::NoAnswer
            | CloseReason::WrongWords
            | CloseReason::Burnt
            | CloseReason::Tampered { .. }
            | CloseReason::WrongCertificate
            | CloseReason::Dismissed
            | CloseReason::Expired
            | CloseReason::ServerUnreachable { .. }
            | CloseReason::ServerRefused { .. }
            | CloseReason::BadMessage { .. } => false,
        };
        let is_proved = self.link().is_some_and(|link| link.exchange.rejoin_secret().is_some());
        self.config.stays && self.is_up() && ended_well && is_proved && self.client.is_paired()
    }

    /// We want another call with the same other. Without one who could be asked nothing happens.
    pub(super) fn ask_again(&mut self, now: Instant, fingerprint: Fingerprint) {
        let Some(apart) = self.apart_mut() else { return };
        if apart.ours.replace(fingerprint).is_some() {
            return;
        }
        self.relay(now, &Body::Again);
        if !self.meet_again(now) {
            self.event(CallEvent::Again(Again::Awaited));
        }
    }

    /// The other wants another call.
    pub(super) fn asked_again(&mut self, now: Instant) {
        let Some(apart) = self.apart_mut() else { return };
        if !std::mem::replace(&mut apart.theirs, true) && !self.meet_again(now) {
            self.event(CallEvent::Again(Again::Asked));
        }
    }

    /// Closed → Verifying, if both want it. That the other has asked shows that our goodbye has arrived.
    fn meet_again(&mut self, now: Instant) -> bool {
        let State::Closed { link: Some(link), apart: Some(Apart { ours: Some(fingerprint), theirs: true }), .. } =
            &self.state
        else {
            return false;
        };
        let Some(secret) = link.exchange.rejoin_secret() else { return false };
        let terms = Terms::again(secret, *fingerprint);
        if self.timers.is_running(Timer::Linger) {
            self.act(TransportAction::Close);
        }
        self.meets_again = true;
        self.meet(now, terms);
        // The server said them when the two met, and says them again only when they run out.
        if !self.ice_servers.is_empty() {
            self.act(TransportAction::UseServers(self.ice_servers.clone()));
        }
        true
    }

    /// There will be no other call: the other is out of the room, or the server is gone.
    pub(super) fn apart_for_good(&mut self, now: Instant) {
        if let State::Closed { apart, .. } = &mut self.state
            && apart.take().is_some()
        {
            self.event(CallEvent::Again(Again::Over));
            self.client.handle_input(now, ClientInput::Leave(reason::LEFT.to_owned()));
            if !self.timers.is_running(Timer::Linger) {
                self.timers.stop_all();
                self.finished = true;
            }
        }
    }

    /// The person goes elsewhere.
    pub(super) fn leave(&mut self, now: Instant) {
        self.config.stays = false;
        self.close(now, CloseReason::HungUp);
        self.apart_for_good(now);
    }

    /// The goodbye has had its time.
    pub(super) fn lingered(&mut self, now: Instant) {
        self.act(TransportAction::Close);
        if self.apart_mut().is_some() {
            self.timers.start(Timer::Apart, now);
        } else {
            self.finished = true;
        }
    }

    const fn apart_mut(&mut self) -> Option<&mut Apart> {
        match &mut self.state {
            State::Closed { apart, .. } => apart.as_mut(),
            State::New
            | State::Waiting
            | State::Verifying(_)
            | State::Connecting(_)
            | State::Connected { .. }
            | State::Disconnected { .. } => None,
        }
    }
}
