//! The libvpx encoder set up for a call: low delay, a rate that holds, keyframes only on request.

use std::time::Duration;

use visavis_frame::{BitRate, Size, Timestamp, VideoFrame};

use super::CODEC;
use super::ffi::RawEncoder;
use crate::error::CodecError;
use crate::traits::{EncodedFrame, VideoEncoder, VideoTarget};

/// The rates that libvpx, which counts in kilobits, can be asked for.
const RATES: (u64, u64) = (20_000, 100_000_000);
const CADENCES: (u32, u32) = (1, 60);

/// VP8 by libvpx.
pub struct Encoder {
    target: VideoTarget,
    stream: Option<Stream>,
    /// A keyframe was asked for and hasn't been made: libvpx may drop the very picture that should have been it.
    keyframe_due: bool,
}

/// One libvpx encoder; it lives as long as the picture size holds.
struct Stream {
    size: Size,
    raw: RawEncoder,
    /// When the latest picture was captured.
    newest: Option<Timestamp>,
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
        if self.stream.as_ref().is_some_and(|stream| stream.size != size) {
            self.stream = None;
        }
        match &mut self.stream {
            Some(stream) => Ok(stream),
            empty => Ok(empty.insert(Stream { size, raw: RawEncoder::new(size, self.target.rate)?, newest: None })),
        }
    }
}

impl VideoEncoder for Encoder {
    fn encode(&mut self, frame: &VideoFrame, keyframe: bool, out: &mut EncodedFrame) -> Result<bool, CodecError> {
        self.keyframe_due |= keyframe;
        let (due, fps) = (self.keyframe_due, self.target.fps);
        let stream = self.stream_for(frame.size())?;
        // libvpx wants times that rise, and a camera's clock may stand still.
        let after = stream.newest.map(|newest| newest + Duration::from_micros(1));
        let at = after.map_or(frame.captured(), |after| after.max(frame.captured()));
        stream.newest = Some(at);
        out.data.clear();
        out.captured = frame.captured();
        let Some(key) = stream.raw.encode(frame, at, Duration::from_secs(1) / fps, due, &mut out.data)? else {
            return Ok(false);
        };
        out.keyframe = key;
        self.keyframe_due &= !key;
        Ok(true)
    }

    fn set_target(&mut self, target: VideoTarget) -> Result<(), CodecError> {
        let target = checked(target)?;
        if let Some(stream) = &mut self.stream
            && target.rate != self.target.rate
        {
            stream.raw.set_rate(target.rate)?;
        }
        self.target = target;
        Ok(())
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
