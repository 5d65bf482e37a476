//! How long pictures and sound take through a call, and whether they stay together: two engines in this process on one
//! clock, over real sockets on loopback, with devices that know what they gave and when. What sound cards, cameras and
//! screens add comes on top.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Result, ensure};
use visavis_engine::call::Intent;
use visavis_engine::device::{
    Camera, CameraChoice, DeviceError, Microphone, MicrophoneChoice, NullSpeaker, Speaker, SpeakerChoice, VideoFormat,
    open_camera, pattern,
};
use visavis_engine::frame::{FramePool, SAMPLE_RATE_HZ, Timestamp, VideoFrame};
use visavis_engine::{DeviceOpener, FrameSink, Host, Sinks};

use crate::clip::Clip;
use crate::joins::{code, end, start_on};
use crate::programs::ServerProcess;

/// A flash and a beep come at each full second.
const PERIOD: Duration = Duration::from_secs(1);
/// Of the beep: long enough to be speech for whatever listens to it on the way.
const BEEP: Duration = Duration::from_millis(120);
const BEEP_HZ: f64 = 800.0;
const LOUDNESS: f64 = 0.5;
/// Of full scale: the beep has begun.
const AUDIBLE: f32 = 0.05;
/// Side of the flash in the middle of the picture, pixels.
const FLASH: usize = 320;
/// A flash and a beep that are further apart than this belong to different seconds.
const SAME: Duration = Duration::from_millis(500);
/// What the start of a call is given to settle.
const WARM_UP: Duration = Duration::from_secs(5);

/// The delays of one call; each list is sorted.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    /// From a picture's capture until it leaves the decoder.
    pub(crate) video: Vec<Duration>,
    /// From a sound at the microphone until the speaker plays it.
    pub(crate) audio: Vec<Duration>,
    /// How far sound and picture of one moment come apart.
    pub(crate) lip_sync: Vec<Duration>,
}

/// What was seen and heard, by the time at which it began.
#[derive(Debug, Default)]
struct Record {
    /// Capture and arrival of each picture, and whether it is a flash.
    pictures: Vec<(Timestamp, Timestamp, bool)>,
    /// When a beep was played.
    beeps: Vec<Timestamp>,
}

type Shared = Arc<Mutex<Record>>;

