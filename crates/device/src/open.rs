//! From a choice to a device.

use std::path::Path;

use visavis_frame::FramePool;

use crate::choice::{CameraChoice, MicrophoneChoice, SpeakerChoice};
use crate::error::DeviceError;
use crate::file::{MjpegCamera, WavMicrophone, Y4mCamera, is_y4m};
use crate::pattern::TestPattern;
use crate::real;
use crate::sound::{NullSpeaker, RecordingSpeaker, SilentMicrophone, SpeechMicrophone, ToneMicrophone};
use crate::traits::{Camera, Microphone, Speaker, VideoFormat};

/// Opens a camera; `None` when the choice is to have none. `wanted` is what to ask a real camera or the test pattern
/// for; a file keeps its own size.
///
/// A real camera may take seconds: call this where blocking does no harm.
///
/// # Errors
/// When the camera is missing, busy, refused, or the file isn't one that can stand in for a camera.
pub fn open_camera(
    choice: &CameraChoice,
    wanted: VideoFormat,
    pool: FramePool,
) -> Result<Option<Box<dyn Camera>>, DeviceError> {
    Ok(match choice {
        CameraChoice::None => None,
        CameraChoice::Default => Some(real::open_camera(None, wanted, pool)?),
        CameraChoice::Named(name) => Some(real::open_camera(Some(name), wanted, pool)?),
        CameraChoice::Test { look } => Some(Box::new(TestPattern::new(wanted, *look, pool))),
        CameraChoice::File(path) => Some(open_file_camera(path, wanted, pool)?),
    })
}

fn open_file_camera(path: &Path, wanted: VideoFormat, pool: FramePool) -> Result<Box<dyn Camera>, DeviceError> {
    if is_y4m(path)? {
        Ok(Box::new(Y4mCamera::open(path, pool)?))
    } else {
        Ok(Box::new(MjpegCamera::open(path, wanted.fps, pool)?))
    }
}

/// Opens a microphone; `None` when the choice is to have none. May block for seconds with a real one.
///
/// # Errors
/// When the microphone is missing, busy, refused, or the file isn't a WAV file that can be read.
pub fn open_microphone(choice: &MicrophoneChoice) -> Result<Option<Box<dyn Microphone>>, DeviceError> {
    Ok(match choice {
        MicrophoneChoice::None => None,
        MicrophoneChoice::Default => Some(Box::new(real::open_microphone(None)?)),
        MicrophoneChoice::Named(name) => Some(Box::new(real::open_microphone(Some(name))?)),
        MicrophoneChoice::Test => Some(Box::new(SpeechMicrophone::new())),
        MicrophoneChoice::Tone { pitch_hz } => Some(Box::new(ToneMicrophone::new(*pitch_hz))),
        MicrophoneChoice::Silence => Some(Box::new(SilentMicrophone::new())),
        MicrophoneChoice::File(path) => Some(Box::new(WavMicrophone::open(path)?)),
    })
}

/// Opens a speaker; `None` when the choice is to have none. May block for seconds with a real one.
///
/// # Errors
/// When the speaker is missing, busy, refused, or the file can't be written.
pub fn open_speaker(choice: &SpeakerChoice) -> Result<Option<Box<dyn Speaker>>, DeviceError> {
    Ok(match choice {
        SpeakerChoice::None => None,
        SpeakerChoice::Default => Some(Box::new(real::open_speaker(None)?)),
        SpeakerChoice::Named(name) => Some(Box::new(real::open_speaker(Some(name))?)),
        SpeakerChoice::Silence => Some(Box::new(NullSpeaker::new())),
        SpeakerChoice::Record(path) => Some(Box::new(RecordingSpeaker::create(path)?)),
    })
}
