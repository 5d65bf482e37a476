//! Camera → self view → encoder → packets → transport: one future, one thread.
//!
//! The camera runs from the moment it is on, so that people see themselves while they wait; encoding starts when the
//! call is up. A slow encoder makes the camera's slot skip pictures, it never makes a queue.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use visavis_codec::h264::{Encoder, Packetizer};
use visavis_codec::{EncodedFrame, VideoEncoder};
use visavis_device::{Camera, CameraChoice, DeviceError, VideoFormat};
use visavis_frame::{FramePool, RtpPacket, VIDEO_CLOCK_HZ, VideoFrame};
use visavis_transport::MediaSender;

use crate::config::{FrameSink, VideoSettings};
use crate::counters::Counters;
use crate::event::DeviceReport;
use crate::host::Host;

/// RTP payload bytes. With the RTP header and extensions, SRTP's tag, a TURN channel's header, UDP and IPv6 a packet stays
/// within 1280 bytes, which every IPv6 path carries (RFC 8200, section 5); the encoder's slices fit whole.
pub(crate) const MAX_PAYLOAD: usize = 1180;
/// A camera that failed is tried again this often.
const REOPEN: Duration = Duration::from_secs(2);

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

/// What happened next.
enum Happened {
    Command(Option<VideoOutCommand>),
    Frame(Result<VideoFrame, DeviceError>),
    TimeToReopen,
}

/// Where encoded pictures go while the call is up.
struct Sending {
    to: MediaSender,
    encoder: Encoder,
    packetizer: Packetizer,
    keyframe: bool,
    encoded: EncodedFrame,
    packets: Vec<RtpPacket>,
}

struct State {
    choice: Option<CameraChoice>,
    camera: Option<Box<dyn Camera>>,
    sending: Option<Sending>,
    pool: FramePool,
}

impl VideoOut {
    /// Runs until the commands end.
    pub(crate) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<VideoOutCommand>) {
        let mut state = State { choice: None, camera: None, sending: None, pool: FramePool::new() };
        loop {
            match next(&self.host, &mut state, &mut commands).await {
                Happened::Command(None) => return,
                Happened::Command(Some(command)) => self.on_command(&mut state, command).await,
                Happened::TimeToReopen => self.open(&mut state).await,
                Happened::Frame(Ok(frame)) => self.on_frame(&mut state, &frame).await,
                Happened::Frame(Err(error)) => {
                    state.camera = None;
                    self.report(DeviceReport::camera_failed(error));
                }
            }
        }
    }

    async fn on_command(&mut self, state: &mut State, command: VideoOutCommand) {
        match command {
            VideoOutCommand::Camera(choice) => {
                state.camera = None;
                state.choice = choice;
                self.open(state).await;
            }
            VideoOutCommand::Send(to) => {
                let fps = state.camera.as_ref().map_or(self.settings.format.fps, |camera| camera.format().fps);
                state.sending = self.sending(to, fps);
            }
            VideoOutCommand::Stop => state.sending = None,
            VideoOutCommand::Keyframe => {
                if let Some(sending) = &mut state.sending {
                    sending.keyframe = true;
                }
            }
        }
    }

    fn sending(&self, to: MediaSender, fps: u32) -> Option<Sending> {
        let encoder = match Encoder::new(self.settings.target(fps)) {
            Ok(encoder) => encoder,
            Err(error) => {
                self.report(DeviceReport::Failed { what: "video encoder", reason: error.to_string() });
                return None;
            }
        };
        Some(Sending {
            to,
            encoder,
            packetizer: Packetizer::new(MAX_PAYLOAD, self.sequence),
            keyframe: true,
            encoded: EncodedFrame::default(),
            packets: Vec::new(),
        })
    }

    async fn open(&mut self, state: &mut State) {
        let Some(choice) = state.choice.clone() else {
            self.report(DeviceReport::Camera(None));
            return;
        };
        let (format, pool, devices) = (self.settings.format, state.pool.clone(), self.host.devices());
        let opened = self.host.blocking("camera-open", move || devices.camera(&choice, format, pool)).await;
        match opened {
            Ok(Ok(Some(camera))) => {
                self.follow_cadence(state, camera.format());
                self.report(DeviceReport::Camera(Some(camera.name().to_owned())));
                state.camera = Some(camera);
            }
            Ok(Ok(None)) => {
                state.choice = None;
                self.report(DeviceReport::Camera(None));
            }
            Ok(Err(error)) => self.report(DeviceReport::camera_failed(error)),
            Err(oneshot::Canceled) => self.report(DeviceReport::panicked("camera")),
        }
    }

    /// The encoder's rate control counts in frames, so it must know how many really come.
    fn follow_cadence(&self, state: &mut State, format: VideoFormat) {
        if let Some(sending) = &mut state.sending {
            sending.keyframe = true;
            if let Err(error) = sending.encoder.set_target(self.settings.target(format.fps)) {
                self.report(DeviceReport::Failed { what: "video encoder", reason: error.to_string() });
            }
        }
    }

    async fn on_frame(&mut self, state: &mut State, frame: &VideoFrame) {
        for sink in &mut self.sinks {
            sink.frame(frame);
        }
        let Some(sending) = &mut state.sending else { return };
        match sending.encoder.encode(frame, sending.keyframe, &mut sending.encoded) {
            Ok(false) => self.counters.frame_skipped(),
            Ok(true) => {
                sending.keyframe = false;
                let spent = self.host.media_now().since(sending.encoded.captured);
                self.counters.frame_encoded(sending.encoded.keyframe, spent);
                send(sending).await;
            }
            Err(error) => {
                sending.keyframe = true;
                tracing::warn!(%error, "a picture couldn't be encoded");
            }
        }
    }

    fn report(&self, report: DeviceReport) {
        // The engine's loop may have ended already.
        let _ = self.reports.unbounded_send(report);
    }
}

async fn send(sending: &mut Sending) {
    let timestamp = sending.encoded.captured.to_rtp(VIDEO_CLOCK_HZ);
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
        match (&mut state.camera, &state.choice) {
            (Some(camera), _) => Happened::Frame(next_frame(host, camera.as_mut()).await),
            (None, Some(_)) => {
                host.sleep(REOPEN).await;
                Happened::TimeToReopen
            }
            (None, None) => std::future::pending().await,
        }
    });
    match select(commands.next(), frame).await {
        Either::Left((command, _)) => Happened::Command(command),
        Either::Right((happened, _)) => happened,
    }
}
