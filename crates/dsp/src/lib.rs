//! Sound between the network and the devices: echo cancelling, levels, blocks, resampling, the adaptive playout buffer and
//! its time-scaling, and the clock by which pictures wait for their sound. Samples in, samples out; nothing here asks the
//! clock or does I/O.

pub mod blocks;
pub mod drift;
pub mod level;
pub mod pictures;
pub mod playout;
pub mod processing;
pub mod resample;
pub mod timescale;

pub use blocks::Blocker;
pub use drift::DriftControl;
pub use level::LevelMeter;
pub use pictures::{PictureClock, SenderClock};
pub use playout::{PlayoutAction, PlayoutBuffer, PlayoutConfig, PlayoutStats};
pub use processing::{EchoStats, NoiseSuppression, SoundProcessing, SoundProcessor};
pub use resample::{ResampleError, Resampler};
pub use timescale::{Speed, TimeScaler};
