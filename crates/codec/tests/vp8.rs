//! VP8 from picture to picture, through packets, and the rate that its encoder holds.
#![cfg(feature = "vp8")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::Clip;
use visavis_codec::{
    Assembler, AssemblerConfig, AssemblerOutput, CodecError, EncodedFrame, VideoDecoder, VideoEncoder, VideoTarget,
    video,
};
use visavis_frame::{BitRate, FramePool, Size, Timestamp, VIDEO_CLOCK_HZ, VideoCodec, VideoFrame};

fn target(kbps: u64, fps: u32) -> VideoTarget {
    VideoTarget { rate: BitRate::from_kbps(kbps), fps }
}

fn encoder(kbps: u64) -> Box<dyn VideoEncoder> {
    video::encoder(VideoCodec::Vp8, target(kbps, 30)).unwrap()
}

fn decoder() -> Box<dyn VideoDecoder> {
    video::decoder(VideoCodec::Vp8, FramePool::new()).unwrap()
}

/// Codes `frame`, again if the encoder drops it to hold its rate.
fn coded(encoder: &mut dyn VideoEncoder, frame: &VideoFrame, keyframe: bool) -> EncodedFrame {
    let mut out = EncodedFrame::default();
    let mut asked = keyframe;
    for _ in 0..10 {
        if encoder.encode(frame, asked, &mut out).unwrap() {
            return out;
        }
        asked = false;
    }
    panic!("ten pictures dropped in a row");
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    10.0 * (255.0f64.powi(2) * a.len() as f64 / squares.max(1.0)).log10()
}

#[test]
fn keyframes_come_first_on_request_and_with_a_new_size() {
    let mut encoder = encoder(1000);
    let (mut clip, mut small) = (Clip::new(Size::NHD, 30), Clip::new(Size::SMALL, 30));
    for (asked, keyframe) in [(false, true), (false, false), (true, true), (false, false)] {
        assert_eq!(coded(encoder.as_mut(), &clip.next(), asked).keyframe, keyframe);
    }
    assert!(coded(encoder.as_mut(), &small.next(), false).keyframe);
    assert!(!coded(encoder.as_mut(), &small.next(), false).keyframe);
    assert!(coded(encoder.as_mut(), &clip.next(), false).keyframe);
}

#[test]
fn a_long_still_needs_no_keyframe_even_where_the_clock_stands() {
    let mut encoder = encoder(200);
    let frame = Clip::new(Size::SMALL, 30).next();
    let mut out = EncodedFrame::default();
    let keyframes = (0..600).filter(|_| encoder.encode(&frame, false, &mut out).unwrap() && out.keyframe).count();
    assert_eq!(keyframes, 1);
}

#[test]
fn what_cannot_be_coded_is_an_error() {
    for (kbps, fps) in [(0, 30), (500, 0)] {
        assert!(encoder(500).set_target(target(kbps, fps)).is_err());
        assert!(video::encoder(VideoCodec::Vp8, target(kbps, fps)).is_err());
    }
}

#[test]
fn pictures_survive_the_way_through_packets() {
    for (width, height) in [(320, 180), (638, 358), (66, 50), (180, 320)] {
        let size = Size::new(width, height).unwrap();
        let mut clip = Clip::new(size, 30);
        let (mut encoder, mut decoder) = (encoder(2000), decoder());
        let mut packetizer = video::packetizer(VideoCodec::Vp8, 1180, 65_530);
        let mut assembler = Assembler::new(VideoCodec::Vp8, AssemblerConfig::default());
        let now = Instant::now();
        for _ in 0..10 {
            let frame = clip.next();
            let out = coded(encoder.as_mut(), &frame, false);
            let timestamp = frame.captured().to_rtp(VIDEO_CLOCK_HZ);
            let mut packets = Vec::new();
            packetizer.packetize(&out.data, timestamp, &mut packets);
            assert!(packets.iter().all(|packet| packet.payload.len() <= 1180));
            packets.into_iter().for_each(|packet| assembler.push(now, packet));
            let Some(AssemblerOutput::Frame(whole)) = assembler.poll(now) else { panic!("no picture") };
            assert_eq!((whole.keyframe, whole.timestamp), (out.keyframe, timestamp));
            let picture = decoder.decode(&whole.data, frame.captured()).unwrap().unwrap();
            assert_eq!((picture.size(), picture.captured()), (size, frame.captured()));
            let quality = psnr(picture.i420(), frame.i420());
            assert!(quality > 30.0, "{size}: {quality:.1} dB");
        }
    }
}

#[test]
fn after_a_lost_packet_a_keyframe_is_asked_for_and_nothing_broken_is_shown() {
    let mut clip = Clip::new(Size::NHD, 30);
    let mut encoder = encoder(2000);
    let mut packetizer = video::packetizer(VideoCodec::Vp8, 1180, 7);
    let mut assembler = Assembler::new(VideoCodec::Vp8, AssemblerConfig::default());
    let (mut now, mut shown, mut asked) = (Instant::now(), Vec::new(), Vec::new());
    for index in 0..20 {
        let out = coded(encoder.as_mut(), &clip.next(), index == 15);
        let mut packets = Vec::new();
        packetizer.packetize(&out.data, index * 3000, &mut packets);
        if index == 5 {
            packets.remove(packets.len() / 2);
        }
        packets.into_iter().for_each(|packet| assembler.push(now, packet));
        while let Some(output) = assembler.poll(now) {
            match output {
                AssemblerOutput::Frame(frame) => shown.push(frame.timestamp / 3000),
                AssemblerOutput::NeedKeyframe => asked.push(index),
            }
        }
        now += Duration::from_millis(33);
    }
    assert_eq!(shown, (0..5).chain(15..20).collect::<Vec<_>>());
    assert_eq!(asked.first(), Some(&10), "once the lost packet isn't waited for any more: {asked:?}");
}

