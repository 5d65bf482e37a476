//! A joiner who doesn't know which server has the code asks one after the other.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::world::World;
use visavis_call::{CallEvent, Intent, SignalingState};

const SECOND: Duration = Duration::from_secs(1);

fn join(world: &mut World, servers: &[usize]) -> usize {
    let code = world.code();
    world.add(Intent::Join(code), servers)
}

#[test]
fn the_one_that_knows_the_code_is_found() {
    let mut world = World::with_servers(3);
    world.create();
    let joiner = join(&mut world, &[2, 1, 0]);
    world.run(SECOND);
    assert_eq!((world.name(0), world.name(joiner)), ("connected", "connected"));
    let connecting = CallEvent::Signaling(SignalingState::Connecting);
    assert_eq!(world.events(joiner).iter().filter(|event| **event == connecting).count(), 3, "one for each");
}

#[test]
fn one_that_isnt_there_costs_no_time() {
    let mut world = World::with_servers(3);
    world.create();
    world.servers[1] = None;
    world.servers[2] = None;
    let joiner = join(&mut world, &[1, 2, 0]);
    world.run(SECOND);
    assert_eq!((world.name(0), world.name(joiner)), ("connected", "connected"));
}

#[test]
fn when_none_knows_it_the_number_is_wrong() {
    let mut world = World::with_servers(3);
    world.create();
    let joiner = world.add(Intent::Join(common::code("0000")), &[0, 1, 2]);
    world.run(SECOND);
    assert_eq!(world.ended(joiner), Some("no-such-room"));
}

#[test]
fn the_last_one_is_waited_for() {
    let mut world = World::with_servers(2);
    world.create();
    world.servers[1] = None;
    let joiner = join(&mut world, &[1, 0]);
    world.parties[joiner].reachable = false;
    world.run(SECOND * 3);
    assert_eq!(world.name(joiner), "new");
    world.parties[joiner].reachable = true;
    world.run(SECOND * 5);
    assert_eq!((world.name(0), world.name(joiner)), ("connected", "connected"));
}

#[test]
fn nobody_is_asked_once_the_door_is_open() {
    let mut world = World::with_servers(2);
    world.create();
    let joiner = join(&mut world, &[0, 1]);
    world.run_until(SECOND, |world| world.name(joiner) == "verifying");
    world.parties[joiner].reachable = false;
    world.cut_socket(joiner);
    world.run(SECOND * 12);
    assert_eq!(world.ended(joiner), Some("no-answer"));
    assert_eq!(world.name(0), "waiting");
}
