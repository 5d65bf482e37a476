//! A signal that codecs, voice detection and echo cancelling treat as speech: pulses of a varying pitch through three
//! resonances that move from vowel to vowel, syllables, breaths of noise, pauses (after the source–filter model of
//! speech, Fant 1960).

use visavis_frame::SAMPLE_RATE_HZ;

const RATE: f32 = SAMPLE_RATE_HZ as f32;

/// First three formants of some vowels, hertz (Peterson and Barney 1952, rounded): i, e, a, o, u.
const VOWELS: [[f32; 3]; 5] = [
    [270.0, 2290.0, 3010.0],
    [530.0, 1840.0, 2480.0],
    [730.0, 1090.0, 2440.0],
    [570.0, 840.0, 2410.0],
    [300.0, 870.0, 2240.0],
];
/// How much each formant sounds.
const FORMANT_GAIN: [f32; 3] = [1.0, 0.5, 0.2];
const FORMANT_WIDTH_HZ: [f32; 3] = [70.0, 90.0, 130.0];

const SYLLABLE_SAMPLES: u32 = SAMPLE_RATE_HZ / 5;
/// The noise that opens some syllables, as consonants do.
const CONSONANT_SAMPLES: u32 = SAMPLE_RATE_HZ / 20;
/// Every phrase ends with this many syllables of silence.
const PHRASE_SYLLABLES: u32 = 9;
const PAUSE_SYLLABLES: u32 = 2;
/// How fast formants glide to those of the next vowel, share of the way per sample.
const GLIDE: f32 = 0.0008;

/// A two-pole resonance.
#[derive(Clone, Copy, Debug, Default)]
struct Resonance {
    last: [f32; 2],
}

impl Resonance {
    fn filter(&mut self, input: f32, centre_hz: f32, width_hz: f32) -> f32 {
        let radius = 1.0 - std::f32::consts::PI * width_hz / RATE;
        let turn = (std::f32::consts::TAU * centre_hz / RATE).cos();
        let out = (1.0 - radius) * input + 2.0 * radius * turn * self.last[0] - radius * radius * self.last[1];
        self.last = [out, self.last[0]];
        out
    }
}

/// The signal. Deterministic: the noise comes from a fixed seed.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    at: u32,
    syllable: u32,
    seed: u32,
    pulse: f32,
    formants: [f32; 3],
    resonances: [Resonance; 3],
}

impl Speech {
    pub(super) fn new() -> Self {
        Self {
            at: 0,
            syllable: 0,
            seed: 0x5eed,
            pulse: 0.0,
            formants: VOWELS[0],
            resonances: [Resonance::default(); 3],
        }
    }

    pub(super) fn next_sample(&mut self) -> f32 {
        let share = self.at as f32 / SYLLABLE_SAMPLES as f32;
        let excitation = self.voice(share) + self.consonant();
        self.glide();
        let mut out = 0.0;
        for (index, resonance) in self.resonances.iter_mut().enumerate() {
            out += FORMANT_GAIN[index] * resonance.filter(excitation, self.formants[index], FORMANT_WIDTH_HZ[index]);
        }
        self.advance();
        (out * 6.0).tanh() * 0.6
    }

    fn speaking(&self) -> bool {
        self.syllable % (PHRASE_SYLLABLES + PAUSE_SYLLABLES) < PHRASE_SYLLABLES
    }

    fn voice(&mut self, share: f32) -> f32 {
        // Pitch falls over a phrase, and rises and falls a little in each syllable.
        let place = (self.syllable % (PHRASE_SYLLABLES + PAUSE_SYLLABLES)) as f32 + share;
        let pitch_hz = 150.0 - 5.0 * place + 8.0 * (std::f32::consts::PI * share).sin();
        self.pulse += pitch_hz / RATE;
        if self.pulse < 1.0 || !self.speaking() {
            self.pulse = self.pulse.fract();
            return 0.0;
        }
        self.pulse -= 1.0;
        let swell = (std::f32::consts::PI * share).sin().max(0.0);
        10.0 * swell.sqrt()
    }

    fn consonant(&mut self) -> f32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let open = self.syllable.is_multiple_of(3) && self.at < CONSONANT_SAMPLES && self.speaking();
        if open { ((self.seed >> 8) as f32 / (1u32 << 23) as f32 - 1.0) * 0.4 } else { 0.0 }
    }

    fn glide(&mut self) {
        // Steps of 2 and 3 through five vowels visit all of them in an order that doesn't sound like a scale.
        let vowel = VOWELS[(self.syllable * 2 + self.syllable / 5) as usize % VOWELS.len()];
        for (formant, target) in self.formants.iter_mut().zip(vowel) {
            *formant += (target - *formant) * GLIDE;
        }
    }

    fn advance(&mut self) {
        self.at += 1;
        if self.at == SYLLABLE_SAMPLES {
            self.at = 0;
            self.syllable = self.syllable.wrapping_add(1) % 990;
        }
    }
}
