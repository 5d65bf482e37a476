//! How close a picture came to its source.

use visavis_frame::{FramePool, Size, VideoFrame};

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

/// Structural similarity of the luma planes, 1 for identical ones and 0 for pictures of different sizes: the mean of Wang's
/// index (IEEE Transactions on Image Processing 13(4), 2004) over blocks of 8 × 8, without its weighting.
#[must_use]
pub fn ssim_y(a: &VideoFrame, b: &VideoFrame) -> f64 {
    if a.size() != b.size() {
        return 0.0;
    }
    let (width, height) = (a.size().width(), a.size().height());
    let corners = (0..=height.saturating_sub(BLOCK)).step_by(BLOCK);
    let blocks = corners.flat_map(|y| (0..=width.saturating_sub(BLOCK)).step_by(BLOCK).map(move |x| (x, y)));
    let (sum, count) = blocks.fold((0.0, 0_u32), |(sum, count), (x, y)| {
        let rows = (y..(y + BLOCK).min(height)).map(|row| row * width + x..row * width + (x + BLOCK).min(width));
        (sum + similarity(rows.flat_map(|row| a.y()[row.clone()].iter().zip(&b.y()[row]))), count + 1)
    });
    sum / f64::from(count.max(1))
}

const BLOCK: usize = 8;

/// Of one block.
fn similarity<'a>(pairs: impl Iterator<Item = (&'a u8, &'a u8)>) -> f64 {
    const C1: f64 = 6.5025;
    const C2: f64 = 58.5225;
    let (mut n, mut sums, mut squares, mut product) = (0.0, (0.0, 0.0), (0.0, 0.0), 0.0);
    for (&a, &b) in pairs {
        let (a, b) = (f64::from(a), f64::from(b));
        n += 1.0;
        sums = (sums.0 + a, sums.1 + b);
        squares = (squares.0 + a * a, squares.1 + b * b);
        product += a * b;
    }
    let means = (sums.0 / n, sums.1 / n);
    let variances = (squares.0 / n - means.0 * means.0, squares.1 / n - means.1 * means.1);
    let covariance = product / n - means.0 * means.1;
    (2.0 * means.0 * means.1 + C1) * (2.0 * covariance + C2)
        / ((means.0 * means.0 + means.1 * means.1 + C1) * (variances.0 + variances.1 + C2))
}

/// The picture in another size, each pixel between the four nearest ones: to compare a picture that was made smaller for
/// the way with its source.
#[must_use]
pub fn resized(frame: &VideoFrame, size: Size, pool: &FramePool) -> VideoFrame {
    if frame.size() == size {
        return frame.clone();
    }
    let (from, to) = ((frame.size().width(), frame.size().height()), (size.width(), size.height()));
    pool.frame(size, frame.captured(), |y, u, v| {
        plane(frame.y(), from, y, to);
        plane(frame.u(), (from.0 / 2, from.1 / 2), u, (to.0 / 2, to.1 / 2));
        plane(frame.v(), (from.0 / 2, from.1 / 2), v, (to.0 / 2, to.1 / 2));
    })
}

fn plane(from: &[u8], (width, height): (usize, usize), to: &mut [u8], (new_width, new_height): (usize, usize)) {
    let columns: Vec<_> = (0..new_width).map(|x| between(x, new_width, width)).collect();
    for (y, row) in to.chunks_exact_mut(new_width).enumerate() {
        let (top, bottom, down) = between(y, new_height, height);
        for (pixel, &(left, right, along)) in row.iter_mut().zip(&columns) {
            let at = |x: usize, y: usize| u32::from(from[y * width + x]);
            let above = at(left, top) * (256 - along) + at(right, top) * along;
            let below = at(left, bottom) * (256 - along) + at(right, bottom) * along;
            // A mean of bytes is one.
            *pixel = ((above * (256 - down) + below * down + (1 << 15)) >> 16) as u8;
        }
    }
}

/// The two places of an axis of `old` pixels between which one of `new` lies, and how far along, of 256.
fn between(at: usize, new: usize, old: usize) -> (usize, usize, u32) {
    let place = ((at as f64 + 0.5) * old as f64 / new as f64 - 0.5).clamp(0.0, (old - 1) as f64);
    let before = place as usize;
    (before, (before + 1).min(old - 1), ((place - before as f64) * 256.0) as u32)
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

    fn stripes(size: Size, contrast: u8) -> VideoFrame {
        FramePool::new().frame(size, Timestamp::ZERO, |y, u, v| {
            y.iter_mut().enumerate().for_each(|(i, y)| *y = if i / 4 % 2 == 0 { 100 } else { 100 + contrast });
            u.fill(128);
            v.fill(128);
        })
    }

    #[test]
    fn structure_that_is_gone_is_seen() {
        let (sharp, faint, flat) = (stripes(Size::SMALL, 60), stripes(Size::SMALL, 50), grey(130, Size::SMALL));
        assert!((ssim_y(&sharp, &sharp) - 1.0).abs() < 1e-9);
        assert!(ssim_y(&sharp, &faint) > 0.95, "{}", ssim_y(&sharp, &faint));
        assert!(ssim_y(&sharp, &flat) < 0.2, "{}", ssim_y(&sharp, &flat));
    }

    #[test]
    fn another_size_shows_the_same() {
        let pool = FramePool::new();
        let large = resized(&grey(77, Size::SMALL), Size::HD, &pool);
        assert!(large.size() == Size::HD && large.y().iter().all(|&y| y == 77));
        let ramp = pool.frame(Size::SMALL, Timestamp::ZERO, |y, u, v| {
            y.chunks_exact_mut(320).for_each(|row| row.iter_mut().enumerate().for_each(|(x, y)| *y = (x / 2) as u8));
            u.fill(1);
            v.fill(2);
        });
        let there_and_back = resized(&resized(&ramp, Size::HD, &pool), Size::SMALL, &pool);
        assert!(psnr_y(&ramp, &there_and_back) > 45.0, "{}", psnr_y(&ramp, &there_and_back));
    }
}
