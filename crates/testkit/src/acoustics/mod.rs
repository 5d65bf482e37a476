//! Sound in rooms: voices, the way from a loudspeaker to a microphone, clocks that disagree, and the measures that echo
//! cancellers are judged by. Everything comes from a seed; nothing is recorded.

mod clock;
mod fourier;
mod noise;
mod room;
mod stoi;
mod voice;

pub use clock::drifting;
pub use noise::noise;
pub use room::{EchoPath, LiveEcho, Room};
pub use stoi::stoi;
pub use voice::voice;

use crate::sound::rms;

/// Echo return loss enhancement, decibels: how much less of the echo there is after the canceller than before it, over
/// one stretch of single talk (ITU-T G.168, section 3). Delays of a few milliseconds between the two don't matter.
#[must_use]
pub fn erle_db(microphone: &[f32], sent: &[f32]) -> f64 {
    /// Digital silence in 16 bits, so that perfection has a number.
    const LEAST: f64 = 1.0 / 65_536.0;
    20.0 * (rms(microphone).max(LEAST) / rms(sent).max(LEAST)).log10()
}

/// `a + b`, over the length of the shorter.
#[must_use]
pub fn mix(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Scales sound so that its root mean square, pauses included, is at `dbfs`. Silence stays silence.
#[must_use]
pub fn at_level(samples: &[f32], dbfs: f64) -> Vec<f32> {
    let now = rms(samples);
    let gain = if now > 0.0 { (10f64.powf(dbfs / 20.0) / now) as f32 } else { 0.0 };
    samples.iter().map(|s| s * gain).collect()
}
