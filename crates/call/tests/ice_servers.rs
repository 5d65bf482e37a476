//! Servers for the path come from the signalling server once two have met, before anything is gathered.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use common::solo::{Solo, Stage};
use visavis_call::{IceServer, Output, TransportAction};
use visavis_signaling::{Role, ServerMessage};

fn servers(count: usize) -> Vec<IceServer> {
    let server = |n| IceServer { urls: vec![format!("stun:192.0.2.{n}")], ..IceServer::default() };
    (0..count).map(server).collect()
}

fn given(solo: &mut Solo, exchange: u32, count: usize) {
    solo.server(&ServerMessage::IceServers { exchange, servers: servers(count), ttl: 60 });
}

fn used(solo: &mut Solo) -> Vec<Vec<IceServer>> {
    let list = |output| match output {
        Output::Transport { action: TransportAction::UseServers(servers), .. } => Some(servers),
        _ => None,
    };
    solo.take().into_iter().filter_map(list).collect()
}

#[test]
fn they_are_used_from_the_meeting_to_the_end() {
    for role in [Role::Creator, Role::Joiner] {
        for stage in [Stage::Verifying, Stage::Connecting, Stage::Connected, Stage::Disconnected] {
            let mut solo = Solo::at(role, stage);
            let exchange = solo.exchange;
            given(&mut solo, exchange, 2);
            assert_eq!(used(&mut solo), [servers(2)], "{role:?} {stage:?}");
        }
    }
}

#[test]
fn before_and_after_it_and_for_others_they_are_nothing() {
    let mut waiting = Solo::at(Role::Creator, Stage::Waiting);
    given(&mut waiting, 1, 1);
    assert!(used(&mut waiting).is_empty());
    let mut verifying = Solo::at(Role::Creator, Stage::Verifying);
    given(&mut verifying, 7, 1);
    assert!(used(&mut verifying).is_empty());
}

#[test]
fn of_too_many_the_first_are_taken() {
    let mut solo = Solo::at(Role::Joiner, Stage::Verifying);
    given(&mut solo, 1, 1000);
    assert_eq!(used(&mut solo), [servers(8)]);
}
