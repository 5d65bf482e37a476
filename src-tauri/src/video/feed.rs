//! The newest picture of each stream, for as many windows as look.

use tokio::sync::watch;
use visavis_engine::FrameSink;
use visavis_engine::frame::{Timestamp, VideoFrame};

use super::scale;

/// Side of the self view that is enough for its corner of the window, pixels.
const OWN_WIDTH: usize = 480;

/// One stream's newest picture.
#[derive(Clone, Debug)]
pub struct Feed(watch::Sender<Option<VideoFrame>>);

impl Default for Feed {
    fn default() -> Self {
        Self(watch::channel(None).0)
    }
}

impl Feed {
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<VideoFrame>> {
        self.0.subscribe()
    }

    /// Forgets the picture, so that the next call doesn't begin with the last one's.
    pub fn clear(&self) {
        self.0.send_replace(None);
    }
}

impl FrameSink for Feed {
    fn frame(&mut self, frame: &VideoFrame) {
        self.0.send_replace(Some(frame.clone()));
    }
}

/// Both streams of a call.
#[derive(Clone, Debug, Default)]
pub struct Feeds {
    /// What the other side sends.
    pub remote: Feed,
    /// What our camera sees.
    pub own: Feed,
}

/// One stream on its way to one window.
pub(super) struct Stream {
    id: u8,
    frames: watch::Receiver<Option<VideoFrame>>,
    may_send: bool,
    number: u32,
}

impl Stream {
    pub(super) fn new(id: u8, mut frames: watch::Receiver<Option<VideoFrame>>) -> Self {
        // A window that opens in mid-call wants the picture that is there.
        frames.mark_changed();
        Self { id, frames, may_send: true, number: 0 }
    }

    pub(super) fn credit(&mut self) {
        self.may_send = true;
    }

    /// The next picture that may be sent, as it goes over the wire. Never ready while the page still draws.
    pub(super) async fn next(&mut self) -> Vec<u8> {
        while self.may_send {
            if self.frames.changed().await.is_err() {
                break;
            }
            let frame = self.frames.borrow_and_update().clone();
            if let Some(frame) = frame {
                self.may_send = false;
                self.number = self.number.wrapping_add(1);
                return self.pack(&frame);
            }
        }
        std::future::pending().await
    }

    fn pack(&self, frame: &VideoFrame) -> Vec<u8> {
        let factor = if self.id == 0 { 1 } else { (frame.size().width() / OWN_WIDTH).max(1) };
        if factor == 1 {
            let (width, height) = (frame.size().width(), frame.size().height());
            let mut out = header(self.id, width, height, self.number, frame.captured(), frame.i420().len());
            out.extend_from_slice(frame.i420());
            return out;
        }
        let (width, height) = scale::shrunk(frame.size(), factor);
        let mut out = header(self.id, width, height, self.number, frame.captured(), width * height * 3 / 2);
        scale::shrink(frame, factor, &mut out);
        out
    }
}

/// 24 bytes, little endian: stream u8, version u8, 2 reserved, width u32, height u32, number u32, µs u64.
fn header(id: u8, width: usize, height: usize, number: u32, captured: Timestamp, body: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(24 + body);
    out.extend_from_slice(&[id, 1, 0, 0]);
    // Sides are bounded far below u32.
    out.extend_from_slice(&(width as u32).to_le_bytes());
    out.extend_from_slice(&(height as u32).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&captured.as_micros().to_le_bytes());
    out
}
