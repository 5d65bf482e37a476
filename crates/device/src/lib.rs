//! Cameras, microphones and speakers: real ones, synthetic ones and files, behind the same traits.
//!
//! The engine names a device by a *choice* (what a person typed or picked, see [`CameraChoice`]) and gets a trait
//! object back. Start reading at [`open_camera`], [`open_microphone`] and [`open_speaker`]; real devices live under
//! `real`, stand-ins under `pattern`, `sound` and `file`. Only `real` starts threads, and only `real` names cpal and
//! nokhwa.

mod choice;
mod convert;
mod error;
mod file;
mod jpeg;
mod list;
mod open;
mod pacing;
pub mod pattern;
mod real;
mod sound;
mod traits;

pub use choice::{CameraChoice, ChoiceError, MicrophoneChoice, SpeakerChoice};
pub use error::DeviceError;
pub use file::{MjpegCamera, WavMicrophone, WavWriter, Y4mCamera, Y4mWriter};
pub use jpeg::JpegError;
pub use list::{DeviceInfo, DeviceList, list_devices};
pub use open::{open_camera, open_microphone, open_speaker};
pub use pattern::TestPattern;
pub use sound::{NullSpeaker, RecordingSpeaker, SilentMicrophone, SpeechMicrophone, ToneMicrophone};
pub use traits::{Camera, Microphone, Speaker, VideoFormat};
