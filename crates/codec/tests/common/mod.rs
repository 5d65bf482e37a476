//! A synthetic clip for the tests.

use std::time::Duration;

use visavis_frame::{FramePool, Size, Timestamp, VideoFrame};

/// A picture that moves everywhere: a texture that drifts, a disc that bounces, a grain that changes.
pub(crate) struct Clip {
    pool: FramePool,
    size: Size,
    /// Pictures a second.
    pub(crate) fps: u32,
    /// Number of the next picture.
    pub(crate) index: u32,
}

impl Clip {
    /// A clip from its first picture on.
    pub(crate) fn new(size: Size, fps: u32) -> Self {
        Self { pool: FramePool::new(), size, fps, index: 0 }
    }

    /// The next picture.
    pub(crate) fn next(&mut self) -> VideoFrame {
        let at = Timestamp::ZERO + Duration::from_micros(u64::from(self.index) * 1_000_000 / u64::from(self.fps));
        let (width, t) = (self.size.width(), self.index as usize);
        self.index += 1;
        let (cx, cy) = (width / 2 + (t * 5) % (width / 4), self.size.height() / 2);
        self.pool.frame(self.size, at, |y, u, v| {
            let mut grain = t as u32 | 1;
            for (i, pixel) in y.iter_mut().enumerate() {
                let (px, py) = (i % width, i / width);
                grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let texture = (((px + 3 * t) / 9) ^ ((py + t) / 7)) as u8 & 0x3f;
                let disc = if px.abs_diff(cx).pow(2) + py.abs_diff(cy).pow(2) < width * 8 { 90 } else { 0 };
                *pixel = 40 + texture + disc + (grain >> 29) as u8;
            }
            u.iter_mut().enumerate().for_each(|(i, p)| *p = 110 + ((i + t) / 16 % 32) as u8);
            v.iter_mut().enumerate().for_each(|(i, p)| *p = 120 + ((i / 7 + t) % 24) as u8);
        })
    }
}
