//! What a sound card with a clock of its own hears.

use std::f64::consts::PI;

/// Taps to each side of the interpolation.
const REACH: isize = 16;

/// The same sound as a card hears it whose clock runs fast by `ppm` parts per million: that many more samples in a million,
/// taken between the samples where need be (windowed sinc).
#[must_use]
pub fn drifting(samples: &[f32], ppm: f64) -> Vec<f32> {
    let step = 1.0 / (1.0 + ppm * 1e-6);
    let length = (samples.len() as f64 * (1.0 + ppm * 1e-6)).round() as usize;
    (0..length).map(|index| between(samples, index as f64 * step)).collect()
}

fn between(samples: &[f32], position: f64) -> f32 {
    let nearest = position.floor() as isize;
    let mut sum = 0.0;
    for tap in nearest - REACH + 1..=nearest + REACH {
        let Some(&sample) = usize::try_from(tap).ok().and_then(|tap| samples.get(tap)) else { continue };
        sum += f64::from(sample) * windowed_sinc(position - tap as f64, REACH as f64);
    }
    sum as f32
}

/// A sinc under a Hann window that reaches `reach` to each side.
pub(super) fn windowed_sinc(x: f64, reach: f64) -> f64 {
    if x.abs() < 1e-9 {
        return 1.0;
    }
    if x.abs() >= reach {
        return 0.0;
    }
    (PI * x).sin() / (PI * x) * (0.5 + 0.5 * (PI * x / reach).cos())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::sound::{pitch_hz, tone_purity};

    #[test]
    fn a_fast_clock_hears_more_samples_of_a_lower_pitch() {
        let tone: Vec<f32> = (0..96_000).map(|i| (f64::from(i) * 1000.0 * 2.0 * PI / 48_000.0).sin() as f32).collect();
        let heard = drifting(&tone, 5_000.0);
        assert_eq!(heard.len(), 96_480);
        let pitch = pitch_hz(&heard, 48_000).unwrap();
        assert!((pitch - 1000.0 / 1.005).abs() < 1.0, "{pitch}");
        assert!(tone_purity(&heard, 48_000, 1000.0 / 1.005) > 0.999);
    }

    #[test]
    fn clocks_that_agree_change_nothing() {
        let sound = [0.1, -0.4, 0.7, 0.2];
        assert_eq!(drifting(&sound, 0.0), sound);
    }
}
