//! Pictures made smaller, for a path that doesn't carry the camera's size.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use visavis_frame::{FramePool, Size, VideoFrame};

/// Scales pictures; keeps what the library needs for that between them.
#[derive(Default)]
pub(crate) struct Scaler(Resizer);

impl Scaler {
    /// The picture in that size; a picture that has it already isn't copied.
    pub(crate) fn scale(&mut self, frame: &VideoFrame, size: Size, pool: &FramePool) -> VideoFrame {
        if frame.size() == size {
            return frame.clone();
        }
        let (from, to) = (dimensions(frame.size()), dimensions(size));
        let half = |(width, height): (u32, u32)| (width / 2, height / 2);
        pool.frame(size, frame.captured(), |y, u, v| {
            self.plane(frame.y(), from, y, to);
            self.plane(frame.u(), half(from), u, half(to));
            self.plane(frame.v(), half(from), v, half(to));
        })
    }

    fn plane(&mut self, from: &[u8], (width, height): (u32, u32), to: &mut [u8], (new_width, new_height): (u32, u32)) {
        // Averaging over what a pixel covers: sharper filters cost more and ring in a picture that is coded at a low rate.
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let planes = TypedImageRef::<U8>::from_buffer(width, height, from)
            .ok()
            .zip(TypedImage::<U8>::from_buffer(new_width, new_height, to).ok());
        let Some((from, mut to)) = planes else { return };
        if let Err(error) = self.0.resize_typed(&from, &mut to, &options) {
            tracing::warn!(%error, "a picture couldn't be made smaller");
        }
    }
}

/// Sides are at most [`visavis_frame::MAX_SIDE`].
fn dimensions(size: Size) -> (u32, u32) {
    (size.width() as u32, size.height() as u32)
}

#[cfg(test)]
mod tests {
    use visavis_frame::Timestamp;

    use super::*;

    #[test]
    fn what_is_where_stays_where_it_is() {
        let pool = FramePool::new();
        let frame = pool.frame(Size::HD, Timestamp::from_micros(7), |y, u, v| {
            for (row, line) in y.chunks_exact_mut(1280).enumerate() {
                line[..640].fill(if row < 360 { 40 } else { 80 });
                line[640..].fill(200);
            }
            u.fill(90);
            v.fill(160);
        });
        let small = Scaler::default().scale(&frame, Size::NHD, &pool);
        assert_eq!((small.size(), small.captured()), (Size::NHD, Timestamp::from_micros(7)));
        let at = |x: usize, y: usize| small.y()[y * 640 + x];
        assert_eq!((at(100, 100), at(100, 300), at(500, 20), at(639, 359)), (40, 80, 200, 200));
        assert!(small.u().iter().all(|&u| u == 90) && small.v().iter().all(|&v| v == 160));
    }
}
