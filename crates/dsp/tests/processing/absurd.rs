//! Whatever comes in, what goes out is sound.

use std::time::Duration;

use proptest::prelude::{Strategy, any};
use visavis_dsp::{NoiseSuppression, SoundProcessing, SoundProcessor};
use visavis_frame::{AudioBlock, BLOCK_SAMPLES};
use visavis_testkit::acoustics::{Room, erle_db, voice};
use visavis_testkit::sound::level_db;

use super::{ECHO, SECOND, echo, pass, seconds, sent};

fn is_sound(samples: &[f32]) -> bool {
    samples.iter().all(|s| s.is_finite() && s.abs() <= 1.0)
}

#[test]
fn silence_stays_silence() {
    let silence = vec![0.0; 5 * SECOND];
    let sent =
        sent(SoundProcessing { noise_suppression: NoiseSuppression::High, gain: true, ..ECHO }, &silence, &silence);
    assert!(level_db(&sent) < -85.0, "{} dBFS", level_db(&sent));
}

#[test]
fn off_changes_no_bit() {
    let said = voice(1, 1.0);
    assert_eq!(sent(SoundProcessing::OFF, &said, &said), said);
}

#[test]
fn a_second_of_nonsense_is_forgotten() {
    let played = voice(1, 16.0);
    let heard = echo(&Room::SMALL_OFFICE.echo_path(1), &played);
    for nonsense in [f32::NAN, f32::INFINITY, f32::MAX, -1e30, 1.0] {
        let mut processor = SoundProcessor::new(ECHO);
        let mut broken = heard.clone();
        broken[3 * SECOND..4 * SECOND].fill(nonsense);
        let mut played_broken = played.clone();
        played_broken[4 * SECOND..5 * SECOND].fill(nonsense);
        let sent = pass(&mut processor, &played_broken, &broken);
        assert!(is_sound(&sent), "{nonsense}");
        let erle = erle_db(seconds(&heard, 11, 16), seconds(&sent, 11, 16));
        eprintln!("{nonsense}: {erle:.1} dB");
        assert!(erle > 25.0, "{nonsense}: {erle} dB");
    }
}

fn settings() -> impl Strategy<Value = SoundProcessing> {
    (any::<bool>(), 0..3, any::<bool>()).prop_map(|(echo_canceller, noise, gain)| SoundProcessing {
        echo_canceller,
        noise_suppression: [NoiseSuppression::Off, NoiseSuppression::Low, NoiseSuppression::High][noise as usize],
        gain,
    })
}

/// A block of one kind of sample, or of any.
fn block() -> impl Strategy<Value = AudioBlock> {
    let all = |s: f32| AudioBlock { samples: [s; BLOCK_SAMPLES] };
    let any_sample = proptest::collection::vec(any::<f32>(), BLOCK_SAMPLES)
        .prop_map(|v| AudioBlock { samples: std::array::from_fn(|i| v[i]) });
    proptest::prop_oneof![any::<f32>().prop_map(all), (-1.0..1.0f32).prop_map(all), any_sample]
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn any_blocks_settings_and_delays_give_sound(
        steps in proptest::collection::vec((settings(), block(), block(), 0u8..4, any::<u32>()), 1..40)
    ) {
        let mut processor = SoundProcessor::new(SoundProcessing::OFF);
        for (settings, played, heard, plays, delay) in steps {
            processor.set(settings);
            (0..plays).for_each(|_| processor.analyse_playback(&played));
            let mut block = heard;
            processor.process(&mut block, Duration::from_millis(u64::from(delay)));
            proptest::prop_assert!(is_sound(&block.samples));
        }
    }
}
