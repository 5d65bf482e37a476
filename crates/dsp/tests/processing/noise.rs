//! Noise goes, speech stays.

use visavis_dsp::{NoiseSuppression, SoundProcessing};
use visavis_testkit::acoustics::{mix, noise, stoi, voice};
use visavis_testkit::sound::level_db;

use super::{SECOND, seconds, sent};

fn suppressing(how: NoiseSuppression) -> SoundProcessing {
    SoundProcessing { noise_suppression: how, ..SoundProcessing::OFF }
}

#[test]
fn noise_falls_by_what_is_promised_and_speech_stays() {
    let said = voice(2, 12.0);
    let hiss = noise(9, said.len(), -50.0);
    let heard = mix(&said, &hiss);
    let silence = vec![0.0; said.len()];
    for (how, least_db) in [(NoiseSuppression::Low, 4.0), (NoiseSuppression::High, 14.0)] {
        // The filter is linear from moment to moment, so pauses show what is left of the noise.
        let alone = sent(suppressing(how), &silence, &hiss);
        let fell = level_db(&hiss) - level_db(seconds(&alone, 4, 12));
        let cleaned = sent(suppressing(how), &silence, &heard);
        let late = (0..960).step_by(12).map(|d| stoi(seconds(&said, 4, 11), &cleaned[4 * SECOND + d..][..7 * SECOND]));
        let stoi = late.fold(0.0, f64::max);
        eprintln!("{how:?}: noise {fell:.1} dB down, STOI {stoi:.3}");
        assert!(fell >= least_db, "{how:?}: {fell} dB");
        assert!(stoi >= 0.9, "{how:?}: STOI {stoi}");
    }
}
