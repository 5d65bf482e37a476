//! What the tests of a call stand on: [`solo::Solo`] drives one session by hand, [`world::World`] lets whole calls happen
//! over a real room machine, both in virtual time.

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

pub mod attacker;
pub mod fake_peer;
pub mod solo;
pub mod tap;
pub mod wire;
pub mod world;

use std::time::Instant;

use visavis_call::{
    CallEvent, CallState, CloseReason, Entropy, Fingerprint, Intent, MediaState, Output, SessionConfig, Timer,
};
use visavis_signaling::{Role, RoomCode, Terms};

/// The one clock reading of a test: everything after it is virtual.
pub fn origin() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    Instant::now()
}

/// The fingerprint of the certificate of whoever has this number.
pub fn fingerprint(who: u8) -> Fingerprint {
    Fingerprint([who; 32])
}

/// Where that one's secrets come from.
pub fn entropy(who: u8) -> Entropy {
    Entropy::new([who; 32])
}

/// What that one brings to the exchange of a code.
pub fn terms(code: &RoomCode, who: u8) -> Terms {
    Terms::by_code(code, fingerprint(who))
}

pub fn role_of(intent: &Intent) -> Role {
    match intent {
        Intent::Create => Role::Creator,
        Intent::Join(_) => Role::Joiner,
    }
}

pub fn config(intent: Intent, who: u8, servers: usize) -> SessionConfig {
    let media = MediaState { microphone: true, camera: true };
    SessionConfig {
        intent,
        servers,
        nearby: false,
        search: false,
        fingerprint: fingerprint(who),
        media,
        stays: false,
        seed: u64::from(who),
    }
}

/// The code with this number and the words that nobody draws by chance.
pub fn code(digits: &str) -> RoomCode {
    RoomCode::parse(&format!("{digits}-tulip-orbit")).unwrap()
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
