//! Sockets that are lost at every point of the way into a call: it comes up all the same, and every body arrives once.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::world::World;

fn meet(cuts: &[(usize, usize)]) -> World {
    let mut world = World::new();
    world.create();
    let base = world.arrivals;
    world.cuts = cuts.iter().map(|(after, who)| (base + after, *who)).collect();
    world.join();
    world.run(Duration::from_secs(8));
    world
}

fn arrivals() -> usize {
    let mut world = World::new();
    world.create();
    let base = world.arrivals;
    world.join();
    world.run_until(Duration::from_secs(2), |world| world.names() == ["connected", "connected"]);
    world.arrivals - base
}

#[test]
fn one_socket_lost_anywhere_on_the_way() {
    for after in 1..=arrivals() {
        for who in 0..2 {
            let world = meet(&[(after, who)]);
            assert_eq!(world.names(), ["connected", "connected"], "cut {who} after {after}");
            assert_eq!(world.path_of(0), ["new", "waiting", "verifying", "connecting", "connected"]);
        }
    }
}

#[test]
fn both_sockets_lost_anywhere_on_the_way() {
    let count = arrivals();
    for first in 1..=count {
        for second in (first..=count).step_by(3) {
            let world = meet(&[(first, 0), (second, 1)]);
            assert_eq!(world.names(), ["connected", "connected"], "cut after {first} and {second}");
        }
    }
}

#[test]
fn candidates_arrive_once_and_in_order() {
    for after in 1..=arrivals() {
        let world = meet(&[(after, 0), (after, 1)]);
        for who in 0..2 {
            let peer = world.parties[who].peer.as_ref().unwrap();
            let numbers: Vec<_> = peer.candidates.iter().map(|candidate| candidate.candidate.as_bytes()[10]).collect();
            assert_eq!(numbers, b"12", "to {who}, cut after {after}");
        }
    }
}
