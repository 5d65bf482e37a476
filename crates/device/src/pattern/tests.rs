//! The test pattern read back from pictures that a codec, a scaler or noise has been at.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use visavis_frame::Size;

use super::*;

fn pattern(width: u32, height: u32) -> TestPattern {
    TestPattern::new(VideoFormat { size: Size::new(width, height).unwrap(), fps: 30 }, 1, FramePool::new())
}

/// Nearest neighbour, the worst that a scaler can do.
fn scaled(frame: &VideoFrame, size: Size) -> VideoFrame {
    let from = frame.size();
    FramePool::new().frame(size, Timestamp::ZERO, |y, u, v| {
        for (index, pixel) in y.iter_mut().enumerate() {
            let (x, row) = (index % size.width(), index / size.width());
            *pixel = frame.y()[row * from.height() / size.height() * from.width() + x * from.width() / size.width()];
        }
        u.fill(128);
        v.fill(128);
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_stamp_reads_back_at_any_size(
        frame in any::<u32>(), micros in 0..=stamp::MOST_MICROS,
        // What is scaled without smoothing keeps five pixels for a cell, as 240 across have; with fewer some are misread.
        width in 80u32..1000, height in 30u32..600, to_width in 120u32..1000, to_height in 60u32..600,
    ) {
        let stamp = Stamp { frame, captured: Timestamp::from_micros(micros) };
        let drawn = pattern(width * 2, height * 2).draw(stamp);
        prop_assert_eq!(read(&drawn), Some(stamp));
        if width * 2 >= 160 && height * 2 >= 90 {
            let smaller = scaled(&drawn, Size::new(to_width * 2, to_height * 2).unwrap());
            prop_assert_eq!(read(&smaller), Some(stamp));
        }
    }
}

#[test]
fn a_picture_that_carries_no_stamp_has_none() {
    let pool = FramePool::new();
    let grey = pool.frame(Size::SMALL, Timestamp::ZERO, |y, u, v| [y, u, v].into_iter().for_each(|p| p.fill(128)));
    assert_eq!(read(&grey), None);
    let noise = pool.frame(Size::SMALL, Timestamp::ZERO, |y, _, _| {
        y.iter_mut().enumerate().for_each(|(i, p)| *p = ((i * 7919) >> 3) as u8);
    });
    assert_eq!(read(&noise), None);
    let tiny = pool.frame(Size::new(2, 2).unwrap(), Timestamp::ZERO, |_, _, _| {});
    assert_eq!(read(&tiny), None);
}

#[test]
fn the_stamp_survives_noise() {
    let stamp = Stamp { frame: 123_456, captured: Timestamp::from_micros(987_654_321) };
    let drawn = pattern(320, 180).draw(stamp);
    let noisy = FramePool::new().frame(drawn.size(), Timestamp::ZERO, |y, _, _| {
        let mut seed = 1u32;
        for (to, from) in y.iter_mut().zip(drawn.y()) {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *to = (i32::from(*from) + (seed >> 24) as i32 / 2 - 64).clamp(0, 255) as u8;
        }
    });
    assert_eq!(read(&noisy), Some(stamp));
}

#[test]
fn pictures_come_at_their_rate_and_move() {
    let mut camera = pattern(320, 180);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut now = Timestamp::from_micros(5_000_000);
    let mut last: Option<VideoFrame> = None;
    for number in 0..30 {
        let Poll::Ready(Ok(frame)) = camera.poll_frame(&mut cx, now) else { panic!("no picture at {now:?}") };
        assert!(camera.poll_frame(&mut cx, now).is_pending());
        assert_eq!(read(&frame), Some(Stamp { frame: number, captured: now }));
        assert_eq!(frame.captured(), now);
        assert!(last.is_none_or(|last| last.u() != frame.u() || last.y() != frame.y()));
        last = Some(frame);
        now = camera.next_due(now).unwrap();
    }
    assert_eq!(now.as_micros(), 6_000_000);
}
