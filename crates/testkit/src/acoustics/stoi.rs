//! Short-time objective intelligibility (Taal, Hendriks, Heusdens and Jensen, "An Algorithm for Intelligibility Prediction
//! of Time–Frequency Weighted Noisy Speech", IEEE TASLP 19(7), 2011). Numbers in comments are the paper's equations.

use super::clock::windowed_sinc;
use super::fourier::{Complex, Fourier};

/// The rate that the measure is defined at.
const RATE_HZ: f64 = 10_000.0;
const FRAME: usize = 256;
const HOP: usize = FRAME / 2;
const TRANSFORM: usize = 512;
/// One-third octave bands, and the centre of the lowest, hertz.
const BANDS: usize = 15;
const LOWEST_HZ: f64 = 150.0;
/// Frames that are compared at a time: 384 ms.
const SEGMENT: usize = 30;
/// Signal-to-distortion ratio that a band may not fall below, decibels.
const CLIP_DB: f64 = -15.0;
/// Frames this far below the loudest are silence, decibels.
const RANGE_DB: f64 = 40.0;

type Bands = [f64; BANDS];

/// How intelligible `heard` is, about 0.0..=1.0, where `said` is the same speech before anything happened to it. Both at
/// 48 kHz and aligned to a few milliseconds. 0 when there is under 0.4 s of speech.
#[must_use]
pub fn stoi(said: &[f32], heard: &[f32]) -> f64 {
    let length = said.len().min(heard.len());
    let (said, heard) = without_silence(&to_rate(&said[..length]), &to_rate(&heard[..length]));
    let (said, heard) = (spectrogram(&said), spectrogram(&heard));
    if said.len() < SEGMENT {
        return 0.0;
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for (said, heard) in said.windows(SEGMENT).zip(heard.windows(SEGMENT)) {
        for band in 0..BANDS {
            sum += likeness(&said.iter().map(|f| f[band]).collect::<Vec<_>>(), heard.iter().map(|f| f[band]));
            count += 1.0;
        }
    }
    sum / count
}

/// Eq. 3 to 5: correlation of two bands over a segment, after the level of the second is made that of the first and its
/// distortion is limited.
fn likeness(said: &[f64], heard: impl Iterator<Item = f64>) -> f64 {
    let heard: Vec<f64> = heard.collect();
    let norm = |v: &[f64]| v.iter().map(|s| s * s).sum::<f64>().sqrt();
    let gain = norm(said) / (norm(&heard) + f64::EPSILON);
    let limit = 1.0 + 10f64.powf(-CLIP_DB / 20.0);
    let limited: Vec<f64> = heard.iter().zip(said).map(|(h, s)| (h * gain).min(s * limit)).collect();
    let centred = |v: &[f64]| {
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        v.iter().map(|s| s - mean).collect::<Vec<_>>()
    };
    let (said, limited) = (centred(said), centred(&limited));
    let product: f64 = said.iter().zip(&limited).map(|(a, b)| a * b).sum();
    product / (norm(&said) * norm(&limited) + f64::EPSILON)
}

/// 48 kHz to 10 kHz, five samples from every 24, through a low-pass of 4.7 kHz.
fn to_rate(samples: &[f32]) -> Vec<f64> {
    const PASS: f64 = 2.0 * 4_700.0 / 48_000.0;
    const REACH: usize = 204;
    const PHASES: usize = 5;
    let taps: Vec<[f64; 2 * REACH]> = (0..PHASES)
        .map(|phase| {
            let behind = (phase * 24 % PHASES) as f64 / PHASES as f64 + (REACH - 1) as f64;
            std::array::from_fn(|tap| PASS * windowed_sinc((behind - tap as f64) * PASS, REACH as f64 * PASS))
        })
        .collect();
    let mut padded = vec![0.0; REACH - 1];
    padded.extend(samples.iter().map(|&s| f64::from(s)));
    padded.resize(padded.len() + REACH + 1, 0.0);
    (0..samples.len() * PHASES / 24)
        .map(|index| padded[index * 24 / PHASES..].iter().zip(&taps[index % PHASES]).map(|(s, t)| s * t).sum())
        .collect()
}

fn window(index: usize) -> f64 {
    0.5 - 0.5 * (std::f64::consts::TAU * (index + 1) as f64 / (FRAME + 1) as f64).cos()
}

fn frames(samples: &[f64]) -> impl Iterator<Item = Vec<f64>> {
    samples.windows(FRAME).step_by(HOP).map(|f| f.iter().enumerate().map(|(i, s)| s * window(i)).collect())
}

/// Both without the frames in which the first is silent.
fn without_silence(said: &[f64], heard: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let level = |f: &Vec<f64>| 10.0 * (f.iter().map(|s| s * s).sum::<f64>() + f64::EPSILON).log10();
    let loudest = frames(said).map(|f| level(&f)).fold(f64::MIN, f64::max);
    let (mut said_left, mut heard_left) = (Vec::new(), Vec::new());
    let loud = frames(said).zip(frames(heard)).filter(|(f, _)| level(f) > loudest - RANGE_DB);
    for (index, (said, heard)) in loud.enumerate() {
        overlap_add(&mut said_left, &said, index * HOP);
        overlap_add(&mut heard_left, &heard, index * HOP);
    }
    (said_left, heard_left)
}

fn overlap_add(out: &mut Vec<f64>, frame: &[f64], at: usize) {
    out.resize(at + frame.len(), 0.0);
    out[at..].iter_mut().zip(frame).for_each(|(o, s)| *o += s);
}

/// Eq. 1: magnitudes in one-third octave bands.
fn spectrogram(samples: &[f64]) -> Vec<Bands> {
    let fourier = Fourier::new(TRANSFORM);
    let bin = |hz: f64| (hz * TRANSFORM as f64 / RATE_HZ).round() as usize;
    let edges: Vec<usize> = (0..=BANDS).map(|k| bin(LOWEST_HZ * 2f64.powf((2.0 * k as f64 - 1.0) / 6.0))).collect();
    frames(samples)
        .map(|frame| {
            let mut data: Vec<_> = frame.iter().map(|&re| Complex { re, im: 0.0 }).collect();
            data.resize(TRANSFORM, Complex::default());
            fourier.forward(&mut data);
            std::array::from_fn(|k| data[edges[k]..edges[k + 1]].iter().map(|c| c.power()).sum::<f64>().sqrt())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acoustics::{mix, noise, voice};

    /// What pystoi 0.4.1 gives for the same samples.
    const PYSTOI: [(f64, f64); 4] = [(-20.0, 0.6769), (-26.0, 0.8383), (-36.0, 0.9755), (-50.0, 0.9989)];

    #[test]
    fn it_agrees_with_another_implementation() {
        let said = voice(1, 6.0);
        for (dbfs, theirs) in PYSTOI {
            let ours = stoi(&said, &mix(&said, &noise(7, said.len(), dbfs)));
            assert!((ours - theirs).abs() < 0.002, "noise at {dbfs} dBFS: {ours}, pystoi {theirs}");
        }
    }

    #[test]
    fn the_same_is_perfect_whatever_its_level_and_nothing_is_nothing() {
        let said = voice(2, 3.0);
        let quiet: Vec<f32> = said.iter().map(|s| s * 0.1).collect();
        assert!(stoi(&said, &quiet) > 0.999);
        assert!(stoi(&said, &vec![0.0; said.len()]).abs() < 1e-6);
        assert!(stoi(&said[..960], &said[..960]).abs() < 1e-9);
        assert!(stoi(&[], &[]).abs() < 1e-9);
    }
}
