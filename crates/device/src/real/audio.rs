//! Microphones and speakers through cpal 0.18: PulseAudio (and PipeWire through it) or ALSA on Linux, WASAPI on Windows,
//! CoreAudio on macOS.
//!
//! A stream may not change threads on every system, and dropping one may block, so each lives on a thread of its own
//! which ends when the engine drops its side. Streams are asked for 48 kHz and short buffers, and take what they get.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Device, ErrorKind, FromSample, SampleFormat, SizedSample, Stream, StreamConfig, SupportedStreamConfig,
};
use rtrb::{Consumer, Producer};
use visavis_frame::{SAMPLE_RATE_HZ, Timestamp};

use super::ring::{Health, Watch, capture, playback};
use crate::error::DeviceError;
use crate::list::DeviceInfo;
use crate::pacing::MOST_SOUND_AT_ONCE;
use crate::traits::{Microphone, Speaker};

/// How long a system may take to open a stream; permission dialogs are not waited for.
const OPEN_TIMEOUT: Duration = Duration::from_secs(8);
/// Passed to backends that can hang while they build a stream.
const BUILD_TIMEOUT: Duration = Duration::from_secs(4);
/// Callback sizes to ask a microphone for, samples: 10 ms, then a power of two for ALSA, then whatever the system likes.
const INPUT_SIZES: [BufferSize; 3] = [BufferSize::Fixed(480), BufferSize::Fixed(512), BufferSize::Default];
/// The same for a speaker, twice as long: PulseAudio buffers two of them, and with two of 10 ms every delay of its own
/// is a gap.
const OUTPUT_SIZES: [BufferSize; 3] = [BufferSize::Fixed(960), BufferSize::Fixed(1024), BufferSize::Default];
/// What a speaker keeps queued beyond one callback, for the time until the engine looks again.
const SPEAKER_MARGIN: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Input,
    Output,
}

impl Direction {
    const fn buffer_sizes(self) -> [BufferSize; 3] {
        match self {
            Self::Input => INPUT_SIZES,
            Self::Output => OUTPUT_SIZES,
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Input => "microphone",
            Self::Output => "speaker",
        }
    }
}

/// A running stream, as the engine's side knows it.
#[derive(Debug)]
struct Opened<E> {
    name: String,
    rate_hz: u32,
    end: E,
    watch: Watch,
    /// The thread that owns the stream ends when this is dropped.
    _keep: mpsc::Sender<()>,
    lost: Option<DeviceError>,
}

impl<E> Opened<E> {
    /// An error once the stream has ended, and the same ever after.
    fn check(&mut self, now: Timestamp) -> Result<(), DeviceError> {
        if self.lost.is_none() && self.watch.is_gone(now) {
            let lost_samples = self.watch.health().lost();
            tracing::warn!(device = self.name, lost_samples, "a sound device was lost");
            self.lost = Some(DeviceError::Gone { name: self.name.clone() });
        }
        self.lost.clone().map_or(Ok(()), Err)
    }

    fn samples(&self, time: Duration) -> usize {
        (u128::from(self.rate_hz) * time.as_micros() / 1_000_000) as usize
    }
}

/// A microphone of this machine.
#[derive(Debug)]
pub(crate) struct RealMicrophone(Opened<Consumer<f32>>);

/// A speaker of this machine.
#[derive(Debug)]
pub(crate) struct RealSpeaker(Opened<Producer<f32>>);

/// What is asked of a device.
#[derive(Clone, Copy, Debug)]
struct Plan {
    config: StreamConfig,
    format: SampleFormat,
}

impl Plan {
    fn ring_samples(&self) -> usize {
        self.config.sample_rate as usize
    }
}

type Built<E> = Result<(Stream, E), cpal::Error>;

/// Opens a microphone by id or name; the system's default for `None`.
pub(crate) fn open_microphone(name: Option<&str>) -> Result<RealMicrophone, DeviceError> {
    open(Direction::Input, name, build_capture).map(RealMicrophone)
}

/// Opens a speaker by id or name; the system's default for `None`.
pub(crate) fn open_speaker(name: Option<&str>) -> Result<RealSpeaker, DeviceError> {
    open(Direction::Output, name, build_playback).map(RealSpeaker)
}