#[test]
fn a_picture_with_odd_sides_loses_its_last_column_and_row() {
    // 65×49, by changing what the keyframe says: a decoder that takes 66×50 apart stops one pixel earlier.
    let mut out = coded(encoder(1000).as_mut(), &Clip::new(Size::new(66, 50).unwrap(), 30).next(), false);
    out.data[6..10].copy_from_slice(&[65, 0, 49, 0]);
    let picture = decoder().decode(&out.data, Timestamp::ZERO).unwrap().unwrap();
    assert_eq!(picture.size(), Size::new(64, 48).unwrap());
}

#[test]
fn the_decoder_refuses_too_large_pictures_and_what_is_none() {
    let mut out = coded(encoder(1000).as_mut(), &Clip::new(Size::SMALL, 30).next(), false);
    out.data[6..10].copy_from_slice(&[0x00, 0x20, 0x80, 0x00]);
    let error = decoder().decode(&out.data, Timestamp::ZERO).unwrap_err();
    assert!(matches!(&error, CodecError::Decode { reason, .. } if reason.contains("8192")), "{error}");
    for none in [&[][..], &[1], &out.data[..9], &[0x11, 0, 0, 0]] {
        assert!(decoder().decode(none, Timestamp::ZERO).is_err(), "{none:x?}");
    }
}

#[test]
fn after_an_error_the_decoder_goes_on_with_the_next_keyframe() {
    let (mut encoder, mut decoder) = (encoder(1000), decoder());
    let mut clip = Clip::new(Size::NHD, 30);
    let first = coded(encoder.as_mut(), &clip.next(), false);
    let mut broken = first.data.clone();
    broken.iter_mut().skip(10).step_by(3).for_each(|byte| *byte ^= 0x5a);
    let _ = decoder.decode(&broken, first.captured);
    let _ = decoder.decode(&first.data[..20], first.captured);
    for _ in 0..3 {
        let out = coded(encoder.as_mut(), &clip.next(), true);
        assert!(decoder.decode(&out.data, out.captured).unwrap().is_some());
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn the_decoder_survives_any_bytes(units in proptest::collection::vec(proptest::collection::vec(0u8.., 0..200), 0..8)) {
        let mut decoder = decoder();
        for unit in units {
            let _ = decoder.decode(&unit, Timestamp::ZERO);
        }
    }

    #[test]
    fn the_decoder_survives_damage(seed: u64, at in 0usize..2000, flips in 1u8..) {
        let (mut encoder, mut decoder) = (encoder(300), decoder());
        let mut clip = Clip::new(Size::SMALL, 30);
        for index in 0..4 {
            let mut out = coded(encoder.as_mut(), &clip.next(), false);
            if index > 0 || seed % 2 == 0 {
                let len = out.data.len();
                out.data[at % len] ^= flips;
                out.data.truncate(len - (seed as usize % len.min(64)));
            }
            let _ = decoder.decode(&out.data, out.captured);
        }
    }
}

struct Run {
    bps: f64,
    keyframes: usize,
    dropped: usize,
}

fn run(encoder: &mut dyn VideoEncoder, clip: &mut Clip, seconds: u32) -> Run {
    let mut out = EncodedFrame::default();
    let (mut bits, mut keyframes, mut dropped) = (0, 0, 0);
    for _ in 0..clip.fps * seconds {
        if encoder.encode(&clip.next(), false, &mut out).unwrap() {
            bits += out.data.len() * 8;
            keyframes += usize::from(out.keyframe);
        } else {
            dropped += 1;
        }
    }
    Run { bps: bits as f64 / f64::from(seconds), keyframes, dropped }
}

fn assert_holds(what: &str, run: &Run, kbps: u64, frames: u32) {
    let share = run.bps / (kbps as f64 * 1000.0);
    let dropped = run.dropped as f64 / f64::from(frames);
    assert!((0.85..=1.1).contains(&share), "{what}: {share:.2} of {kbps} kb/s");
    assert!(dropped < 0.1, "{what}: {dropped:.2} of the pictures dropped at {kbps} kb/s");
}

#[test]
fn the_rate_holds_from_small_to_hd_and_follows_a_new_target_without_a_keyframe() {
    for (size, fps, kbps) in [(Size::SMALL, 15, 150), (Size::NHD, 30, 800), (Size::HD, 30, 2_500)] {
        let mut encoder = video::encoder(VideoCodec::Vp8, target(kbps, fps)).unwrap();
        let mut clip = Clip::new(size, fps);
        let first = run(encoder.as_mut(), &mut clip, 3);
        assert_eq!(first.keyframes, 1);
        assert_holds(&format!("{size} from the start"), &first, kbps, fps * 3);
        for kbps in [kbps / 2, kbps * 3 / 2] {
            encoder.set_target(target(kbps, fps)).unwrap();
            // The bucket forgets within its second.
            run(encoder.as_mut(), &mut clip, 1);
            let after = run(encoder.as_mut(), &mut clip, 3);
            assert_eq!(after.keyframes, 0);
            assert_holds(&format!("{size} after a change"), &after, kbps, fps * 3);
        }
    }
}

#[test]
fn a_new_cadence_keeps_the_rate() {
    let mut encoder = encoder(600);
    let mut clip = Clip::new(Size::NHD, 30);
    run(encoder.as_mut(), &mut clip, 2);
    encoder.set_target(target(600, 15)).unwrap();
    clip.index /= 2;
    clip.fps = 15;
    run(encoder.as_mut(), &mut clip, 1);
    let after = run(encoder.as_mut(), &mut clip, 3);
    assert_eq!(after.keyframes, 0);
    assert_holds("half the cadence", &after, 600, 45);
}
