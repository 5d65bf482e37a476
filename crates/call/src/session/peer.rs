//! What the peer connection and the other side bring once they know one another: descriptions and candidates (JSEP, RFC
//! 9429; trickled as in RFC 8838), the `control` channel, and mending a lost path by restarting ICE (RFC 8445, section 9).

use std::time::Instant;

use visavis_signaling::client::ClientInput;
use visavis_signaling::{Body, Role};

use super::{Session, State};
use crate::control::ControlMessage;
use crate::input::{CallEvent, TransportAction, TransportInput};
use crate::link::{Link, Step};
use crate::obstacle::Obstacle;
use crate::quality::Measured;
use crate::state::{CloseReason, PeerState};
use crate::timers::Timer;

impl Session {
    pub(super) fn on_transport(&mut self, now: Instant, input: TransportInput) {
        if matches!(self.state, State::Closed { .. }) && !matches!(input, TransportInput::State(_)) {
            return;
        }
        match input {
            TransportInput::OfferReady(sdp) => self.on_offer_ready(now, sdp),
            TransportInput::AnswerReady(sdp) => self.on_answer_ready(now, sdp),
            TransportInput::AnswerAccepted => self.on_answer_accepted(now),
            TransportInput::Candidate(candidate) => self.trickle(now, Body::from(candidate)),
            TransportInput::EndOfCandidates => self.trickle(now, Body::EndOfCandidates),
            TransportInput::State(state) => self.on_peer_state(now, state),
            TransportInput::ControlOpened => {
                self.set_control_open(true);
                self.over_channel(&ControlMessage::Media(self.media));
            }
            TransportInput::Control(text) => self.on_control(now, &text),
            TransportInput::ControlClosed => self.set_control_open(false),
            TransportInput::WrongCertificate => self.failed(now, CloseReason::WrongCertificate),
            TransportInput::Obstacle(obstacle) => self.on_obstacle(obstacle),
            TransportInput::Failed { reason } => self.failed(now, CloseReason::TransportFailed { reason }),
        }
    }

    // ── descriptions and candidates ─────────────────────────────────────────────────────────────────────────────

    /// Of interest while there is no path yet.
    fn on_obstacle(&mut self, obstacle: Option<Obstacle>) {
        if let State::Connecting(link) = &mut self.state
            && link.obstacle != obstacle
        {
            link.obstacle.clone_from(&obstacle);
            self.event(CallEvent::Obstacle(obstacle));
        }
    }

    fn on_offer_ready(&mut self, now: Instant, sdp: String) {
        let restart = self.is_up();
        if self.advance(Step::MakingOffer, Step::AwaitAnswer) {
            self.describe(now, &Body::Offer { sdp, restart });
        }
    }

    fn on_answer_ready(&mut self, now: Instant, sdp: String) {
        if self.advance(Step::MakingAnswer, Step::Stable) {
            self.describe(now, &Body::Answer { sdp });
            self.described(now);
        }
    }

    fn on_answer_accepted(&mut self, now: Instant) {
        if self.advance(Step::TakingAnswer, Step::Stable) {
            self.described(now);
        }
    }

    fn advance(&mut self, from: Step, to: Step) -> bool {
        let link = self.link_mut().filter(|link| link.step == from);
        link.map(|link| link.step = to).is_some()
    }

    /// Sends our description, and the candidates that waited for it.
    fn describe(&mut self, now: Instant, body: &Body) {
        self.relay(now, body);
        self.release_held(now);
    }

    fn release_held(&mut self, now: Instant) {
        let held = self.link_mut().map(crate::link::Link::release_held).unwrap_or_default();
        for body in held {
            self.relay(now, &body);
        }
    }

    fn trickle(&mut self, now: Instant, body: Body) {
        if let Some(body) = self.link_mut().and_then(|link| link.trickle(body)) {
            self.relay(now, &body);
        }
    }

    /// What the peer connection was busy with has come to nothing: back to where it began.
    pub(super) fn abandon_step(&mut self, now: Instant) {
        let Some(link) = self.link_mut() else { return };
        link.step = match link.step {
            Step::MakingOffer | Step::MakingAnswer | Step::Stable => Step::Stable,
            // Our offer still stands, and another answer may follow.
            Step::TakingAnswer | Step::AwaitAnswer => Step::AwaitAnswer,
            same @ (Step::AwaitOpening | Step::AwaitOffer) => same,
        };
        self.release_held(now);
    }

    // ── the path ────────────────────────────────────────────────────────────────────────────────────────────────

    fn on_peer_state(&mut self, now: Instant, peer: PeerState) {
        self.event(CallEvent::Peer(peer));
        if let Some(link) = self.link_mut() {
            link.path_up = peer == PeerState::Connected;
        }
        match peer {
            PeerState::Connected => self.path_found(now),
            // "connecting" after "connected" is a restart that has thrown the old path away.
            PeerState::New | PeerState::Connecting | PeerState::Disconnected => self.path_lost(now, false),
            PeerState::Failed => self.path_lost(now, true),
            PeerState::Closed => self.broken(now),
        }
    }

    /// The server has said something: what waited for it is done, if its time has come.
    pub(super) fn mend_if_due(&mut self, now: Instant) {
        if let State::Disconnected { lost, link, .. } = &self.state
            && (link.hopeless || now >= *lost + Timer::Restart.duration())
            && self.timers.is_running(Timer::Restart)
            && self.client.has_answered_since(*lost)
        {
            self.mend(now);
        }
    }

