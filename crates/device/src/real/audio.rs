//! Microphones and speakers through cpal 0.18: PulseAudio (and PipeWire through it) or ALSA on Linux, WASAPI on Windows,
//! CoreAudio on macOS.
//!
//! A stream may not change threads on every system, and dropping one may block, so each lives on a thread of its own
//! which ends when the engine drops its side. Meanwhile that thread looks now and then whether the choice still means the
//! device that it opened: no system tells cpal, and PulseAudio moves a stream without a word.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use cpal::{DeviceId, ErrorKind, Stream};
use rtrb::{Consumer, Producer};
use visavis_frame::{SAMPLE_RATE_HZ, Timestamp};

use super::build::{Build, Capturing, Playing, start};
use super::latency::{self, Stumbles};
use super::ring::{Health, Watch};
use super::system::{Direction, OwnHost, Target, has_changed, target};
use crate::error::DeviceError;
use crate::pacing::MOST_SOUND_AT_ONCE;
use crate::traits::{Microphone, Speaker};

/// How long a system may take to open a stream; permission dialogs are not waited for.
const OPEN_TIMEOUT: Duration = Duration::from_secs(8);
/// How often a stream's thread looks whether its choice means another device.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// What a microphone is asked to deliver at a time, samples: 5 ms.
const MICROPHONE_PERIOD: u32 = SAMPLE_RATE_HZ / 200;

/// A running stream, as the engine's side knows it.
#[derive(Debug)]
struct Opened<E> {
    name: String,
    /// The device that was chosen, where this one stands in for it.
    wish: Option<String>,
    id: String,
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
pub(crate) struct RealSpeaker {
    opened: Opened<Producer<f32>>,
    stumbles: Stumbles,
}

/// Opens a microphone by id or name; the system's default for `None`.
pub(crate) fn open_microphone(name: Option<&str>) -> Result<RealMicrophone, DeviceError> {
    open::<Capturing>(name).map(RealMicrophone)
}

/// Opens a speaker by id or name; the system's default for `None`.
pub(crate) fn open_speaker(name: Option<&str>) -> Result<RealSpeaker, DeviceError> {
    let opened = open::<Playing>(name)?;
    let stumbles = Stumbles::new(opened.id.clone());
    Ok(RealSpeaker { opened, stumbles })
}

/// What the stream's thread hands to the engine.
struct Started<E> {
    name: String,
    stands_in: bool,
    id: String,
    rate_hz: u32,
    end: E,
    health: Arc<Health>,
}

fn open<B: Build>(wish: Option<&str>) -> Result<Opened<B::End>, DeviceError> {
    let shown = wish.map_or_else(|| format!("the {}", B::DIRECTION.kind()), str::to_owned);
    let failed = |reason: &str| DeviceError::Failed { name: shown.clone(), reason: reason.to_owned() };
    let (keep, ended) = mpsc::channel();
    let (reply, replied) = mpsc::channel();
    let owned = wish.map(str::to_owned);
    let run = move || own_stream::<B>(owned.as_deref(), &reply, &ended);
    let kind = B::DIRECTION.kind();
    thread::Builder::new().name(kind.to_owned()).spawn(run).map_err(|why| failed(&why.to_string()))?;
    let Started { name, stands_in, id, rate_hz, end, health } = match replied.recv_timeout(OPEN_TIMEOUT) {
        Ok(started) => started?,
        Err(mpsc::RecvTimeoutError::Timeout) => return Err(failed("the system didn't answer")),
        Err(mpsc::RecvTimeoutError::Disconnected) => return Err(failed("the system's driver failed")),
    };
    let wish = wish.filter(|_| stands_in).map(str::to_owned);
    Ok(Opened { name, wish, id, rate_hz, end, watch: Watch::new(health), _keep: keep, lost: None })
}

/// What a thread does that owns a stream: open it, look after it until the engine drops its side, and close it.
fn own_stream<B: Build>(
    wish: Option<&str>,
    reply: &mpsc::Sender<Result<Started<B::End>, DeviceError>>,
    ended: &mpsc::Receiver<()>,
) {
    let host = OwnHost::take();
    let opened = target(&host, B::DIRECTION, wish).and_then(|target| {
        let id = target.id.clone();
        open_target::<B>(target, wish).map(|(stream, started)| (stream, started, id))
    });
    let (stream, started, id) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // Whoever asked may have given up waiting.
            let _ = reply.send(Err(error));
            return host.put_back();
        }
    };
    let health = Arc::clone(&started.health);
    if reply.send(Ok(started)).is_ok() {
        // Nothing is ever sent: the channel closes when the engine drops its end.
        while ended.recv_timeout(LOOK_AGAIN) == Err(mpsc::RecvTimeoutError::Timeout) {
            let changed = |id: &DeviceId| has_changed(B::DIRECTION, wish, id);
            health.note_outdated(id.as_ref().is_some_and(changed));
        }
    }
    drop(stream);
    host.put_back();
}

fn open_target<B: Build>(target: Target, wish: Option<&str>) -> Result<(Stream, Started<B::End>), DeviceError> {
    let Target { device, id, name, stands_in } = target;
    let id = id.map_or_else(|| name.clone(), |id| id.to_string());
    let running = start::<B>(&device, wanted_period(B::DIRECTION, &id)).map_err(|why| {
        match (classify(&name, &why), wish) {
            // ALSA always names a default, also where nothing stands behind it.
            (DeviceError::NotFound { .. }, None) => DeviceError::None { kind: B::DIRECTION.kind() },
            (DeviceError::NotFound { .. }, Some(wish)) => DeviceError::NotFound { name: wish.to_owned() },
            (error, _) => error,
        }
    })?;
    let started = Started { name, stands_in, id, rate_hz: running.rate_hz, end: running.end, health: running.health };
    Ok((running.stream, started))
}

fn wanted_period(direction: Direction, id: &str) -> u32 {
    match direction {
        Direction::Input => MICROPHONE_PERIOD,
        Direction::Output => latency::period(id),
    }
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

    fn stands_in_for(&self) -> Option<&str> {
        self.0.wish.as_deref()
    }

    fn is_outdated(&self) -> bool {
        self.0.watch.health().is_outdated()
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
        &self.opened.name
    }

    fn rate_hz(&self) -> u32 {
        self.opened.rate_hz
    }

    fn stands_in_for(&self) -> Option<&str> {
        self.opened.wish.as_deref()
    }

    fn is_outdated(&self) -> bool {
        self.opened.watch.health().is_outdated() || self.stumbles.outgrown()
    }

    fn wanted(&mut self, now: Timestamp) -> Result<usize, DeviceError> {
        self.opened.check(now)?;
        let health = self.opened.watch.health();
        self.stumbles.see(now, health.dry(), health.starved());
        let target = health.chunk() + self.opened.samples(self.stumbles.margin());
        Ok(target.saturating_sub(self.queued()))
    }

    fn write(&mut self, samples: &[f32]) {
        let (_, rest) = self.opened.end.push_partial_slice(samples);
        self.opened.watch.health().note_lost(rest.len());
    }

    fn queued(&self) -> usize {
        self.opened.end.buffer().capacity() - self.opened.end.slots()
    }
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
