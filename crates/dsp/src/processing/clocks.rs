//! How far apart the clocks of a loudspeaker and a microphone are, found by ear.
//!
//! No sound card says what its clock is worth, and where two are a hundred parts per million apart an echo moves by five
//! samples a second: a canceller that has to follow is left with 16 dB. What is played comes back in the microphone,
//! though, and where the clocks differ it comes later and later at a constant pace. So the cross-spectrum of both, taken at
//! two times, has turned by an angle that grows with frequency, time and the clocks' difference alone; whatever the room
//! does to the phase is the same both times and falls out. This is the double cross-correlation of Chinaev, Thüne and Enzner
//! (2021), with all candidate differences weighed side by side instead of the greatest correlation being followed.
//!
//! A near voice isn't coherent with what is played and weighs little; so do pauses.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use sonora_fft::pffft::{FftType, Pffft, PffftBuffer};

use super::bands::BAND_SAMPLES;

/// Rate of the lowest band, hertz.
const RATE: f64 = 16_000.0;
/// Samples looked at together, 512 ms: long against delays and reverberation.
const FRAME: usize = 8192;
/// Samples from one look to the next.
const HOP: usize = 2048;
/// Looks whose spectra are averaged: those of about half a second.
const HOPS: usize = 4;
/// Spectra are compared with those of so many averages before: the short way is never ambiguous, the long way is exact.
const APART: [usize; 3] = [1, 2, 4];
/// Bins in use: where voices are, and every third, since a window's neighbours say nearly the same.
const LOWEST: usize = 100;
const HIGHEST: usize = 2048;
const STRIDE: usize = 3;
const BINS: usize = (HIGHEST - LOWEST).div_ceil(STRIDE);
/// Candidates: each this many parts per million from the next, as many to either side of none.
const STEP_PPM: f64 = 10.0;
const SIDE: usize = 40;
const CANDIDATES: usize = 2 * SIDE + 1;
/// What a comparison leaves of the ones before: half of it is forgotten after 17 seconds. Only temperature changes a clock.
const KEEP: f64 = 0.98;
/// Share of what was weighed that must agree with the best candidate.
const AGREED: f64 = 0.35;
/// What must have been weighed at least: about two comparisons of clear speech.
const ENOUGH: f64 = 500.0;
/// Mean power of a frame's sample, in 16-bit steps, below which nothing is said to be played: −65 dBFS.
const QUIET: f64 = 340.0;
/// Played and heard sound may be so far apart in number, samples, before counting begins anew: two seconds.
const MOST_APART: usize = 32_000;
/// Changes of the delay up to this, samples, are left to the frame's length: 60 ms.
const MOST_SHIFT: usize = 960;

/// Listens to what is played and heard.
pub(super) struct ClockWatch {
    fft: Pffft,
    window: Vec<f32>,
    frame: PffftBuffer,
    played_spectrum: PffftBuffer,
    heard_spectrum: PffftBuffer,
    played: VecDeque<f32>,
    heard: VecDeque<f32>,
    /// By which what is heard lags behind, samples.
    delay: usize,
    hops: usize,
    segment: Segment,
    past: VecDeque<Segment>,
    evidence: [f64; CANDIDATES],
    weighed: f64,
    /// What is believed now, parts per million.
    ppm: f64,
}

impl std::fmt::Debug for ClockWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClockWatch").field("ppm", &self.ppm).finish_non_exhaustive()
    }
}

/// Spectra averaged over [`HOPS`] looks.
#[derive(Clone, Debug)]
struct Segment {
    bins: Vec<Bin>,
    /// What the reference was bent by meanwhile, parts per million.
    bent_ppm: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    re: f64,
    im: f64,
    played: f64,
    heard: f64,
    /// What the looks brought, together, and the same with each multiplied by its number in the segment.
    brought: f64,
    time: f64,
}

impl Bin {
    /// When the segment was heard, in looks since it began: most of it comes with its loudest syllable.
    fn middle(&self) -> f64 {
        self.time / self.brought.max(f64::MIN_POSITIVE)
    }
}

impl Segment {
    fn new(bent_ppm: f64) -> Self {
        Self { bins: vec![Bin::default(); BINS], bent_ppm }
    }
}

impl ClockWatch {
    pub(super) fn new() -> Self {
        let fft = Pffft::new(FRAME, FftType::Real);
        let turn = |i: usize| (TAU * i as f64 / FRAME as f64).cos();
        Self {
            window: (0..FRAME).map(|i| (0.5 - 0.5 * turn(i)) as f32).collect(),
            frame: fft.create_buffer(),
            played_spectrum: fft.create_buffer(),
            heard_spectrum: fft.create_buffer(),
            fft,
            played: VecDeque::with_capacity(2 * MOST_APART),
            heard: VecDeque::with_capacity(2 * MOST_APART),
            delay: 0,
            hops: 0,
            segment: Segment::new(0.0),
            past: VecDeque::new(),
            evidence: [0.0; CANDIDATES],
            weighed: 0.0,
            ppm: 0.0,
        }
    }

    /// By how much the microphone's clock is faster, parts per million: what is played must be stretched by it to match.
    pub(super) fn ppm(&self) -> f64 {
        self.ppm
    }

    /// The lowest band of what is played, stretched by [`ClockWatch::ppm`].
    pub(super) fn played(&mut self, band: &[f32; BAND_SAMPLES]) {
        self.played.extend(band);
        if self.played.len() > self.heard.len() + self.delay + MOST_APART {
            self.begin_anew();
        }
    }

