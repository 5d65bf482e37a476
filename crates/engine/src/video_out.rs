//! Camera → self view → encoder → packets → transport: one future, one thread.
//!
//! The camera runs from the moment it is on, so that people see themselves while they wait; encoding starts when the
//! call is up. A slow encoder makes the camera's slot skip pictures, it never makes a queue.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use visavis_codec::{CodecError, EncodedFrame, VideoEncoder, VideoPacketizer, VideoTarget, video};
use visavis_device::{Camera, CameraChoice, DeviceError, VideoFormat};
use visavis_frame::{FramePool, RtpPacket, VIDEO_CLOCK_HZ, VideoCodec, VideoFrame};
use visavis_transport::MediaSender;

use crate::adapt::Adapter;
use crate::config::{FrameSink, VideoSettings};
use crate::counters::Counters;
use crate::event::DeviceReport;
use crate::host::Host;

/// RTP payload bytes. With the RTP header and extensions, SRTP's tag, a TURN channel's header, UDP and IPv6 a packet stays
/// within 1280 bytes, which every IPv6 path carries (RFC 8200, section 5); the encoder's slices fit whole.
pub(crate) const MAX_PAYLOAD: usize = 1180;
/// A camera that can't be opened is tried again this often.
const REOPEN: Duration = Duration::from_secs(2);

/// Keyframes on request are at least this far apart: one that is on its way answers the requests that cross it, and no
/// peer can make us send nothing else.
const KEYFRAME_SPACING: Duration = Duration::from_millis(200);

/// What the engine tells this side.
pub(crate) enum VideoOutCommand {
    /// The camera to use from now on; `None` closes it.
    Camera(Option<CameraChoice>),
    /// The call is up: send here.
    Send(MediaSender),
    /// The call is no longer up.
    Stop,
    /// The other side can't decode: send a keyframe.
    Keyframe,
}

pub(crate) struct VideoOut {
    pub(crate) host: Host,
    pub(crate) settings: VideoSettings,
    pub(crate) sinks: Vec<Box<dyn FrameSink>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) reports: mpsc::UnboundedSender<DeviceReport>,
    pub(crate) sequence: u16,
}

/// What came of opening a camera; `Ok(None)`: the choice is to have none.
type Opened = Result<Option<Box<dyn Camera>>, DeviceError>;

/// A camera that is being opened, which may take seconds, or for ever.
struct Opening {
    choice: CameraChoice,
    result: oneshot::Receiver<Opened>,
}

/// What happened next.
enum Happened {
    Command(Option<VideoOutCommand>),
    Frame(Result<VideoFrame, DeviceError>),
    Opened(Result<Opened, oneshot::Canceled>),
    TimeToReopen,
}

/// Where encoded pictures go while the call is up.
struct Sending {
    to: MediaSender,
    adapter: Adapter,
    encoder: Box<dyn VideoEncoder>,
    /// What the encoder was asked for.
    target: VideoTarget,
    packetizer: Box<dyn VideoPacketizer>,
    /// One is due.
    keyframe: bool,
    /// When the latest one left, unless the next must not wait for it.
    keyframe_sent: Option<Instant>,
    encoded: EncodedFrame,
    packets: Vec<RtpPacket>,
}

#[derive(Default)]
struct State {
    choice: Option<CameraChoice>,
    camera: Option<Box<dyn Camera>>,
    /// The open camera has given a picture.
    works: bool,
    /// Not necessarily of the present choice.
    opening: Option<Opening>,
    /// When to try again to open the camera.
    reopen_at: Option<Instant>,
    sending: Option<Sending>,
    /// The latest picture that wasn't sent because nothing is sent yet.
    newest: Option<VideoFrame>,
    pool: FramePool,
}

