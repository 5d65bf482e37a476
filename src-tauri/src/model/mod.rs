//! What the window shows, worked out from what the engine says. No I/O, no clock of its own.

mod again;
mod connection;
mod devices;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use visavis_engine::call::{self, CallState, CloseReason, MediaState};
use visavis_engine::signaling::Invitation;
use visavis_engine::{CallStats, Event};

use crate::quality;
use crate::view::{
    AgainView, CallPhase, CallView, ConnectionView, EndReason, LocalView, NoticeAction, NoticeView, PeerState,
    PictureView, QualityView, RemoteView, ServerKind,
};

/// The notice that the other side is a guest in a browser.
const GUEST: &str = "guest";
/// The notice that somebody tried wrong words.
const WRONG_GUESS: &str = "wrong-guess";

/// Which views an event changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The call view.
    pub call: bool,
    /// The connection view.
    pub connection: bool,
    /// The quality view.
    pub quality: bool,
}

impl Changed {
    const CONNECTION: Self = Self { call: false, connection: true, quality: false };
    /// Every view.
    pub const ALL: Self = Self { call: true, connection: true, quality: true };
    /// The call view alone.
    pub const CALL: Self = Self { call: true, connection: false, quality: false };
    /// No view.
    pub const NOTHING: Self = Self { call: false, connection: false, quality: false };
}

/// The views of one window, and what is needed to bring them up to date.
#[derive(Clone, Debug)]
pub struct Model {
    call: CallView,
    connection: ConnectionView,
    quality: QualityView,
    /// The code, as long as it matters; where this machine serves its room, with the address.
    code: Option<Invitation>,
    joining: bool,
    reach: ServerKind,
    address: Option<SocketAddr>,
    connected: Option<Instant>,
    /// The two have met in a call before this one.
    met_before: bool,
    /// When the path was lost that is being looked for.
    lost: Option<Instant>,
    theirs: Option<call::ReceiveReport>,
}

impl Model {
    /// Nothing is going on.
    #[must_use]
    pub fn idle() -> Self {
        Self {
            call: CallView {
                phase: CallPhase::Idle,
                local: local(MediaState { microphone: true, camera: true }),
                remote: RemoteView { microphone: false, camera: false, has_picture: false, no_codec: false },
                pictures: Vec::new(),
                notices: Vec::new(),
            },
            connection: connection::over(PeerState::New),
            quality: quality::unknown(),
            code: None,
            joining: false,
            reach: ServerKind::Custom,
            address: None,
            connected: None,
            met_before: false,
            lost: None,
            theirs: None,
        }
    }

    /// A call begins: to create a code, or to join with this one. `reach`: whose server it is.
    pub fn begin(&mut self, code: Option<Invitation>, media: MediaState, reach: ServerKind) {
        *self = Self::idle();
        self.call.local = local(media);
        // Both are on until the other side says otherwise.
        self.call.remote = RemoteView { microphone: true, camera: true, has_picture: false, no_codec: false };
        self.reach = reach;
        self.joining = code.is_some();
        self.call.phase = match &code {
            Some(invitation) => CallPhase::Joining { code: invitation.code.to_string(), ahead: 0 },
            None => CallPhase::Preparing,
        };
        self.code = code;
    }

    /// What the settings were when the call began, which decides who learns what: they may change while it goes on.
    pub const fn set_confidants(&mut self, relay_only: bool, by_server: bool) {
        self.connection.relay_only = relay_only;
        self.connection.by_server = by_server;
    }

    /// This machine serves the call's room, there.
    pub const fn serves_at(&mut self, address: Option<SocketAddr>) {
        self.address = address;
    }

    /// The call is over before the engine had anything to do with it.
    pub fn fail(&mut self, code: &str, text: String) {
        let reason = EndReason { code: code.to_owned(), text };
        self.call.phase = CallPhase::Ended { reason, duration_ms: None, again: AgainView::Retry };
    }

    /// The end has been read.
    pub fn dismiss(&mut self) {
        *self = Self::idle();
    }

    /// What is to be sent, before there is an engine to say so.
    pub const fn set_wanted(&mut self, media: MediaState) {
        self.call.local.microphone = media.microphone;
        self.call.local.camera = media.camera;
    }

