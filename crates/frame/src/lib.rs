//! The values that every media crate speaks in: pictures, sound, time, rates and packets.
//!
//! This crate decides nothing and does no I/O. It exists so that `device`, `codec`, `dsp`, `transport` and `call` can
//! stand beside one another without naming each other.

mod audio;
mod codec;
mod packet;
mod rate;
mod slot;
mod time;
mod video;

pub use audio::{AudioBlock, BLOCK_DURATION, BLOCK_SAMPLES, SAMPLE_RATE_HZ};
pub use codec::VideoCodec;
pub use packet::{AUDIO_CLOCK_HZ, RtpPacket, VIDEO_CLOCK_HZ};
pub use rate::BitRate;
pub use slot::{LatestSlot, SlotReader, latest_slot};
pub use time::Timestamp;
pub use video::{FramePool, MAX_SIDE, Size, SizeError, VideoFrame};
