//! A microphone's samples at our own clock's pace.
//!
//! A card that calls itself 48 kHz is up to a hundred parts per million off, a third of a second in an hour, and pictures
//! are stamped by our clock: without this, lips and voice would part.

use std::time::Duration;

use visavis_dsp::{DriftControl, ResampleError, Resampler};
use visavis_frame::{SAMPLE_RATE_HZ, Timestamp};

/// Further off than this isn't drift: the microphone has paused, or hands over what it had kept back.
const LEAP_MS: f64 = 60.0;

/// Resamples one microphone.
pub(crate) struct SteadyMicrophone {
    resampler: Resampler,
    drift: DriftControl,
    /// When the count of samples began.
    since: Option<Timestamp>,
    /// Samples given since.
    given: u64,
}

impl SteadyMicrophone {
    pub(crate) fn new(rate_hz: u32) -> Result<Self, ResampleError> {
        let resampler = Resampler::new(rate_hz, SAMPLE_RATE_HZ)?;
        Ok(Self { resampler, drift: DriftControl::new(), since: None, given: 0 })
    }

    /// How much later sound comes out than it went in.
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_secs_f64(self.resampler.delay() as f64 / f64::from(SAMPLE_RATE_HZ))
    }

    /// How much longer the sound is made than the microphone's clock made it, parts per million.
    pub(crate) fn bent_ppm(&self) -> f64 {
        self.drift.ppm()
    }

    /// Takes what was heard up to `now` and appends it to `out`, at 48 kHz of our clock.
    pub(crate) fn process(&mut self, now: Timestamp, heard: &[f32], out: &mut Vec<f32>) {
        let before = out.len();
        if let Err(error) = self.resampler.process(heard, out) {
            tracing::warn!(%error, "sound couldn't be resampled");
        }
        if out.len() == before {
            return;
        }
        self.given += (out.len() - before) as u64;
        let Some(since) = self.since else {
            (self.since, self.given) = (Some(now), 0);
            return;
        };
        let passed = now.since(since);
        let ahead_ms = self.given as f64 * 1000.0 / f64::from(SAMPLE_RATE_HZ) - passed.as_secs_f64() * 1000.0;
        if ahead_ms.abs() > LEAP_MS {
            self.since = None;
            self.drift.restart();
        } else if let Some(ppm) = self.drift.observe(now.since(Timestamp::ZERO), ahead_ms)
            && let Err(error) = self.resampler.set_ratio_adjust(ppm)
        {
            tracing::warn!(%error, "the microphone's clock can't be followed");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Minutes of a microphone that is `ppm` fast and hands over what it has every 5 ms: samples given too many, at the
    /// end and at the most after the first minute.
    fn ahead(rate_hz: u32, ppm: f64, minutes: u32, pause_at: Option<u64>) -> (f64, f64) {
        let mut steady = SteadyMicrophone::new(rate_hz).unwrap();
        let (mut heard, mut given, mut out, mut worst, mut base) = (0.0, 0.0, Vec::new(), 0.0f64, 0.0);
        for step in 1..=u64::from(minutes) * 60 * 200 {
            let now = Timestamp::from_micros(step * 5_000);
            let seconds = step as f64 / 200.0;
            heard += f64::from(rate_hz) * (1.0 + ppm * 1e-6) / 200.0;
            if pause_at.is_some_and(|at| (at..at + 400).contains(&step)) {
                heard = 0.0;
                continue;
            }
            let samples = vec![0.0; heard as usize];
            heard -= samples.len() as f64;
            out.clear();
            steady.process(now, &samples, &mut out);
            given += out.len() as f64;
            let ahead = given - seconds * f64::from(SAMPLE_RATE_HZ);
            if step == 60 * 200 {
                base = ahead;
            } else if step > 60 * 200 {
                worst = worst.max((ahead - base).abs());
            }
        }
        (given - f64::from(minutes) * 60.0 * f64::from(SAMPLE_RATE_HZ), worst)
    }

    #[test]
    fn minutes_of_any_card_are_minutes() {
        for (rate_hz, ppm, minutes) in [(48_000, 100.0, 4), (44_100, -80.0, 2)] {
            let (end, worst) = ahead(rate_hz, ppm, minutes, None);
            // Without following, 100 ppm are 1152 samples after four minutes.
            assert!(end.abs() < 500.0 && worst < 150.0, "{rate_hz} Hz {ppm} ppm: {end} samples, at most {worst}");
        }
    }

    #[test]
    fn a_pause_is_no_drift() {
        let (end, _) = ahead(48_000, 0.0, 2, Some(18_000));
        let paused = -2.0 * f64::from(SAMPLE_RATE_HZ);
        assert!((end - paused).abs() < 500.0, "{end}");
    }
}