fn with<T>(record: &Shared, change: impl FnOnce(&mut Record) -> T) -> T {
    change(&mut record.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The share of a second that has passed.
fn into_second(time: Timestamp) -> Duration {
    Duration::from_micros(time.as_micros() % PERIOD.as_micros() as u64)
}

/// The test pattern with a flash: white in the first picture of each second.
struct FlashCamera {
    pattern: Box<dyn Camera>,
    pool: FramePool,
}

impl Camera for FlashCamera {
    fn name(&self) -> &str {
        self.pattern.name()
    }

    fn format(&self) -> VideoFormat {
        self.pattern.format()
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>, now: Timestamp) -> Poll<Result<VideoFrame, DeviceError>> {
        let one_picture = PERIOD / self.format().fps.max(1);
        self.pattern
            .poll_frame(cx, now)
            .map_ok(|frame| if into_second(frame.captured()) < one_picture { flash(&frame, &self.pool) } else { frame })
    }

    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.pattern.next_due(now)
    }
}

fn flash(frame: &VideoFrame, pool: &FramePool) -> VideoFrame {
    let (width, height) = (frame.size().width(), frame.size().height());
    pool.frame(frame.size(), frame.captured(), |y, u, v| {
        y.copy_from_slice(frame.y());
        u.copy_from_slice(frame.u());
        v.copy_from_slice(frame.v());
        for row in y.chunks_exact_mut(width).skip((height - FLASH) / 2).take(FLASH) {
            row[(width - FLASH) / 2..(width + FLASH) / 2].fill(235);
        }
    })
}

/// Whether the middle is white, by a sample of its pixels.
fn is_flash(frame: &VideoFrame) -> bool {
    let (width, height) = (frame.size().width(), frame.size().height());
    let middle = |share: usize| (height - FLASH) / 2 + FLASH * share / 8;
    (1..8)
        .all(|row| (1..8).all(|column| frame.y()[middle(row) * width + (width - FLASH) / 2 + FLASH * column / 8] > 200))
}

/// Silence with a beep at each full second.
struct BeepMicrophone {
    loudness: f64,
    given: Option<u64>,
}

impl Microphone for BeepMicrophone {
    fn name(&self) -> &str {
        "Beep"
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn read(&mut self, now: Timestamp, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        let due = now.as_micros() * u64::from(SAMPLE_RATE_HZ) / 1_000_000;
        let from = self.given.replace(due).unwrap_or(due);
        out.extend((from..due).map(|sample| {
            let at = (sample % u64::from(SAMPLE_RATE_HZ)) as f64 / f64::from(SAMPLE_RATE_HZ);
            let loud = if at < BEEP.as_secs_f64() { self.loudness } else { 0.0 };
            (loud * (std::f64::consts::TAU * BEEP_HZ * at).sin()) as f32
        }));
        Ok(())
    }
}

/// A speaker that notes when a beep begins, by its own clock of samples.
struct Ear {
    speaker: NullSpeaker,
    now: Timestamp,
    heard: Option<Timestamp>,
    record: Shared,
}

impl Speaker for Ear {
    fn name(&self) -> &str {
        self.speaker.name()
    }

    fn rate_hz(&self) -> u32 {
        self.speaker.rate_hz()
    }

    fn wanted(&mut self, now: Timestamp) -> Result<usize, DeviceError> {
        self.now = now;
        self.speaker.wanted(now)
    }

    fn write(&mut self, samples: &[f32]) {
        let before = self.speaker.queued();
        if let Some(first) = samples.iter().position(|sample| sample.abs() > AUDIBLE) {
            let played = self.now + Duration::from_secs_f64((before + first) as f64 / f64::from(SAMPLE_RATE_HZ));
            if self.heard.is_none_or(|last| played.since(last) > SAME) {
                with(&self.record, |record| record.beeps.push(played));
            }
            self.heard = Some(played);
        }
        self.speaker.write(samples);
    }

    fn queued(&self) -> usize {
        self.speaker.queued()
    }
}

/// Opens those three, whatever is asked for. Who listens says nothing.
struct Rig {
    record: Shared,
    beeps: bool,
}

impl DeviceOpener for Rig {
    fn camera(
        &self,
        _: &CameraChoice,
        wanted: VideoFormat,
        pool: FramePool,
    ) -> Result<Option<Box<dyn Camera>>, DeviceError> {
        let camera = open_camera(&CameraChoice::Test { look: 1 }, wanted, pool.clone())?;
        Ok(camera.map(|pattern| Box::new(FlashCamera { pattern, pool }) as Box<dyn Camera>))
    }

    fn microphone(&self, _: &MicrophoneChoice) -> Result<Option<Box<dyn Microphone>>, DeviceError> {
        let loudness = if self.beeps { LOUDNESS } else { 0.0 };
        Ok(Some(Box::new(BeepMicrophone { loudness, given: None })))
    }

    fn speaker(&self, _: &SpeakerChoice) -> Result<Option<Box<dyn Speaker>>, DeviceError> {
        let record = Arc::clone(&self.record);
        Ok(Some(Box::new(Ear { speaker: NullSpeaker::new(), now: Timestamp::ZERO, heard: None, record })))
    }
}

/// Notes each picture of the other side.
struct Eye {
    host: Host,
    record: Shared,
}

impl FrameSink for Eye {
    fn frame(&mut self, frame: &VideoFrame) {
        let now = self.host.media_now();
        // A picture that can't be read has no time of capture.
        if let Some(stamp) = pattern::read(frame) {
            let flash = is_flash(frame);
            with(&self.record, |record| record.pictures.push((stamp.captured, now, flash)));
        }
    }
}

/// A call of so long; what the joiner saw and heard counts.
pub(crate) async fn measure(server: &ServerProcess, clip: &Clip, span: Duration) -> Result<Delays> {
    let (host, record) = (Host::tokio(), Shared::default());
    let with_rig = |record: Shared, beeps| host.clone().with_devices(Arc::new(Rig { record, beeps }));
    let speaks = with_rig(Shared::default(), true);
    let (creator, mut creator_events) = start_on(&speaks, server, clip, Intent::Create, Sinks::default(), 101)?;
    let code = code(&mut creator_events).await?;
    let eye = Eye { host: host.clone(), record: Arc::clone(&record) };
    let sinks = Sinks { remote_video: vec![Box::new(eye)], ..Sinks::default() };
    let listens = with_rig(Arc::clone(&record), false);
    let (joiner, joiner_events) = start_on(&listens, server, clip, Intent::Join(code), sinks, 102)?;
    tokio::time::sleep(WARM_UP).await;
    with(&record, |record| *record = Record::default());
    tokio::time::sleep(span).await;
    let record = with(&record, std::mem::take);
    joiner.hang_up();
    end(joiner_events).await;
    creator.hang_up();
    end(creator_events).await;
    let delays = record.delays();
    ensure!(!delays.video.is_empty() && !delays.lip_sync.is_empty(), "nothing was seen and heard together");
    Ok(delays)
}

impl Record {
    fn delays(&self) -> Delays {
        // Every beep begins with a second, and arrives well within it.
        let mut audio: Vec<_> = self.beeps.iter().map(|beep| into_second(*beep)).collect();
        let mut video: Vec<_> = self.pictures.iter().map(|(captured, seen, _)| seen.since(*captured)).collect();
        let mut lip_sync: Vec<_> = self.pictures.iter().filter_map(|picture| self.apart(picture)).collect();
        for list in [&mut audio, &mut video, &mut lip_sync] {
            list.sort_unstable();
        }
        Delays { video, audio, lip_sync }
    }

    /// How much later or earlier the beep of a flash's second came out than the flash, measured from each one's own moment.
    fn apart(&self, (captured, seen, flash): &(Timestamp, Timestamp, bool)) -> Option<Duration> {
        let beep = self.beeps.iter().find(|beep| beep.since(*seen).max(seen.since(**beep)) < SAME)?;
        let (video, audio) = (seen.since(*captured), into_second(*beep));
        flash.then(|| video.abs_diff(audio))
    }
}

/// The value below which this share of a sorted list lies; zero of none.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}
