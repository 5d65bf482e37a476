//! What a call is made from.

use std::sync::Arc;

use visavis_call::{Intent, MediaState};
use visavis_codec::{VideoTarget, video};
use visavis_device::{CameraChoice, MicrophoneChoice, SpeakerChoice, VideoFormat};
use visavis_dsp::SoundProcessing;
use visavis_frame::{BitRate, LatestSlot, VideoCodec, VideoFrame};
use visavis_transport::{Limits, TransportConfig};

use crate::nearby::Nearby;
use crate::socket::Connector;

/// Gets every picture of a stream, in order, on the thread of the codec: it must be quick.
pub trait FrameSink: Send {
    /// A picture.
    fn frame(&mut self, frame: &VideoFrame);

    /// The coded picture that the next [`FrameSink::frame`] comes from, as the codec writes it (H.264 in Annex B form). Only
    /// of received streams.
    fn unit(&mut self, _codec: VideoCodec, _unit: &[u8]) {}
}

impl FrameSink for LatestSlot<VideoFrame> {
    fn frame(&mut self, frame: &VideoFrame) {
        self.put(frame.clone());
    }
}

/// Gets the other's sound as it is played, on the thread of the sound: it must be quick. 48 kHz mono, −1.0..=1.0.
pub type SoundSink = Box<dyn FnMut(&[f32]) + Send>;

/// Where pictures and sound go, besides to the other side.
#[derive(Default)]
pub struct Sinks {
    /// What the other side sends.
    pub remote_video: Vec<Box<dyn FrameSink>>,
    /// What our own camera sees.
    pub self_view: Vec<Box<dyn FrameSink>>,
    /// What the other side says, as it is played.
    pub remote_audio: Vec<SoundSink>,
}

/// Which devices to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices {
    /// The camera.
    pub camera: CameraChoice,
    /// The microphone.
    pub microphone: MicrophoneChoice,
    /// The speaker.
    pub speaker: SpeakerChoice,
}

/// How video is sent.
#[derive(Clone, Copy, Debug)]
pub struct VideoSettings {
    /// What the camera is asked for.
    pub format: VideoFormat,
    /// What the encoder is given at most; it gets less where the path carries less.
    pub rate: BitRate,
    /// What pictures may be coded with, both ways, the codec to prefer first.
    pub codecs: &'static [VideoCodec],
}

/// What sound takes on the wire.
const BESIDES_VIDEO: BitRate = BitRate::from_kbps(100);

impl Default for VideoSettings {
    fn default() -> Self {
        Self { format: VideoFormat::HD30, rate: BitRate::from_kbps(2_500), codecs: video::CODECS }
    }
}

impl VideoSettings {
    pub(crate) fn target(&self, fps: u32) -> VideoTarget {
        VideoTarget { rate: self.rate, fps }
    }

    /// Between what all that is sent may move. The encoder's rate leaves out headers, sound and what is sent again.
    pub(crate) fn limits(&self, limits: Limits) -> Limits {
        let ceiling = BitRate::from_bps(self.rate.bps().saturating_mul(7) / 5 + BESIDES_VIDEO.bps());
        Limits { ceiling, start: limits.start.min(ceiling), ..limits }
    }
}

/// How what the microphone hears is processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoundSettings {
    /// Echo canceller, noise suppression, gain; everything is on by default.
    pub processing: SoundProcessing,
    /// Process stand-ins for microphones (tones, files, test speech) too; by default they pass as they are.
    pub stand_ins_too: bool,
}

/// Everything that a call is made from.
pub struct CallConfig {
    /// Start, or join.
    pub intent: Intent,
    /// WebSocket URLs of the servers that may know the code, the likeliest first.
    pub servers: Vec<String>,
    /// Joiner: where to ask in the local network.
    pub nearby: Nearby,
    /// How sockets to them are opened.
    pub connector: Arc<dyn Connector>,
    /// STUN, TURN and interfaces.
    pub transport: TransportConfig,
    /// Which devices to use.
    pub devices: Devices,
    /// What is on from the start.
    pub media: MediaState,
    /// Stay in reach of the other when the call is over, for [`Call::again`](crate::Call::again): devices are free then, and
    /// [`Event::Finished`](crate::Event::Finished) waits until either leaves.
    pub stays: bool,
    /// How sound is processed.
    pub sound: SoundSettings,
    /// How video is sent.
    pub video: VideoSettings,
    /// Where pictures and sound go.
    pub sinks: Sinks,
    /// Seed for what must be random but not secret.
    pub seed: u64,
}