fn open<E: Send + 'static>(
    direction: Direction,
    name: Option<&str>,
    build: fn(&Device, Plan, &Arc<Health>) -> Built<E>,
) -> Result<Opened<E>, DeviceError> {
    let shown = name.map_or_else(|| format!("the {}", direction.kind()), str::to_owned);
    let failed = |reason: &str| DeviceError::Failed { name: shown.clone(), reason: reason.to_owned() };
    let (keep, ended) = mpsc::channel();
    let (reply, replied) = mpsc::channel();
    let name = name.map(str::to_owned);
    let run = move || match start(direction, name.as_deref(), build) {
        // ALSA always names a default, also where nothing stands behind it.
        Err(DeviceError::NotFound { .. }) if name.is_none() => {
            drop(reply.send(Err(DeviceError::None { kind: direction.kind() })));
        }
        Ok((stream, opened)) => {
            let opener_waits = reply.send(Ok(opened)).is_ok();
            // Nothing is ever sent: this returns when the engine drops its end.
            while opener_waits && ended.recv().is_ok() {}
            drop(stream);
        }
        Err(error) => drop(reply.send(Err(error))),
    };
    thread::Builder::new().name(direction.kind().to_owned()).spawn(run).map_err(|why| failed(&why.to_string()))?;
    let Started { name, rate_hz, end, health } = match replied.recv_timeout(OPEN_TIMEOUT) {
        Ok(started) => started?,
        Err(mpsc::RecvTimeoutError::Timeout) => return Err(failed("the system didn't answer")),
        Err(mpsc::RecvTimeoutError::Disconnected) => return Err(failed("the system's driver failed")),
    };
    Ok(Opened { name, rate_hz, end, watch: Watch::new(health), _keep: keep, lost: None })
}

/// What the stream's thread hands to the engine.
struct Started<E> {
    name: String,
    rate_hz: u32,
    end: E,
    health: Arc<Health>,
}

fn start<E>(
    direction: Direction,
    name: Option<&str>,
    build: fn(&Device, Plan, &Arc<Health>) -> Built<E>,
) -> Result<(Stream, Started<E>), DeviceError> {
    let device = find(direction, name)?;
    let name = device_name(&device);
    let config = pick_config(&device, direction).map_err(|why| classify(&name, &why))?;
    let mut failure = cpal::Error::from(ErrorKind::UnsupportedConfig);
    for buffer_size in direction.buffer_sizes() {
        let plan = Plan { config: StreamConfig { buffer_size, ..config.config() }, format: config.sample_format() };
        let health = Arc::new(Health::default());
        match build(&device, plan, &health).and_then(|(stream, end)| stream.play().map(|()| (stream, end))) {
            Ok((stream, end)) => return Ok((stream, Started { name, rate_hz: config.sample_rate(), end, health })),
            Err(why) => failure = why,
        }
    }
    Err(classify(&name, &failure))
}

fn find(direction: Direction, name: Option<&str>) -> Result<Device, DeviceError> {
    let host = cpal::default_host();
    let Some(name) = name else {
        let device = match direction {
            Direction::Input => host.default_input_device(),
            Direction::Output => host.default_output_device(),
        };
        return device.ok_or(DeviceError::None { kind: direction.kind() });
    };
    if let Ok(id) = name.parse::<cpal::DeviceId>()
        && let Ok(host) = cpal::host_from_id(id.host())
        && let Some(device) = host.device_by_id(&id)
    {
        return Ok(device);
    }
    let named = |device: &Device| device_name(device) == name || device.id().is_ok_and(|id| id.id() == name);
    devices(&host, direction).into_iter().find(named).ok_or_else(|| DeviceError::NotFound { name: name.to_owned() })
}

fn devices(host: &cpal::Host, direction: Direction) -> Vec<Device> {
    let found = match direction {
        Direction::Input => host.input_devices().map(Iterator::collect),
        Direction::Output => host.output_devices().map(Iterator::collect),
    };
    found.unwrap_or_default()
}

