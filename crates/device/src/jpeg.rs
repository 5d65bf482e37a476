//! JPEG pictures (ITU-T T.81) to I420, with no detour over RGB: what webcams send where USB has no room for more, and what
//! MJPEG files are made of.

use visavis_frame::{FramePool, MAX_SIDE, Size, Timestamp, VideoFrame};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

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

/// The segment (APP0) that tells the decoder to take the usual tables.
const MJPEG_MARK: &[u8] = b"\xFF\xE0\x00\x07AVI1\0";

/// Whether a picture leaves its Huffman tables out, as webcams may that follow OpenDML's MJPEG: the tables are those of
/// T.81, annex K.3, then.
fn lacks_tables(data: &[u8]) -> bool {
    const HUFFMAN_TABLES: u8 = 0xC4;
    const START_OF_SCAN: u8 = 0xDA;
    let mut rest = data.get(2..).unwrap_or_default();
    while let [0xFF, marker, high, low, ..] = *rest {
        match marker {
            HUFFMAN_TABLES => return false,
            START_OF_SCAN => return true,
            _ => rest = rest.get(2 + usize::from(u16::from_be_bytes([high, low]))..).unwrap_or_default(),
        }
    }
    false
}

/// Decodes JPEG pictures (ITU-T T.81, JFIF colours) and keeps its buffers between them.
#[derive(Debug, Default)]
pub(crate) struct JpegReader {
    decoded: Vec<u8>,
    marked: Vec<u8>,
}

