//! From what cameras deliver to I420, with no detour over RGB.
//!
//! What a driver says about its buffers isn't always true (on macOS every one is called grey), so the layout is worked
//! out from the length and the first bytes.

use visavis_frame::{FramePool, Size, Timestamp, VideoFrame};
use yuv::{BufferStoreMut, YuvPackedImage, YuvPlanarImageMut, yuyv422_to_yuv420};

/// How the pixels of a buffer lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A JPEG picture.
    Jpeg,
    /// 4:2:2, luma and chroma taking turns.
    Yuyv,
    /// 4:2:0, a luma plane and one of chroma pairs, with rows of `stride` bytes.
    Nv12 {
        /// Bytes from one row to the next.
        stride: usize,
    },
}

/// Works out how a buffer of a camera that was set to `size` lies; `None` when it is none of those that are known.
pub(crate) fn layout(buffer: &[u8], size: Size) -> Option<Layout> {
    /// Drivers pad rows to some power of two; more than this is another format.
    const MOST_PADDING: usize = 256;
    if buffer.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return Some(Layout::Jpeg);
    }
    if buffer.len() == 2 * size.luma_len() {
        return Some(Layout::Yuyv);
    }
    let rows = size.height() * 3 / 2;
    let stride = buffer.len() / rows;
    let nv12 =
        buffer.len() >= size.i420_len() && buffer.len().is_multiple_of(rows) && stride <= size.width() + MOST_PADDING;
    nv12.then_some(Layout::Nv12 { stride })
}

/// 4:2:2 to 4:2:0. `None` when the buffer is too short.
pub(crate) fn from_yuyv(buffer: &[u8], size: Size, captured: Timestamp, pool: &FramePool) -> Option<VideoFrame> {
    let yuy = buffer.get(..2 * size.luma_len())?;
    let (width, height) = (size.width() as u32, size.height() as u32);
    let packed = YuvPackedImage { yuy, yuy_stride: 2 * width, width, height };
    let mut converted = Ok(());
    let frame = pool.frame(size, captured, |y, u, v| {
        let mut planes = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(y),
            y_stride: width,
            u_plane: BufferStoreMut::Borrowed(u),
            u_stride: width / 2,
            v_plane: BufferStoreMut::Borrowed(v),
            v_stride: width / 2,
            width,
            height,
        };
        converted = yuyv422_to_yuv420(&mut planes, &packed);
    });
    converted.ok().map(|()| frame)
}

/// Splits the chroma pairs and drops padding. `None` when the buffer is too short.
pub(crate) fn from_nv12(
    buffer: &[u8],
    stride: usize,
    size: Size,
    captured: Timestamp,
    pool: &FramePool,
) -> Option<VideoFrame> {
    let (width, height) = (size.width(), size.height());
    if stride < width || buffer.len() < stride * height * 3 / 2 {
        return None;
    }
    let (luma, chroma) = buffer.split_at(stride * height);
    Some(pool.frame(size, captured, |y, u, v| {
        for (to, from) in y.chunks_exact_mut(width).zip(luma.chunks_exact(stride)) {
            to.copy_from_slice(&from[..width]);
        }
        let rows = u.chunks_exact_mut(width / 2).zip(v.chunks_exact_mut(width / 2));
        for ((u, v), from) in rows.zip(chroma.chunks_exact(stride)) {
            for ((u, v), pair) in u.iter_mut().zip(v).zip(from.chunks_exact(2)) {
                (*u, *v) = (pair[0], pair[1]);
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::jpeg::samples;

    fn size(width: u32, height: u32) -> Size {
        Size::new(width, height).unwrap()
    }

    #[test]
    fn layouts_are_told_by_length_and_first_bytes() {
        assert_eq!(layout(&[0; 1280 * 720 * 2], Size::HD), Some(Layout::Yuyv));
        assert_eq!(layout(&[0; 1280 * 720 * 3 / 2], Size::HD), Some(Layout::Nv12 { stride: 1280 }));
        assert_eq!(layout(&[0; 1344 * 720 * 3 / 2], Size::HD), Some(Layout::Nv12 { stride: 1344 }));
        assert_eq!(layout(samples::ORANGE_JPEG, Size::HD), Some(Layout::Jpeg));
        assert_eq!(layout(&[0; 1280 * 720 * 3], Size::HD), None);
        assert_eq!(layout(&[], Size::HD), None);
    }

    #[test]
    fn yuyv_keeps_luma_and_halves_chroma() {
        let buffer: Vec<u8> =
            (0..4u8).flat_map(|row| [10 + row, 100, 20 + row, 200, 30 + row, 60, 40 + row, 80]).collect();
        let frame = from_yuyv(&buffer, size(4, 4), Timestamp::ZERO, &FramePool::new()).unwrap();
        assert_eq!(frame.y(), [10, 20, 30, 40, 11, 21, 31, 41, 12, 22, 32, 42, 13, 23, 33, 43]);
        assert_eq!((frame.u(), frame.v()), (&[100, 60, 100, 60][..], &[200, 80, 200, 80][..]));
        assert!(from_yuyv(&buffer[..31], size(4, 4), Timestamp::ZERO, &FramePool::new()).is_none());
    }

    #[test]
    fn padding_of_nv12_is_left_out() {
        let buffer = [1, 2, 3, 4, 0, 0, 5, 6, 7, 8, 0, 0, 9, 10, 11, 12, 0, 0];
        let frame = from_nv12(&buffer, 6, size(4, 2), Timestamp::ZERO, &FramePool::new()).unwrap();
        assert_eq!((frame.y(), frame.u(), frame.v()), (&[1, 2, 3, 4, 5, 6, 7, 8][..], &[9, 11][..], &[10, 12][..]));
        assert!(from_nv12(&buffer[..17], 6, size(4, 2), Timestamp::ZERO, &FramePool::new()).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(
            rest in prop::collection::vec(any::<u8>(), 0..600),
            width in 1u32..40,
            height in 1u32..40,
        ) {
            let size = size(2 * width, 2 * height);
            let pool = FramePool::new();
            match layout(&rest, size) {
                Some(Layout::Yuyv) => prop_assert!(from_yuyv(&rest, size, Timestamp::ZERO, &pool).is_some()),
                Some(Layout::Nv12 { stride }) => {
                    prop_assert!(from_nv12(&rest, stride, size, Timestamp::ZERO, &pool).is_some());
                }
                Some(Layout::Jpeg) | None => {}
            }
            let _ = from_yuyv(&rest, size, Timestamp::ZERO, &pool);
            let _ = from_nv12(&rest, rest.len() % 97, size, Timestamp::ZERO, &pool);
        }
    }
}
