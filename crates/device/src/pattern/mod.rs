//! A moving test pattern that looks like somebody at a desk, with the frame's number and time burnt in.
//!
//! People see a friendly figure and a counter; programs read number and time back from the decoded picture with
//! [`read`], at any size and after any codec, which is how delay, order and loss are measured end to end.

mod canvas;
mod figure;
mod glyph;
mod stamp;

use std::task::{Context, Poll};

use visavis_frame::{FramePool, Timestamp, VideoFrame};

use self::canvas::Canvas;
use self::figure::Scene;
pub use self::stamp::{Stamp, read};
use crate::error::DeviceError;
use crate::pacing::FramePacer;
use crate::traits::{Camera, VideoFormat};

/// A camera that draws its pictures.
#[derive(Debug)]
pub struct TestPattern {
    format: VideoFormat,
    scene: Scene,
    pacer: FramePacer,
    pool: FramePool,
}

impl TestPattern {
    /// A pattern of any size and rate, in one of several looks (from 1; they repeat beyond the last).
    #[must_use]
    pub fn new(format: VideoFormat, look: u32, pool: FramePool) -> Self {
        let format = VideoFormat { fps: format.fps.max(1), ..format };
        Self { format, scene: Scene::new(format.size, look), pacer: FramePacer::new(format.fps, 1), pool }
    }

    /// Draws the picture that carries `stamp`.
    #[must_use]
    pub fn draw(&self, stamp: Stamp) -> VideoFrame {
        let size = self.format.size;
        self.pool.frame(size, stamp.captured, |y, u, v| {
            let mut canvas = Canvas::new(size, y, u, v);
            self.scene.draw(&mut canvas, stamp.captured);
            stamp::draw(&mut canvas, stamp);
        })
    }
}

impl Camera for TestPattern {
    fn name(&self) -> &str {
        "Test pattern"
    }

    fn format(&self) -> VideoFormat {
        self.format
    }

    fn poll_frame(&mut self, _: &mut Context<'_>, now: Timestamp) -> Poll<Result<VideoFrame, DeviceError>> {
        let Some(due) = self.pacer.take(now) else { return Poll::Pending };
        // Numbers wrap after four years at 30 a second.
        let frame = (due.number & u64::from(u32::MAX)) as u32;
        Poll::Ready(Ok(self.draw(Stamp { frame, captured: due.at })))
    }

    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.pacer.next_due(now))
    }
}

#[cfg(test)]
mod tests;
