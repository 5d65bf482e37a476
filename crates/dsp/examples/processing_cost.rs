//! What processing a block of 10 ms costs, for docs/BENCHMARKS.md: `cargo run -p visavis-dsp --example processing_cost`.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that measures time and prints it")]

use std::time::{Duration, Instant};

use visavis_dsp::{NoiseSuppression, SoundProcessing, SoundProcessor};
use visavis_frame::AudioBlock;
use visavis_testkit::acoustics::{Room, mix, voice};

/// How much speech is processed.
const SECONDS: f64 = 20.0;

fn main() {
    let played = voice(1, SECONDS);
    let heard = mix(&Room::SMALL_OFFICE.echo_path(1).echo(&played, 1_920), &voice(2, SECONDS));
    let everything = SoundProcessing::default();
    let rows = [
        ("echo canceller", SoundProcessing { echo_canceller: true, ..SoundProcessing::OFF }),
        ("noise suppression", SoundProcessing { noise_suppression: NoiseSuppression::High, ..SoundProcessing::OFF }),
        ("gain", SoundProcessing { gain: true, ..SoundProcessing::OFF }),
        ("everything", everything),
    ];
    for (what, settings) in rows {
        let mut costs = costs(settings, &played, &heard);
        costs.sort();
        let at = |percent: usize| costs[(costs.len() - 1) * percent / 100].as_secs_f64() * 1e6;
        println!("{what}: {:.0} µs a block (median), {:.0} µs (99th percentile)", at(50), at(99));
    }
}

fn costs(settings: SoundProcessing, played: &[f32], heard: &[f32]) -> Vec<Duration> {
    let mut processor = SoundProcessor::new(settings);
    let blocks = played.as_chunks().0.iter().zip(heard.as_chunks().0);
    blocks
        .map(|(played, heard)| {
            let (played, mut heard) = (AudioBlock { samples: *played }, AudioBlock { samples: *heard });
            let start = Instant::now();
            processor.analyse_playback(&played);
            processor.process(&mut heard, Duration::from_millis(40));
            start.elapsed()
        })
        .collect()
}
