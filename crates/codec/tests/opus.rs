//! Speech through Opus: pitch and level kept, lost packets restored, garbage refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use visavis_codec::opus::{Decoder, Encoder};
use visavis_codec::{AudioDecoder, AudioEncoder, AudioPayload, CodecError};
use visavis_frame::{AudioBlock, BLOCK_SAMPLES, BitRate};

const PACKET: usize = 2 * BLOCK_SAMPLES;

/// Sound with the make-up of a voice: harmonics of a gliding pitch under a syllable's envelope.
fn voice(packets: usize) -> Vec<f32> {
    let mut phase = 0.0f32;
    (0..packets * PACKET)
        .map(|i| {
            let t = i as f32 / 48_000.0;
            phase += (140.0 + 40.0 * (t * 5.0).sin()) * std::f32::consts::TAU / 48_000.0;
            let envelope = 0.55 + 0.45 * (t * 25.0).sin();
            let harmonics: f32 = (1..8).map(|n| (phase * n as f32).sin() / n as f32).sum();
            0.2 * envelope * harmonics
        })
        .collect()
}

fn packets(encoder: &mut Encoder, samples: &[f32]) -> Vec<Vec<u8>> {
    samples
        .chunks_exact(PACKET)
        .map(|packet| {
            let block = |half: usize| AudioBlock { samples: std::array::from_fn(|i| packet[half * BLOCK_SAMPLES + i]) };
            let mut out = vec![1, 2, 3];
            encoder.encode(&[&block(0), &block(1)], &mut out).unwrap();
            out
        })
        .collect()
}

fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE)
}

/// The best correlation over the codec's own delay, and where it is.
fn aligned(sent: &[f32], got: &[f32]) -> (f32, usize) {
    let len = sent.len().min(got.len()) - 1000;
    (0..1000)
        .map(|shift| (correlation(&sent[..len], &got[shift..shift + len]), shift))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap()
}

#[test]
fn a_tone_keeps_its_pitch_and_level() {
    let tone: Vec<f32> =
        (0..50 * PACKET).map(|i| 0.4 * (i as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin()).collect();
    let mut decoder = Decoder::new().unwrap();
    let mut got = Vec::new();
    for packet in packets(&mut Encoder::new(BitRate::from_kbps(40)).unwrap(), &tone) {
        assert_eq!(decoder.decode(AudioPayload::Packet(&packet), PACKET, &mut got), Ok(PACKET));
    }
    let half = tone.len() / 2;
    let (likeness, _) = aligned(&tone[half..], &got[half..]);
    assert!(likeness > 0.99, "{likeness}");
    let rms = |s: &[f32]| (s.iter().map(|s| s * s).sum::<f32>() / s.len() as f32).sqrt();
    let level = 20.0 * (rms(&got[half..]) / rms(&tone[half..])).log10();
    assert!(level.abs() < 0.5, "{level} dB");
}

#[test]
fn the_rate_is_what_was_asked() {
    for kbps in [32, 64] {
        let coded = packets(&mut Encoder::new(BitRate::from_kbps(kbps)).unwrap(), &voice(100));
        let got = coded[20..].iter().map(Vec::len).sum::<usize>() as f64 * 8.0 / (80.0 * 0.02) / 1000.0;
        assert!((got / kbps as f64 - 1.0).abs() < 0.3, "{got:.0} of {kbps} kb/s");
    }
}

#[test]
fn a_lost_packet_is_restored_from_the_next_better_than_concealed() {
    let voice = voice(60);
    let mut encoder = Encoder::new(BitRate::from_kbps(32)).unwrap();
    encoder.set_expected_loss(20).unwrap();
    let coded = packets(&mut encoder, &voice);
    let decode = |restore: bool| {
        let mut decoder = Decoder::new().unwrap();
        let (mut out, mut lost) = (Vec::new(), Vec::new());
        for (index, packet) in coded.iter().enumerate() {
            let payload = match (index % 5 == 3, restore) {
                (false, _) => AudioPayload::Packet(packet),
                (true, true) => AudioPayload::Forward(&coded[index + 1]),
                (true, false) => AudioPayload::Lost,
            };
            if index % 5 == 3 {
                lost.push(out.len());
            }
            assert_eq!(decoder.decode(payload, PACKET, &mut out), Ok(PACKET));
        }
        (out, lost)
    };
    let mut whole = Vec::new();
    let mut decoder = Decoder::new().unwrap();
    for packet in &coded {
        decoder.decode(AudioPayload::Packet(packet), PACKET, &mut whole).unwrap();
    }
    let likeness = |restore| {
        let (out, lost) = decode(restore);
        let sum: f32 = lost.iter().map(|&at| correlation(&whole[at..at + PACKET], &out[at..at + PACKET])).sum();
        sum / lost.len() as f32
    };
    let (restored, concealed) = (likeness(true), likeness(false));
    assert!(restored > 0.75 && restored > concealed + 0.1, "restored {restored}, concealed {concealed}");
}

#[test]
fn an_empty_packet_is_an_error_and_a_lost_one_is_concealed() {
    let mut decoder = Decoder::new().unwrap();
    let mut out = vec![0.5];
    for payload in [AudioPayload::Packet(&[]), AudioPayload::Forward(&[])] {
        assert!(matches!(decoder.decode(payload, PACKET, &mut out), Err(CodecError::Decode { .. })));
    }
    assert_eq!(decoder.decode(AudioPayload::Lost, 480, &mut out), Ok(480));
    assert_eq!(out.len(), 481);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_survived_and_speech_goes_on(garbage: Vec<u8>, forward: bool) {
        let mut decoder = Decoder::new().unwrap();
        let mut out = Vec::new();
        let payload = if forward { AudioPayload::Forward(&garbage) } else { AudioPayload::Packet(&garbage) };
        match decoder.decode(payload, PACKET, &mut out) {
            Ok(samples) => proptest::prop_assert!(samples == out.len() && samples <= 5760),
            Err(_) => proptest::prop_assert!(out.is_empty()),
        }
        proptest::prop_assert!(out.iter().all(|s| s.is_finite()));
        let good = packets(&mut Encoder::new(BitRate::from_kbps(32)).unwrap(), &voice(1));
        proptest::prop_assert_eq!(decoder.decode(AudioPayload::Packet(&good[0]), PACKET, &mut out), Ok(PACKET));
    }
}
