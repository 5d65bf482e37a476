//! Loudness is evened out.

use visavis_dsp::SoundProcessing;
use visavis_testkit::acoustics::{at_level, noise, voice};
use visavis_testkit::sound::level_db;

use super::{seconds, sent};

const GAIN: SoundProcessing = SoundProcessing { gain: true, ..SoundProcessing::OFF };

#[test]
fn a_quiet_voice_comes_up_within_seconds() {
    let said = at_level(&voice(2, 12.0), -46.0);
    let sent = sent(GAIN, &vec![0.0; said.len()], &said);
    let level = level_db(seconds(&sent, 7, 12));
    eprintln!("{level:.1} dBFS");
    assert!((-30.0..-12.0).contains(&level), "{level} dBFS");
}

#[test]
fn a_loud_voice_does_not_clip() {
    let said = at_level(&voice(4, 10.0), -10.0);
    let sent = sent(GAIN, &vec![0.0; said.len()], &said);
    let clipped = seconds(&sent, 2, 10).iter().filter(|s| s.abs() >= 0.999).count();
    assert!(clipped < 10, "{clipped} samples clipped");
}

#[test]
fn noise_alone_is_not_lifted_far() {
    let hiss = noise(1, 10 * 48_000, -65.0);
    let level = level_db(seconds(&sent(GAIN, &vec![0.0; hiss.len()], &hiss), 5, 10));
    assert!(level < -45.0, "{level} dBFS");
}
