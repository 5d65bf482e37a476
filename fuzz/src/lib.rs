//! What strangers may send, as functions of bytes: one for each parser of outside bytes, and for the machines behind them.
//!
//! Each target takes any bytes at all and must return: no panic, no endless loop, no memory that grows beyond the bounds
//! that the parser promises. What must hold beyond that, it asserts. `./dev fuzz` lets libFuzzer look for bytes that break
//! one; the seeds in `fuzz/seeds`, among them whatever once did, go through the same functions in `./dev test`. A new target
//! takes a row in `targets/mod.rs`, a folder of seeds, and its name in `tests/seeds.rs`.

mod bytes;
mod script;
mod targets;

pub use bytes::Bytes;

/// One way for bytes to come in.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder of seeds.
    pub name: &'static str,
    /// What reads the bytes.
    pub run: fn(&[u8]),
    /// The longest input that makes sense, bytes.
    pub max_len: usize,
}

/// All targets.
pub const TARGETS: &[Target] = targets::ALL;

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
