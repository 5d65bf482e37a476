//! What tests need to judge a call: measures of pictures and sound.

pub mod acoustics;
pub mod mouth_to_ear;
pub mod net;
pub mod quality;
pub mod sound;
#[cfg(target_os = "linux")]
pub mod sound_server;
