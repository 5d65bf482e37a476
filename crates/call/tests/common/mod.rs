//! What the tests of a call stand on: [`solo::Solo`] drives one session by hand, [`world::World`] lets whole calls happen
//! over a real room machine, both in virtual time.

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

pub mod fake_peer;
pub mod solo;
pub mod wire;
pub mod world;

use std::time::Instant;

use visavis_call::{CallEvent, CallState, CloseReason, Intent, MediaState, Output, SessionConfig, Timer};
use visavis_signaling::{Role, RoomCode};

/// The one clock reading of a test: everything after it is virtual.
pub fn origin() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    Instant::now()
}

/// The fingerprint of the certificate of whoever has this number.
pub fn fingerprint(who: u8) -> String {
    vec![format!("{who:02X}"); 32].join(":")
}

pub fn role_of(intent: &Intent) -> Role {
    match intent {
        Intent::Create => Role::Creator,
        Intent::Join(_) => Role::Joiner,
    }
}

pub fn config(intent: Intent, who: u8, servers: usize) -> SessionConfig {
    let media = MediaState { microphone: true, camera: true };
    SessionConfig { intent, servers, fingerprint: fingerprint(who), media, seed: u64::from(who) }
}

pub fn code(digits: &str) -> RoomCode {
    RoomCode::parse(digits).unwrap()
}

/// The states that were told, in order.
pub fn states(outputs: &[Output]) -> Vec<&'static str> {
    let name = |output: &Output| match output {
        Output::Event(CallEvent::State(state)) => Some(state.name()),
        _ => None,
    };
    outputs.iter().filter_map(name).collect()
}

/// Why it ended, if it has.
pub fn reason(state: &CallState) -> Option<CloseReason> {
    match state {
        CallState::Closed(reason) => Some(reason.clone()),
        _ => None,
    }
}

/// The deadlines that fired.
pub fn deadlines(outputs: &[Output]) -> Vec<Timer> {
    let timer = |output: &Output| match output {
        Output::Event(CallEvent::Deadline(timer)) => Some(*timer),
        _ => None,
    };
    outputs.iter().filter_map(timer).collect()
}
