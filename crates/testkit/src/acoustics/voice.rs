//! A seeded voice: glottal pulses with a moving pitch, formants that glide from vowel to vowel, fricatives, plosives,
//! breath and pauses (source–filter model, Fant 1960; formants after Peterson and Barney 1952). No words, but the
//! modulations, harmonics and gaps of speech, which is what echo cancellers and STOI look at.

use super::at_level;
use super::noise::Random;

const RATE: f64 = visavis_frame::SAMPLE_RATE_HZ as f64;
/// Level of a voice, pauses included.
const LEVEL_DBFS: f64 = -26.0;

/// First four formants of vowels, hertz: i, ɪ, e, æ, a, o, ʊ, u, ɜ.
const VOWELS: [[f64; 4]; 9] = [
    [270.0, 2290.0, 3010.0, 3600.0],
    [390.0, 1990.0, 2550.0, 3500.0],
    [530.0, 1840.0, 2480.0, 3500.0],
    [660.0, 1720.0, 2410.0, 3400.0],
    [730.0, 1090.0, 2440.0, 3400.0],
    [570.0, 840.0, 2410.0, 3300.0],
    [440.0, 1020.0, 2240.0, 3300.0],
    [300.0, 870.0, 2240.0, 3200.0],
    [490.0, 1350.0, 1690.0, 3300.0],
];
const FORMANT_GAIN: [f64; 4] = [1.0, 0.6, 0.35, 0.2];
const FORMANT_WIDTH_HZ: [f64; 4] = [70.0, 100.0, 140.0, 200.0];
/// Where the noise of consonants lies: s, sh, f, x, t.
const CONSONANTS_HZ: [f64; 5] = [6500.0, 3200.0, 8500.0, 1700.0, 4500.0];
/// How fast formants move to where they should be, share of the way per sample.
const GLIDE: f64 = 0.0010;

/// A two-pole resonance.
#[derive(Clone, Copy, Debug, Default)]
struct Resonance([f64; 2]);

impl Resonance {
    fn filter(&mut self, input: f64, centre_hz: f64, width_hz: f64) -> f64 {
        let radius = (-std::f64::consts::PI * width_hz / RATE).exp();
        let turn = (std::f64::consts::TAU * centre_hz / RATE).cos();
        let out = (1.0 - radius) * input + 2.0 * radius * turn * self.0[0] - radius * radius * self.0[1];
        self.0 = [out, self.0[0]];
        out
    }
}

/// What a syllable is made of; times in samples.
struct Syllable {
    consonant: usize,
    consonant_hz: f64,
    consonant_gain: f64,
    vowel: usize,
    formants: [f64; 4],
    stress: f64,
}

struct Speaker {
    random: Random,
    pitch_hz: f64,
    /// Length of the vocal tract against a man's: formants times this.
    tract: f64,
    phase: f64,
    formants: [f64; 4],
    resonances: [Resonance; 4],
    mouth: Resonance,
    tilt: [f64; 2],
}

