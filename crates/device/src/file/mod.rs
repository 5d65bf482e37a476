//! Files in place of devices: pictures and sound that come from files, and recordings of both.
//!
//! Files are read a frame at a time where the device is polled: a picture comes from the system's cache in well under a
//! millisecond, and the same call gives the same pictures in virtual time, which a reading thread couldn't promise.

mod mjpeg;
mod wav;
mod y4m;

use std::fmt::Display;
use std::path::Path;

pub use mjpeg::MjpegCamera;
pub use wav::{WavMicrophone, WavWriter};
pub(crate) use y4m::is_y4m;
pub use y4m::{Y4mCamera, Y4mWriter};

use crate::error::DeviceError;

fn file_error(path: &Path, reason: impl Display) -> DeviceError {
    DeviceError::File { path: path.display().to_string(), reason: reason.to_string() }
}

/// What people call a file that stands in for a device.
fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
