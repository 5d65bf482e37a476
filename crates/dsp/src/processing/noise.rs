//! Noise suppression: WebRTC's (`sonora-ns`), a Wiener filter on a noise floor that it learns by itself.

use sonora_ns::config::{NsConfig, SuppressionLevel};
use sonora_ns::noise_suppressor::NoiseSuppressor;

use super::NoiseSuppression;
use super::bands::{BANDS, Bands};

/// Takes steady noise away.
#[derive(Debug)]
pub(super) struct NoiseFilter(NoiseSuppressor);

impl NoiseFilter {
    /// `None` when nothing is to be taken.
    pub(super) fn new(how: NoiseSuppression) -> Option<Self> {
        let target_level = match how {
            NoiseSuppression::Off => return None,
            NoiseSuppression::Low => SuppressionLevel::K6dB,
            NoiseSuppression::High => SuppressionLevel::K18dB,
        };
        Some(Self(NoiseSuppressor::new_with_bands(NsConfig { target_level }, BANDS)))
    }

    /// Learns the noise from what the microphone hears, before the echo canceller has put its comfort noise in.
    pub(super) fn analyse(&mut self, bands: &Bands) {
        self.0.analyze(&bands[0]);
    }

    pub(super) fn process(&mut self, bands: &mut Bands) {
        let [low, upper @ ..] = bands;
        self.0.process(low);
        let gain = self.0.upper_band_gain();
        for (index, band) in upper.iter_mut().enumerate() {
            self.0.process_upper_band(band, index, gain);
        }
    }
}
