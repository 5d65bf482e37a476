//! What the connection's callbacks, its tasks and its owner all look at.
//!
//! It holds nothing that holds the connection, save the control channel, which `close` takes out.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use visavis_frame::VideoCodec;
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::runtime::Runtime;

use crate::clocks::Clocks;
use crate::event::{PeerState, TransportEvent};
use crate::feedback::RemoteView;
use crate::outlook::Outlook;
use crate::pace::PacedRuntime;
use crate::protected::RepairCounts;
use crate::queue::{MediaSinks, PacketSink};
use crate::receive::Terms;

/// The round trip that is assumed while none was measured.
const USUAL_ROUND_TRIP: Duration = Duration::from_millis(100);
/// How long a lost packet is waited for besides round trips: noticing, pacers, timers.
const REPAIRING: Duration = Duration::from_millis(100);
/// Requests that may fail, each a round trip, before a keyframe costs less than waiting.
const TRIES: u32 = 3;
/// Longer waits would only make the freeze longer.
const LONGEST_PATIENCE: Duration = Duration::from_millis(1500);

pub(crate) struct Shared {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) pace: Arc<PacedRuntime>,
    events: UnboundedSender<TransportEvent>,
    state: AtomicU8,
    closing: AtomicBool,
    /// The source of the other side's video, for feedback about it; zero: none yet.
    pub(crate) remote_video_ssrc: AtomicU32,
    control: Mutex<Option<Arc<dyn DataChannel>>>,
    control_open: AtomicBool,
    remote_video: Mutex<Option<Arc<dyn TrackRemote>>>,
    remote_views: Mutex<[RemoteView; 2]>,
    /// What the sending side knows of the path.
    pub(crate) outlook: Outlook,
    /// What RTP times mean, ours and theirs.
    pub(crate) clocks: Clocks,
    /// Microseconds; zero: not known yet.
    round_trip: AtomicU64,
    /// How often the connection came up.
    paths_found: AtomicU32,
    /// What was made good, and with what.
    pub(crate) repairs: RepairCounts,
    /// What the encoders hold, bits per second: video, audio.
    pub(crate) encoding_at: [AtomicU64; 2],
    /// What payload types of video mean, in our order of preference; empty before anything was agreed on.
    video_formats: Mutex<Vec<(u8, VideoCodec)>>,
    /// Each goes to the first track of its kind.
    video: Mutex<Option<PacketSink>>,
    audio: Mutex<Option<PacketSink>>,
}

impl Shared {
    pub(crate) fn new(
        runtime: Arc<dyn Runtime>,
        pace: Arc<PacedRuntime>,
        media: MediaSinks,
        events: UnboundedSender<TransportEvent>,
    ) -> Arc<Self> {
        Arc::new(Self {
            clocks: Clocks::new(runtime.now()),
            runtime,
            pace,
            events,
            state: AtomicU8::new(PeerState::New as u8),
            closing: AtomicBool::new(false),
            remote_video_ssrc: AtomicU32::new(0),
            control: Mutex::new(None),
            control_open: AtomicBool::new(false),
            remote_video: Mutex::new(None),
            remote_views: Mutex::new([RemoteView::default(); 2]),
            outlook: Outlook::default(),
            round_trip: AtomicU64::new(0),
            paths_found: AtomicU32::new(0),
            repairs: RepairCounts::default(),
            encoding_at: Default::default(),
            video_formats: Mutex::default(),
            video: Mutex::new(Some(media.video)),
            audio: Mutex::new(Some(media.audio)),
        })
    }

    /// Tells the owner, who may have stopped listening.
    pub(crate) fn emit(&self, event: TransportEvent) {
        let _ = self.events.unbounded_send(event);
    }

    /// Enters a state and tells the owner where it is a new one.
    pub(crate) fn enter(&self, state: PeerState) {
        let before = self.state.swap(state as u8, Ordering::AcqRel);
        if before != state as u8 && before != PeerState::Closed as u8 {
            if state == PeerState::Connected {
                self.paths_found.fetch_add(1, Ordering::AcqRel);
            }
            self.emit(TransportEvent::State(state));
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.state.load(Ordering::Acquire) == PeerState::Connected as u8
    }

    /// True for the first who asks.
    pub(crate) fn begin_closing(&self) -> bool {
        !self.closing.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn set_control(&self, channel: Option<Arc<dyn DataChannel>>) {
        // The old one goes outside the lock: its end takes locks of the connection.
        let old = std::mem::replace(&mut *self.control.lock().unwrap_or_else(PoisonError::into_inner), channel);
        drop(old);
    }

    pub(crate) fn control(&self) -> Option<Arc<dyn DataChannel>> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes whether the control channel is open, and tells the owner where that is new.
    pub(crate) fn set_control_open(&self, open: bool) {
        if self.control_open.swap(open, Ordering::AcqRel) != open {
            self.pace.calm();
            self.emit(if open { TransportEvent::ControlOpen } else { TransportEvent::ControlClosed });
        }
    }

    pub(crate) fn is_control_open(&self) -> bool {
        self.control_open.load(Ordering::Acquire)
    }

    pub(crate) fn set_remote_video(&self, track: Option<Arc<dyn TrackRemote>>) {
        *self.remote_video.lock().unwrap_or_else(PoisonError::into_inner) = track;
    }

    pub(crate) fn remote_video(&self) -> Option<Arc<dyn TrackRemote>> {
        self.remote_video.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_remote_views(&self, views: [RemoteView; 2]) {
        *self.remote_views.lock().unwrap_or_else(PoisonError::into_inner) = views;
    }

    /// What the other side has told about our video and our audio.
    pub(crate) fn remote_views(&self) -> [RemoteView; 2] {
        *self.remote_views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a path to the other side was found.
    pub(crate) fn paths_found(&self) -> u32 {
        self.paths_found.load(Ordering::Acquire)
    }

    pub(crate) fn set_round_trip(&self, round_trip: Duration) {
        let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        self.round_trip.store(micros.max(1), Ordering::Release);
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let micros = self.round_trip.load(Ordering::Acquire);
        (micros != 0).then(|| Duration::from_micros(micros))
    }

    /// How long a lost packet of the other side's video is asked and waited for.
    pub(crate) fn terms(&self) -> Terms {
        let round_trip = self.round_trip().or_else(|| self.outlook.round_trip()).unwrap_or(USUAL_ROUND_TRIP);
        let patience = REPAIRING.saturating_add(round_trip.saturating_mul(TRIES)).min(LONGEST_PATIENCE);
        Terms { round_trip, patience }
    }

    pub(crate) fn set_video_formats(&self, formats: Vec<(u8, VideoCodec)>) {
        *self.video_formats.lock().unwrap_or_else(PoisonError::into_inner) = formats;
    }

    /// What a payload type of video means.
    pub(crate) fn video_codec(&self, payload_type: u8) -> Option<VideoCodec> {
        let formats = self.video_formats.lock().unwrap_or_else(PoisonError::into_inner);
        formats.iter().find(|(known, _)| *known == payload_type).map(|(_, codec)| *codec)
    }

    /// Where the packets of the first track of a kind go; none for a second.
    pub(crate) fn take_sink(&self, video: bool) -> Option<PacketSink> {
        let sink = if video { &self.video } else { &self.audio };
        sink.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends the queues of media that never began.
    pub(crate) fn drop_sinks(&self) {
        drop((self.take_sink(true), self.take_sink(false)));
    }
}
