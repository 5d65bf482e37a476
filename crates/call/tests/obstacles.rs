//! What stands in the way of a path is told while the call waits for one, and names the cause when none was found.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::solo::{Solo, Stage};
use visavis_call::{CallEvent, CloseReason, Obstacle, Output, Timer, TransportInput};
use visavis_signaling::Role;

fn silent() -> Option<Obstacle> {
    Some(Obstacle::RelaySilent { relay: "relay.example:3478".to_owned() })
}

fn told(solo: &Solo) -> Vec<Option<Obstacle>> {
    let event = |output: &Output| {
        if let Output::Event(CallEvent::Obstacle(obstacle)) = output { Some(obstacle.clone()) } else { None }
    };
    solo.outputs.iter().filter_map(event).collect()
}

#[test]
fn a_cause_is_told_when_it_changes_and_ends_the_call_by_name() {
    let mut solo = Solo::at(Role::Joiner, Stage::Connecting);
    let blocked = Some(Obstacle::UdpBlocked { trying: Some("TLS on 443".to_owned()) });
    for obstacle in [None, blocked.clone(), blocked.clone(), silent()] {
        solo.transport(TransportInput::Obstacle(obstacle));
    }
    assert_eq!(told(&solo), [blocked, silent()]);
    solo.pass(Timer::Connecting.duration());
    assert_eq!(solo.closed_for(), Some(CloseReason::NoPath { obstacle: silent() }));
    assert!(solo.closed_for().unwrap().to_string().contains("relay.example:3478 didn't answer"));
}

#[test]
fn a_call_that_is_up_has_no_obstacles() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    solo.transport(TransportInput::Obstacle(silent()));
    assert_eq!(told(&solo), []);
}