impl Speaker {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x00e0_1ce0);
        let (pitch_hz, tract) = random.pick(&[(95.0, 1.0), (120.0, 1.03), (185.0, 1.15), (215.0, 1.2)]);
        Self {
            pitch_hz: pitch_hz * random.between(0.95, 1.05),
            tract,
            phase: 0.0,
            formants: VOWELS[8],
            resonances: [Resonance::default(); 4],
            mouth: Resonance::default(),
            tilt: [0.0; 2],
            random,
        }
    }

    fn syllable(&mut self) -> Syllable {
        let random = &mut self.random;
        let millis = |ms: f64| (ms * RATE / 1000.0) as usize;
        Syllable {
            consonant: millis(random.between(20.0, 110.0)),
            consonant_hz: random.pick(&CONSONANTS_HZ),
            consonant_gain: random.between(0.0, 1.0),
            vowel: millis(random.between(80.0, 220.0)),
            formants: random.pick(&VOWELS).map(|hz| hz * self.tract),
            stress: random.between(0.4, 1.0),
        }
    }

    fn phrase(&mut self, out: &mut Vec<f64>) {
        let syllables = self.random.pick(&[4, 5, 6, 7, 8, 9, 11]);
        for place in 0..syllables {
            let syllable = self.syllable();
            // Pitch falls over a phrase.
            let fall = 1.15 - 0.35 * f64::from(place) / f64::from(syllables);
            self.speak(&syllable, self.pitch_hz * fall, out);
        }
        let pause = (self.random.between(0.15, 0.6) * RATE) as usize;
        out.extend((0..pause).map(|_| self.breathe(0.0, 0.0, [500.0, 1500.0, 2500.0, 3500.0])));
    }

    fn speak(&mut self, syllable: &Syllable, pitch_hz: f64, out: &mut Vec<f64>) {
        for at in 0..syllable.consonant {
            let swell = (std::f64::consts::PI * at as f64 / syllable.consonant as f64).sin();
            let hiss = self.random.sample() * swell * syllable.consonant_gain * 1.5;
            let noise = self.mouth.filter(hiss, syllable.consonant_hz, 1500.0);
            out.push(noise + self.breathe(0.0, 0.0, syllable.formants));
        }
        for at in 0..syllable.vowel {
            let share = at as f64 / syllable.vowel as f64;
            let swell = (std::f64::consts::PI * share).sin().powf(0.6) * syllable.stress;
            let bend = 1.0 + 0.06 * (std::f64::consts::PI * share).sin();
            out.push(self.breathe(pitch_hz * bend, swell, syllable.formants));
        }
    }

    /// One sample of what the glottis gives, through the tract.
    fn breathe(&mut self, pitch_hz: f64, strength: f64, formants: [f64; 4]) -> f64 {
        self.phase += pitch_hz * (1.0 + 0.01 * self.random.sample()) / RATE;
        let mut source = strength * 0.02 * self.random.sample();
        if self.phase >= 1.0 {
            self.phase -= 1.0;
            source += strength * (1.0 + 0.05 * self.random.sample()) * 12.0;
        }
        // The glottal pulse falls by 12 dB per octave and the lips give 6 back.
        self.tilt[0] += 0.06 * (source - self.tilt[0]);
        let tilted = 0.7 * self.tilt[0] + 0.3 * source;
        let mut out = 0.0;
        for (index, resonance) in self.resonances.iter_mut().enumerate() {
            self.formants[index] += (formants[index] - self.formants[index]) * GLIDE;
            out += FORMANT_GAIN[index] * resonance.filter(tilted, self.formants[index], FORMANT_WIDTH_HZ[index]);
        }
        let lips = out - 0.9 * self.tilt[1];
        self.tilt[1] = out;
        lips * 8.0
    }
}

/// So many seconds of a voice, 48 kHz, at −26 dBFS; its pitch and all that it says follow from the seed.
#[must_use]
pub fn voice(seed: u64, seconds: f64) -> Vec<f32> {
    let length = (seconds * RATE) as usize;
    let mut speaker = Speaker::new(seed);
    let mut out = Vec::with_capacity(length + 4 * RATE as usize);
    while out.len() < length {
        speaker.phrase(&mut out);
    }
    let samples: Vec<f32> = out[..length].iter().map(|&s| s as f32).collect();
    at_level(&samples, LEVEL_DBFS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::{level_db, rms};

    #[test]
    fn a_voice_has_pauses_peaks_and_its_level() {
        for seed in 0..6 {
            let said = voice(seed, 10.0);
            assert!((level_db(&said) - LEVEL_DBFS).abs() < 0.1);
            let peak = said.iter().fold(0.0, |max: f32, s| max.max(s.abs()));
            assert!((0.15..1.0).contains(&peak), "seed {seed}: peak {peak}");
            let levels: Vec<f64> = said.chunks(960).map(rms).collect();
            let quiet = levels.iter().filter(|&&l| l < 0.001).count() as f64 / levels.len() as f64;
            assert!((0.05..0.5).contains(&quiet), "seed {seed}: {quiet} of the time is quiet");
        }
    }

    #[test]
    fn the_same_seed_says_the_same() {
        assert_eq!(voice(3, 1.0), voice(3, 1.0));
        assert_ne!(voice(3, 1.0), voice(4, 1.0));
    }
}
