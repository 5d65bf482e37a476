//! What the window shows, worked out from what the engine says. No I/O, no clock of its own.

use std::time::{Duration, Instant};

use visavis_engine::call::{self, CallState, CloseReason, MediaState};
use visavis_engine::signaling::RoomCode;
use visavis_engine::{CallStats, DeviceReport, Event, Path, PathEnd};

use crate::quality;
use crate::view::{
    CallPhase, CallView, ConnectionView, EndReason, LocalView, NoticeAction, NoticeView, PathKind, PathView, PeerState,
    QualityView, RemoteView, Side, SignalingState,
};

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
    const CALL: Self = Self { call: true, connection: false, quality: false };
    const CONNECTION: Self = Self { call: false, connection: true, quality: false };
    const NOTHING: Self = Self { call: false, connection: false, quality: false };
}

/// The views of one window, and what is needed to bring them up to date.
#[derive(Clone, Debug)]
pub struct Model {
    call: CallView,
    connection: ConnectionView,
    quality: QualityView,
    /// The code, as long as it matters.
    code: Option<RoomCode>,
    joining: bool,
    connected: Option<Instant>,
    ended: Option<Duration>,
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
                remote: RemoteView { microphone: false, camera: false, has_picture: false },
                notices: Vec::new(),
            },
            connection: ConnectionView { signaling: SignalingState::Offline, peer: PeerState::New, path: None },
            quality: quality::unknown(),
            code: None,
            joining: false,
            connected: None,
            ended: None,
            theirs: None,
        }
    }

    /// A call begins: to create a code, or to join with this one.
    pub fn begin(&mut self, code: Option<RoomCode>, media: MediaState) {
        *self = Self::idle();
        self.call.local = local(media);
        self.joining = code.is_some();
        self.call.phase = match &code {
            Some(code) => CallPhase::Joining { code: code.to_string(), ahead: 0 },
            None => CallPhase::Preparing,
        };
        self.code = code;
    }

    /// The call is over before the engine had anything to do with it.
    pub fn fail(&mut self, code: &str, text: String) {
        let reason = EndReason { code: code.to_owned(), text };
        self.call.phase = CallPhase::Ended { reason, duration_ms: None, can_again: true };
    }

    /// The end has been read.
    pub fn dismiss(&mut self) {
        *self = Self::idle();
    }

    /// Shows a notice, in place of any other of the same code.
    pub fn notice(&mut self, code: &str, text: String, action: Option<NoticeAction>) {
        self.withdraw(code);
        self.call.notices.push(NoticeView { code: code.to_owned(), text, action });
    }

    /// Takes a notice back.
    pub fn withdraw(&mut self, code: &str) {
        self.call.notices.retain(|notice| notice.code != code);
    }

    /// The code of the call, if it was joined.
    #[must_use]
    pub fn joined_with(&self) -> Option<&RoomCode> {
        self.code.as_ref().filter(|_| self.joining)
    }

    /// Whether no call is going on.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.call.phase, CallPhase::Idle | CallPhase::Ended { .. })
    }

    /// Whether the call has ever been up.
    #[must_use]
    pub const fn has_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// The call as of now.
    #[must_use]
    pub fn call(&self, now: Instant) -> CallView {
        let mut view = self.call.clone();
        match &mut view.phase {
            CallPhase::Connected { since_ms } | CallPhase::Reconnecting { since_ms, .. } => {
                *since_ms = self.since(now);
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

    /// Takes what the engine says.
    pub fn apply(&mut self, now: Instant, event: &Event) -> Changed {
        match event {
            Event::State(state) => self.on_state(now, state),
            Event::Peer(state) => {
                self.connection.peer = peer_state(*state);
                Changed::CONNECTION
            }
            Event::Signaling(state) => self.on_signaling(state),
            Event::Remote(media) => {
                self.call.remote.microphone = media.microphone;
                self.call.remote.camera = media.camera;
                Changed::CALL
            }
            Event::RemoteReport(report) => {
                self.theirs = Some(*report);
                Changed::NOTHING
            }
            Event::Local(media) => {
                self.call.local.microphone = media.wanted.microphone;
                self.call.local.camera = media.wanted.camera;
                self.call.local.microphone_name = media.microphone.clone().unwrap_or_default();
                self.call.local.camera_name = media.camera.clone().unwrap_or_default();
                Changed::CALL
            }
            Event::Device(report) => self.on_device(report),
            Event::Stats(stats) => self.on_stats(stats),
            Event::InLine { .. } | Event::Dropped { .. } | Event::Finished => Changed::NOTHING,
        }
    }

    fn on_state(&mut self, now: Instant, state: &CallState) -> Changed {
        match state {
            CallState::New => return Changed::NOTHING,
            CallState::Waiting { code } => {
                self.code = Some(code.clone());
                self.call.phase = CallPhase::Waiting { code: code.to_string(), knocking: false, local_only: false };
            }
            CallState::Verifying if self.joining => {}
            CallState::Verifying => self.call.phase = CallPhase::Waiting { code: self.code_text(), knocking: true, local_only: false },
            CallState::Connecting => self.call.phase = CallPhase::Connecting { code: self.code_text() },
            CallState::Connected { .. } => {
                self.connected.get_or_insert(now);
                self.call.phase = CallPhase::Connected { since_ms: self.since(now) };
            }
            CallState::Disconnected { .. } => {
                let side = match self.connection.signaling {
                    SignalingState::Online => Side::Unknown,
                    // Without a way to the server either, it is this machine that has no network.
                    SignalingState::Offline | SignalingState::Connecting => Side::Local,
                };
                self.call.phase = CallPhase::Reconnecting { since_ms: self.since(now), side };
            }
            CallState::Closed(reason) => self.on_closed(now, reason),
        }
        Changed::CALL
    }

    fn on_closed(&mut self, now: Instant, reason: &CloseReason) {
        self.ended = self.connected.map(|since| now.saturating_duration_since(since));
        self.connection = ConnectionView { signaling: SignalingState::Offline, peer: PeerState::Closed, path: None };
        if *reason == CloseReason::HungUp && self.connected.is_none() {
            // Cancelled before it was a call: there is nothing to say about it.
            self.call.phase = CallPhase::Idle;
            return;
        }
        self.call.phase = CallPhase::Ended {
            reason: EndReason { code: reason.code().to_owned(), text: reason.to_string() },
            duration_ms: self.ended.map(millis),
            can_again: true,
        };
    }

    fn on_signaling(&mut self, state: &call::SignalingState) -> Changed {
        self.connection.signaling = match state {
            call::SignalingState::Connecting => SignalingState::Connecting,
            call::SignalingState::Online => SignalingState::Online,
            call::SignalingState::Offline { .. } => SignalingState::Connecting,
        };
        Changed::CONNECTION
    }

    fn on_device(&mut self, report: &DeviceReport) -> Changed {
        match report {
            DeviceReport::Camera(name) => {
                self.withdraw("camera");
                self.call.local.has_camera = name.is_some() || !self.call.local.camera;
            }
            DeviceReport::Microphone(name) => {
                self.withdraw("microphone");
                self.call.local.has_microphone = name.is_some();
            }
            DeviceReport::Speaker(_) => self.withdraw("speaker"),
            DeviceReport::Lost { kind, error } => {
                let rest = match *kind {
                    "camera" => "You can talk without it.",
                    "microphone" => "The other person can't hear you until there is one.",
                    _ => "You won't hear the other person until there is one.",
                };
                let mut cause = error.to_string();
                if let Some(first) = cause.get_mut(0..1) {
                    first.make_ascii_uppercase();
                }
                self.notice(kind, format!("{cause}. {rest}"), Some(NoticeAction::OpenSettings));
            }
            DeviceReport::Failed { what, reason } => {
                self.notice(what, format!("The {what} failed: {reason}."), None);
            }
        }
        Changed::CALL
    }

    fn on_stats(&mut self, stats: &CallStats) -> Changed {
        self.call.remote.has_picture |= stats.inbound.frames_decoded > 0;
        self.call.local.level = 10f32.powf(stats.microphone_dbfs / 20.0).clamp(0.0, 1.0);
        self.quality = quality::judge(stats, self.theirs.as_ref());
        let path = stats.path.as_ref().map(path_view);
        let connection = path != self.connection.path;
        self.connection.path = path;
        Changed { call: true, connection, quality: true }
    }

    fn since(&self, now: Instant) -> u64 {
        self.connected.map_or(0, |since| millis(now.saturating_duration_since(since)))
    }

    fn code_text(&self) -> String {
        self.code.as_ref().map(ToString::to_string).unwrap_or_default()
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const fn peer_state(state: call::PeerState) -> PeerState {
    match state {
        call::PeerState::New => PeerState::New,
        call::PeerState::Connecting => PeerState::Connecting,
        call::PeerState::Connected => PeerState::Connected,
        call::PeerState::Disconnected => PeerState::Disconnected,
        call::PeerState::Failed => PeerState::Failed,
        call::PeerState::Closed => PeerState::Closed,
    }
}

fn path_view(path: &Path) -> PathView {
    let end = |end: &PathEnd| {
        if end.address.contains(':') {
            format!("[{}]:{}", end.address, end.port)
        } else {
            format!("{}:{}", end.address, end.port)
        }
    };
    PathView {
        kind: if path.is_relayed() { PathKind::Relay } else { PathKind::Direct },
        local: end(&path.local),
        remote: end(&path.remote),
        protocol: path.local.protocol.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use visavis_engine::device::DeviceError;

    use super::*;

    fn code() -> RoomCode {
        RoomCode::parse("482713").unwrap()
    }

    const ON: MediaState = MediaState { microphone: true, camera: true };

    #[test]
    fn a_call_from_the_code_to_its_end() {
        let now = Instant::now();
        let mut model = Model::idle();
        model.begin(None, ON);
        model.apply(now, &Event::State(CallState::Waiting { code: code() }));
        assert_eq!(model.call(now).phase, CallPhase::Waiting { code: "482713".into(), knocking: false, local_only: false });
        model.apply(now, &Event::State(CallState::Verifying));
        assert_eq!(model.call(now).phase, CallPhase::Waiting { code: "482713".into(), knocking: true, local_only: false });
        model.apply(now, &Event::State(CallState::Connected { since: now }));
        let later = now + Duration::from_secs(5);
        assert_eq!(model.call(later).phase, CallPhase::Connected { since_ms: 5000 });
        model.apply(later, &Event::State(CallState::Closed(CloseReason::PeerHungUp)));
        let CallPhase::Ended { reason, duration_ms, .. } = model.call(later).phase else { panic!("not ended") };
        assert_eq!((reason.code.as_str(), duration_ms), ("peer-hung-up", Some(5000)));
    }

    #[test]
    fn a_lost_device_is_said_until_there_is_one() {
        let now = Instant::now();
        let mut model = Model::idle();
        model.begin(Some(code()), ON);
        let error = DeviceError::None { kind: "camera" };
        model.apply(now, &Event::Device(DeviceReport::Lost { kind: "camera", error }));
        assert_eq!(model.call(now).notices[0].text, "No camera was found. You can talk without it.");
        model.apply(now, &Event::Device(DeviceReport::Camera(Some("Front".into()))));
        assert_eq!(model.call(now).notices, []);
    }

    #[test]
    fn our_own_network_is_named_when_the_server_is_gone_too() {
        let now = Instant::now();
        let mut model = Model::idle();
        model.begin(Some(code()), ON);
        model.apply(now, &Event::Signaling(call::SignalingState::Online));
        model.apply(now, &Event::State(CallState::Connected { since: now }));
        model.apply(now, &Event::Signaling(call::SignalingState::Offline { reason: "gone".into() }));
        model.apply(now, &Event::State(CallState::Disconnected { since: now, lost: now }));
        assert!(matches!(model.call(now).phase, CallPhase::Reconnecting { side: Side::Local, .. }));
    }
}
