//! Two talk at once: the near voice passes.

use visavis_dsp::{NoiseSuppression, SoundProcessing};
use visavis_testkit::acoustics::{Room, mix, stoi, voice};
use visavis_testkit::sound::delay_by_correlation;

use super::{ECHO, SECOND, echo, seconds, sent};

/// Long enough for what the processor adds in delay.
const LONGEST: usize = 1_000;

/// How intelligible the near voice is that was mixed with `heard` from the sixth second on.
fn near_stoi(settings: SoundProcessing, played: &[f32], heard: &[f32], near: &[f32]) -> f64 {
    let sent = sent(settings, played, &mix(heard, near));
    let delay = delay_by_correlation(&near[6 * SECOND..][..SECOND / 4], &sent[6 * SECOND..][..SECOND], LONGEST);
    stoi(seconds(near, 5, 14), &seconds(&sent, 5, 15)[delay.unwrap().delay..][..9 * SECOND])
}

#[test]
fn both_are_understood() {
    for seed in [1, 7] {
        let played = voice(seed, 15.0);
        let mut near = voice(seed + 1, 15.0);
        near[..5 * SECOND].fill(0.0);
        for room in Room::ALL {
            let heard = echo(&room.echo_path(seed), &played);
            let stoi = near_stoi(ECHO, &played, &heard, &near);
            eprintln!("{}, voices {seed}: {stoi:.3}", room.name);
            assert!(stoi >= 0.9, "{}, voices {seed}: {stoi}", room.name);
        }
    }
}

#[test]
fn with_nothing_played_a_voice_passes_as_it_is() {
    let near = voice(2, 15.0);
    let silence = vec![0.0; near.len()];
    for settings in [ECHO, SoundProcessing { noise_suppression: NoiseSuppression::Low, ..ECHO }] {
        let stoi = near_stoi(settings, &silence, &silence, &near);
        assert!(stoi >= 0.97, "{settings:?}: {stoi}");
    }
}
