//! What happens to the microphone's sound before it is sent: echo cancelling, noise suppression, automatic gain; by
//! `sonora`, a Rust port of WebRTC's audio processing.
//!
//! The canceller learns how what is played comes back. It must be given exactly what the speaker gets, in order, and be told
//! roughly how long that takes to return; it finds the rest by itself, also how far the two devices' clocks are apart
//! (`clocks`). All gain is digital: nothing here, and nothing
//! elsewhere, turns the system's own volume.

mod bands;
mod clocks;
mod echo;
mod gain;
mod noise;
mod reference;

use std::time::Duration;

use sonora::high_pass_filter::HighPassFilter;
use visavis_frame::AudioBlock;

use self::bands::{Bands, Merger, Splitter};
use self::clocks::ClockWatch;
use self::echo::EchoCanceller;
use self::gain::Gain;
use self::noise::NoiseFilter;
use self::reference::Reference;

/// What splitting into bands, blocks of another length and putting together again take.
const BANDED_LATENCY: Duration = Duration::from_millis(9);

/// The longest delay that the canceller can be told.
pub const MAX_DELAY: Duration = Duration::from_millis(500);

/// How much of the background noise is taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoiseSuppression {
    /// None.
    Off,
    /// About 6 dB: no harm to music or a second voice.
    #[default]
    Low,
    /// About 18 dB: for fans and streets.
    High,
}

/// What is done to the microphone's sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundProcessing {
    /// Takes out what comes from our own loudspeaker.
    pub echo_canceller: bool,
    /// Takes out steady noise.
    pub noise_suppression: NoiseSuppression,
    /// Evens out loudness: brings quiet voices up, keeps loud ones from clipping.
    pub gain: bool,
}

impl SoundProcessing {
    /// Nothing is done: sound passes bit by bit.
    pub const OFF: Self = Self { echo_canceller: false, noise_suppression: NoiseSuppression::Off, gain: false };
}

/// Everything on, noise suppression low: what suits a person in a room.
impl Default for SoundProcessing {
    fn default() -> Self {
        Self { echo_canceller: true, noise_suppression: NoiseSuppression::Low, gain: true }
    }
}

/// What the canceller says of itself. Decibels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EchoStats {
    /// How much weaker the echo is than what is played (W3C webrtc-stats, `echoReturnLoss`).
    pub return_loss_db: f64,
    /// How much weaker the canceller's filter makes it still (`echoReturnLossEnhancement`).
    pub return_loss_enhancement_db: f64,
    /// The delay that it found between playing and hearing.
    pub delay: Duration,
}

/// Processes one microphone's sound against one speaker's, in blocks of 10 ms; adds about 9 ms of delay while it does
/// anything in bands, and none while only the gain is on.
#[derive(Debug)]
pub struct SoundProcessor {
    settings: SoundProcessing,
    banded: Option<Banded>,
    gain: Option<Gain>,
}

impl SoundProcessor {
    /// A processor that has heard nothing yet.
    #[must_use]
    pub fn new(settings: SoundProcessing) -> Self {
        Self { settings, banded: Banded::new(settings), gain: settings.gain.then(Gain::new) }
    }

    /// What it does.
    #[must_use]
    pub fn settings(&self) -> SoundProcessing {
        self.settings
    }

    /// Does this from now on. Parts that stay as they were keep what they have learnt.
    pub fn set(&mut self, settings: SoundProcessing) {
        let old = std::mem::replace(&mut self.settings, settings);
        if settings.gain != old.gain {
            self.gain = settings.gain.then(Gain::new);
        }
        match &mut self.banded {
            Some(banded) if is_banded(settings) => banded.change(old, settings),
            _ => self.banded = Banded::new(settings),
        }
    }

    /// Takes note of the next 10 ms that the speaker gets, after every change that is made to it. Called for each block in
    /// order, before the microphone's block of the same time.
    pub fn analyse_playback(&mut self, block: &AudioBlock) {
        if let Some(banded) = &mut self.banded {
            banded.analyse_playback(block);
        }
    }

    /// What is heard from now on was made longer by so much on its way here, parts per million: the canceller's view of what
    /// is played follows at once. What the devices' clocks differ besides, it finds out by itself.
    pub fn microphone_bent(&mut self, ppm: f64) {
        if let Some(echo) = self.banded.as_mut().and_then(|banded| banded.echo.as_mut())
            && echo.microphone_ppm != ppm
        {
            echo.microphone_ppm = ppm;
            echo.follow_clocks();
        }
    }

    /// Another loudspeaker or microphone is used from now on, with a clock of its own.
    pub fn clocks_changed(&mut self) {
        if let Some(echo) = self.banded.as_mut().and_then(|banded| banded.echo.as_mut()) {
            echo.clocks = ClockWatch::new();
            echo.follow_clocks();
        }
    }

