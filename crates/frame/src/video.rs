//! Pictures as the call carries them: I420, 8 bits, three tightly packed planes in one pooled buffer.
//!
//! Frames are cheap to clone (a reference count) and give their buffer back to the pool when the last clone goes, so a
//! running call allocates no pictures.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use crate::time::Timestamp;

/// The longest side that any part of Visavis handles, pixels. What a stranger sends beyond it is refused.
pub const MAX_SIDE: u32 = 4096;

/// Width and height in pixels; both even and at most [`MAX_SIDE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    width: u32,
    height: u32,
}

/// A picture's sides were zero, odd or beyond [`MAX_SIDE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeError {
    /// The width asked for.
    pub width: u32,
    /// The height asked for.
    pub height: u32,
}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{} isn't a picture size: sides must be even, from 2 to {MAX_SIDE}", self.width, self.height)
    }
}

impl std::error::Error for SizeError {}

impl Size {
    /// 1280×720.
    pub const HD: Self = Self { width: 1280, height: 720 };
    /// 640×360.
    pub const NHD: Self = Self { width: 640, height: 360 };
    /// 320×180.
    pub const SMALL: Self = Self { width: 320, height: 180 };

    /// A size.
    ///
    /// # Errors
    /// When a side is zero, odd (I420 halves both) or larger than [`MAX_SIDE`].
    pub const fn new(width: u32, height: u32) -> Result<Self, SizeError> {
        let good = width >= 2 && height >= 2 && width.is_multiple_of(2) && height.is_multiple_of(2);
        if good && width <= MAX_SIDE && height <= MAX_SIDE {
            Ok(Self { width, height })
        } else {
            Err(SizeError { width, height })
        }
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(self) -> usize {
        self.width as usize
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(self) -> usize {
        self.height as usize
    }

    /// Bytes of the luma plane.
    #[must_use]
    pub const fn luma_len(self) -> usize {
        self.width() * self.height()
    }

    /// Bytes of each chroma plane.
    #[must_use]
    pub const fn chroma_len(self) -> usize {
        self.luma_len() / 4
    }

    /// Bytes of a whole I420 picture.
    #[must_use]
    pub const fn i420_len(self) -> usize {
        self.luma_len() + 2 * self.chroma_len()
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}

type Buffers = Mutex<Vec<Vec<u8>>>;

/// Keeps the buffers of pictures that are gone, for those to come.
#[derive(Clone, Debug, Default)]
pub struct FramePool(Arc<Buffers>);

impl FramePool {
    /// More buffers than a pipeline ever holds at once would only be memory kept for nothing.
    const KEPT: usize = 8;

    /// An empty pool.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a picture; `fill` gets the luma, blue-difference and red-difference planes, whose old contents are arbitrary.
    pub fn frame(
        &self,
        size: Size,
        captured: Timestamp,
        fill: impl FnOnce(&mut [u8], &mut [u8], &mut [u8]),
    ) -> VideoFrame {
        let mut data = self.0.try_lock().ok().and_then(|mut kept| kept.pop()).unwrap_or_default();
        data.resize(size.i420_len(), 0);
        let (y, rest) = data.split_at_mut(size.luma_len());
        let (u, v) = rest.split_at_mut(size.chroma_len());
        fill(y, u, v);
        VideoFrame(Arc::new(Pixels { size, captured, data, home: Arc::downgrade(&self.0) }))
    }
}

#[derive(Debug)]
struct Pixels {
    size: Size,
    captured: Timestamp,
    data: Vec<u8>,
    home: Weak<Buffers>,
}

impl Drop for Pixels {
    fn drop(&mut self) {
        // Never wait for another thread here: a buffer that can't be returned at once is simply freed.
        if let Some(home) = self.home.upgrade()
            && let Ok(mut kept) = home.try_lock()
            && kept.len() < FramePool::KEPT
        {
            kept.push(std::mem::take(&mut self.data));
        }
    }
}

/// One I420 picture (4:2:0, 8 bits, BT.601 limited range unless a codec says otherwise).
#[derive(Clone)]
pub struct VideoFrame(Arc<Pixels>);

impl VideoFrame {
    /// Width and height.
    #[must_use]
    pub fn size(&self) -> Size {
        self.0.size
    }

    /// When the picture was captured (or, on the receiving side, the media time it was given).
    #[must_use]
    pub fn captured(&self) -> Timestamp {
        self.0.captured
    }

    /// Luma plane, `width` bytes a row, `height` rows.
    #[must_use]
    pub fn y(&self) -> &[u8] {
        &self.0.data[..self.0.size.luma_len()]
    }

    /// Blue-difference plane, `width / 2` bytes a row, `height / 2` rows.
    #[must_use]
    pub fn u(&self) -> &[u8] {
        let start = self.0.size.luma_len();
        &self.0.data[start..start + self.0.size.chroma_len()]
    }

    /// Red-difference plane, laid out as [`VideoFrame::u`].
    #[must_use]
    pub fn v(&self) -> &[u8] {
        &self.0.data[self.0.size.luma_len() + self.0.size.chroma_len()..]
    }

    /// All three planes, one behind the other.
    #[must_use]
    pub fn i420(&self) -> &[u8] {
        &self.0.data
    }
}

impl fmt::Debug for VideoFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VideoFrame").field("size", &self.0.size).field("captured", &self.0.captured).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_i420_cannot_hold_are_refused() {
        assert!(Size::new(1280, 720).is_ok());
        for (w, h) in [(0, 2), (3, 2), (2, 3), (MAX_SIDE + 2, 2)] {
            assert_eq!(Size::new(w, h), Err(SizeError { width: w, height: h }));
        }
    }

    #[test]
    fn a_dropped_frame_gives_its_buffer_back() {
        let pool = FramePool::new();
        let frame = pool.frame(Size::SMALL, Timestamp::ZERO, |y, u, v| {
            y.fill(1);
            u.fill(2);
            v.fill(3);
        });
        let at = frame.y().as_ptr();
        assert_eq!((frame.y()[0], frame.u()[0], frame.v()[0]), (1, 2, 3));
        drop(frame.clone());
        drop(frame);
        assert_eq!(pool.frame(Size::SMALL, Timestamp::ZERO, |_, _, _| {}).y().as_ptr(), at);
    }
}
