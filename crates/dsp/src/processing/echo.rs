//! The echo canceller: WebRTC's AEC3 in Rust (`sonora-aec3`), tuned.
//!
//! It is used without sonora's own front, which lets nobody tune it. With the defaults two who talk at once cut one another
//! off: a voice 12 dB above the echo came out of a small office at a STOI of 0.76; with the echo left in it had 0.91. What
//! makes the difference is told at [`tuning`].

use sonora_aec3::block::Block;
use sonora_aec3::block_framer::BlockFramer;
use sonora_aec3::block_processor::BlockProcessor;
use sonora_aec3::config::EchoCanceller3Config;
use sonora_aec3::frame_blocker::FrameBlocker;
use visavis_frame::SAMPLE_RATE_HZ;

use super::bands::{BAND_SAMPLES, BANDS, Bands, FULL_SCALE};

/// AEC3 takes half a block at a time.
const HALF: usize = BAND_SAMPLES / 2;
/// Microphone samples from here on are taken for clipped.
const CLIPPED: f32 = 32_700.0 / FULL_SCALE;

/// What differs from WebRTC's defaults, and why. Measured in the rooms of testkit, with several pairs of voices; the tests
/// hold what came of it.
fn tuning() -> EchoCanceller3Config {
    let mut config = EchoCanceller3Config::default();
    // In blocks of 4 ms, the same in every phase. The default's 52 ms leave more of what a living room gives back to the
    // suppressor, which takes the near voice with it; from 80 ms on some voices take ten seconds to learn from.
    for length in [
        &mut config.filter.refined.length_blocks,
        &mut config.filter.coarse.length_blocks,
        &mut config.filter.refined_initial.length_blocks,
        &mut config.filter.coarse_initial.length_blocks,
    ] {
        *length = 16;
    }
    // What the filter was seen to remove is believed up to 12 dB below 4 kHz and 9 dB above; the default believes 6 and 2 dB
    // and suppresses the rest once more.
    config.erle.max_l = 16.0;
    config.erle.max_h = 8.0;
    config.erle.onset_detection = false;
    // How the echo's power falls from block to block beyond the filter: more slowly than in a room of a second, since what
    // the filter doesn't reach is mostly the room's own; and fast while the near voice is the louder one and hides the rest.
    config.ep_strength.default_len = 0.945;
    config.ep_strength.nearend_len = 0.6;
    let suppressor = &mut config.suppressor;
    // While there is only echo, above 1 kHz as tolerant as below it, and less so than the default; far more so under a near
    // voice.
    suppressor.normal_tuning.mask_lf.enr_transparent = 0.2;
    suppressor.normal_tuning.mask_lf.enr_suppress = 0.3;
    suppressor.normal_tuning.mask_hf.enr_transparent = 0.2;
    suppressor.normal_tuning.mask_hf.enr_suppress = 0.3;
    suppressor.nearend_tuning.mask_hf.enr_transparent = 2.0;
    suppressor.nearend_tuning.mask_hf.enr_suppress = 3.0;
    // Opens faster after an echo: syllables are short.
    suppressor.normal_tuning.max_inc_factor = 8.0;
    suppressor.nearend_tuning.max_inc_factor = 8.0;
    // A near voice is noticed after 16 ms and for 600 ms after its last loud moment.
    suppressor.dominant_nearend_detection.trigger_threshold = 4;
    suppressor.dominant_nearend_detection.hold_duration = 150;
    config.multi_channel.detect_stereo_content = false;
    config
}

/// Removes from what the microphone hears what comes of what is played.
#[derive(Debug)]
pub(super) struct EchoCanceller {
    processor: BlockProcessor,
    played: FrameBlocker,
    heard: FrameBlocker,
    cleaned: BlockFramer,
    block: Block,
    sub_frame: Vec<Vec<Vec<f32>>>,
}

impl EchoCanceller {
    pub(super) fn new() -> Self {
        Self {
            processor: BlockProcessor::new(&tuning(), SAMPLE_RATE_HZ as usize, 1, 1),
            played: FrameBlocker::new(BANDS, 1),
            heard: FrameBlocker::new(BANDS, 1),
            cleaned: BlockFramer::new(BANDS, 1),
            block: Block::new(BANDS, 1),
            sub_frame: vec![vec![vec![0.0; HALF]; 1]; BANDS],
        }
    }

    pub(super) fn analyse_playback(&mut self, bands: &Bands) {
        for half in 0..2 {
            self.played.insert_sub_frame_and_extract_block(&sub_frame(bands, half), &mut self.block);
            self.processor.buffer_render(&self.block);
        }
        if self.played.is_block_available() {
            self.played.extract_block(&mut self.block);
            self.processor.buffer_render(&self.block);
        }
    }

    /// `peak` is that of the whole block before it was split, 0.0..=1.0.
    pub(super) fn process(&mut self, bands: &mut Bands, peak: f32, delay_ms: i32) {
        let clipped = peak >= CLIPPED;
        self.processor.set_audio_buffer_delay(delay_ms);
        for half in 0..2 {
            self.heard.insert_sub_frame_and_extract_block(&sub_frame(bands, half), &mut self.block);
            self.processor.process_capture(false, clipped, None, &mut self.block);
            self.cleaned.insert_block_and_extract_sub_frame(&self.block, &mut self.sub_frame);
            for (band, cleaned) in bands.iter_mut().zip(&self.sub_frame) {
                band[half * HALF..][..HALF].copy_from_slice(&cleaned[0]);
            }
        }
        if self.heard.is_block_available() {
            self.heard.extract_block(&mut self.block);
            self.processor.process_capture(false, clipped, None, &mut self.block);
            self.cleaned.insert_block(&self.block);
        }
    }

    pub(super) fn stats(&self) -> super::EchoStats {
        let stats = self.processor.get_metrics();
        super::EchoStats {
            return_loss_db: stats.echo_return_loss,
            return_loss_enhancement_db: stats.echo_return_loss_enhancement,
            delay: std::time::Duration::from_millis(u64::try_from(stats.delay_ms).unwrap_or(0)),
        }
    }
}

fn sub_frame(bands: &Bands, half: usize) -> [Vec<&[f32]>; BANDS] {
    bands.each_ref().map(|band| vec![&band[half * HALF..][..HALF]])
}