impl VideoOut {
    /// Runs until the commands end.
    pub(crate) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<VideoOutCommand>) {
        let mut state = State::default();
        loop {
            match next(&self.host, &mut state, &mut commands).await {
                Happened::Command(None) => break,
                Happened::Command(Some(command)) => self.on_command(&mut state, command).await,
                Happened::Opened(result) => self.opened(&mut state, result),
                Happened::TimeToReopen => self.open(&mut state),
                Happened::Frame(Ok(frame)) => self.on_frame(&mut state, frame).await,
                Happened::Frame(Err(error)) => self.camera_lost(&mut state, error),
            }
        }
        // The end is said when the camera is free, and one that is just being opened isn't yet.
        state.camera = None;
        if let Some(opening) = state.opening {
            drop(opening.result.await);
        }
    }

    async fn on_command(&mut self, state: &mut State, command: VideoOutCommand) {
        match command {
            VideoOutCommand::Camera(choice) => self.want(state, choice),
            VideoOutCommand::Send(to) => {
                let fps = state.camera.as_ref().map_or(self.settings.format.fps, |camera| camera.format().fps);
                state.sending = self.sending(to, fps);
                // The other side has waited long enough: not for the camera's next picture, too.
                if let (Some(sending), Some(frame)) = (&mut state.sending, state.newest.take()) {
                    self.send(sending, &frame).await;
                }
            }
            VideoOutCommand::Stop => state.sending = None,
            VideoOutCommand::Keyframe => {
                if let Some(sending) = &mut state.sending {
                    sending.keyframe = true;
                }
            }
        }
    }

    /// Nothing where the other side takes no pictures, or the encoder can't be set up.
    fn sending(&self, to: MediaSender, fps: u32) -> Option<Sending> {
        let codec = to.video_codec()?;
        let sending = self.sending_by(codec, to, fps);
        let failed = |error: &CodecError| DeviceReport::Failed { what: "video encoder", reason: error.to_string() };
        sending.inspect_err(|error| self.report(failed(error))).ok()
    }

    fn sending_by(&self, codec: VideoCodec, to: MediaSender, fps: u32) -> Result<Sending, CodecError> {
        let target = self.settings.target(fps);
        Ok(Sending {
            adapter: Adapter::new(self.settings.rate, self.settings.format.size, fps),
            to,
            encoder: video::encoder(codec, target)?,
            target,
            packetizer: video::packetizer(codec, MAX_PAYLOAD, self.sequence),
            keyframe: true,
            keyframe_sent: None,
            encoded: EncodedFrame::default(),
            packets: Vec::new(),
        })
    }

    fn want(&self, state: &mut State, choice: Option<CameraChoice>) {
        (state.camera, state.newest, state.reopen_at) = (None, None, None);
        state.choice = choice;
        if state.choice.is_some() {
            self.open(state);
        } else {
            self.report(DeviceReport::Camera(None));
        }
    }

    fn open(&self, state: &mut State) {
        let Some(choice) = state.choice.clone() else { return };
        // Off and on again while it opens: opening it twice at a time would find it busy.
        if state.opening.as_ref().is_some_and(|opening| opening.choice == choice) {
            return;
        }
        let (format, pool, devices) = (self.settings.format, state.pool.clone(), self.host.devices());
        let chosen = choice.clone();
        let result = self.host.blocking("camera-open", move || devices.camera(&chosen, format, pool));
        state.opening = Some(Opening { choice, result });
    }

    fn opened(&self, state: &mut State, result: Result<Opened, oneshot::Canceled>) {
        let Some(opening) = state.opening.take() else { return };
        if state.choice.as_ref() != Some(&opening.choice) {
            return;
        }
        match result {
            Ok(Ok(Some(camera))) => {
                self.follow_cadence(state, camera.format());
                self.report(DeviceReport::Camera(Some(camera.name().to_owned())));
                (state.camera, state.works) = (Some(camera), false);
            }
            Ok(Ok(None)) => {
                state.choice = None;
                self.report(DeviceReport::Camera(None));
            }
            Ok(Err(error)) => self.camera_failed(state, DeviceReport::camera_failed(error)),
            Err(oneshot::Canceled) => self.camera_failed(state, DeviceReport::panicked("camera")),
        }
    }

    fn camera_failed(&self, state: &mut State, report: DeviceReport) {
        state.camera = None;
        state.newest = None;
        state.reopen_at = self.host.now().checked_add(REOPEN);
        self.report(report);
    }

    /// One that ran is opened again at once, since "default" may find another in its place.
    fn camera_lost(&self, state: &mut State, error: DeviceError) {
        self.camera_failed(state, DeviceReport::camera_failed(error));
        if state.works {
            state.reopen_at = Some(self.host.now());
        }
    }

    /// The encoder's rate control counts in frames, so it must know how many really come.
    fn follow_cadence(&self, state: &mut State, format: VideoFormat) {
        if let Some(sending) = &mut state.sending {
            sending.keyframe = true;
            sending.keyframe_sent = None;
            sending.adapter.set_cadence(format.fps);
        }
    }

    async fn on_frame(&mut self, state: &mut State, frame: VideoFrame) {
        state.works = true;
        for sink in &mut self.sinks {
            sink.frame(&frame);
        }
        match &mut state.sending {
            Some(sending) => self.send(sending, &frame).await,
            None => state.newest = Some(frame),
        }
    }

    async fn send(&mut self, sending: &mut Sending, frame: &VideoFrame) {
        let now = self.host.now();
        let recent = |at: Instant| now.saturating_duration_since(at) < KEYFRAME_SPACING;
        let keyframe = sending.keyframe && !sending.keyframe_sent.is_some_and(recent);
        let plan = sending.adapter.plan(now, frame, &sending.to.outlook(), keyframe);
        self.counters.limited_by_bandwidth(plan.limited);
        self.aim(sending, plan.target);
        let Some(frame) = plan.frame else {
            self.counters.frame_skipped();
            return;
        };
        match sending.encoder.encode(&frame, keyframe, &mut sending.encoded) {
            Ok(false) => self.counters.frame_skipped(),
            Ok(true) => {
                if sending.encoded.keyframe {
                    sending.keyframe = false;
                    sending.keyframe_sent = Some(now);
                }
                let spent = self.host.media_now().since(sending.encoded.captured);
                self.counters.frame_encoded(sending.encoded.keyframe, spent);
                send_packets(sending, spent).await;
            }
            Err(error) => {
                sending.keyframe = true;
                sending.keyframe_sent = None;
                tracing::warn!(%error, "a picture couldn't be encoded");
            }
        }
    }

    fn aim(&self, sending: &mut Sending, target: VideoTarget) {
        if sending.target == target {
            return;
        }
        sending.target = target;
        sending.to.encoding_video_at(target.rate);
        if let Err(error) = sending.encoder.set_target(target) {
            self.report(DeviceReport::Failed { what: "video encoder", reason: error.to_string() });
        }
    }

    fn report(&self, report: DeviceReport) {
        // The engine's loop may have ended already.
        let _ = self.reports.unbounded_send(report);
    }
}

