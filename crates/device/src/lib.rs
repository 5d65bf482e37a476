//! Cameras, microphones and speakers: real ones, synthetic ones and files, behind the same traits.

mod error;
mod traits;

pub use error::DeviceError;
pub use traits::{Camera, Microphone, Speaker, VideoFormat};
