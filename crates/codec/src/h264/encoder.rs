//! The openh264 encoder set up for a call: constrained baseline, low delay, a rate that holds, keyframes only on request.

use openh264::OpenH264API;
use openh264::encoder::{
    BitRate as WrapperRate, Complexity, Encoder as Wrapper, EncoderConfig, FrameRate, FrameType, IntraFramePeriod,
    Level, Profile, QpRange, RateControlMode, SpsPpsStrategy, UsageType, VuiConfig,
};
use openh264::formats::YUVSource;
use visavis_frame::{BitRate, Size, VideoFrame};

use super::{CODEC, ffi};
use crate::error::CodecError;
use crate::traits::{EncodedFrame, VideoEncoder, VideoTarget};

/// A slice this long fits one RTP packet on any path that carries 1280 bytes, with room for SRTP and extensions.
const MAX_SLICE_BYTES: u32 = 1180;
/// The rates that openh264 can be asked for without running into the edges of its own arithmetic.
const RATES: (u64, u64) = (20_000, 100_000_000);
/// The cadences that openh264 accepts.
const CADENCES: (u32, u32) = (1, 60);

/// H.264 constrained baseline by openh264.
pub struct Encoder {
    target: VideoTarget,
    stream: Option<Stream>,
    /// A keyframe was asked for and hasn't been made: openh264 may drop the very picture that should have been it.
    keyframe_due: bool,
}

/// One openh264 encoder; it lives as long as the picture size and the level hold.
struct Stream {
    size: Size,
    level: Level,
    wrapper: Wrapper,
}

impl Encoder {
    /// An encoder that will hold `target` from the first picture on.
    ///
    /// # Errors
    /// When the target is no rate or cadence that can be coded.
    pub fn new(target: VideoTarget) -> Result<Self, CodecError> {
        Ok(Self { target: checked(target)?, stream: None, keyframe_due: false })
    }

    fn stream_for(&mut self, size: Size) -> Result<&mut Stream, CodecError> {
        let level = level_for(size, self.target.fps)?;
        let fits = self.stream.as_ref().is_some_and(|s| s.size == size && s.level as u8 >= level as u8);
        if !fits {
            self.stream = None;
        }
        match &mut self.stream {
            Some(stream) => Ok(stream),
            empty => Ok(empty.insert(Stream::new(size, level, self.target)?)),
        }
    }
}

impl VideoEncoder for Encoder {
    fn encode(&mut self, frame: &VideoFrame, keyframe: bool, out: &mut EncodedFrame) -> Result<bool, CodecError> {
        self.keyframe_due |= keyframe;
        let due = self.keyframe_due;
        let stream = self.stream_for(frame.size())?;
        if due {
            stream.wrapper.force_intra_frame();
        }
        let millis = frame.captured().as_micros() / 1000;
        let coded = stream
            .wrapper
            .encode_at(&Planes(frame), openh264::Timestamp::from_millis(millis))
            .map_err(|e| CodecError::Encode { codec: CODEC, reason: e.to_string() })?;
        out.data.clear();
        coded.write_vec(&mut out.data);
        out.keyframe = matches!(coded.frame_type(), FrameType::IDR);
        out.captured = frame.captured();
        self.keyframe_due &= !out.keyframe;
        Ok(!out.data.is_empty())
    }

    fn set_target(&mut self, target: VideoTarget) -> Result<(), CodecError> {
        let target = checked(target)?;
        if let Some(stream) = &mut self.stream {
            if target.fps != self.target.fps {
                ffi::set_frame_rate(&mut stream.wrapper, target.fps as f32)?;
            }
            if target.rate != self.target.rate {
                ffi::set_rate(&mut stream.wrapper, bps(target.rate), target.rate > self.target.rate)?;
            }
        }
        self.target = target;
        Ok(())
    }
}

impl Stream {
    fn new(size: Size, level: Level, target: VideoTarget) -> Result<Self, CodecError> {
        let config = EncoderConfig::new()
            .bitrate(WrapperRate::from_bps(bps(target.rate).unsigned_abs()))
            .max_frame_rate(FrameRate::from_hz(target.fps as f32))
            .rate_control_mode(RateControlMode::Bitrate)
            .skip_frames(true)
            // The default range ends at 42, where openh264 gives up on low rates.
            .qp(QpRange::new(12, 51))
            .usage_type(UsageType::CameraVideoRealTime)
            // A third less time than medium for 0.1 dB, measured on a moving clip at 720p30 and 2.5 Mb/s.
            .complexity(Complexity::Low)
            // Analysed for every picture, but without effect on pictures of several slices.
            .adaptive_quantization(false)
            .profile(Profile::Baseline)
            .level(level)
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .intra_frame_period(IntraFramePeriod::auto())
            .scene_change_detect(false)
            // It leaves traces of what moved where it takes the background for unchanged.
            .background_detection(false)
            .max_slice_len(MAX_SLICE_BYTES)
            .num_threads(1)
            .vui(VuiConfig::bt601());
        let mut wrapper = Wrapper::with_api_config(OpenH264API::from_source(), config)
            .map_err(|e| CodecError::Setup { codec: CODEC, reason: e.to_string() })?;
        ffi::silence(&mut wrapper)?;
        Ok(Self { size, level, wrapper })
    }
}

/// How [`YUVSource`] sees one of our pictures: packed planes.
struct Planes<'a>(&'a VideoFrame);

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.size().width(), self.0.size().height())
    }

    fn strides(&self) -> (usize, usize, usize) {
        let width = self.0.size().width();
        (width, width / 2, width / 2)
    }

    fn y(&self) -> &[u8] {
        self.0.y()
    }

    fn u(&self) -> &[u8] {
        self.0.u()
    }

    fn v(&self) -> &[u8] {
        self.0.v()
    }
}

fn checked(target: VideoTarget) -> Result<VideoTarget, CodecError> {
    if target.fps == 0 || target.rate.bps() == 0 {
        let reason = format!("{} at {} pictures a second can't be coded", target.rate, target.fps);
        return Err(CodecError::Setup { codec: CODEC, reason });
    }
    let rate = BitRate::from_bps(target.rate.bps().clamp(RATES.0, RATES.1));
    Ok(VideoTarget { rate, fps: target.fps.clamp(CADENCES.0, CADENCES.1) })
}

fn bps(rate: BitRate) -> i32 {
    i32::try_from(rate.bps()).unwrap_or(i32::MAX)
}

/// The lowest level, from 3.1 (what the offer names) up, that holds so many macroblocks a picture and a second
/// (ITU-T H.264, table A-1).
fn level_for(size: Size, fps: u32) -> Result<Level, CodecError> {
    const LEVELS: [(Level, usize, usize); 6] = [
        (Level::Level_3_1, 3_600, 108_000),
        (Level::Level_3_2, 5_120, 216_000),
        (Level::Level_4_0, 8_192, 245_760),
        (Level::Level_4_2, 8_704, 522_240),
        (Level::Level_5_1, 36_864, 983_040),
        (Level::Level_5_2, 36_864, 2_073_600),
    ];
    let picture = size.width().div_ceil(16) * size.height().div_ceil(16);
    let second = picture * fps as usize;
    LEVELS
        .into_iter()
        .find(|&(_, max_picture, max_second)| picture <= max_picture && second <= max_second)
        .map(|(level, ..)| level)
        .ok_or_else(|| CodecError::Setup { codec: CODEC, reason: format!("no level holds {size} at {fps}") })
}
