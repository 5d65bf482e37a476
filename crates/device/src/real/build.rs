//! From a device to a running stream whose callbacks work on a ring.

use std::sync::Arc;
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{
    BufferSize, Device, ErrorKind, FromSample, SampleFormat, SizedSample, Stream, StreamConfig, SupportedStreamConfig,
};
use rtrb::{Consumer, Producer};
use visavis_frame::SAMPLE_RATE_HZ;

use super::ring::{Health, capture, playback};
use super::system::Direction;

/// Passed to backends that can hang while they build a stream.
const BUILD_TIMEOUT: Duration = Duration::from_secs(4);

/// What is asked of a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    config: StreamConfig,
    format: SampleFormat,
}

impl Plan {
    fn ring_samples(&self) -> usize {
        self.config.sample_rate as usize
    }

    /// Samples per callback that were asked for.
    fn period(&self) -> Option<u32> {
        match self.config.buffer_size {
            BufferSize::Fixed(samples) => Some(samples),
            BufferSize::Default => None,
        }
    }
}

/// A stream that runs, and the engine's end of its ring.
pub(super) struct Running<E> {
    pub(super) stream: Stream,
    pub(super) rate_hz: u32,
    pub(super) end: E,
    pub(super) health: Arc<Health>,
}

type Built<E> = Result<(Stream, E), cpal::Error>;

/// One direction of sound.
pub(super) trait Build {
    /// The engine's end of the ring.
    type End: Send + 'static;

    const DIRECTION: Direction;

    /// Builds a stream of samples of one type.
    fn build<T>(device: &Device, plan: Plan, health: &Arc<Health>) -> Built<Self::End>
    where
        T: SizedSample + FromSample<f32>,
        f32: FromSample<T>;
}

/// From a microphone.
#[derive(Debug)]
pub(super) struct Capturing;

/// To a speaker.
#[derive(Debug)]
pub(super) struct Playing;

impl Build for Capturing {
    type End = Consumer<f32>;

    const DIRECTION: Direction = Direction::Input;

    fn build<T>(device: &Device, plan: Plan, health: &Arc<Health>) -> Built<Self::End>
    where
        T: SizedSample + FromSample<f32>,
        f32: FromSample<T>,
    {
        let (mut sink, end) = capture(plan.ring_samples(), plan.config.channels, health);
        let take = move |data: &[T], _: &cpal::InputCallbackInfo| sink.take(data);
        let stream = device.build_input_stream(plan.config, take, on_error(health), Some(BUILD_TIMEOUT))?;
        Ok((stream, end))
    }
}

impl Build for Playing {
    type End = Producer<f32>;

    const DIRECTION: Direction = Direction::Output;

    fn build<T>(device: &Device, plan: Plan, health: &Arc<Health>) -> Built<Self::End>
    where
        T: SizedSample + FromSample<f32>,
        f32: FromSample<T>,
    {
        let (end, mut source) = playback(plan.ring_samples(), plan.config.channels, plan.period(), health);
        let fill = move |data: &mut [T], _: &cpal::OutputCallbackInfo| source.fill(data);
        let stream = device.build_output_stream(plan.config, fill, on_error(health), Some(BUILD_TIMEOUT))?;
        Ok((stream, end))
    }
}

/// Starts a stream with callbacks of about `period` samples, or whatever the device likes.
pub(super) fn start<B: Build>(device: &Device, period: u32) -> Result<Running<B::End>, cpal::Error> {
    let config = pick_config(device, B::DIRECTION)?;
    let mut failure = cpal::Error::from(ErrorKind::UnsupportedConfig);
    // ALSA's drivers like powers of two, and some backends like no wishes at all.
    let sizes = [BufferSize::Fixed(period), BufferSize::Fixed(period.next_power_of_two()), BufferSize::Default];
    for buffer_size in sizes {
        let plan = Plan { config: StreamConfig { buffer_size, ..config.config() }, format: config.sample_format() };
        let health = Arc::new(Health::default());
        let built = build::<B>(device, plan, &health);
        match built.and_then(|(stream, end)| stream.play().map(|()| (stream, end))) {
            Ok((stream, end)) => return Ok(Running { stream, rate_hz: config.sample_rate(), end, health }),
            Err(why) => failure = why,
        }
    }
    Err(failure)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the list is cpal's and grows; what isn't named can't be mixed")]
fn build<B: Build>(device: &Device, plan: Plan, health: &Arc<Health>) -> Built<B::End> {
    match plan.format {
        SampleFormat::F32 => B::build::<f32>(device, plan, health),
        SampleFormat::F64 => B::build::<f64>(device, plan, health),
        SampleFormat::I8 => B::build::<i8>(device, plan, health),
        SampleFormat::I16 => B::build::<i16>(device, plan, health),
        SampleFormat::I24 => B::build::<cpal::I24>(device, plan, health),
        SampleFormat::I32 => B::build::<i32>(device, plan, health),
        SampleFormat::U8 => B::build::<u8>(device, plan, health),
        SampleFormat::U16 => B::build::<u16>(device, plan, health),
        _ => Err(ErrorKind::UnsupportedConfig.into()),
    }
}

/// 48 kHz floats on the device's own channels where it can, so that nothing is resampled twice.
fn pick_config(device: &Device, direction: Direction) -> Result<SupportedStreamConfig, cpal::Error> {
    let (preset, ranges) = match direction {
        Direction::Input => (device.default_input_config()?, device.supported_input_configs()?.collect::<Vec<_>>()),
        Direction::Output => (device.default_output_config()?, device.supported_output_configs()?.collect::<Vec<_>>()),
    };
    let fits = |format: SampleFormat| {
        let mut ranges = ranges.iter().filter(|range| range.channels() == preset.channels());
        ranges
            .find_map(|range| (range.sample_format() == format).then(|| range.try_with_sample_rate(SAMPLE_RATE_HZ))?)
    };
    Ok(fits(SampleFormat::F32).or_else(|| fits(preset.sample_format())).unwrap_or(preset))
}

fn on_error(health: &Arc<Health>) -> impl FnMut(cpal::Error) + Send + 'static {
    let health = Arc::clone(health);
    move |error| health.note_error(error.kind())
}
