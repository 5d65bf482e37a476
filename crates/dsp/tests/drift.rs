//! Clocks that disagree, in virtual time: what waits between them stays what it should be, and nobody hears how.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use proptest::prelude::*;
use visavis_dsp::drift::MOST_BEND_PPM;
use visavis_dsp::{DriftControl, Resampler};

const TEN_MINUTES: usize = 600;

/// What waits, milliseconds over what should, each second, between a writer that is `ppm` fast and a reader, measured with
/// an error of up to `noise_ms` each 20 ms.
fn waiting(ppm: f64, start_ms: f64, noise_ms: f64, seconds: usize) -> Vec<f64> {
    let (mut control, mut excess, mut bend, mut state) = (DriftControl::new(), start_ms, 0.0, 7u32);
    let mut out = Vec::new();
    for step in 0..seconds * 50 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (f64::from(state >> 8) / f64::from(1 << 24) * 2.0 - 1.0) * noise_ms;
        let now = Duration::from_millis(20) * step as u32;
        bend = control.observe(now, excess + noise).unwrap_or(bend);
        // In 20 ms a thousandth of a thousandth is 0.02 µs.
        excess += (ppm + bend) * 20.0 / 1e6;
        if step % 50 == 0 {
            out.push(excess);
        }
    }
    out
}

#[test]
fn clocks_100_ppm_apart_wait_for_each_other_within_a_millisecond() {
    for ppm in [-100.0, 100.0] {
        let waited = waiting(ppm, 0.0, 5.0, TEN_MINUTES);
        assert!(waited.iter().all(|ms| ms.abs() < 1.5), "{ppm} ppm: {:?}", waited.iter().copied().reduce(f64::max));
        assert!(waited[120..].iter().all(|ms| ms.abs() < 1.0), "{ppm} ppm: {:?}", &waited[120..125]);
    }
}

#[test]
fn without_control_they_drift_apart_by_as_much_as_they_differ() {
    let mut control = DriftControl::new();
    assert_eq!(control.observe(Duration::ZERO, 1e9), None, "the first measurement only begins");
    assert_eq!(control.observe(Duration::from_millis(50), 1e9), None, "not yet time");
    assert_eq!(control.observe(Duration::from_millis(100), 1e9), Some(-MOST_BEND_PPM));
    assert_eq!(control.observe(Duration::from_secs(60), 1e9), None, "nobody looked for a minute");
    assert_eq!(control.observe(Duration::from_millis(60_100), f64::NAN), None);
    assert!((control.ppm() + MOST_BEND_PPM).abs() < f64::EPSILON);
}

#[test]
fn a_delay_of_ten_milliseconds_too_much_is_worked_off_without_swinging() {
    let waited = waiting(0.0, 10.0, 0.0, 120);
    assert!(waited[60] < 1.5, "{} ms after a minute", waited[60]);
    assert!(waited.iter().all(|&ms| ms > -2.5), "{:?}", waited.iter().copied().reduce(f64::min));
}

#[test]
fn bending_a_tone_makes_no_click() {
    let mut control = DriftControl::new();
    let mut resampler = Resampler::new(48_000, 48_000).unwrap();
    let tone: Vec<f32> = (0..480 * 1_000)
        .map(|i| 0.5 * (f64::from(i) * 440.0 * std::f64::consts::TAU / 48_000.0).sin() as f32)
        .collect();
    let mut out = Vec::new();
    for (index, block) in tone.chunks(480).enumerate() {
        // Nothing can be steeper than from one end to the other, every other second.
        let excess = if index / 200 % 2 == 0 { 40.0 } else { -40.0 };
        if let Some(ppm) = control.observe(Duration::from_millis(10) * index as u32, excess) {
            resampler.set_ratio_adjust(ppm).unwrap();
        }
        resampler.process(block, &mut out).unwrap();
    }
    let steepest = 0.5 * 440.0 * std::f32::consts::TAU / 48_000.0 * 1.02;
    assert!(out[500..].windows(2).all(|pair| (pair[1] - pair[0]).abs() < steepest));
    assert!(out.len().abs_diff(tone.len()) < 500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_two_sound_cards_stay_together(ppm in -200.0..200.0f64, start in -10.0..10.0f64, noise in 0.0..8.0f64) {
        let waited = waiting(ppm, start, noise, 240);
        prop_assert!(waited[180..].iter().all(|ms| ms.abs() < 1.0), "{:?}", &waited[180..]);
    }
}
