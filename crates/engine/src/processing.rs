//! The sound processor's place: after the microphone, beside the speaker.
//!
//! Its reference is what is written to the speaker, sample by sample: after the playout buffer, concealment, time-scaling and
//! resampling. While nothing is played it is given silence, so that both of its sides move on together.

use std::time::Duration;

use visavis_device::MicrophoneChoice;
use visavis_dsp::{Blocker, ResampleError, Resampler, SoundProcessing, SoundProcessor};
use visavis_frame::{AudioBlock, BLOCK_DURATION, SAMPLE_RATE_HZ};

use crate::config::SoundSettings;

/// What a sound card adds between memory and air, there and back, as long as the devices don't say it.
const CARD_LATENCY: Duration = Duration::from_millis(20);

pub(crate) struct Processing {
    settings: SoundSettings,
    processor: SoundProcessor,
    /// Whether the microphone in use is a stand-in.
    stand_in: bool,
    /// The speaker's rate, and from there to ours.
    rate_hz: u32,
    resampler: Option<Resampler>,
    resampled: Vec<f32>,
    blocker: Blocker,
    /// Until what was written last is played.
    queued: Duration,
    /// Time with no speaker that isn't made up for by silence yet.
    owed: Duration,
}

impl Processing {
    pub(crate) fn new(settings: SoundSettings) -> Self {
        Self {
            settings,
            processor: SoundProcessor::new(SoundProcessing::OFF),
            stand_in: false,
            rate_hz: SAMPLE_RATE_HZ,
            resampler: None,
            resampled: Vec::new(),
            blocker: Blocker::new(),
            queued: Duration::ZERO,
            owed: Duration::ZERO,
        }
    }

    pub(crate) fn set(&mut self, processing: SoundProcessing) {
        self.settings.processing = processing;
        self.apply();
    }

    /// What is heard from now on comes from this.
    pub(crate) fn heard_from(&mut self, microphone: Option<&MicrophoneChoice>) {
        self.stand_in = microphone.is_some_and(is_stand_in);
        self.processor.clocks_changed();
        self.apply();
    }

    fn apply(&mut self) {
        let bypass = self.stand_in && !self.settings.stand_ins_too;
        self.processor.set(if bypass { SoundProcessing::OFF } else { self.settings.processing });
    }

    /// What is played from now on goes to a speaker of this rate.
    pub(crate) fn played_by(&mut self, rate_hz: u32) -> Result<(), ResampleError> {
        self.rate_hz = rate_hz.max(1);
        self.resampler = None;
        if rate_hz != SAMPLE_RATE_HZ {
            self.resampler = Some(Resampler::new(rate_hz, SAMPLE_RATE_HZ)?);
        }
        self.processor.clocks_changed();
        Ok(())
    }

    /// These samples were written to the speaker, which has `queued` to play by now.
    pub(crate) fn played(&mut self, samples: &[f32], queued: usize) {
        let Self { processor, resampler, resampled, blocker, .. } = self;
        let samples = match resampler {
            Some(resampler) => {
                resampled.clear();
                if let Err(error) = resampler.process(samples, resampled) {
                    tracing::warn!(%error, "the echo canceller's reference couldn't be resampled");
                }
                resampled
            }
            None => samples,
        };
        blocker.push(samples, |block| processor.analyse_playback(block));
        self.queued = Duration::from_secs_f64(queued as f64 / f64::from(self.rate_hz));
    }

    /// For so long nothing was played, for want of a speaker.
    pub(crate) fn nothing_played(&mut self, passed: Duration) {
        self.queued = Duration::ZERO;
        self.owed += passed;
        while self.owed >= BLOCK_DURATION {
            self.owed -= BLOCK_DURATION;
            self.processor.analyse_playback(&AudioBlock::SILENCE);
        }
    }

    /// A block that the microphone heard, `bent_ppm` longer than its own clock made it.
    pub(crate) fn process(&mut self, block: &mut AudioBlock, bent_ppm: f64) {
        self.processor.microphone_bent(bent_ppm);
        self.processor.process(block, self.delay());
    }

    /// How much later sound comes out than it went in.
    pub(crate) fn latency(&self) -> Duration {
        self.processor.latency()
    }

    /// From analysing a block until it is played, and from hearing one until now.
    fn delay(&self) -> Duration {
        let held = Duration::from_secs_f64(self.blocker.held() as f64 / f64::from(SAMPLE_RATE_HZ));
        self.queued.saturating_sub(held) + CARD_LATENCY
    }
}

fn is_stand_in(choice: &MicrophoneChoice) -> bool {
    match choice {
        MicrophoneChoice::Default | MicrophoneChoice::None | MicrophoneChoice::Named(_) => false,
        MicrophoneChoice::Test
        | MicrophoneChoice::Tone { .. }
        | MicrophoneChoice::Silence
        | MicrophoneChoice::File(_) => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn loud() -> AudioBlock {
        AudioBlock { samples: std::array::from_fn(|i| if i % 2 == 0 { 0.5 } else { -0.5 }) }
    }

    #[test]
    fn stand_ins_pass_untouched_unless_asked() {
        let mut processing = Processing::new(SoundSettings::default());
        processing.heard_from(Some(&MicrophoneChoice::Test));
        let mut block = loud();
        processing.process(&mut block, 0.0);
        assert_eq!(block, loud());
        let mut asked = Processing::new(SoundSettings { stand_ins_too: true, ..SoundSettings::default() });
        asked.heard_from(Some(&MicrophoneChoice::Test));
        asked.process(&mut block, 0.0);
        assert_ne!(block, loud());
    }

    #[test]
    fn the_delay_is_what_lies_before_the_air() {
        let mut processing = Processing::new(SoundSettings::default());
        processing.played_by(48_000).unwrap();
        processing.played(&[0.0; 960], 1_440);
        assert_eq!(processing.delay(), Duration::from_millis(30) + CARD_LATENCY);
        processing.nothing_played(Duration::from_millis(5));
        assert_eq!(processing.delay(), CARD_LATENCY);
    }
}
