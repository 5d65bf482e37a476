//! Two whole engines in one virtual world: real session, codecs, transport and signalling rooms; stand-ins only for the
//! devices, the wires and the clock. One behaviour a file.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::wildcard_enum_match_arm, reason = "tests")]

mod again;
mod blackout;
mod camera_lost;
mod codecs;
mod controls;
mod determinism;
mod devices_missing;
mod echo;
mod first_frame;
mod hang_up;
mod harness;
mod hostile;
mod joining;
mod loss;
mod losses;
mod lossy;
mod panic;
mod pictures;
mod protection;
mod random_loss;
mod rate;
mod resending;
mod server_gone;
mod stranger;
mod together;
