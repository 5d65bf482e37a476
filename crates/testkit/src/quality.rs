//! How close a picture came to its source.

use visavis_frame::VideoFrame;

/// Two identical pictures have no noise to measure; they are given this, which is above what 8 bits can otherwise show.
pub const IDENTICAL_DB: f64 = 100.0;

/// Peak signal-to-noise ratio of the luma planes, decibels; [`IDENTICAL_DB`] for identical ones and 0 for pictures of
/// different sizes.
#[must_use]
pub fn psnr_y(a: &VideoFrame, b: &VideoFrame) -> f64 {
    if a.size() != b.size() {
        return 0.0;
    }
    let squares: u64 = a.y().iter().zip(b.y()).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    if squares == 0 {
        return IDENTICAL_DB;
    }
    let mean = squares as f64 / a.y().len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

#[cfg(test)]
mod tests {
    use visavis_frame::{FramePool, Size, Timestamp};

    use super::*;

    fn grey(shade: u8, size: Size) -> VideoFrame {
        FramePool::new().frame(size, Timestamp::ZERO, |y, u, v| {
            y.fill(shade);
            u.fill(128);
            v.fill(128);
        })
    }

    #[test]
    fn noise_is_measured_in_decibels() {
        let (a, b) = (grey(100, Size::SMALL), grey(110, Size::SMALL));
        assert!((psnr_y(&a, &b) - 28.13).abs() < 0.01);
        assert!(psnr_y(&a, &a) >= IDENTICAL_DB);
        assert!(psnr_y(&a, &grey(100, Size::HD)) <= 0.0);
    }
}
