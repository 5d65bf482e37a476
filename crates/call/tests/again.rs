//! Two whose call is over call one another again, without a code.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::fingerprint;
use common::solo::{Solo, Stage};
use common::world::World;
use visavis_call::{
    Again, CallEvent, CloseReason, Command, Fingerprint, IceServer, Input, Output, Pictures, Timer, TransportAction,
};
use visavis_signaling::{Body, ClientMessage, Role};

const SOON: Duration = Duration::from_secs(1);
/// Longer than the ten seconds of an exchange and what follows.
const LONG: Duration = Duration::from_secs(14);

/// The two, apart.
fn apart(who: usize) -> World {
    let mut world = World::connected_for_more();
    world.command(who, Command::HangUp);
    world.run(SOON);
    assert_eq!(world.names(), ["closed", "closed"]);
    for who in 0..2 {
        assert_eq!(news(&world, who), [Again::Possible]);
        assert_eq!(world.parties[who].open_peers, 0);
    }
    world
}

/// The certificate of somebody's next call.
fn next(who: usize) -> Fingerprint {
    fingerprint(u8::try_from(who).unwrap() + 100)
}

fn ask(world: &mut World, who: usize) {
    world.command(who, Command::Again { fingerprint: next(who) });
}

fn news(world: &World, who: usize) -> Vec<Again> {
    let again = |event| match event {
        CallEvent::Again(again) => Some(again),
        _ => None,
    };
    world.events(who).into_iter().filter_map(again).collect()
}

fn pictures(world: &World, who: usize) -> Vec<Pictures> {
    let pictures = |event| match event {
        CallEvent::Verified(pictures) => Some(pictures),
        _ => None,
    };
    world.events(who).into_iter().filter_map(pictures).collect()
}

fn rooms(world: &World) -> usize {
    world.servers[0].as_ref().unwrap().counts().rooms
}

#[test]
fn whoever_asks_first_the_other_is_asked_and_both_are_connected_once_it_agrees() {
    for (ends, asks) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut world = apart(ends);
        ask(&mut world, asks);
        world.run(SOON);
        assert_eq!(world.names(), ["closed", "closed"], "nobody is called who hasn't agreed");
        assert_eq!(news(&world, asks), [Again::Possible, Again::Awaited]);
        assert_eq!(news(&world, 1 - asks), [Again::Possible, Again::Asked]);
        ask(&mut world, 1 - asks);
        world.run(SOON);
        assert_eq!(world.names(), ["connected", "connected"]);
        assert_eq!(rooms(&world), 1);
        for who in 0..2 {
            assert_eq!(world.parties[who].open_peers, 1);
            assert_eq!(world.parties[who].peer.as_ref().unwrap().generation, 2);
        }
    }
}

#[test]
fn each_call_has_its_own_keys_and_certificates() {
    let mut world = apart(0);
    for round in 0_u8..3 {
        for who in [0, 1] {
            let fingerprint = Fingerprint([50 + 2 * round + u8::try_from(who).unwrap(); 32]);
            world.command(who, Command::Again { fingerprint });
        }
        world.run(SOON);
        assert_eq!(world.names(), ["connected", "connected"], "call {round}");
        let expected = |who: usize| Fingerprint([50 + 2 * round + u8::try_from(1 - who).unwrap(); 32]);
        let accepted = |who: usize| {
            world.parties[who].outputs.iter().rev().find_map(|output| match output {
                Output::Transport {
                    action:
                        TransportAction::AcceptOffer { fingerprint, .. } | TransportAction::AcceptAnswer { fingerprint, .. },
                    ..
                } => Some(*fingerprint),
                _ => None,
            })
        };
        assert_eq!([0, 1].map(accepted), [0, 1].map(|who| Some(expected(who))));
        world.command(usize::from(round % 2), Command::HangUp);
        world.run(SOON);
        assert_eq!(world.names(), ["closed", "closed"]);
    }
    let shown = pictures(&world, 0);
    assert_eq!(shown, pictures(&world, 1));
    assert_eq!(shown.len(), 4);
    assert!((1..4).all(|n| shown[n] != shown[n - 1]), "{shown:?}");
}

