//! How loud it is, for a meter on the screen: peak and root mean square in dBFS, with the fall of a studio meter.
//!
//! 0 dBFS is a full-scale sample (peak) or a full-scale square wave (RMS).

use visavis_frame::{AudioBlock, BLOCK_DURATION};

/// The lowest level shown, dBFS; silence reads as this.
pub const FLOOR_DBFS: f32 = -90.0;
/// How fast the shown peak falls, dB per second (as in IEC 60268-10, type I).
const PEAK_FALL_DB_PER_SECOND: f32 = 20.0 / 1.7;
/// Time in which the shown RMS covers 63% of a change, seconds (the VU meter's 300 ms reach 99%).
const RMS_SECONDS: f32 = 0.065;

/// Peak and RMS of a run of blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelMeter {
    peak_dbfs: f32,
    power: f32,
}

impl LevelMeter {
    /// A meter at rest.
    #[must_use]
    pub fn new() -> Self {
        Self { peak_dbfs: FLOOR_DBFS, power: 0.0 }
    }

    /// Takes the next 10 ms. Samples that aren't numbers count as silence.
    pub fn push(&mut self, block: &AudioBlock) {
        let seconds = BLOCK_DURATION.as_secs_f32();
        let finite = || block.samples.iter().copied().filter(|s| s.is_finite());
        let peak = finite().fold(0.0, |max: f32, s| max.max(s.abs()));
        let power = finite().map(|s| s * s).sum::<f32>() / block.samples.len() as f32;
        self.peak_dbfs = dbfs(peak).max(self.peak_dbfs - PEAK_FALL_DB_PER_SECOND * seconds);
        self.power += (power - self.power) * (1.0 - (-seconds / RMS_SECONDS).exp());
    }

    /// The peak, falling slowly, dBFS, never below [`FLOOR_DBFS`].
    #[must_use]
    pub fn peak_dbfs(&self) -> f32 {
        self.peak_dbfs
    }

    /// The root mean square over about the last tenth of a second, dBFS, never below [`FLOOR_DBFS`].
    #[must_use]
    pub fn rms_dbfs(&self) -> f32 {
        dbfs(self.power.sqrt())
    }
}

impl Default for LevelMeter {
    fn default() -> Self {
        Self::new()
    }
}

fn dbfs(amplitude: f32) -> f32 {
    (20.0 * amplitude.max(f32::MIN_POSITIVE).log10()).max(FLOOR_DBFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(amplitude: f32) -> AudioBlock {
        let samples = std::array::from_fn(|i| amplitude * (i as f32 * 1000.0 * std::f32::consts::TAU / 48_000.0).sin());
        AudioBlock { samples }
    }

    #[test]
    fn a_sine_reads_its_peak_and_three_decibels_less() {
        let mut meter = LevelMeter::new();
        (0..50).for_each(|_| meter.push(&sine(0.5)));
        assert!((meter.peak_dbfs() + 6.02).abs() < 0.1, "{}", meter.peak_dbfs());
        assert!((meter.rms_dbfs() + 9.03).abs() < 0.1, "{}", meter.rms_dbfs());
    }

    #[test]
    fn silence_lets_the_peak_fall_steadily_to_the_floor() {
        let mut meter = LevelMeter::new();
        meter.push(&sine(1.0));
        (0..100).for_each(|_| meter.push(&AudioBlock::SILENCE));
        assert!((meter.peak_dbfs() + 11.8).abs() < 0.2, "{}", meter.peak_dbfs());
        (0..1000).for_each(|_| meter.push(&AudioBlock::SILENCE));
        assert_eq!(meter.peak_dbfs(), FLOOR_DBFS);
        assert_eq!(meter.rms_dbfs(), FLOOR_DBFS);
    }

    #[test]
    fn samples_that_are_no_numbers_do_no_harm() {
        let mut meter = LevelMeter::new();
        meter.push(&AudioBlock { samples: [f32::NAN; 480] });
        meter.push(&AudioBlock { samples: [f32::INFINITY; 480] });
        assert_eq!(meter.rms_dbfs(), FLOOR_DBFS);
    }
}
