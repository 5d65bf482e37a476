//! Sinks that stand in for a speaker.

use std::path::Path;

use visavis_frame::{SAMPLE_RATE_HZ, Timestamp};

use crate::error::DeviceError;
use crate::file::WavWriter;
use crate::pacing::SamplePacer;
use crate::traits::Speaker;

/// What a stand-in wants queued: as much as a real one does whose callbacks take 10 ms, 13 ms.
const TARGET_SAMPLES: usize = SAMPLE_RATE_HZ as usize * 13 / 1000;

/// How a card empties its queue as time passes.
#[derive(Debug)]
struct Playout {
    pacer: SamplePacer,
    queued: usize,
}

/// What a stretch of time took from the queue.
#[derive(Debug)]
struct Passed {
    /// Samples that were there to play.
    played: usize,
    /// Samples that were missing: a real speaker plays silence then.
    missing: usize,
}

impl Playout {
    fn new() -> Self {
        Self { pacer: SamplePacer::new(SAMPLE_RATE_HZ), queued: 0 }
    }

    fn pass(&mut self, now: Timestamp) -> Passed {
        let due = usize::try_from(self.pacer.take(now)).unwrap_or(usize::MAX);
        let played = due.min(self.queued);
        self.queued -= played;
        Passed { played, missing: due - played }
    }

    fn wanted(&self) -> usize {
        TARGET_SAMPLES.saturating_sub(self.queued)
    }
}

/// Plays at the right pace to nobody.
#[derive(Debug)]
pub struct NullSpeaker {
    playout: Playout,
}

impl NullSpeaker {
    /// A speaker that nobody hears.
    #[must_use]
    pub fn new() -> Self {
        Self { playout: Playout::new() }
    }
}

impl Default for NullSpeaker {
    fn default() -> Self {
        Self::new()
    }
}

impl Speaker for NullSpeaker {
    fn name(&self) -> &str {
        "Nobody"
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn wanted(&mut self, now: Timestamp) -> Result<usize, DeviceError> {
        self.playout.pass(now);
        Ok(self.playout.wanted())
    }

    fn write(&mut self, samples: &[f32]) {
        self.playout.queued += samples.len();
    }

    fn queued(&self) -> usize {
        self.playout.queued
    }
}

/// Writes what it plays to a WAV file, silence included where nothing came in time, so that the file lies on the same
/// clock as the call.
#[derive(Debug)]
pub struct RecordingSpeaker {
    name: String,
    playout: Playout,
    file: WavWriter,
    waiting: Vec<f32>,
    failed: Option<DeviceError>,
}

impl RecordingSpeaker {
    /// Starts a recording; an older file of that name is replaced.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn create(path: &Path) -> Result<Self, DeviceError> {
        Ok(Self {
            name: format!("Recording to {}", path.display()),
            playout: Playout::new(),
            file: WavWriter::create(path, SAMPLE_RATE_HZ)?,
            waiting: Vec::with_capacity(4 * TARGET_SAMPLES),
            failed: None,
        })
    }

    fn pass(&mut self, now: Timestamp) -> Result<(), DeviceError> {
        let Passed { played, missing } = self.playout.pass(now);
        self.file.write(&self.waiting[..played])?;
        self.waiting.drain(..played);
        self.file.write_silence(missing)
    }
}

impl Speaker for RecordingSpeaker {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn wanted(&mut self, now: Timestamp) -> Result<usize, DeviceError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let Err(error) = self.pass(now) {
            self.failed = Some(error.clone());
            return Err(error);
        }
        Ok(self.playout.wanted())
    }

    fn write(&mut self, samples: &[f32]) {
        self.playout.queued += samples.len();
        self.waiting.extend_from_slice(samples);
    }

    fn queued(&self) -> usize {
        self.playout.queued
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
    fn a_speaker_asks_for_what_it_played() {
        let mut speaker = NullSpeaker::new();
        assert_eq!(speaker.wanted(ms(0)).unwrap(), 624);
        speaker.write(&[0.0; 624]);
        assert_eq!((speaker.wanted(ms(0)).unwrap(), speaker.queued()), (0, 624));
        assert_eq!((speaker.wanted(ms(10)).unwrap(), speaker.queued()), (480, 144));
        assert_eq!((speaker.wanted(ms(100)).unwrap(), speaker.queued()), (624, 0));
    }

    #[test]
    fn a_recording_keeps_time_when_sound_is_late() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard.wav");
        let mut speaker = RecordingSpeaker::create(&path).unwrap();
        speaker.wanted(ms(0)).unwrap();
        speaker.write(&[0.5; 480]);
        speaker.wanted(ms(20)).unwrap();
        speaker.write(&[0.25; 480]);
        speaker.wanted(ms(30)).unwrap();
        drop(speaker);
        let heard: Vec<i16> = hound::WavReader::open(&path).unwrap().samples().map(Result::unwrap).collect();
        assert_eq!(heard.len(), 1440);
        assert_eq!((heard[0], heard[480], heard[960]), (16384, 0, 8192));
    }

    #[test]
    fn a_recording_that_cannot_be_is_a_clear_error() {
        let error = RecordingSpeaker::create(Path::new("/nowhere/at/all.wav")).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/at/all.wav: "), "{error}");
    }
}