impl JpegReader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Decodes a picture. An odd last row or column is left out. One that is damaged so far that the decoder notices is
    /// an error: a picture late is better than half a picture.
    pub(crate) fn read(&mut self, data: &[u8], captured: Timestamp, pool: &FramePool) -> Result<VideoFrame, JpegError> {
        let words = |why: zune_jpeg::errors::DecodeErrors| JpegError::Decode(why.to_string());
        let side = MAX_SIDE as usize;
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(side)
            .set_max_height(side)
            .jpeg_set_out_colorspace(ColorSpace::YCbCr);
        let data = if lacks_tables(data) {
            self.marked.clear();
            self.marked.extend_from_slice(&[0xFF, 0xD8]);
            self.marked.extend_from_slice(MJPEG_MARK);
            self.marked.extend_from_slice(&data[2..]);
            &self.marked
        } else {
            data
        };
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
    /// 17×13 pixels of the same, 4:2:0.
    pub(crate) const ODD_JPEG: &[u8] = include_bytes!("../testdata/odd.jpg");
    /// 16×16 pixels of the same, 4:2:0, in several scans.
    pub(crate) const PROGRESSIVE_JPEG: &[u8] = include_bytes!("../testdata/progressive.jpg");
    /// 16×16 pixels of #808080, with no chroma.
    pub(crate) const GREY_JPEG: &[u8] = include_bytes!("../testdata/grey.jpg");
    /// 16×16 pixels in four inks.
    pub(crate) const CMYK_JPEG: &[u8] = include_bytes!("../testdata/cmyk.jpg");
    /// 64×48 pixels, no two alike, 4:2:2.
    pub(crate) const DETAILED_JPEG: &[u8] = include_bytes!("../testdata/detail.jpg");
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
    fn jpeg_colours_come_out_in_limited_range() {
        let frame = JpegReader::new().read(samples::ORANGE_JPEG, Timestamp::ZERO, &FramePool::new()).unwrap();
        assert_eq!(frame.size(), size(16, 16));
        assert!(is_orange(&frame), "{:?}", frame.i420());
    }

    /// #E08030 in BT.601 limited range, worked out by hand.
    fn is_orange(frame: &VideoFrame) -> bool {
        let near = |plane: &[u8], value: u8| plane.iter().all(|&p| p.abs_diff(value) <= 3);
        near(frame.y(), 142) && near(frame.u(), 76) && near(frame.v(), 176)
    }

    #[test]
    fn the_tables_reach_the_ends_of_the_range() {
        assert_eq!((LUMA[0], LUMA[255]), (16, 235));
        assert_eq!((CHROMA[0], CHROMA[128], CHROMA[255]), (16, 128, 240));
    }

    fn read(data: &[u8]) -> Result<VideoFrame, JpegError> {
        JpegReader::new().read(data, Timestamp::ZERO, &FramePool::new())
    }

    #[test]
    fn an_odd_row_and_column_are_left_out() {
        let frame = read(samples::ODD_JPEG).unwrap();
        assert_eq!(frame.size(), size(16, 12));
        assert!(is_orange(&frame), "{:?}", frame.i420());
    }

    #[test]
    fn several_scans_no_chroma_and_four_inks() {
        assert!(is_orange(&read(samples::PROGRESSIVE_JPEG).unwrap()));
        let grey = read(samples::GREY_JPEG).unwrap();
        assert!(grey.y().iter().all(|y| y.abs_diff(126) <= 1) && grey.u().iter().chain(grey.v()).all(|c| *c == 128));
        assert_eq!(read(samples::CMYK_JPEG).err(), Some(JpegError::Colours));
    }

    /// Without its segments of one kind, up to the first scan.
    fn without_segments(data: &[u8], marker: u8) -> Vec<u8> {
        let (mut kept, mut at) = (data[..2].to_vec(), 2);
        while data[at + 1] != 0xDA {
            let next = at + 2 + usize::from(u16::from_be_bytes([data[at + 2], data[at + 3]]));
            if data[at + 1] != marker {
                kept.extend_from_slice(&data[at..next]);
            }
            at = next;
        }
        kept.extend_from_slice(&data[at..]);
        kept
    }

    #[test]
    fn the_usual_huffman_tables_needn_t_be_sent() {
        let bare = without_segments(samples::DETAILED_JPEG, 0xC4);
        assert!(bare.len() < samples::DETAILED_JPEG.len());
        assert_eq!(read(&bare).unwrap().i420(), read(samples::DETAILED_JPEG).unwrap().i420());
    }

    #[test]
    fn a_picture_that_was_cut_off_is_not_shown() {
        let whole = samples::DETAILED_JPEG;
        for cut in [20, whole.len() / 4, whole.len() / 2] {
            assert!(read(&whole[..whole.len() - cut]).is_err(), "without its last {cut} bytes");
        }
        // A driver's buffer is longer than the picture, and what follows is the rest of an older one.
        let followed = [whole, &whole[whole.len() / 2..], &[0; 100]].concat();
        assert_eq!(read(&followed).unwrap().i420(), read(whole).unwrap().i420());
    }

    #[test]
    fn a_size_beyond_all_cameras_is_refused() {
        let mut data = samples::ORANGE_JPEG.to_vec();
        let at = data.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
        data[at + 5..at + 9].copy_from_slice(&[0xFF; 4]);
        assert!(read(&data).is_err());
        data[at + 5..at + 9].copy_from_slice(&[0, 0, 0, 0]);
        assert!(read(&data).is_err());
        data[at + 5..at + 9].copy_from_slice(&[0, 1, 0, 1]);
        assert!(matches!(read(&data), Err(JpegError::Size { width: 1, height: 1 })));
    }

    prop_compose! {
        /// One of the samples with some bytes changed, cut off somewhere.
        fn broken_jpeg()(
            which in prop::sample::select(vec![
                samples::ORANGE_JPEG, samples::ODD_JPEG, samples::PROGRESSIVE_JPEG, samples::GREY_JPEG,
                samples::CMYK_JPEG, samples::DETAILED_JPEG,
            ]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            length in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) -> Vec<u8> {
            let mut data = which.to_vec();
            for (at, byte) in changes {
                let at = at.index(data.len());
                data[at] = byte;
            }
            if cut {
                data.truncate(length.index(data.len()));
            }
            data
        }
    }

    proptest! {
        #[test]
        fn a_broken_jpeg_is_an_error_or_a_picture(data in broken_jpeg()) {
            if let Ok(frame) = read(&data) {
                prop_assert_eq!(frame.y().len(), frame.size().luma_len());
            }
        }

        #[test]
        fn no_bytes_are_a_panic(rest in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&[&[0xFF, 0xD8, 0xFF], &rest[..]].concat());
        }
    }
}
