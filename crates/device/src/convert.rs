//! From what cameras deliver to I420, with no detour over RGB.
//!
//! What a driver says about its buffers isn't always true (on macOS every one is called grey), so the layout is worked
//! out from the length and the first bytes.

use visavis_frame::{FramePool, MAX_SIDE, Size, Timestamp, VideoFrame};
use yuv::{BufferStoreMut, YuvPackedImage, YuvPlanarImageMut, yuyv422_to_yuv420};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

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

/// A JPEG picture that can't be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JpegError {
    /// The decoder's words.
    #[error("the JPEG picture can't be decoded: {0}")]
    Decode(String),
    /// Neither YCbCr nor grey.
    #[error("the JPEG picture has colours of a kind that no camera gives")]
    Colours,
    /// Zero, or too large.
    #[error("a JPEG picture of {width}×{height} can't be shown")]
    Size {
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
    },
}

/// Decodes JPEG pictures (ITU-T T.81, JFIF colours) and keeps its buffer between them.
#[derive(Debug, Default)]
pub(crate) struct JpegReader {
    decoded: Vec<u8>,
}

impl JpegReader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Decodes a picture. An odd last row or column is left out.
    pub(crate) fn read(&mut self, data: &[u8], captured: Timestamp, pool: &FramePool) -> Result<VideoFrame, JpegError> {
        let words = |why: zune_jpeg::errors::DecodeErrors| JpegError::Decode(why.to_string());
        let side = MAX_SIDE as usize;
        let options = DecoderOptions::default()
            .set_max_width(side)
            .set_max_height(side)
            .jpeg_set_out_colorspace(ColorSpace::YCbCr);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data), options);
        decoder.decode_headers().map_err(words)?;
        let channels = match decoder.input_colorspace() {
            Some(ColorSpace::YCbCr) => 3,
            Some(ColorSpace::Luma) => 1,
            _ => return Err(JpegError::Colours),
        };
        if channels == 1 {
            decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
        }
        let info = decoder.info().ok_or(JpegError::Colours)?;
        let (width, height) = (usize::from(info.width), usize::from(info.height));
        let size = Size::new(u32::from(info.width & !1), u32::from(info.height & !1))
            .map_err(|_| JpegError::Size { width, height })?;
        self.decoded.resize(width * height * channels, 0);
        decoder.decode_into(&mut self.decoded).map_err(words)?;
        Ok(pool.frame(size, captured, |y, u, v| match channels {
            1 => from_grey(&self.decoded, width, size, y, u, v),
            _ => from_full_range(&self.decoded, width, size, y, u, v),
        }))
    }
}

/// Full range (JFIF) to limited range (BT.601), luma.
const LUMA: [u8; 256] = table(16, 219, 0);
/// The same for chroma, whose zero is 128.
const CHROMA: [u8; 256] = table(128, 224, 128);

/// `value − zero` scaled from 255 steps to `steps`, around `offset`.
const fn table(offset: i32, steps: i32, zero: i32) -> [u8; 256] {
    let mut table = [0; 256];
    let mut value = 0;
    while value < 256 {
        let scaled = (value as i32 - zero) * steps;
        let half = if scaled < 0 { -127 } else { 127 };
        table[value] = (offset + (scaled + half) / 255) as u8;
        value += 1;
    }
    table
}

fn from_grey(grey: &[u8], width: usize, size: Size, y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    for (to, from) in y.chunks_exact_mut(size.width()).zip(grey.chunks_exact(width)) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = LUMA[usize::from(*from)]);
    }
    u.fill(128);
    v.fill(128);
}

/// Pixels of Y, Cb and Cr to planes, chroma being the mean of four pixels.
fn from_full_range(pixels: &[u8], width: usize, size: Size, y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    let half = size.width() / 2;
    for (row, from) in pixels.chunks_exact(2 * 3 * width).enumerate().take(size.height() / 2) {
        let (upper, lower) = from.split_at(3 * width);
        let luma = &mut y[row * 2 * size.width()..][..2 * size.width()];
        let (y0, y1) = luma.split_at_mut(size.width());
        let (u, v) = (&mut u[row * half..][..half], &mut v[row * half..][..half]);
        let blocks = upper.chunks_exact(6).zip(lower.chunks_exact(6));
        for (x, (a, b)) in blocks.enumerate().take(half) {
            y0[2 * x] = LUMA[usize::from(a[0])];
            y0[2 * x + 1] = LUMA[usize::from(a[3])];
            y1[2 * x] = LUMA[usize::from(b[0])];
            y1[2 * x + 1] = LUMA[usize::from(b[3])];
            u[x] = CHROMA[mean(a[1], a[4], b[1], b[4])];
            v[x] = CHROMA[mean(a[2], a[5], b[2], b[5])];
        }
    }
}

fn mean(a: u8, b: u8, c: u8, d: u8) -> usize {
    (usize::from(a) + usize::from(b) + usize::from(c) + usize::from(d) + 2) / 4
}

#[cfg(test)]
pub(crate) mod samples {
    /// 16×16 pixels of #E08030, 4:2:2.
    pub(crate) const ORANGE_JPEG: &[u8] = include_bytes!("../testdata/orange.jpg");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

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

    #[test]
    fn jpeg_colours_come_out_in_limited_range() {
        let frame = JpegReader::new().read(samples::ORANGE_JPEG, Timestamp::ZERO, &FramePool::new()).unwrap();
        assert_eq!(frame.size(), size(16, 16));
        // #E08030 in BT.601 limited range, worked out by hand.
        let near = |plane: &[u8], value: u8| plane.iter().all(|&p| p.abs_diff(value) <= 3);
        assert!(near(frame.y(), 142) && near(frame.u(), 76) && near(frame.v(), 176), "{:?}", frame.i420());
    }

    #[test]
    fn the_tables_reach_the_ends_of_the_range() {
        assert_eq!((LUMA[0], LUMA[255]), (16, 235));
        assert_eq!((CHROMA[0], CHROMA[128], CHROMA[255]), (16, 128, 240));
    }

    proptest! {
        #[test]
        fn a_broken_jpeg_is_an_error_or_a_picture(at in 2usize..300, byte in any::<u8>(), cut in 0usize..600) {
            let mut data = samples::ORANGE_JPEG.to_vec();
            let at = at % data.len();
            data[at] = byte;
            data.truncate(data.len().saturating_sub(cut % 40));
            let _ = JpegReader::new().read(&data, Timestamp::ZERO, &FramePool::new());
        }
    }
}
