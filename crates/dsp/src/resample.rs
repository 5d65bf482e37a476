//! Mono sound from one rate to another, with a ratio that can be bent while it runs.
//!
//! Two sound cards never agree on what 48 kHz is; whoever joins them watches the buffer between them and bends the ratio
//! by a few parts per million so that it neither fills nor empties.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction};

/// The most that the ratio can be bent, parts per million; well under what the ear takes for a change of pitch.
pub const MAX_ADJUST_PPM: f64 = 5_000.0;
/// Samples taken at a time: few, since they are what the resampler adds in delay besides its filter.
const CHUNK: usize = 32;
/// Taps of the filter between two rates, and of one that only follows another clock at the same rate: with nothing to keep
/// out it may be half as long, and half as late.
const TAPS: [usize; 2] = [128, 64];

/// Resampling isn't possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResampleError {
    /// No resampler for these rates.
    #[error("can't resample from {from_hz} Hz to {to_hz} Hz: {reason}")]
    Rates {
        /// The input's rate, hertz.
        from_hz: u32,
        /// The output's rate, hertz.
        to_hz: u32,
        /// In the resampler's words.
        reason: String,
    },
    /// The resampler failed inside.
    #[error("resampling failed: {0}")]
    Failed(String),
}

/// Resamples one channel.
pub struct Resampler {
    inner: Async<f32>,
    waiting: Vec<f32>,
    made: Vec<f32>,
}

impl Resampler {
    /// A resampler between two rates, hertz. At 48 kHz it adds 2 ms of delay, and 1.3 ms where both rates are the same.
    ///
    /// # Errors
    /// When a rate is zero.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, ResampleError> {
        let rates = |reason: String| ResampleError::Rates { from_hz, to_hz, reason };
        if from_hz == 0 || to_hz == 0 {
            return Err(rates("a rate of zero".into()));
        }
        let mut filter =
            SincInterpolationParameters::new(TAPS[usize::from(from_hz == to_hz)], WindowFunction::BlackmanHarris2);
        filter.interpolation = SincInterpolationType::Cubic;
        let ratio = f64::from(to_hz) / f64::from(from_hz);
        let most = 1.0 + 2.0 * MAX_ADJUST_PPM * 1e-6;
        let inner =
            Async::new_sinc(ratio, most, &filter, CHUNK, 1, FixedAsync::Input).map_err(|e| rates(e.to_string()))?;
        let made = vec![0.0; inner.output_frames_max()];
        Ok(Self { inner, waiting: Vec::with_capacity(8 * CHUNK), made })
    }

    /// Takes `input` and appends what comes of it to `out`. Allocates only when `out` or a run much longer than before
    /// needs room.
    ///
    /// # Errors
    /// When the resampler fails inside; what was waiting is lost.
    pub fn process(&mut self, input: &[f32], out: &mut Vec<f32>) -> Result<(), ResampleError> {
        self.waiting.extend_from_slice(input);
        let mut taken = 0;
        let mut result = Ok(());
        while self.waiting.len() - taken >= CHUNK && result.is_ok() {
            result = self.chunk(taken, out);
            taken += CHUNK;
        }
        self.waiting.drain(..taken);
        result
    }

    /// Bends the ratio: at +100 ppm there is one sample more in ten thousand. Kept within [`MAX_ADJUST_PPM`]; the change
    /// is spread over the next samples, so that it can't be heard.
    ///
    /// # Errors
    /// When `ppm` isn't a number.
    pub fn set_ratio_adjust(&mut self, ppm: f64) -> Result<(), ResampleError> {
        let relative = 1.0 + ppm.clamp(-MAX_ADJUST_PPM, MAX_ADJUST_PPM) * 1e-6;
        match self.inner.as_adjustable() {
            Some(ratio) => ratio.set_resample_ratio_relative(relative, true).map_err(failed),
            None => Err(ResampleError::Failed("the ratio is fixed".into())),
        }
    }

    /// Delay through the filter, in output samples.
    #[must_use]
    pub fn delay(&self) -> usize {
        self.inner.output_delay()
    }

    fn chunk(&mut self, from: usize, out: &mut Vec<f32>) -> Result<(), ResampleError> {
        let room = self.made.len();
        let input = InterleavedSlice::new(&self.waiting[from..from + CHUNK], 1, CHUNK).map_err(failed)?;
        let mut output = InterleavedSlice::new_mut(&mut self.made, 1, room).map_err(failed)?;
        let (_, made) = self.inner.process_into_buffer(&input, &mut output, None).map_err(failed)?;
        out.extend_from_slice(&self.made[..made]);
        Ok(())
    }
}

