//! Every deadline fires by its name, after its time, and does what it is for.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::deadlines;
use common::solo::{Solo, Stage};
use visavis_call::{Timer, TransportAction};
use visavis_signaling::Role;

/// Whose deadline it is in which state, and what is left of the call when it has passed.
const TABLE: [(Timer, Role, Stage, &str); 10] = [
    (Timer::Exchange, Role::Creator, Stage::Verifying, "waiting"),
    (Timer::Exchange, Role::Creator, Stage::Describing, "waiting"),
    (Timer::Exchange, Role::Joiner, Stage::Verifying, "no-answer"),
    (Timer::Exchange, Role::Joiner, Stage::Describing, "no-answer"),
    (Timer::Connecting, Role::Creator, Stage::Connecting, "no-path"),
    (Timer::Connecting, Role::Joiner, Stage::Connecting, "no-path"),
    (Timer::Restart, Role::Creator, Stage::Disconnected, "disconnected"),
    (Timer::Restart, Role::Joiner, Stage::Disconnected, "disconnected"),
    (Timer::Linger, Role::Creator, Stage::Closed, "hung-up"),
    (Timer::Linger, Role::Joiner, Stage::Closed, "hung-up"),
];

#[test]
fn the_first_of_each_state() {
    for (timer, role, stage, expected) in TABLE {
        let mut solo = Solo::at(role, stage);
        solo.pass(timer.duration() - Duration::from_millis(1));
        assert_eq!(deadlines(&solo.outputs), [], "{timer:?} {role:?} {stage:?}");
        solo.pass(Duration::from_millis(1));
        assert_eq!(deadlines(&solo.outputs), [timer], "{role:?} {stage:?}");
        let found = solo.closed_for().map_or(solo.state().name(), |reason| reason.code());
        assert_eq!(found, expected, "{timer:?} {role:?} {stage:?}");
    }
}

#[test]
fn a_path_that_never_returns_ends_the_call() {
    for role in [Role::Creator, Role::Joiner] {
        let mut solo = Solo::at(role, Stage::Disconnected);
        solo.pass(Timer::Lost.duration() - Duration::from_millis(1));
        assert_eq!(solo.state().name(), "disconnected");
        solo.pass(Duration::from_millis(1));
        let fired = deadlines(&solo.outputs);
        assert_eq!(fired.last(), Some(&Timer::Lost));
        assert!(role == Role::Creator || fired.contains(&Timer::RestartAgain));
        assert_eq!(solo.closed_for().map(|reason| reason.code()), Some("peer-lost"));
    }
}

#[test]
fn the_end_closes_what_was_open() {
    for (role, stage) in Stage::everywhere() {
        let mut solo = Solo::at(role, stage);
        solo.input(visavis_call::Input::Command(visavis_call::Command::HangUp));
        solo.pass(Timer::Linger.duration());
        let closed = solo.actions().contains(&TransportAction::Close);
        assert_eq!(closed, !matches!(stage, Stage::New | Stage::Waiting), "{role:?} {stage:?}");
        solo.take();
        solo.pass(Duration::from_secs(3600));
        assert_eq!(solo.take(), []);
    }
}

#[test]
fn a_state_leaves_no_deadline_behind() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    solo.path_down();
    solo.path_up();
    solo.take();
    solo.pass(Duration::from_secs(600));
    assert_eq!(deadlines(&solo.outputs), []);
    assert_eq!(solo.state().name(), "connected");
}
