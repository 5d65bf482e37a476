//! Automatic gain: WebRTC's AGC2 in Rust (`sonora`), its digital part only. It finds speech by a small neural network, brings
//! it to about −20 dBFS by at most 6 dB a second, lifts noise to no more than −50 dBFS, and limits what would clip.

use sonora::config::{AdaptiveDigital, GainController2, MaxProcessingRate, Pipeline};
use sonora::{AudioProcessing, Config, StreamConfig};
use visavis_frame::{AudioBlock, SAMPLE_RATE_HZ};

/// Evens out loudness.
#[derive(Debug)]
pub(super) struct Gain(AudioProcessing);

impl Gain {
    pub(super) fn new() -> Self {
        let mono = StreamConfig::new(SAMPLE_RATE_HZ, 1);
        let pipeline =
            Pipeline { maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz, ..Pipeline::default() };
        // The input volume is the system's and stays the person's own.
        let gain = GainController2 {
            input_volume_controller: false,
            adaptive_digital: Some(AdaptiveDigital::default()),
            ..GainController2::default()
        };
        let config = Config { pipeline, gain_controller2: Some(gain), ..Config::default() };
        Self(AudioProcessing::builder().config(config).capture_config(mono).render_config(mono).build())
    }

    pub(super) fn process(&mut self, block: &mut AudioBlock) {
        let before = block.samples;
        // The only errors are about formats, which are fixed.
        let _ = self.0.process_capture_f32(&[&before], &mut [&mut block.samples]);
        block.samples.iter_mut().for_each(|s| *s = s.clamp(-1.0, 1.0));
    }
}