async fn send_packets(sending: &mut Sending, ago: Duration) {
    let timestamp = sending.encoded.captured.to_rtp(VIDEO_CLOCK_HZ);
    sending.to.video_captured(timestamp, ago);
    sending.packets.clear();
    sending.packetizer.packetize(&sending.encoded.data, timestamp, &mut sending.packets);
    for packet in sending.packets.drain(..) {
        // A transport that closes under our hands says so in its own events.
        let _ = sending.to.send_video(packet).await;
    }
}

async fn next_frame(host: &Host, camera: &mut dyn Camera) -> Result<VideoFrame, DeviceError> {
    loop {
        let due = camera.next_due(host.media_now());
        let polled = std::future::poll_fn(|cx| camera.poll_frame(cx, host.media_now()));
        let Some(due) = due else { return polled.await };
        match select(pin!(polled), pin!(host.sleep_until_media(due).fuse())).await {
            Either::Left((frame, _)) => return frame,
            Either::Right(((), _)) => {}
        }
    }
}

async fn next(host: &Host, state: &mut State, commands: &mut mpsc::UnboundedReceiver<VideoOutCommand>) -> Happened {
    let frame = pin!(async {
        if let Some(camera) = &mut state.camera {
            Happened::Frame(next_frame(host, camera.as_mut()).await)
        } else if let Some(opening) = &mut state.opening {
            Happened::Opened((&mut opening.result).await)
        } else if state.choice.is_some() {
            host.sleep_until(state.reopen_at.unwrap_or_else(|| host.now())).await;
            Happened::TimeToReopen
        } else {
            std::future::pending().await
        }
    });
    match select(commands.next(), frame).await {
        Either::Left((command, _)) => Happened::Command(command),
        Either::Right((happened, _)) => happened,
    }
}