    /// Shows a notice, at the place of the one with the same code if there is one.
    pub fn notice(&mut self, code: &str, text: String, action: Option<NoticeAction>) {
        let notice = NoticeView { code: code.to_owned(), text, action };
        match self.call.notices.iter_mut().find(|shown| shown.code == code) {
            Some(shown) => *shown = notice,
            None => self.call.notices.push(notice),
        }
    }

    /// Takes a notice back.
    pub fn withdraw(&mut self, code: &str) {
        self.call.notices.retain(|notice| notice.code != code);
    }

    /// The code of the call, if it was joined.
    #[must_use]
    pub fn joined_with(&self) -> Option<&Invitation> {
        self.code.as_ref().filter(|_| self.joining)
    }

    /// Whether no call is going on.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.call.phase, CallPhase::Idle | CallPhase::Ended { .. })
    }

    /// The call as of now.
    #[must_use]
    pub fn call(&self, now: Instant) -> CallView {
        let mut view = self.call.clone();
        match &mut view.phase {
            CallPhase::Connected { since_ms } => *since_ms = self.since(now),
            CallPhase::Reconnecting { since_ms, lost_ms, .. } => {
                *since_ms = self.since(now);
                *lost_ms = self.lost.map_or(0, |lost| millis(now.saturating_duration_since(lost)));
            }
            CallPhase::Idle
            | CallPhase::Preparing
            | CallPhase::Waiting { .. }
            | CallPhase::Joining { .. }
            | CallPhase::Connecting { .. }
            | CallPhase::Ended { .. } => {}
        }
        view
    }

    /// The two connections.
    #[must_use]
    pub const fn connection(&self) -> &ConnectionView {
        &self.connection
    }

    /// How good the call is.
    #[must_use]
    pub const fn quality(&self) -> &QualityView {
        &self.quality
    }

    /// Takes what the engine says. After the end nothing matters but whether there will be another call.
    pub fn apply(&mut self, now: Instant, event: &Event) -> Changed {
        if self.is_over() && !matches!(event, Event::Again(_) | Event::State(CallState::Verifying)) {
            return Changed::NOTHING;
        }
        match event {
            Event::Again(again) => self.on_again(*again),
            Event::State(CallState::Verifying) if self.is_over() => self.begin_again(),
            Event::State(state) => self.on_state(now, state),
            Event::Peer(state) => {
                self.connection.peer = connection::peer_state(*state);
                Changed::CONNECTION
            }
            Event::Signaling(state) => self.on_signaling(state),
            Event::Remote(media) => {
                self.call.remote.microphone = media.microphone;
                self.call.remote.camera = media.camera;
                Changed::CALL
            }
            Event::Quality(quality) => {
                quality::take_verdict(&mut self.quality, quality);
                Changed { quality: true, ..Changed::NOTHING }
            }
            Event::RemoteReport(report) => {
                self.theirs = Some(*report);
                Changed::NOTHING
            }
            Event::Local(media) => {
                self.set_wanted(media.wanted);
                self.call.local.microphone_name = media.microphone.clone().unwrap_or_default();
                self.call.local.camera_name = media.camera.clone().unwrap_or_default();
                Changed::CALL
            }
            Event::Device(report) => self.on_device(report),
            Event::Stats(stats) => self.on_stats(stats),
            Event::InLine { ahead } => self.on_place_in_line(*ahead),
            Event::WrongGuess { left } => self.on_wrong_guess(*left),
            Event::Verified(pictures) => {
                let view = |emoji: &call::Emoji| PictureView { picture: emoji.picture.into(), name: emoji.name.into() };
                self.call.pictures = pictures.iter().map(view).collect();
                // The guesses of others are no news any more.
                self.withdraw(WRONG_GUESS);
                Changed::CALL
            }
            Event::RemoteGuest { host } => {
                self.notice(GUEST, format!("Browser guest, trusts {host}."), None);
                Changed::CALL
            }
            Event::Obstacle(obstacle) => self.on_obstacle(obstacle.as_ref()),
            Event::Dropped { .. } | Event::Finished => Changed::NOTHING,
        }
    }

    fn on_state(&mut self, now: Instant, state: &CallState) -> Changed {
        match state {
            CallState::New => return Changed::NOTHING,
            CallState::Waiting { code } => {
                self.code = Some(Invitation { code: code.clone(), address: self.address });
                self.call.phase = self.waiting(false);
            }
            CallState::Verifying if self.joining => return self.on_place_in_line(0),
            CallState::Verifying => self.call.phase = self.waiting(true),
            CallState::Connecting => self.call.phase = CallPhase::Connecting { code: self.code_text() },
            CallState::Connected { .. } => {
                self.withdraw(connection::PATH);
                self.connected.get_or_insert(now);
                self.call.phase = CallPhase::Connected { since_ms: self.since(now) };
            }
            CallState::Disconnected { lost, .. } => {
                self.lost = Some(*lost);
                self.call.phase = CallPhase::Reconnecting { since_ms: self.since(now), lost_ms: 0, side: self.side() };
                // What was measured is of a path that is gone.
                self.quality = quality::unknown();
                return Changed { quality: true, ..Changed::CALL };
            }
            CallState::Closed(reason) => {
                self.on_closed(now, reason);
                return Changed::ALL;
            }
        }
        Changed::CALL
    }

    fn on_closed(&mut self, now: Instant, reason: &CloseReason) {
        if *reason == CloseReason::HungUp && self.connected.is_none() {
            // Cancelled before it was a call: there is nothing to say about it.
            self.dismiss();
            return;
        }
        // What was true of the call's devices is of no use after it.
        self.call.notices.clear();
        let ConnectionView { relay_only, by_server, .. } = self.connection;
        self.connection = ConnectionView { relay_only, by_server, ..connection::over(PeerState::Closed) };
        // Wrong words don't become right by being sent once more, a burnt code is of no use to anybody, and without a code
        // there is nothing to try.
        let retries = self.connected.is_none()
            && !self.met_before
            && !matches!(reason, CloseReason::WrongWords | CloseReason::Burnt);
        self.call.phase = CallPhase::Ended {
            reason: EndReason { code: end_code(reason).to_owned(), text: reason.to_string() },
            duration_ms: self.connected.map(|since| millis(now.saturating_duration_since(since))),
            again: if retries { AgainView::Retry } else { AgainView::No },
        };
    }

    fn on_place_in_line(&mut self, others: u32) -> Changed {
        if let CallPhase::Joining { ahead, .. } = &mut self.call.phase {
            *ahead = others;
            return Changed::CALL;
        }
        Changed::NOTHING
    }

    fn on_wrong_guess(&mut self, left: u32) -> Changed {
        let tries = if left == 1 { "One try is left".to_owned() } else { format!("{left} tries are left") };
        let text = format!(
            "Somebody entered this code with words that don't match: a typo, or someone guessing. Nobody got in. {tries} \
             before the code is burnt."
        );
        self.notice(WRONG_GUESS, text, None);
        Changed::CALL
    }

    fn on_stats(&mut self, stats: &CallStats) -> Changed {
        self.call.remote.has_picture |= stats.inbound.frames_decoded > 0;
        self.call.local.level = 10f32.powf(stats.microphone_dbfs / 20.0).clamp(0.0, 1.0);
        quality::take_numbers(&mut self.quality, stats, self.theirs.as_ref());
        let path = stats.path.as_ref().map(connection::path_view);
        let connection = path != self.connection.path;
        self.connection.path = path;
        Changed { call: true, connection, quality: true }
    }

    fn since(&self, now: Instant) -> u64 {
        self.connected.map_or(0, |since| millis(now.saturating_duration_since(since)))
    }

    fn waiting(&self, knocking: bool) -> CallPhase {
        let with_address = self.code.as_ref().filter(|code| code.address.is_some()).map(ToString::to_string);
        CallPhase::Waiting { code: self.code_text(), knocking, reach: self.reach, with_address }
    }

    fn code_text(&self) -> String {
        self.code.as_ref().map(|invitation| invitation.code.to_string()).unwrap_or_default()
    }
}

fn local(media: MediaState) -> LocalView {
    LocalView {
        microphone: media.microphone,
        camera: media.camera,
        has_microphone: true,
        has_camera: true,
        microphone_name: String::new(),
        camera_name: String::new(),
        level: 0.0,
    }
}

/// A full line is about the code, as other refusals by a server aren't, and is told apart from them.
fn end_code(reason: &CloseReason) -> &'static str {
    if let CloseReason::ServerRefused { code, .. } = reason
        && code == "line-full"
    {
        return "line-full";
    }
    reason.code()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
