//! Between an audio callback and the engine: a lock-free ring and a few atomics.
//!
//! A callback runs on a thread with a deadline of milliseconds, so what stands here for its side takes no lock, allocates
//! nothing and logs nothing. Errors arrive in floods when a sound server goes (hundreds of thousands were seen), so they
//! are counted, not passed on one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use cpal::{ErrorKind, FromSample, Sample};
use rtrb::{Consumer, Producer, RingBuffer};
use visavis_frame::Timestamp;

/// So many errors and no sound in between: the stream won't recover by itself.
const MOST_ERRORS_IN_A_ROW: u32 = 8;
/// A callback that hasn't come for so long won't come any more. Waking from standby takes some devices two seconds.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// Asked less often than this, the engine itself was asleep, and knows nothing about the device's silence.
const ASLEEP_FOR: Duration = Duration::from_secs(1);

/// What the callbacks of one stream leave for the engine to see. No order between the counters matters, so all accesses
/// are relaxed; sound itself is ordered by the ring.
#[derive(Debug, Default)]
pub(super) struct Health {
    gone: AtomicBool,
    outdated: AtomicBool,
    errors: AtomicU32,
    callbacks: AtomicU64,
    /// Samples per callback, highest of late.
    chunk: AtomicU32,
    lost: AtomicU64,
    dry: AtomicU32,
    starved: AtomicU32,
}

impl Health {
    /// Called by a stream's error callback.
    pub(super) fn note_error(&self, kind: ErrorKind) {
        let ends = [ErrorKind::DeviceNotAvailable, ErrorKind::HostUnavailable, ErrorKind::StreamInvalidated];
        // The stream goes on after these.
        let harmless = [ErrorKind::Xrun, ErrorKind::DeviceChanged, ErrorKind::RealtimeDenied];
        if ends.contains(&kind) {
            self.gone.store(true, Ordering::Relaxed);
        } else if !harmless.contains(&kind) {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn note_callback(&self, samples: usize) {
        let samples = u32::try_from(samples).unwrap_or(u32::MAX);
        let before = self.chunk.load(Ordering::Relaxed);
        self.chunk.store(samples.max(before - before / 64), Ordering::Relaxed);
        self.errors.store(0, Ordering::Relaxed);
        self.callbacks.fetch_add(1, Ordering::Relaxed);
    }

    /// Set when the stream's choice means another device by now.
    pub(super) fn note_outdated(&self, outdated: bool) {
        self.outdated.store(outdated, Ordering::Relaxed);
    }

    /// The stream's choice means another device by now.
    pub(super) fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed)
    }

    /// Callbacks of a speaker that found less than they wanted.
    pub(super) fn dry(&self) -> u32 {
        self.dry.load(Ordering::Relaxed)
    }

    /// Times that the system asked for more than one callback's worth at once: it had nothing left to play.
    pub(super) fn starved(&self) -> u32 {
        self.starved.load(Ordering::Relaxed)
    }

    /// Samples per callback, highest of late.
    pub(super) fn chunk(&self) -> usize {
        self.chunk.load(Ordering::Relaxed) as usize
    }

    /// Samples that found no room, or were too old when somebody asked.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn note_lost(&self, samples: usize) {
        self.lost.fetch_add(samples as u64, Ordering::Relaxed);
    }
}

/// Decides, on the engine's side, whether a stream still lives.
#[derive(Debug)]
pub(super) struct Watch {
    health: Arc<Health>,
    callbacks: u64,
    heard: Option<Timestamp>,
    asked: Timestamp,
}

