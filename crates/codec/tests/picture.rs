//! From picture to picture: encoder, packets, assembler, decoder.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Instant;

use common::Clip;
use visavis_codec::h264::{Decoder, Encoder, Packetizer};
use visavis_codec::{
    Assembler, AssemblerConfig, AssemblerOutput, CodecError, EncodedFrame, VideoDecoder, VideoEncoder,
    VideoPacketizer as _, VideoTarget,
};
use visavis_frame::{BitRate, FramePool, Size, Timestamp, VIDEO_CLOCK_HZ, VideoCodec, VideoFrame};

fn encoder(kbps: u64) -> Encoder {
    Encoder::new(VideoTarget { rate: BitRate::from_kbps(kbps), fps: 30 }).unwrap()
}

/// Codes `frame`, again if the encoder drops it to hold its rate.
fn coded(encoder: &mut Encoder, frame: &VideoFrame, keyframe: bool) -> EncodedFrame {
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

/// Types of the NAL units in an Annex B stream of ours.
fn kinds(annexb: &[u8]) -> Vec<u8> {
    annexb.windows(4).filter(|w| w[..3] == [0, 0, 1]).map(|w| w[3] & 0x1f).collect()
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    10.0 * (255.0f64.powi(2) * a.len() as f64 / squares.max(1.0)).log10()
}

#[test]
fn keyframes_come_first_on_request_and_with_a_new_size_and_carry_their_parameters() {
    let mut encoder = encoder(1000);
    let (mut clip, mut small) = (Clip::new(Size::NHD, 30), Clip::new(Size::SMALL, 30));
    let expect = [(false, true), (false, false), (true, true), (false, false)];
    for (asked, keyframe) in expect {
        let out = coded(&mut encoder, &clip.next(), asked);
        assert_eq!(out.keyframe, keyframe);
        let kinds = kinds(&out.data);
        assert_eq!(kinds.starts_with(&[7, 8, 5]), keyframe, "{kinds:?}");
        assert_eq!(kinds.contains(&5), keyframe);
    }
    assert!(coded(&mut encoder, &small.next(), false).keyframe);
    assert!(!coded(&mut encoder, &small.next(), false).keyframe);
    assert!(coded(&mut encoder, &clip.next(), false).keyframe);
}

#[test]
fn a_long_still_needs_no_keyframe() {
    let mut encoder = encoder(200);
    let frame = Clip::new(Size::SMALL, 30).next();
    let mut out = EncodedFrame::default();
    let keyframes = (0..600).filter(|_| encoder.encode(&frame, false, &mut out).unwrap() && out.keyframe).count();
    assert_eq!(keyframes, 1);
}

#[test]
fn a_cut_makes_no_keyframe() {
    let mut encoder = encoder(800);
    let mut clip = Clip::new(Size::NHD, 30);
    coded(&mut encoder, &clip.next(), false);
    coded(&mut encoder, &clip.next(), false);
    let inverted = clip.next();
    let pool = FramePool::new();
    let cut = pool.frame(Size::NHD, inverted.captured(), |y, u, v| {
        y.iter_mut().zip(inverted.y()).for_each(|(to, from)| *to = 255 - from);
        u.fill(60);
        v.fill(200);
    });
    let mut out = EncodedFrame::default();
    if encoder.encode(&cut, false, &mut out).unwrap() {
        assert!(!out.keyframe);
    }
}

#[test]
fn the_stream_is_constrained_baseline_at_the_level_that_fits() {
    for (width, height, level) in [(1280, 720, 31), (320, 180, 31), (1920, 1080, 40), (2560, 1440, 51)] {
        let size = Size::new(width, height).unwrap();
        let out = coded(&mut encoder(2000), &Clip::new(size, 30).next(), false);
        let at = out.data.windows(4).position(|w| w[..3] == [0, 0, 1] && w[3] & 0x1f == 7).unwrap();
        let [profile, constraints, level_idc] = out.data[at + 4..at + 7] else { panic!() };
        assert_eq!((profile, level_idc), (66, level), "{size}");
        assert_eq!(constraints & 0x40, 0x40, "constraint_set1 makes baseline constrained");
    }
}

#[test]
fn what_openh264_cannot_code_is_an_error_and_the_next_size_works() {
    let mut encoder = encoder(1000);
    let mut out = EncodedFrame::default();
    for (width, height) in [(2, 2), (4096, 2160), (4096, 4096)] {
        let frame = FramePool::new().frame(Size::new(width, height).unwrap(), Timestamp::ZERO, |_, _, _| {});
        assert!(encoder.encode(&frame, false, &mut out).is_err(), "{width}×{height}");
    }
    assert!(coded(&mut encoder, &Clip::new(Size::SMALL, 30).next(), false).keyframe);
    for (kbps, fps) in [(0, 30), (500, 0)] {
        assert!(encoder.set_target(VideoTarget { rate: BitRate::from_kbps(kbps), fps }).is_err());
    }
}

#[test]
fn units_fit_packets() {
    let mut encoder = encoder(2500);
    let mut clip = Clip::new(Size::HD, 30);
    let mut packetizer = Packetizer::new(1180, 1);
    let mut packets = Vec::new();
    for index in 0..20 {
        packets.clear();
        let out = coded(&mut encoder, &clip.next(), index == 10);
        packetizer.packetize(&out.data, 0, &mut packets);
        assert!(packets.iter().all(|p| p.payload.len() <= 1180));
        let fragments = packets.iter().filter(|p| p.payload[0] & 0x1f == 28).count();
        assert_eq!(fragments, 0, "picture {index} had units that don't fit");
    }
}

#[test]
fn pictures_survive_the_way_through_packets() {
    for (width, height) in [(320, 180), (638, 358), (66, 50), (180, 320)] {
        let size = Size::new(width, height).unwrap();
        let mut clip = Clip::new(size, 30);
        let (mut encoder, mut decoder) = (encoder(2000), Decoder::new(FramePool::new()).unwrap());
        let mut packetizer = Packetizer::new(1180, 65_530);
        let mut assembler = Assembler::new(VideoCodec::H264, AssemblerConfig::default());
        let now = Instant::now();
        for _ in 0..10 {
            let frame = clip.next();
            let out = coded(&mut encoder, &frame, false);
            let timestamp = frame.captured().to_rtp(VIDEO_CLOCK_HZ);
            let mut packets = Vec::new();
            packetizer.packetize(&out.data, timestamp, &mut packets);
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
fn the_decoder_refuses_too_large_pictures() {
    let mut decoder = Decoder::new(FramePool::new()).unwrap();
    // Baseline, level 5.2, 512 by 8 macroblocks: 8192×128.
    let sps = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x34, 0xda, 0x00, 0x20, 0x01, 0x19];
    let error = decoder.decode(&sps, Clip::new(Size::SMALL, 30).next().captured()).unwrap_err();
    assert!(matches!(&error, CodecError::Decode { reason, .. } if reason.contains("8192")), "{error}");
}

#[test]
fn after_an_error_the_decoder_goes_on_with_the_next_keyframe() {
    let (mut encoder, mut decoder) = (encoder(1000), Decoder::new(FramePool::new()).unwrap());
    let mut clip = Clip::new(Size::NHD, 30);
    let first = coded(&mut encoder, &clip.next(), false);
    let mut broken = first.data.clone();
    broken.iter_mut().skip(40).step_by(3).for_each(|byte| *byte ^= 0x5a);
    let _ = decoder.decode(&broken, first.captured);
    for _ in 0..3 {
        let out = coded(&mut encoder, &clip.next(), true);
        assert!(decoder.decode(&out.data, out.captured).unwrap().is_some());
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn the_decoder_survives_any_bytes(units in proptest::collection::vec(proptest::collection::vec(0u8.., 0..200), 0..8)) {
        let mut decoder = Decoder::new(FramePool::new()).unwrap();
        for unit in units {
            let mut annexb = vec![0, 0, 0, 1];
            annexb.extend(unit);
            let _ = decoder.decode(&annexb, Timestamp::ZERO);
        }
    }

    #[test]
    fn the_decoder_survives_damage(seed: u64, at in 0usize..2000, flips in 1u8..) {
        let (mut encoder, mut decoder) = (encoder(300), Decoder::new(FramePool::new()).unwrap());
        let mut clip = Clip::new(Size::SMALL, 30);
        for index in 0..4 {
            let mut out = coded(&mut encoder, &clip.next(), false);
            if index > 0 || seed % 2 == 0 {
                let len = out.data.len();
                out.data[at % len] ^= flips;
                out.data.truncate(len - (seed as usize % len.min(64)));
            }
            let _ = decoder.decode(&out.data, out.captured);
        }
        let good = coded(&mut encoder, &clip.next(), true);
        // One whole keyframe may go into clearing up; the next must be seen.
        let first = decoder.decode(&good.data, good.captured);
        let again = coded(&mut encoder, &clip.next(), true);
        let second = decoder.decode(&again.data, again.captured);
        proptest::prop_assert!(matches!(second, Ok(Some(_))), "{first:?} {second:?}");
    }
}
