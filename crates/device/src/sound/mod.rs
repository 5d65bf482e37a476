//! Sound without hardware: signals that stand in for a microphone, and sinks that stand in for a speaker. All are paced
//! by the time that they are told, so they run the same in real and in virtual time.

mod microphones;
mod speakers;
mod speech;

pub use microphones::{SilentMicrophone, SpeechMicrophone, ToneMicrophone};
pub use speakers::{NullSpeaker, RecordingSpeaker};
