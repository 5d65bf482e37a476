//! The encoder holds its rate over a moving picture, follows a new target in both directions without a keyframe, and makes
//! keyframes only when it should.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Clip;
use visavis_codec::h264::Encoder;
use visavis_codec::{EncodedFrame, VideoEncoder, VideoTarget};
use visavis_frame::{BitRate, Size};

struct Run {
    bps: f64,
    keyframes: usize,
    dropped: usize,
}

fn run(encoder: &mut Encoder, clip: &mut Clip, seconds: u32) -> Run {
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

fn target(kbps: u64, fps: u32) -> VideoTarget {
    VideoTarget { rate: BitRate::from_kbps(kbps), fps }
}

fn assert_holds(what: &str, run: &Run, kbps: u64, frames: u32) {
    let share = run.bps / (kbps as f64 * 1000.0);
    let dropped = run.dropped as f64 / f64::from(frames);
    assert!((0.9..=1.1).contains(&share), "{what}: {share:.2} of {kbps} kb/s");
    assert!(dropped < 0.1, "{what}: {dropped:.2} of the pictures dropped at {kbps} kb/s");
}

#[test]
fn the_rate_holds_from_small_to_hd() {
    for (size, fps, kbps) in [
        (Size::SMALL, 15, 150),
        (Size::SMALL, 30, 300),
        (Size::NHD, 30, 800),
        (Size::HD, 30, 1_500),
        (Size::HD, 30, 2_500),
    ] {
        let mut encoder = Encoder::new(target(kbps, fps)).unwrap();
        let mut clip = Clip::new(size, fps);
        let first = run(&mut encoder, &mut clip, 3);
        assert_eq!(first.keyframes, 1);
        assert_holds(&format!("{size} from the start"), &first, kbps, fps * 3);
        let second = run(&mut encoder, &mut clip, 3);
        assert_eq!(second.keyframes, 0);
        assert_holds(&format!("{size} later"), &second, kbps, fps * 3);
    }
}

#[test]
fn a_new_target_is_followed_both_ways_without_a_keyframe() {
    let mut encoder = Encoder::new(target(800, 30)).unwrap();
    let mut clip = Clip::new(Size::NHD, 30);
    run(&mut encoder, &mut clip, 2);
    for kbps in [300, 1500, 600, 250, 2000, 800] {
        encoder.set_target(target(kbps, 30)).unwrap();
        let after = run(&mut encoder, &mut clip, 3);
        assert_eq!(after.keyframes, 0);
        assert_holds("new target", &after, kbps, 90);
    }
}

#[test]
fn a_new_cadence_keeps_the_rate() {
    let mut encoder = Encoder::new(target(600, 30)).unwrap();
    let mut clip = Clip::new(Size::NHD, 30);
    run(&mut encoder, &mut clip, 2);
    encoder.set_target(target(600, 15)).unwrap();
    clip.index /= 2;
    clip.fps = 15;
    let after = run(&mut encoder, &mut clip, 3);
    assert_eq!(after.keyframes, 0);
    assert_holds("half the cadence", &after, 600, 45);
}
