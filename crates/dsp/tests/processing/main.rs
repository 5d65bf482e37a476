//! The processor in rooms that testkit makes: echoes, clocks that disagree, two who talk at once, noise, quiet voices,
//! and sound that is none.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod absurd;
mod double_talk;
mod echo;
mod gain;
mod noise;

use std::time::Duration;

use visavis_dsp::{NoiseSuppression, SoundProcessing, SoundProcessor};
use visavis_frame::AudioBlock;
use visavis_testkit::acoustics::{EchoPath, mix, noise};

/// What lies in rings and devices.
const DELAY: Duration = Duration::from_millis(40);
const DELAY_SAMPLES: usize = 40 * 48;
const SECOND: usize = 48_000;

/// Only the echo canceller.
const ECHO: SoundProcessing =
    SoundProcessing { echo_canceller: true, noise_suppression: NoiseSuppression::Off, gain: false };

/// What the processor makes of `heard` while `played` is played.
fn pass(processor: &mut SoundProcessor, played: &[f32], heard: &[f32]) -> Vec<f32> {
    let mut sent = Vec::with_capacity(heard.len());
    for (played, heard) in played.as_chunks().0.iter().zip(heard.as_chunks().0) {
        processor.analyse_playback(&AudioBlock { samples: *played });
        let mut block = AudioBlock { samples: *heard };
        processor.process(&mut block, DELAY);
        sent.extend(block.samples);
    }
    sent
}

/// What is sent of `heard` by a processor that is new.
fn sent(settings: SoundProcessing, played: &[f32], heard: &[f32]) -> Vec<f32> {
    pass(&mut SoundProcessor::new(settings), played, heard)
}

/// What a microphone in a quiet room hears of what is played.
fn echo(path: &EchoPath, played: &[f32]) -> Vec<f32> {
    mix(&path.echo(played, DELAY_SAMPLES), &noise(3, played.len(), -80.0))
}

/// From the start of this second to that of another.
fn seconds(samples: &[f32], from: usize, to: usize) -> &[f32] {
    &samples[from * SECOND..(to * SECOND).min(samples.len())]
}