    /// The lowest band of what is heard, about `delay_ms` after it was played. Whether [`ClockWatch::ppm`] has changed.
    pub(super) fn heard(&mut self, band: &[f32; BAND_SAMPLES], delay_ms: i32) -> bool {
        let delay = usize::try_from(delay_ms).unwrap_or(0) * BAND_SAMPLES / 10;
        if delay.abs_diff(self.delay) > MOST_SHIFT || self.heard.len() > self.played.len() + MOST_APART {
            self.delay = delay;
            self.begin_anew();
        }
        self.heard.extend(band);
        let mut changed = false;
        while self.heard.len() >= FRAME && self.played.len() >= FRAME {
            self.look();
            changed |= self.hops == HOPS && self.conclude();
            self.heard.drain(..HOP);
            self.played.drain(..HOP);
        }
        changed
    }

    /// The numbers no longer match. What was found out about the clocks stays true.
    fn begin_anew(&mut self) {
        self.played.clear();
        self.heard.clear();
        self.past.clear();
        // What is heard now was played before it.
        self.played.extend(std::iter::repeat_n(0.0, self.delay));
        self.hops = 0;
        self.segment = Segment::new(self.ppm);
    }

    fn look(&mut self) {
        let power = |samples: &VecDeque<f32>| samples.iter().take(FRAME).map(|s| f64::from(s * s)).sum::<f64>();
        let silent = power(&self.played) < QUIET * FRAME as f64;
        self.hops += 1;
        if silent {
            return;
        }
        for (samples, spectrum) in [(&self.played, &mut self.played_spectrum), (&self.heard, &mut self.heard_spectrum)]
        {
            for ((into, sample), weight) in self.frame.as_mut_slice().iter_mut().zip(samples).zip(&self.window) {
                *into = sample * weight;
            }
            self.fft.forward(&self.frame, spectrum, true);
        }
        let at = |spectrum: &[f32], bin: usize| (f64::from(spectrum[2 * bin - 1]), f64::from(spectrum[2 * bin]));
        let (played, heard) = (self.played_spectrum.as_slice(), self.heard_spectrum.as_slice());
        let time = self.hops as f64;
        for (bin, index) in self.segment.bins.iter_mut().zip((LOWEST..HIGHEST).step_by(STRIDE)) {
            let ((a, b), (c, d)) = (at(played, index), at(heard, index));
            let (re, im) = (a * c + b * d, a * d - b * c);
            let brought = re.hypot(im);
            bin.re += re;
            bin.im += im;
            bin.played += a * a + b * b;
            bin.heard += c * c + d * d;
            bin.brought += brought;
            bin.time += time * brought;
        }
    }

    /// Compares the segment that is complete with those before it. Whether another candidate is believed now.
    fn conclude(&mut self) -> bool {
        let segment = std::mem::replace(&mut self.segment, Segment::new(self.ppm));
        self.hops = 0;
        self.evidence.iter_mut().for_each(|evidence| *evidence *= KEEP);
        self.weighed *= KEEP;
        for apart in APART {
            if let Some(before) = apart.checked_sub(1).and_then(|index| self.past.get(index)) {
                let bent = self.past.iter().take(apart).map(|past| past.bent_ppm);
                let bent_ppm = (bent.sum::<f64>() - before.bent_ppm / 2.0 + segment.bent_ppm / 2.0) / apart as f64;
                self.weighed += weigh(&mut self.evidence, &segment, before, apart * HOPS, bent_ppm);
            }
        }
        self.past.push_front(segment);
        self.past.truncate(APART[APART.len() - 1]);
        self.believe()
    }

    fn believe(&mut self) -> bool {
        let Some((best, &most)) = self.evidence.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)) else {
            return false;
        };
        if self.weighed < ENOUGH || most < AGREED * self.weighed || best == 0 || best == CANDIDATES - 1 {
            return false;
        }
        let (before, after) = (self.evidence[best - 1], self.evidence[best + 1]);
        // The top of the parabola through the best candidate and its neighbours.
        let beside = 0.5 * (before - after) / (before - 2.0 * most + after).min(-f64::MIN_POSITIVE);
        self.ppm = (best as f64 - SIDE as f64 + beside.clamp(-0.5, 0.5)) * STEP_PPM;
        true
    }
}

/// Adds to the evidence for each candidate what `now` and `before`, begun `hops` looks earlier, say of it. Gives the most
/// that could have been added.
fn weigh(evidence: &mut [f64; CANDIDATES], now: &Segment, before: &Segment, hops: usize, bent_ppm: f64) -> f64 {
    let mut weighed = 0.0;
    for ((now, before), index) in now.bins.iter().zip(&before.bins).zip((LOWEST..HIGHEST).step_by(STRIDE)) {
        let power = (now.played * now.heard * before.played * before.heard).sqrt();
        let (brought_now, brought_before) = (now.re.hypot(now.im), before.re.hypot(before.im));
        if power < 1.0 || brought_now < 1.0 || brought_before < 1.0 {
            continue;
        }
        let mut re = (now.re * before.re + now.im * before.im) / power;
        let mut im = (now.im * before.re - now.re * before.im) / power;
        weighed += re.hypot(im);
        let passed = (hops as f64 + now.middle() - before.middle()) * HOP as f64 / RATE;
        let angle = TAU * index as f64 / FRAME as f64 * RATE * passed * 1e-6;
        let turned = |re: f64, im: f64, by: f64| {
            let (sin, cos) = by.sin_cos();
            (re * cos - im * sin, re * sin + im * cos)
        };
        (re, im) = turned(re, im, angle * (-(SIDE as f64) * STEP_PPM - bent_ppm));
        let (sin, cos) = (angle * STEP_PPM).sin_cos();
        for evidence in evidence.iter_mut() {
            *evidence += re;
            (re, im) = (re * cos - im * sin, re * sin + im * cos);
        }
    }
    weighed
}