impl Watch {
    pub(super) fn new(health: Arc<Health>) -> Self {
        Self { health, callbacks: 0, heard: None, asked: Timestamp::ZERO }
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Whether the stream has ended. The answer isn't kept.
    pub(super) fn is_gone(&mut self, now: Timestamp) -> bool {
        let callbacks = self.health.callbacks.load(Ordering::Relaxed);
        let asleep = now.since(self.asked) > ASLEEP_FOR;
        self.asked = now;
        let heard = match self.heard {
            Some(heard) if callbacks == self.callbacks && !asleep => heard,
            _ => now,
        };
        (self.callbacks, self.heard) = (callbacks, Some(heard));
        self.health.gone.load(Ordering::Relaxed)
            || self.health.errors.load(Ordering::Relaxed) >= MOST_ERRORS_IN_A_ROW
            || now.since(heard) > SILENT_FOR
    }
}

/// A microphone callback's side.
pub(super) struct Capture {
    ring: Producer<f32>,
    channels: usize,
    health: Arc<Health>,
}

/// Makes the two ends for a microphone, with room for `capacity` mono samples.
pub(super) fn capture(capacity: usize, channels: u16, health: &Arc<Health>) -> (Capture, Consumer<f32>) {
    let (ring, reader) = RingBuffer::new(capacity);
    (Capture { ring, channels: usize::from(channels.max(1)), health: Arc::clone(health) }, reader)
}

impl Capture {
    /// Mixes interleaved samples to mono; what finds no room is lost.
    pub(super) fn take<T>(&mut self, data: &[T])
    where
        T: Sample,
        f32: FromSample<T>,
    {
        let frames = data.len() / self.channels;
        self.health.note_callback(frames);
        let room = frames.min(self.ring.slots());
        self.health.note_lost(frames - room);
        let scale = 1.0 / self.channels as f32;
        let mix = |frame: &[T]| frame.iter().map(|&s| f32::from_sample(s)).sum::<f32>() * scale;
        if let Ok(chunk) = self.ring.write_chunk_uninit(room) {
            chunk.fill_from_iter(data.chunks_exact(self.channels).map(mix));
        }
    }
}

/// A speaker callback's side.
pub(super) struct Playback {
    ring: Consumer<f32>,
    channels: usize,
    /// Samples per callback that the system was asked for, and may exceed when its own buffer has run out.
    period: Option<u32>,
    callbacks: u32,
    flowing: bool,
    health: Arc<Health>,
}

/// Makes the two ends for a speaker, with room for `capacity` mono samples.
pub(super) fn playback(
    capacity: usize,
    channels: u16,
    period: Option<u32>,
    health: &Arc<Health>,
) -> (Producer<f32>, Playback) {
    let (writer, ring) = RingBuffer::new(capacity);
    let channels = usize::from(channels.max(1));
    (writer, Playback { ring, channels, period, callbacks: 0, flowing: false, health: Arc::clone(health) })
}

impl Playback {
    /// Fills interleaved samples, the same on all channels; silence where nothing waits.
    pub(super) fn fill<T>(&mut self, data: &mut [T])
    where
        T: Sample + FromSample<f32>,
    {
        let frames = data.len() / self.channels;
        self.health.note_callback(frames);
        let ready = frames.min(self.ring.slots());
        self.note_shortage(frames, ready);
        let (sound, silence) = data.split_at_mut(ready * self.channels);
        if let Ok(chunk) = self.ring.read_chunk(ready) {
            for (frame, sample) in sound.chunks_exact_mut(self.channels).zip(chunk) {
                frame.fill(T::from_sample(sample));
            }
        }
        silence.fill(T::EQUILIBRIUM);
    }

    /// Before the first sound there is none to run out of, and at its start a system fills all of its buffers.
    fn note_shortage(&mut self, frames: usize, ready: usize) {
        const START: u32 = 50;
        self.callbacks = self.callbacks.saturating_add(1);
        if self.flowing && ready < frames {
            self.health.dry.fetch_add(1, Ordering::Relaxed);
        }
        // Until it flows again, one shortage is one shortage.
        self.flowing = ready == frames;
        if self.callbacks > START && self.period.is_some_and(|period| frames >= 2 * period as usize) {
            self.health.starved.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const fn ms(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    #[test]
    fn channels_are_mixed_and_an_overflow_is_counted() {
        let health = Arc::new(Health::default());
        let (mut capture, mut reader) = capture(3, 2, &health);
        capture.take(&[0.5f32, 0.25, -1.0, 1.0]);
        capture.take(&[i16::MIN, i16::MIN, 16384, 0]);
        let heard: Vec<f32> = std::iter::from_fn(|| reader.pop().ok()).collect();
        assert_eq!(heard, [0.375, 0.0, -1.0]);
        assert_eq!((health.lost(), health.chunk()), (1, 2));
    }

    #[test]
    fn a_speaker_that_runs_dry_plays_silence() {
        let health = Arc::new(Health::default());
        let (mut writer, mut playback) = playback(8, 2, Some(2), &health);
        writer.push_entire_slice(&[0.5, -0.5]).unwrap();
        let mut data = [7i16; 7];
        playback.fill(&mut data);
        assert_eq!(data, [16384, 16384, -16384, -16384, 0, 0, 0]);
        assert_eq!(health.dry(), 0, "nothing had been played before");
        writer.push_entire_slice(&[0.5; 4]).unwrap();
        (0..3).for_each(|_| playback.fill(&mut data));
        assert_eq!((health.dry(), health.starved()), (1, 0));
        (0..50).for_each(|_| playback.fill(&mut [0i16; 8]));
        assert_eq!((health.dry(), health.starved()), (1, 4));
    }

    #[test]
    fn a_flood_of_errors_ends_a_stream_and_single_ones_do_not() {
        let health = Arc::new(Health::default());
        let mut watch = Watch::new(Arc::clone(&health));
        for _ in 0..100 {
            health.note_error(ErrorKind::Xrun);
            health.note_error(ErrorKind::BackendError);
            health.note_callback(480);
        }
        assert!(!watch.is_gone(ms(0)));
        (0..8).for_each(|_| health.note_error(ErrorKind::BackendError));
        assert!(watch.is_gone(ms(10)));
    }

    #[test]
    fn a_device_that_goes_ends_its_stream() {
        let health = Arc::new(Health::default());
        let mut watch = Watch::new(Arc::clone(&health));
        health.note_error(ErrorKind::DeviceNotAvailable);
        assert!(watch.is_gone(ms(0)));
    }

    #[test]
    fn silence_ends_a_stream_unless_the_engine_slept() {
        let health = Arc::new(Health::default());
        let mut watch = Watch::new(Arc::clone(&health));
        assert!((0..=500).all(|step| !watch.is_gone(ms(step * 10))));
        assert!(watch.is_gone(ms(5_010)));
        health.note_callback(1);
        assert!(!watch.is_gone(ms(5_020)));
        assert!(!watch.is_gone(ms(60_000)), "nobody asked for a minute");
    }
}