    /// Disconnected, and it is time to do something about it. The creator restarts ICE; the joiner asks for it, once per
    /// attempt: the server brings the request even if it takes its time.
    pub(super) fn mend(&mut self, now: Instant) {
        let State::Disconnected { lost, .. } = self.state else { return };
        if self.client.has_ended() {
            return;
        }
        if !self.client.has_answered_since(lost) {
            self.client.handle_input(now, ClientInput::Probe);
            self.timers.start(Timer::Restart, now);
            return;
        }
        self.timers.stop(Timer::Restart);
        match self.role {
            Role::Creator => self.restart(now),
            Role::Joiner => {
                self.relay(now, &Body::Control { text: ControlMessage::PleaseRestart.to_text() });
                self.timers.start(Timer::RestartAgain, now);
            }
        }
    }

    /// Creator: restarts ICE, unless that is under way.
    fn restart(&mut self, now: Instant) {
        self.timers.start(Timer::RestartAgain, now);
        if self.advance(Step::Stable, Step::MakingOffer) {
            if let Some(link) = self.link_mut() {
                link.restarted = Some(now);
            }
            self.act(TransportAction::CreateOffer { ice_restart: true });
        }
    }

    /// The other has lost the path, whether we have noticed or not. A request that crossed our own restart is part of it,
    /// and one that comes just after the path was found again is late.
    fn on_please_restart(&mut self, now: Instant) {
        if self.role != Role::Creator || !self.is_up() || !self.client.is_online() {
            return;
        }
        let recent = |at: Instant| now.saturating_duration_since(at) < Timer::RestartAgain.duration();
        let is_late = |link: &Link| link.restarted.is_some_and(recent) || link.found.is_some_and(recent);
        if !self.link().is_some_and(is_late) {
            self.timers.stop(Timer::Restart);
            self.restart(now);
        }
    }

    /// The other can't use our offer. It is taken back; the next attempt is due at [`Timer::RestartAgain`].
    fn on_restart_failed(&mut self, now: Instant) {
        if self.role == Role::Creator && self.is_up() && self.advance(Step::AwaitAnswer, Step::Stable) {
            self.act(TransportAction::Rollback);
            if !self.timers.is_running(Timer::RestartAgain) {
                self.timers.start(Timer::RestartAgain, now);
            }
        }
    }

    /// New addresses may have brought a way to the server, and old ones that are gone have taken it along. While the path
    /// holds it is enough to ask whether the server still answers.
    pub(super) fn network_changed(&mut self, now: Instant, path_gone: bool) {
        let holds = matches!(self.state, State::Connected { .. }) && !path_gone;
        self.client.handle_input(now, if holds { ClientInput::Probe } else { ClientInput::NetworkChanged });
        if path_gone && matches!(self.state, State::Connected { .. }) {
            self.path_lost(now, true);
        } else if let State::Disconnected { link, .. } = &mut self.state {
            link.hopeless |= path_gone;
        }
    }

    // ── the control channel ─────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn on_control(&mut self, now: Instant, text: &str) {
        let Some(message) = ControlMessage::from_text(text) else { return };
        match message {
            ControlMessage::Media(media) => {
                if let Some(link) = self.link_mut()
                    && link.remote_media.replace(media) != Some(media)
                {
                    self.event(CallEvent::RemoteMedia(media));
                }
            }
            ControlMessage::Bye { reason } => self.goodbye(now, &reason),
            ControlMessage::Stats(report) => {
                if let Some(link) = self.link_mut() {
                    link.remote_report = Some(report);
                }
                self.event(CallEvent::RemoteReport(report));
            }
            ControlMessage::PleaseRestart => self.on_please_restart(now),
            ControlMessage::RestartFailed => self.on_restart_failed(now),
            ControlMessage::Guest { host } => self.event(CallEvent::RemoteGuest { host }),
        }
    }

    /// One second of a call.
    pub(super) fn measured(&mut self, now: Instant, measured: &Measured) {
        self.over_channel(&ControlMessage::Stats(measured.report));
        if let State::Connected { link, .. } = &mut self.state {
            let theirs = link.remote_report;
            let quality = link.judge.judge(now, measured, theirs.as_ref());
            self.event(CallEvent::Quality(quality));
        }
    }

    fn set_control_open(&mut self, open: bool) {
        if let Some(link) = self.link_mut() {
            link.control_open = open;
        }
    }

    /// Over the data channel while it is open and the path holds; by the server in a call that is up and has no channel.
    /// What has no way now is said again when the channel opens or the path is found.
    pub(super) fn control(&mut self, now: Instant, message: &ControlMessage) {
        if !self.over_channel(message) && self.is_up() && self.client.is_online() {
            self.relay(now, &Body::Control { text: message.to_text() });
        }
    }

    pub(super) fn over_channel(&mut self, message: &ControlMessage) -> bool {
        let open = self.link().is_some_and(|link| link.control_open);
        let ready = open && !matches!(self.state, State::Disconnected { .. });
        if ready {
            self.act(TransportAction::SendControl(message.to_text()));
        }
        ready
    }

    pub(super) fn act(&mut self, action: TransportAction) {
        if let Some(output) = self.link().map(|link| link.act(action)) {
            self.outputs.push_back(output);
        }
    }
}
