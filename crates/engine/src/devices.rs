//! Where the engine's cameras, microphones and speakers come from: the system and its stand-ins, or a test's own.

use visavis_device::{
    Camera, CameraChoice, DeviceError, Microphone, MicrophoneChoice, Speaker, SpeakerChoice, VideoFormat, open_camera,
    open_microphone, open_speaker,
};
use visavis_frame::FramePool;

/// Opens devices. What isn't overridden is opened as [`visavis_device`] does it.
///
/// All of these are called where blocking does no harm.
pub trait DeviceOpener: Send + Sync {
    /// Opens a camera; `None` when the choice is to have none.
    ///
    /// # Errors
    /// As [`open_camera`].
    fn camera(
        &self,
        choice: &CameraChoice,
        wanted: VideoFormat,
        pool: FramePool,
    ) -> Result<Option<Box<dyn Camera>>, DeviceError> {
        open_camera(choice, wanted, pool)
    }

    /// Opens a microphone; `None` when the choice is to have none.
    ///
    /// # Errors
    /// As [`open_microphone`].
    fn microphone(&self, choice: &MicrophoneChoice) -> Result<Option<Box<dyn Microphone>>, DeviceError> {
        open_microphone(choice)
    }

    /// Opens a speaker; `None` when the choice is to have none.
    ///
    /// # Errors
    /// As [`open_speaker`].
    fn speaker(&self, choice: &SpeakerChoice) -> Result<Option<Box<dyn Speaker>>, DeviceError> {
        open_speaker(choice)
    }
}

/// The devices of this machine, and the stand-ins that a choice may name.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDevices;

impl DeviceOpener for SystemDevices {}
