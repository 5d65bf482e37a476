//! Real devices. Everything that can block runs on threads of its own; the engine's side only looks at rings, slots and
//! atomics.

mod alsa;
mod audio;
mod build;
mod camera;
mod latency;
mod ring;
mod system;

pub(crate) use audio::{open_microphone, open_speaker};
pub(crate) use camera::{list as list_cameras, open as open_camera};
pub(crate) use system::list as list_sound;