#[test]
fn who_leaves_is_gone_and_nothing_stays_on_the_server() {
    for leaves in 0..2 {
        let mut world = apart(0);
        ask(&mut world, 1 - leaves);
        world.command(leaves, Command::Leave);
        world.run(SOON);
        assert_eq!(news(&world, 1 - leaves).last(), Some(&Again::Over));
        assert!(
            world.parties.iter().all(|party| party.session.is_finished() && party.session.poll_timeout().is_none())
        );
        assert_eq!(rooms(&world), 0);
        // Nobody is left to ask.
        ask(&mut world, 1 - leaves);
        assert_eq!(news(&world, 1 - leaves).last(), Some(&Again::Over));
    }
}

#[test]
fn an_app_that_doesnt_stay_ends_it_for_both() {
    let mut world = World::new();
    world.create();
    let code = world.code();
    world.add_staying(visavis_call::Intent::Join(code));
    world.run(SOON);
    world.command(0, Command::HangUp);
    world.run(SOON);
    assert_eq!(world.ended(1), Some("peer-hung-up"));
    assert_eq!(news(&world, 1), [Again::Possible, Again::Over]);
    assert_eq!(news(&world, 0), []);
    assert!(world.parties[1].session.is_finished());
}

#[test]
fn it_lapses() {
    let mut world = apart(1);
    ask(&mut world, 0);
    world.run(Timer::Apart.duration() + SOON);
    for who in 0..2 {
        assert_eq!(news(&world, who).last(), Some(&Again::Over));
        assert!(world.parties[who].session.is_finished());
    }
    assert_eq!(rooms(&world), 0);
}

#[test]
fn a_dropped_socket_is_taken_up_meanwhile() {
    let mut world = apart(0);
    world.cut_socket(1);
    ask(&mut world, 0);
    world.run(SOON * 4);
    assert_eq!(news(&world, 1), [Again::Possible, Again::Asked]);
    world.cut_socket(0);
    ask(&mut world, 1);
    world.run(SOON * 4);
    assert_eq!(world.names(), ["connected", "connected"]);
}

#[test]
fn a_server_is_restarted_meanwhile() {
    let mut world = apart(0);
    ask(&mut world, 0);
    world.stop_server(0);
    world.run(SOON);
    world.start_server(0);
    world.run(SOON * 4);
    ask(&mut world, 1);
    world.run(SOON * 2);
    assert_eq!(world.names(), ["connected", "connected"]);
}

#[test]
fn a_server_that_forgot_them_ends_it() {
    let mut world = apart(0);
    world.stop_server(0);
    world.run(SOON);
    world.start_forgetful_server(0);
    world.run(LONG);
    for who in 0..2 {
        assert_eq!(news(&world, who), [Again::Possible, Again::Over]);
        assert!(world.parties[who].session.is_finished());
    }
}

#[test]
fn a_call_that_lost_its_server_has_no_other_one() {
    let mut world = World::connected_for_more();
    world.stop_server(0);
    world.run(SOON);
    world.start_forgetful_server(0);
    world.run(LONG);
    world.command(0, Command::HangUp);
    world.run(SOON);
    assert_eq!((news(&world, 0), news(&world, 1)), (vec![], vec![]));
    assert!(world.parties.iter().all(|party| party.session.is_finished()));
}

#[test]
fn who_vanishes_while_asked_is_missed_in_time() {
    let mut world = apart(0);
    ask(&mut world, 1);
    world.run(SOON);
    world.vanish(1);
    ask(&mut world, 0);
    world.run(LONG);
    assert_eq!(world.ended(0), Some("peer-lost"));
}