fn failed(error: impl std::fmt::Display) -> ResampleError {
    ResampleError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn tone(hz: f64, rate: u32, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| (0.5 * (i as f64 * hz * std::f64::consts::TAU / f64::from(rate)).sin()) as f32).collect()
    }

    /// Amplitude and distance to the best fitting sine of `hz`.
    fn fit(samples: &[f32], hz: f64, rate: u32) -> (f64, f64) {
        let step = hz * std::f64::consts::TAU / f64::from(rate);
        let half = samples.len() as f64 / 2.0;
        let project = |f: fn(f64) -> f64| {
            samples.iter().enumerate().map(|(i, &s)| f64::from(s) * f(i as f64 * step)).sum::<f64>() / half
        };
        let (a, b) = (project(f64::sin), project(f64::cos));
        let rest = |(i, &s): (usize, &f32)| f64::from(s) - a * (i as f64 * step).sin() - b * (i as f64 * step).cos();
        let worst = samples.iter().enumerate().map(rest).fold(0.0, |max: f64, d| max.max(d.abs()));
        (a.hypot(b), worst)
    }

    fn resampled(from: u32, to: u32, ppm: f64, run: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to).unwrap();
        resampler.set_ratio_adjust(ppm).unwrap();
        let mut out = Vec::new();
        for samples in tone(1000.0, from, from as usize).chunks(run) {
            resampler.process(samples, &mut out).unwrap();
        }
        out
    }

    #[test]
    fn a_tone_keeps_pitch_and_level_without_glitches() {
        for (from, to) in [(44_100, 48_000), (48_000, 44_100), (16_000, 48_000), (48_000, 48_000), (96_000, 48_000)] {
            for run in [63, 441] {
                let out = resampled(from, to, 0.0, run);
                assert!(out.len().abs_diff(to as usize) < 1000, "{from}→{to}: {} samples", out.len());
                // Whole periods, so that the projection is exact.
                let period = to as usize / 100;
                let (amplitude, worst) = fit(&out[period * 5..period * 95], 1000.0, to);
                assert!((amplitude - 0.5).abs() < 0.005, "{from}→{to} by {run}: {amplitude}");
                assert!(worst < 0.003, "{from}→{to} by {run}: {worst} off");
            }
        }
    }

    #[test]
    fn the_ratio_bends_by_what_is_asked() {
        let plain = resampled(48_000, 48_000, 0.0, 480).len();
        let more = resampled(48_000, 48_000, 1000.0, 480).len();
        let less = resampled(48_000, 48_000, -1000.0, 480).len();
        assert!((more - plain).abs_diff(48) <= 2, "{more} {plain}");
        assert!((plain - less).abs_diff(48) <= 2, "{plain} {less}");
    }

    #[test]
    fn bending_while_it_runs_makes_no_click() {
        let mut resampler = Resampler::new(48_000, 48_000).unwrap();
        let mut out = Vec::new();
        for (i, samples) in tone(200.0, 48_000, 96_000).chunks(480).enumerate() {
            resampler.set_ratio_adjust(if i % 2 == 0 { 300.0 } else { -300.0 }).unwrap();
            resampler.process(samples, &mut out).unwrap();
        }
        let steepest = 0.5 * 200.0 * std::f32::consts::TAU / 48_000.0 * 1.05;
        assert!(out[500..].windows(2).all(|w| (w[1] - w[0]).abs() < steepest));
    }

    #[test]
    fn impossible_rates_are_refused() {
        assert!(Resampler::new(0, 48_000).is_err());
        assert!(Resampler::new(48_000, 0).is_err());
        assert!(Resampler::new(48_000, 48_000).unwrap().set_ratio_adjust(f64::NAN).is_err());
    }
}
