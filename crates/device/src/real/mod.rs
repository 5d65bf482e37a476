//! Real devices. Everything that can block runs on threads of its own; the engine's side only looks at rings, slots and
//! atomics.

mod audio;
mod camera;
mod ring;

pub(crate) use audio::{list as list_sound, open_microphone, open_speaker};
pub(crate) use camera::{list as list_cameras, open as open_camera};
