//! The codecs by themselves, one picture or packet at a time: processor time of all their threads, so that little depends
//! on what else the machine does. What is compared takes turns on the same picture; the median counts.

use std::time::Duration;

use anyhow::Result;
use openh264::OpenH264API;
use openh264::encoder::{BitRate as WrapperRate, Encoder as Wrapper, EncoderConfig};
use openh264::formats::YUVSlices;
use rustix::time::{ClockId, clock_gettime};
use visavis_codec::{
    AudioDecoder as _, AudioEncoder as _, AudioPayload, EncodedFrame, VideoDecoder as _, VideoEncoder as _,
    VideoTarget, h264, opus,
};
use visavis_engine::device::{Microphone as _, SpeechMicrophone, VideoFormat};
use visavis_engine::frame::{AudioBlock, BLOCK_SAMPLES, BitRate, FramePool, Size, Timestamp, VideoFrame};
use yuv::{BufferStoreMut, YuvPackedImage, YuvPlanarImageMut, yuyv422_to_yuv420};

use crate::clip::{moving, picture};
use crate::median;

const PICTURES: u32 = 240;
/// The first pictures of a stream are larger, and warm the caches.
const WARM_UP: usize = 10;
const PACKETS: usize = 500;
const RATE: BitRate = BitRate::from_kbps(2_000);
const SOUND_RATE: BitRate = BitRate::from_kbps(32);

/// Time for one picture of 1280×720.
#[derive(Debug)]
pub(crate) struct Video {
    /// Our encoder at 2 Mb/s.
    pub(crate) encode: Duration,
    /// openh264 as it comes: its own rate of 120 kb/s.
    pub(crate) encode_default: Duration,
    /// openh264 as it comes, at 2 Mb/s.
    pub(crate) encode_default_at_rate: Duration,
    /// Our decoder.
    pub(crate) decode: Duration,
}

/// Time for one picture of 1280×720, or one packet of 20 ms.
#[derive(Debug)]
pub(crate) struct Codecs {
    /// Somebody at a desk, the clip of the call.
    pub(crate) calm: Video,
    /// A picture that moves everywhere.
    pub(crate) moving: Video,
    /// From what cameras deliver (YUYV) to I420.
    pub(crate) convert: Duration,
    /// Opus, 20 ms.
    pub(crate) opus_encode: Duration,
    /// Opus, 20 ms.
    pub(crate) opus_decode: Duration,
}

/// Measures them all.
pub(crate) fn measure() -> Result<Codecs> {
    let (opus_encode, opus_decode) = sound()?;
    Ok(Codecs { calm: video(picture)?, moving: video(moving)?, convert: convert()?, opus_encode, opus_decode })
}

fn timed<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let begin = spent();
    let result = work();
    times.push(spent().saturating_sub(begin));
    result
}

/// Processor time of this whole process so far.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn settled(times: Vec<Duration>) -> Duration {
    median(times.into_iter().skip(WARM_UP).collect())
}

fn video(picture: impl Fn(u32) -> VideoFrame) -> Result<Video> {
    let mut ours = h264::Encoder::new(VideoTarget { rate: RATE, fps: VideoFormat::HD30.fps })?;
    let mut plain = Wrapper::with_api_config(OpenH264API::from_source(), EncoderConfig::new())?;
    let at_rate = EncoderConfig::new().bitrate(WrapperRate::from_bps(RATE.bps() as u32));
    let mut plain_at_rate = Wrapper::with_api_config(OpenH264API::from_source(), at_rate)?;
    let mut decoder = h264::Decoder::new(FramePool::new())?;
    let (mut encode, mut default, mut default_at_rate, mut decode) = (vec![], vec![], vec![], vec![]);
    let mut unit = EncodedFrame::default();
    for number in 0..PICTURES {
        let frame = picture(number);
        if timed(&mut encode, || ours.encode(&frame, false, &mut unit))? {
            timed(&mut decode, || decoder.decode(&unit.data, Timestamp::ZERO))?;
        }
        let planes = slices(&frame);
        timed(&mut default, || plain.encode(&planes).map(drop))?;
        timed(&mut default_at_rate, || plain_at_rate.encode(&planes).map(drop))?;
    }
    Ok(Video {
        encode: settled(encode),
        encode_default: settled(default),
        encode_default_at_rate: settled(default_at_rate),
        decode: settled(decode),
    })
}

fn slices(frame: &VideoFrame) -> YUVSlices<'_> {
    let size = frame.size();
    let (width, height) = (size.width(), size.height());
    YUVSlices::new((frame.y(), frame.u(), frame.v()), (width, height), (width, width / 2, width / 2))
}

/// Encoding and decoding of a packet.
fn sound() -> Result<(Duration, Duration)> {
    let (mut encoder, mut decoder) = (opus::Encoder::new(SOUND_RATE)?, opus::Decoder::new()?);
    let mut microphone = SpeechMicrophone::new();
    let (mut speech, mut packet, mut heard) = (Vec::new(), Vec::new(), Vec::new());
    let (mut encode, mut decode) = (vec![], vec![]);
    microphone.read(Timestamp::ZERO, &mut speech)?;
    for number in 1..=PACKETS as u64 {
        speech.clear();
        microphone.read(Timestamp::from_micros(number * 20_000), &mut speech)?;
        let mut blocks = [AudioBlock::SILENCE, AudioBlock::SILENCE];
        for (block, samples) in blocks.iter_mut().zip(speech.chunks_exact(BLOCK_SAMPLES)) {
            block.samples.copy_from_slice(samples);
        }
        let [first, second] = &blocks;
        timed(&mut encode, || encoder.encode(&[first, second], &mut packet))?;
        heard.clear();
        timed(&mut decode, || decoder.decode(AudioPayload::Packet(&packet), 0, &mut heard))?;
    }
    Ok((settled(encode), settled(decode)))
}

/// The conversion that the camera's thread does, with the same call.
fn convert() -> Result<Duration> {
    let size = Size::HD;
    let (width, height) = (size.width() as u32, size.height() as u32);
    let yuy: Vec<u8> = (0..2 * size.luma_len()).map(|i| (i * 7 % 251) as u8).collect();
    let (mut y, mut u, mut v) = (vec![0; size.luma_len()], vec![0; size.chroma_len()], vec![0; size.chroma_len()]);
    let mut times = Vec::new();
    for _ in 0..PICTURES {
        let packed = YuvPackedImage { yuy: &yuy, yuy_stride: 2 * width, width, height };
        let mut planes = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(&mut y),
            y_stride: width,
            u_plane: BufferStoreMut::Borrowed(&mut u),
            u_stride: width / 2,
            v_plane: BufferStoreMut::Borrowed(&mut v),
            v_stride: width / 2,
            width,
            height,
        };
        timed(&mut times, || yuyv422_to_yuv420(&mut planes, &packed))?;
    }
    Ok(settled(times))
}
