//! 48 kHz in three bands of 16 kHz, as WebRTC's processing works on them: echo and noise are found in the lowest, where
//! speech is, and what is decided there holds for the upper two.

use sonora::three_band_filter_bank::{FULL_BAND_SIZE, NUM_BANDS, SPLIT_BAND_SIZE, ThreeBandFilterBank};
use visavis_frame::{AudioBlock, BLOCK_SAMPLES};

/// Samples in one band of one block.
pub(super) const BAND_SAMPLES: usize = SPLIT_BAND_SIZE;
/// How many bands there are.
pub(super) const BANDS: usize = NUM_BANDS;
/// Full scale inside: that of 16-bit samples.
pub(super) const FULL_SCALE: f32 = 32_768.0;

const _: () = assert!(FULL_BAND_SIZE == BLOCK_SAMPLES);

/// A block in bands, the lowest first, in −[`FULL_SCALE`]..[`FULL_SCALE`].
pub(super) type Bands = [[f32; BAND_SAMPLES]; BANDS];

/// Splits a stream of blocks.
#[derive(Debug, Default)]
pub(super) struct Splitter(ThreeBandFilterBank);

impl Splitter {
    pub(super) fn split(&mut self, block: &AudioBlock) -> Bands {
        let mut bands = [[0.0; BAND_SAMPLES]; BANDS];
        self.0.analysis(&block.samples.map(|s| s * FULL_SCALE), &mut bands);
        bands
    }
}

/// Puts a stream of blocks together again.
#[derive(Debug, Default)]
pub(super) struct Merger(ThreeBandFilterBank);

impl Merger {
    pub(super) fn merge(&mut self, bands: &Bands, block: &mut AudioBlock) {
        self.0.synthesis(bands, &mut block.samples);
        block.samples.iter_mut().for_each(|s| *s = (*s / FULL_SCALE).clamp(-1.0, 1.0));
    }
}
