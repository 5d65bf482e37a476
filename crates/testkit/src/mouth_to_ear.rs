//! How long sound takes from one person's mouth to the other's ear, measured on a recording that holds both: chirps, since
//! unlike a tone or a vowel they resemble themselves at one delay only.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::sound::delay_by_correlation;

const RATE_HZ: usize = 48_000;
/// From one chirp to the next, samples. Not a multiple of a packet, so that every phase of it is met.
const INTERVAL: usize = RATE_HZ * 397 / 1000;
/// Length of a chirp, samples.
const LENGTH: usize = RATE_HZ * 60 / 1000;
/// The longest delay looked for, samples; shorter than the pause between chirps.
const LONGEST: usize = RATE_HZ * 320 / 1000;
/// Where a chirp begins: louder than this after that many samples of quiet.
const ONSET: f32 = 0.02;
const QUIET: usize = RATE_HZ / 10;
/// What correlates less was torn by a busy machine, or isn't the chirp.
const LEAST_LIKENESS: f64 = 0.5;

/// Chirps from 300 to 3000 Hz, for ever, sample by sample at 48 kHz.
pub fn chirps() -> impl FnMut() -> f32 + Send {
    let mut index = 0;
    move || {
        let at = index % INTERVAL;
        index += 1;
        if at >= LENGTH {
            return 0.0;
        }
        let (time, whole) = (at as f64 / RATE_HZ as f64, LENGTH as f64 / RATE_HZ as f64);
        let phase = TAU * (300.0 * time + (3000.0 - 300.0) * time * time / (2.0 * whole));
        let envelope = (std::f64::consts::PI * at as f64 / LENGTH as f64).sin();
        (0.5 * envelope * phase.sin()) as f32
    }
}

/// The delay of each chirp of `spoken` in `heard`, a recording on the same clock; those that weren't found are left out.
#[must_use]
pub fn delays(spoken: &[f32], heard: &[f32]) -> Vec<Duration> {
    let mut quiet = 0;
    let mut found = Vec::new();
    for (index, sample) in spoken.iter().enumerate() {
        if sample.abs() < ONSET {
            quiet += 1;
            continue;
        }
        let begins = std::mem::take(&mut quiet) >= QUIET;
        let window = heard.get(index..(index + LENGTH + LONGEST).min(heard.len()));
        if let (true, Some(source), Some(window)) = (begins, spoken.get(index..index + LENGTH), window)
            && let Some(at) = delay_by_correlation(source, window, LONGEST)
            && at.correlation > LEAST_LIKENESS
        {
            found.push(Duration::from_secs_f64(at.delay as f64 / RATE_HZ as f64));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_of_each_chirp_is_found() {
        let mut next = chirps();
        let mut spoken = vec![0.0; RATE_HZ / 4];
        spoken.extend((0..3 * RATE_HZ).map(|_| next()));
        let mut heard = vec![0.0; 2_000];
        heard.extend(spoken.iter().map(|sample| sample * 0.3));
        let delays = delays(&spoken, &heard);
        assert!(delays.len() >= 7, "{}", delays.len());
        assert!(delays.iter().all(|delay| delay.abs_diff(Duration::from_micros(41_667)) < Duration::from_micros(100)));
    }
}
