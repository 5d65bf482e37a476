//! A joiner with no server to ask looks for one in the local network, where anybody can say anything.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::world::World;
use visavis_call::{CloseReason, Timer};

const SECOND: Duration = Duration::from_secs(1);

fn near(world: &World, who: usize) -> Option<bool> {
    match common::reason(&world.state(who)) {
        Some(CloseReason::NobodyNear { silent, .. }) => Some(silent),
        _ => None,
    }
}

#[test]
fn one_that_is_found_late_is_asked() {
    let mut world = World::new();
    world.create();
    let joiner = world.search(world.code(), &[]);
    world.run(SECOND * 2);
    assert_eq!(world.name(joiner), "new");
    world.found(joiner, 0);
    world.run(SECOND);
    assert_eq!((world.name(0), world.name(joiner)), ("connected", "connected"));
}

#[test]
fn whoever_knows_the_code_is_found_among_others() {
    let mut world = World::with_servers(4);
    world.create();
    world.servers[2] = None;
    let joiner = world.search(world.code(), &[3]);
    for server in [1, 2, 0] {
        world.found(joiner, server);
    }
    world.run(SECOND * 2);
    assert_eq!((world.name(0), world.name(joiner)), ("connected", "connected"));
}

#[test]
fn a_search_ends_when_its_time_is_over() {
    let mut world = World::with_servers(2);
    world.create();
    let joiner = world.search(world.code(), &[1]);
    world.run(Timer::Search.duration() - SECOND);
    assert_eq!(world.name(joiner), "new", "another may be found yet");
    world.run(SECOND * 2);
    assert_eq!(near(&world, joiner), Some(false));
    world.found(joiner, 0);
    world.run(SECOND);
    assert_eq!(world.ended(joiner), Some("nobody-near"), "what is over stays over");
}

#[test]
fn whoever_says_so_and_does_not_answer_is_named() {
    let mut world = World::new();
    world.create();
    let joiner = world.search(world.code(), &[]);
    world.parties[joiner].reachable = false;
    world.found(joiner, 0);
    world.run(Timer::Search.duration() + SECOND);
    assert_eq!(near(&world, joiner), Some(true));
}

/// However many are announced that answer nothing, the person knows within a quarter of a minute.
#[test]
fn a_network_full_of_lies_takes_no_longer() {
    let mut world = World::with_servers(2);
    world.create();
    let joiner = world.search(world.code(), &[]);
    world.servers[1] = None;
    for _ in 0..200 {
        world.found(joiner, 1);
    }
    world.run(SECOND * 15);
    assert_eq!(near(&world, joiner), Some(true));
}

/// Somebody who plays the one who waits gets one guess, and no other of the network gets another.
#[test]
fn one_guess_goes_to_the_network() {
    let mut world = World::with_servers(2);
    world.create();
    let other_words = common::code(world.code().nameplate().as_str());
    let joiner = world.search(other_words, &[0]);
    world.found(joiner, 1);
    world.run(SECOND * 2);
    assert_eq!(world.ended(joiner), Some("wrong-words"));
    assert_eq!(world.servers[1].as_ref().unwrap().tally().knocks, 0, "the next one isn't asked");
}