fn device_name(device: &Device) -> String {
    device.description().map_or_else(|_| device.to_string(), |description| description.name().to_owned())
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

#[allow(clippy::wildcard_enum_match_arm, reason = "the list is cpal's and grows; what isn't named can't be mixed")]
fn build_capture(device: &Device, plan: Plan, health: &Arc<Health>) -> Built<Consumer<f32>> {
    fn run<T>(device: &Device, plan: Plan, health: &Arc<Health>) -> Built<Consumer<f32>>
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let (mut sink, end) = capture(plan.ring_samples(), plan.config.channels, health);
        let take = move |data: &[T], _: &cpal::InputCallbackInfo| sink.take(data);
        let stream = device.build_input_stream(plan.config, take, on_error(health), Some(BUILD_TIMEOUT))?;
        Ok((stream, end))
    }
    match plan.format {
        SampleFormat::F32 => run::<f32>(device, plan, health),
        SampleFormat::F64 => run::<f64>(device, plan, health),
        SampleFormat::I8 => run::<i8>(device, plan, health),
        SampleFormat::I16 => run::<i16>(device, plan, health),
        SampleFormat::I24 => run::<cpal::I24>(device, plan, health),
        SampleFormat::I32 => run::<i32>(device, plan, health),
        SampleFormat::U8 => run::<u8>(device, plan, health),
        SampleFormat::U16 => run::<u16>(device, plan, health),
        _ => Err(ErrorKind::UnsupportedConfig.into()),
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the list is cpal's and grows; what isn't named can't be made")]
fn build_playback(device: &Device, plan: Plan, health: &Arc<Health>) -> Built<Producer<f32>> {
    fn run<T>(device: &Device, plan: Plan, health: &Arc<Health>) -> Built<Producer<f32>>
    where
        T: SizedSample + FromSample<f32>,
    {
        let (end, mut source) = playback(plan.ring_samples(), plan.config.channels, health);
        let fill = move |data: &mut [T], _: &cpal::OutputCallbackInfo| source.fill(data);
        let stream = device.build_output_stream(plan.config, fill, on_error(health), Some(BUILD_TIMEOUT))?;
        Ok((stream, end))
    }
    match plan.format {
        SampleFormat::F32 => run::<f32>(device, plan, health),
        SampleFormat::F64 => run::<f64>(device, plan, health),
        SampleFormat::I8 => run::<i8>(device, plan, health),
        SampleFormat::I16 => run::<i16>(device, plan, health),
        SampleFormat::I24 => run::<cpal::I24>(device, plan, health),
        SampleFormat::I32 => run::<i32>(device, plan, health),
        SampleFormat::U8 => run::<u8>(device, plan, health),
        SampleFormat::U16 => run::<u16>(device, plan, health),
        _ => Err(ErrorKind::UnsupportedConfig.into()),
    }
}

fn on_error(health: &Arc<Health>) -> impl FnMut(cpal::Error) + Send + 'static {
    let health = Arc::clone(health);
    move |error| health.note_error(error.kind())
}

/// What a person can do about it.
#[allow(clippy::wildcard_enum_match_arm, reason = "the list is cpal's and grows; the rest is told in its words")]
fn classify(name: &str, error: &cpal::Error) -> DeviceError {
    let name = name.to_owned();
    match error.kind() {
        ErrorKind::DeviceBusy => DeviceError::Busy { name },
        ErrorKind::PermissionDenied => DeviceError::Refused { name },
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => DeviceError::NotFound { name },
        _ => DeviceError::Failed { name, reason: error.to_string() },
    }
}

impl Microphone for RealMicrophone {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn rate_hz(&self) -> u32 {
        self.0.rate_hz
    }

    fn read(&mut self, now: Timestamp, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        self.0.check(now)?;
        let ready = self.0.end.slots();
        let old = ready.saturating_sub(self.0.samples(MOST_SOUND_AT_ONCE));
        self.0.watch.health().note_lost(old);
        if let Ok(chunk) = self.0.end.read_chunk(ready) {
            out.extend(chunk.into_iter().skip(old));
        }
        Ok(())
    }
}

impl Speaker for RealSpeaker {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn rate_hz(&self) -> u32 {
        self.0.rate_hz
    }

    fn wanted(&mut self, now: Timestamp) -> Result<usize, DeviceError> {
        self.0.check(now)?;
        let target = self.0.watch.health().chunk() + self.0.samples(SPEAKER_MARGIN);
        Ok(target.saturating_sub(self.queued()))
    }

    fn write(&mut self, samples: &[f32]) {
        let (_, rest) = self.0.end.push_partial_slice(samples);
        self.0.watch.health().note_lost(rest.len());
    }

    fn queued(&self) -> usize {
        self.0.end.buffer().capacity() - self.0.end.slots()
    }
}

/// All microphones, then all speakers.
pub(crate) fn list() -> Result<(Vec<DeviceInfo>, Vec<DeviceInfo>), String> {
    let host = cpal::default_host();
    Ok((list_direction(&host, Direction::Input), list_direction(&host, Direction::Output)))
}

fn list_direction(host: &cpal::Host, direction: Direction) -> Vec<DeviceInfo> {
    let preset = match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    };
    let preset = preset.and_then(|device| device.id().ok());
    let info = |device: Device| {
        let id = device.id().ok()?;
        let is_default = preset.as_ref() == Some(&id);
        is_for_people(&id, direction).then(|| DeviceInfo { id: id.to_string(), name: device_name(&device), is_default })
    };
    devices(host, direction).into_iter().filter_map(info).collect()
}

/// Whether a device belongs in a list to choose from. What a speaker plays is no microphone, though PulseAudio lists it
/// among them; of ALSA's plugins, those that reach a card with any rate and format are enough.
fn is_for_people(id: &cpal::DeviceId, direction: Direction) -> bool {
    let is_alsa = id.host().name() == "ALSA";
    let is_card = id.id() == "default" || id.id().starts_with("plughw:");
    let is_monitor = direction == Direction::Input && id.id().ends_with(".monitor");
    !is_monitor && (is_card || !is_alsa)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart_by_what_can_be_done() {
        let told = |kind: ErrorKind| classify("Mic", &kind.into());
        let name = || "Mic".to_owned();
        assert_eq!(told(ErrorKind::DeviceBusy), DeviceError::Busy { name: name() });
        assert_eq!(told(ErrorKind::PermissionDenied), DeviceError::Refused { name: name() });
        assert_eq!(told(ErrorKind::DeviceNotAvailable), DeviceError::NotFound { name: name() });
        assert!(matches!(told(ErrorKind::BackendError), DeviceError::Failed { .. }));
    }
}
