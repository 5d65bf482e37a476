//! How close sound came to its source: level, pitch, likeness and delay. All take mono samples, −1.0..=1.0.

use std::f64::consts::TAU;

/// Root mean square, 0.0..=1.0; 0 for no samples.
#[must_use]
pub fn rms(samples: &[f32]) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
    (sum / samples.len() as f64).sqrt()
}

/// Level in decibels below a full-scale square wave; −∞ for silence.
#[must_use]
pub fn level_db(samples: &[f32]) -> f64 {
    20.0 * rms(samples).log10()
}

/// Amplitude (peak) of the sine of one pitch in the sound, by projection onto it (Goertzel's question, answered with a
/// Hann window so that neighbouring pitches and a cut at either end don't leak in).
#[must_use]
pub fn tone_amplitude(samples: &[f32], rate_hz: u32, pitch_hz: f64) -> f64 {
    let length = samples.len() as f64;
    let (mut re, mut im, mut weight) = (0.0, 0.0, 0.0);
    for (index, &sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * (index as f64 + 0.5) / length).cos();
        let (sin, cos) = (TAU * pitch_hz * index as f64 / f64::from(rate_hz)).sin_cos();
        re += window * f64::from(sample) * cos;
        im += window * f64::from(sample) * sin;
        weight += window;
    }
    if weight > 0.0 { 2.0 * re.hypot(im) / weight } else { 0.0 }
}

/// Share of the sound's power that is a sine of one pitch, 0.0..=1.0: near 1 for a clean tone.
#[must_use]
pub fn tone_purity(samples: &[f32], rate_hz: u32, pitch_hz: f64) -> f64 {
    let power = rms(samples).powi(2);
    if power > 0.0 { (tone_amplitude(samples, rate_hz, pitch_hz).powi(2) / 2.0 / power).min(1.0) } else { 0.0 }
}

/// Pitch of a steady tone of 50 to 4000 Hz, by the first strong peak of its autocorrelation; `None` for silence and for
/// what has no pitch. Looks at the first half second at most.
#[must_use]
pub fn pitch_hz(samples: &[f32], rate_hz: u32) -> Option<f64> {
    /// Likeness to itself one period later, below which sound isn't a tone.
    const LEAST_LIKENESS: f64 = 0.7;
    let samples = &samples[..samples.len().min(rate_hz as usize / 2)];
    let (shortest, longest) = ((rate_hz / 4000).max(2) as usize, (rate_hz / 50) as usize);
    if samples.len() < 2 * longest || rms(samples) < 1e-4 {
        return None;
    }
    let window = samples.len() - longest - 1;
    let likeness: Vec<f64> =
        (0..=longest + 1).map(|lag| correlation(&samples[..window], &samples[lag..lag + window])).collect();
    let best = likeness[shortest..=longest].iter().copied().fold(0.0, f64::max);
    if best < LEAST_LIKENESS {
        return None;
    }
    let is_peak = |lag: &usize| likeness[*lag] >= likeness[lag - 1] && likeness[*lag] >= likeness[lag + 1];
    let lag = (shortest..=longest).filter(is_peak).find(|&lag| likeness[lag] > 0.98 * best)?;
    // A parabola through the peak and its neighbours places it between samples.
    let (before, top, after) = (likeness[lag - 1], likeness[lag], likeness[lag + 1]);
    let bend = before - 2.0 * top + after;
    let shift = if bend < 0.0 { 0.5 * (before - after) / bend } else { 0.0 };
    Some(f64::from(rate_hz) / (lag as f64 + shift))
}

/// Normalised correlation of two stretches of sound, −1.0..=1.0, over the length of the shorter; 0 when one is silent.
#[must_use]
pub fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let (mut product, mut power_a, mut power_b) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        product += a * b;
        power_a += a * a;
        power_b += b * b;
    }
    let scale = (power_a * power_b).sqrt();
    if scale > 0.0 { product / scale } else { 0.0 }
}

/// Where one sound was found in another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Samples from the start of the recording to the start of the source.
    pub delay: usize,
    /// Normalised correlation there, −1.0..=1.0.
    pub correlation: f64,
}

/// Finds a source in a recording, at delays of up to `longest` samples, where both correlate best. The source must not
/// repeat itself within that time: take speech or noise, not a tone. `None` when the recording is too short.
///
/// The cost is `source.len() × longest`: a quarter of a second of source and a second of delay take a moment.
#[must_use]
pub fn delay_by_correlation(source: &[f32], recording: &[f32], longest: usize) -> Option<Found> {
    let last = recording.len().checked_sub(source.len())?.min(longest);
    (0..=last)
        .map(|delay| Found { delay, correlation: correlation(source, &recording[delay..delay + source.len()]) })
        .max_by(|a, b| a.correlation.total_cmp(&b.correlation))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn sine(pitch_hz: f64, amplitude: f64, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| (amplitude * (TAU * pitch_hz * i as f64 / 48_000.0).sin()) as f32).collect()
    }

    fn noise(samples: usize) -> Vec<f32> {
        let mut seed = 7u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1u32 << 23) as f32 - 1.0
        };
        (0..samples).map(|_| next()).collect()
    }

    #[test]
    fn a_tone_is_known_by_pitch_level_and_purity() {
        for pitch in [60.0, 440.0, 997.0, 3000.0] {
            let tone = sine(pitch, 0.5, 24_000);
            let found = pitch_hz(&tone, 48_000).unwrap();
            assert!((found / pitch - 1.0).abs() < 0.003, "{pitch} was heard as {found}");
            assert!((tone_amplitude(&tone, 48_000, pitch) - 0.5).abs() < 0.005);
            assert!(tone_purity(&tone, 48_000, pitch) > 0.97);
            assert!(tone_amplitude(&tone, 48_000, pitch + 200.0) < 0.001);
        }
        assert!((level_db(&sine(440.0, 1.0, 48_000)) + 3.01).abs() < 0.01);
    }

    #[test]
    fn noise_and_silence_have_no_pitch() {
        assert_eq!(pitch_hz(&noise(24_000), 48_000), None);
        assert_eq!(pitch_hz(&[0.0; 24_000], 48_000), None);
        assert_eq!(pitch_hz(&[], 48_000), None);
    }

    #[test]
    fn a_delay_is_found_to_the_sample_also_when_quieter() {
        let source = noise(2_000);
        let mut recording = vec![0.0; 777];
        recording.extend(source.iter().map(|s| s * 0.1));
        recording.resize(6_000, 0.0);
        let found = delay_by_correlation(&source, &recording, 4_000).unwrap();
        assert_eq!(found.delay, 777);
        assert!(found.correlation > 0.999);
        assert_eq!(delay_by_correlation(&recording, &source, 10), None);
    }
}
