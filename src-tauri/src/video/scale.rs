//! Pictures made smaller by a whole factor: the mean of each square. Enough for the self view, and cheap.

use visavis_engine::frame::{Size, VideoFrame};

/// The size of a picture of `size` shrunk by `factor`: even sides, at least 2.
pub(super) fn shrunk(size: Size, factor: usize) -> (usize, usize) {
    let side = |side: usize| (side / factor / 2).max(1) * 2;
    (side(size.width()), side(size.height()))
}

/// Appends the three planes of `frame`, shrunk by `factor`, to `out`.
pub(super) fn shrink(frame: &VideoFrame, factor: usize, out: &mut Vec<u8>) {
    let (width, height) = shrunk(frame.size(), factor);
    let stride = frame.size().width();
    plane(frame.y(), stride, factor, width, height, out);
    plane(frame.u(), stride / 2, factor, width / 2, height / 2, out);
    plane(frame.v(), stride / 2, factor, width / 2, height / 2, out);
}

fn plane(from: &[u8], stride: usize, factor: usize, width: usize, height: usize, out: &mut Vec<u8>) {
    let rows = from.len() / stride.max(1);
    for row in 0..height {
        for column in 0..width {
            let (mut sum, mut count) = (0u32, 0u32);
            for y in (row * factor..(row + 1) * factor).take_while(|y| *y < rows) {
                let start = y * stride + (column * factor).min(stride);
                let end = y * stride + ((column + 1) * factor).min(stride);
                sum += from[start..end].iter().map(|p| u32::from(*p)).sum::<u32>();
                count += (end - start) as u32;
            }
            // A square outside of the picture can't be: sides were divided, rounding down.
            out.push(u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use visavis_engine::frame::{FramePool, Timestamp};

    use super::*;

    #[test]
    fn the_mean_of_each_square_stays() {
        let Ok(size) = Size::new(8, 4) else { return };
        let frame = FramePool::new().frame(size, Timestamp::ZERO, |y, u, v| {
            for (i, p) in y.iter_mut().enumerate() {
                *p = if i % 8 < 4 { 100 } else { 200 };
            }
            u.fill(7);
            v.fill(9);
        });
        assert_eq!(shrunk(size, 2), (4, 2));
        let mut out = Vec::new();
        shrink(&frame, 2, &mut out);
        assert_eq!(out, [100, 100, 200, 200, 100, 100, 200, 200, 7, 7, 9, 9]);
    }
}