#[test]
fn who_hangs_up_on_the_way_is_said_to_have() {
    for who in 0..2 {
        let mut world = apart(0);
        ask(&mut world, who);
        ask(&mut world, 1 - who);
        world.run_until(SOON, |world| world.names() == ["verifying", "verifying"]);
        world.command(who, Command::HangUp);
        world.run(SOON);
        assert_eq!(world.ended(1 - who), Some("peer-hung-up"), "{who}");
        assert_eq!(world.path_of(0).iter().filter(|state| **state == "waiting").count(), 1, "no code lets anybody in");
    }
}

/// What the server changes in the second exchange is neither a wrong word nor a guess.
#[test]
fn a_server_that_swaps_certificates_is_found_out_here_too() {
    for kind in ["open", "reply", "confirm"] {
        let mut world = apart(0);
        world.attack(move |_, body| {
            let mut value: serde_json::Value = serde_json::from_str(body).unwrap();
            if value["type"] == kind {
                match kind {
                    "confirm" => value["tag"] = base64(&[7; 64]).into(),
                    _ => value["ad"] = ad(kind).into(),
                }
            }
            vec![value.to_string()]
        });
        (0..2).for_each(|who| world.skip_to_present(who, 1));
        ask(&mut world, 0);
        ask(&mut world, 1);
        world.run(LONG);
        let ends = [world.ended(0).unwrap(), world.ended(1).unwrap()];
        assert!(ends.contains(&"tampered"), "{kind}: {ends:?}");
        assert!(world.parties.iter().all(|party| party.peer.as_ref().is_none_or(|peer| !peer.up)), "{kind}");
        let wrong = |who| world.events(who).iter().any(|event| matches!(event, CallEvent::WrongGuess { .. }));
        assert!(!wrong(0) && !wrong(1));
    }
}

/// The associated data of another certificate.
fn ad(kind: &str) -> String {
    let role: &[u8] = if kind == "open" { b"join" } else { b"create" };
    base64(&visavis_signaling::cpace::lv(&[b"visavis/1", role, &[66; 32]]))
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn it_means_nothing_in_a_call_or_before_one() {
    for role in [Role::Creator, Role::Joiner] {
        let mut solo = Solo::at(role, Stage::Connected);
        solo.body(&Body::Again);
        assert!(solo.outputs.contains(&Output::Event(CallEvent::Dropped { count: 1 })));
        for stage in Stage::of(role) {
            let mut solo = Solo::at(role, stage);
            solo.input(Input::Command(Command::Again { fingerprint: fingerprint(7) }));
            assert_eq!(solo.take(), [], "{role:?} {stage:?}");
        }
    }
}

#[test]
fn to_leave_ends_every_state_on_both_sides() {
    for (role, stage) in Stage::everywhere().filter(|(_, stage)| *stage != Stage::Closed) {
        let mut solo = Solo::at(role, stage);
        solo.input(Input::Command(Command::Leave));
        assert_eq!(solo.closed_for(), Some(CloseReason::HungUp), "{role:?} {stage:?}");
        if stage != Stage::New {
            assert_eq!(solo.sent().last(), Some(&ClientMessage::Leave { reason: "hung-up".into() }));
        }
    }
}

/// Servers are told when two meet, and the two don't meet anew.
#[test]
fn the_servers_that_were_told_are_used_again() {
    let mut world = World::connected_for_more();
    let servers = vec![IceServer {
        urls: vec!["stun:192.0.2.7:3478".into()],
        username: String::new(),
        credential: String::new(),
    }];
    let told = visavis_signaling::ServerMessage::IceServers { exchange: 1, servers: servers.clone(), ttl: 60 };
    world.input(0, Input::Socket(visavis_call::SocketInput::Text(told.to_json())));
    world.command(0, Command::HangUp);
    world.run(SOON);
    ask(&mut world, 0);
    ask(&mut world, 1);
    world.run(SOON);
    let used = Output::Transport { generation: 2, action: TransportAction::UseServers(servers) };
    assert!(world.parties[0].outputs.contains(&used));
}