    /// Processes the next 10 ms from the microphone. `delay` is the time from a block's [`Self::analyse_playback`] until
    /// the speaker plays it, and from when the microphone heard this block until now; at most [`MAX_DELAY`] counts.
    /// Whatever comes in, numbers within −1.0..=1.0 go out.
    pub fn process(&mut self, block: &mut AudioBlock, delay: Duration) {
        tame(block);
        if let Some(banded) = &mut self.banded {
            banded.process(block, delay);
        }
        if let Some(gain) = &mut self.gain {
            gain.process(block);
        }
    }

    /// How much later sound comes out than it went in.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.banded.as_ref().map_or(Duration::ZERO, |_| BANDED_LATENCY)
    }

    /// What the canceller found out so far; `None` while it is off.
    #[must_use]
    pub fn echo(&self) -> Option<EchoStats> {
        let echo = self.banded.as_ref()?.echo.as_ref()?;
        let stats = echo.canceller.stats();
        Some(EchoStats { delay: stats.delay + echo.reference.lag(), ..stats })
    }
}

/// What isn't a number becomes silence, since one would stay in the filters for good.
fn tame(block: &mut AudioBlock) {
    block.samples.iter_mut().for_each(|s| *s = if s.is_finite() { s.clamp(-1.0, 1.0) } else { 0.0 });
}

fn is_banded(settings: SoundProcessing) -> bool {
    settings.echo_canceller || settings.noise_suppression != NoiseSuppression::Off
}

/// All that is done between splitting and merging.
#[derive(Debug)]
struct Banded {
    played: Splitter,
    heard: Splitter,
    cleaned: Merger,
    /// Rumble carries no speech and misleads all that follows.
    high_pass: HighPassFilter,
    low: Vec<Vec<f32>>,
    echo: Option<Echo>,
    noise: Option<NoiseFilter>,
}

/// The canceller and what keeps its two sides in step.
#[derive(Debug)]
struct Echo {
    reference: Reference,
    clocks: ClockWatch,
    canceller: EchoCanceller,
    /// What the microphone's sound was bent by on its way here, parts per million.
    microphone_ppm: f64,
}

impl Echo {
    fn new() -> Self {
        Self {
            reference: Reference::new(),
            clocks: ClockWatch::new(),
            canceller: EchoCanceller::new(),
            microphone_ppm: 0.0,
        }
    }

    fn follow_clocks(&mut self) {
        self.reference.stretch_by(self.clocks.ppm() + self.microphone_ppm);
    }
}

impl Banded {
    fn new(settings: SoundProcessing) -> Option<Self> {
        is_banded(settings).then(|| Self {
            played: Splitter::default(),
            heard: Splitter::default(),
            cleaned: Merger::default(),
            high_pass: HighPassFilter::new(16_000, 1),
            low: vec![Vec::new()],
            echo: settings.echo_canceller.then(Echo::new),
            noise: NoiseFilter::new(settings.noise_suppression),
        })
    }

    fn change(&mut self, old: SoundProcessing, new: SoundProcessing) {
        if new.echo_canceller != old.echo_canceller {
            self.echo = new.echo_canceller.then(Echo::new);
        }
        if new.noise_suppression != old.noise_suppression {
            self.noise = NoiseFilter::new(new.noise_suppression);
        }
    }

    fn analyse_playback(&mut self, block: &AudioBlock) {
        if let Some(echo) = &mut self.echo {
            let mut block = block.clone();
            tame(&mut block);
            let Echo { reference, clocks, canceller, .. } = echo;
            reference.push(&block, |block| {
                let bands = self.played.split(block);
                clocks.played(&bands[0]);
                canceller.analyse_playback(&bands);
            });
        }
    }

    fn process(&mut self, block: &mut AudioBlock, delay: Duration) {
        let mut bands = self.heard.split(block);
        self.take_rumble(&mut bands);
        if let Some(noise) = &mut self.noise {
            noise.analyse(&bands);
        }
        if let Some(echo) = &mut self.echo {
            let peak = block.samples.iter().fold(0.0, |max: f32, s| max.max(s.abs()));
            let millis = |time: Duration| i32::try_from(time.min(MAX_DELAY).as_millis()).unwrap_or(i32::MAX);
            if echo.clocks.heard(&bands[0], millis(delay)) {
                echo.follow_clocks();
            }
            let left = delay.saturating_sub(echo.reference.lag());
            echo.canceller.process(&mut bands, peak, millis(left));
        }
        if let Some(noise) = &mut self.noise {
            noise.process(&mut bands);
        }
        self.cleaned.merge(&bands, block);
    }

    fn take_rumble(&mut self, bands: &mut Bands) {
        self.low[0].clear();
        self.low[0].extend_from_slice(&bands[0]);
        self.high_pass.process_channels(&mut self.low);
        bands[0].copy_from_slice(&self.low[0]);
    }
}
