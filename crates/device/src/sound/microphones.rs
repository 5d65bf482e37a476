//! Signals that stand in for a microphone.

use std::f64::consts::TAU;

use visavis_frame::{SAMPLE_RATE_HZ, Timestamp};

use super::speech::Speech;
use crate::error::DeviceError;
use crate::pacing::SamplePacer;
use crate::traits::Microphone;

/// Peak of the tone: −12 dB below full scale, loud and far from clipping.
const TONE_PEAK: f64 = 0.25;

/// A steady sine.
#[derive(Debug)]
pub struct ToneMicrophone {
    name: String,
    pacer: SamplePacer,
    /// Where in its cycle the sine is, 0.0..1.0.
    phase: f64,
    step: f64,
}

impl ToneMicrophone {
    /// A sine of `pitch_hz` at −12 dBFS.
    #[must_use]
    pub fn new(pitch_hz: u32) -> Self {
        Self {
            name: format!("Tone, {pitch_hz} Hz"),
            pacer: SamplePacer::new(SAMPLE_RATE_HZ),
            phase: 0.0,
            step: f64::from(pitch_hz) / f64::from(SAMPLE_RATE_HZ),
        }
    }
}

impl Microphone for ToneMicrophone {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn read(&mut self, now: Timestamp, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        let due = self.pacer.take_recent(now);
        out.extend((0..due).map(|_| {
            let sample = (self.phase * TAU).sin() * TONE_PEAK;
            self.phase = (self.phase + self.step).fract();
            sample as f32
        }));
        Ok(())
    }
}

/// A microphone in a silent room.
#[derive(Debug)]
pub struct SilentMicrophone {
    pacer: SamplePacer,
}

impl SilentMicrophone {
    /// Silence, 48 000 samples a second of it.
    #[must_use]
    pub fn new() -> Self {
        Self { pacer: SamplePacer::new(SAMPLE_RATE_HZ) }
    }
}

impl Default for SilentMicrophone {
    fn default() -> Self {
        Self::new()
    }
}

impl Microphone for SilentMicrophone {
    fn name(&self) -> &str {
        "Silence"
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn read(&mut self, now: Timestamp, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        let due = self.pacer.take_recent(now);
        out.resize(out.len() + due, 0.0);
        Ok(())
    }
}

/// A signal with the rhythm, the pitch and the formants of speech; the same every time.
#[derive(Debug)]
pub struct SpeechMicrophone {
    pacer: SamplePacer,
    speech: Speech,
}

impl SpeechMicrophone {
    /// Starts from the beginning of the signal.
    #[must_use]
    pub fn new() -> Self {
        Self { pacer: SamplePacer::new(SAMPLE_RATE_HZ), speech: Speech::new() }
    }
}

impl Default for SpeechMicrophone {
    fn default() -> Self {
        Self::new()
    }
}

impl Microphone for SpeechMicrophone {
    fn name(&self) -> &str {
        "Test speech"
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn read(&mut self, now: Timestamp, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        let due = self.pacer.take_recent(now);
        out.extend((0..due).map(|_| self.speech.next_sample()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use visavis_testkit::sound;

    use super::*;

    fn record(microphone: &mut dyn Microphone, seconds: u64) -> Vec<f32> {
        let mut out = Vec::new();
        for step in 0..=seconds * 100 {
            microphone.read(Timestamp::from_micros(step * 10_000), &mut out).unwrap();
        }
        out
    }

    #[test]
    fn a_tone_has_its_pitch_and_level() {
        let heard = record(&mut ToneMicrophone::new(440), 1);
        assert_eq!(heard.len(), 48_000);
        let pitch = sound::pitch_hz(&heard, SAMPLE_RATE_HZ).unwrap();
        assert!((pitch - 440.0).abs() < 1.0, "{pitch}");
        let peak = sound::tone_amplitude(&heard, SAMPLE_RATE_HZ, 440.0);
        assert!((peak - 0.25).abs() < 0.001, "{peak}");
    }

    #[test]
    fn silence_is_paced_like_sound() {
        let heard = record(&mut SilentMicrophone::new(), 1);
        assert!(heard.len() == 48_000 && heard.iter().all(|&s| s == 0.0));
    }

    #[test]
    fn speech_is_the_same_every_time_and_has_pauses() {
        let heard = record(&mut SpeechMicrophone::new(), 6);
        assert_eq!(heard, record(&mut SpeechMicrophone::new(), 6));
        assert!(heard.iter().all(|s| s.abs() < 0.9));
        let levels: Vec<f64> = heard.chunks(960).map(sound::rms).collect();
        let quiet = levels.iter().filter(|&&l| l < 0.003).count() as f64 / levels.len() as f64;
        assert!((0.05..0.6).contains(&quiet), "{quiet} of the time is quiet");
        let voiced = levels.iter().filter(|&&l| l > 0.03).count() as f64 / levels.len() as f64;
        assert!(voiced > 0.3, "{voiced} of the time is loud");
    }
}
