//! What the engine asks of a camera, a microphone and a speaker.
//!
//! A device is told the time and never asks for it, so that real devices (which run on threads and callbacks of their
//! own and leave what they have in a slot or ring) and synthetic ones (which work out what is due at `now`) are the same
//! to the engine, in real and in virtual time. No method blocks.

use std::task::{Context, Poll};

use visavis_frame::{Size, Timestamp, VideoFrame};

use crate::error::DeviceError;

/// What a camera is asked for. The device takes the nearest that it has, and says what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// Picture size.
    pub size: Size,
    /// Frames per second.
    pub fps: u32,
}

impl VideoFormat {
    /// 1280×720 at 30 frames per second: what a call asks for first.
    pub const HD30: Self = Self { size: Size::HD, fps: 30 };
}

/// A source of pictures. Dropping it releases the device.
pub trait Camera: Send {
    /// What people call this camera.
    fn name(&self) -> &str;

    /// What it delivers.
    fn format(&self) -> VideoFormat;

    /// The newest picture not yet taken. `Pending` registers the waker where a thread delivers, and for the rest the
    /// engine asks again at [`Camera::next_due`].
    ///
    /// # Errors
    /// When the camera has gone or fails for good. After an error the camera gives nothing more.
    fn poll_frame(&mut self, cx: &mut Context<'_>, now: Timestamp) -> Poll<Result<VideoFrame, DeviceError>>;

    /// When the next picture is due, for cameras that make them on request; `None` for those that wake the reader.
    fn next_due(&self, now: Timestamp) -> Option<Timestamp>;
}

/// A source of mono sound.
pub trait Microphone: Send {
    /// What people call this microphone.
    fn name(&self) -> &str;

    /// Samples per second of what [`Microphone::read`] gives.
    fn rate_hz(&self) -> u32;

    /// The device that was chosen, where this one stands in for it because it isn't connected.
    fn stands_in_for(&self) -> Option<&str> {
        None
    }

    /// Whether the choice means another device by now (the system has another default, or the chosen one is back), or
    /// this one should be opened in another way. Open the choice anew, and use this one until then.
    fn is_outdated(&self) -> bool {
        false
    }

    /// Appends every sample that has come up to `now`.
    ///
    /// # Errors
    /// When the microphone has gone or fails for good.
    fn read(&mut self, now: Timestamp, out: &mut Vec<f32>) -> Result<(), DeviceError>;
}

/// A sink of mono sound.
pub trait Speaker: Send {
    /// What people call this speaker.
    fn name(&self) -> &str;

    /// Samples per second that [`Speaker::write`] takes.
    fn rate_hz(&self) -> u32;

    /// The device that was chosen, where this one stands in for it because it isn't connected.
    fn stands_in_for(&self) -> Option<&str> {
        None
    }

    /// Whether the choice means another device by now (the system has another default, or the chosen one is back), or
    /// this one should be opened in another way. Open the choice anew, and use this one until then.
    fn is_outdated(&self) -> bool {
        false
    }

    /// How many samples must be written now so that the device doesn't run dry before it is asked again in some
    /// milliseconds.
    ///
    /// # Errors
    /// When the speaker has gone or fails for good.
    fn wanted(&mut self, now: Timestamp) -> Result<usize, DeviceError>;

    /// Takes samples, −1.0..=1.0. What doesn't fit is dropped and counted.
    fn write(&mut self, samples: &[f32]);

    /// Samples written and not played yet.
    fn queued(&self) -> usize;
}
