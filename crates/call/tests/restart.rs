//! A lost path is mended by restarting ICE: the creator restarts, the joiner asks, the server carries both.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::solo::{Solo, Stage};
use common::world::World;
use visavis_call::{
    CallEvent, Command, Input, MediaState, Output, PeerState, SocketAction, Timer, TransportAction, TransportInput,
};
use visavis_signaling::{Body, ClientMessage, Role};

const RESTART: TransportAction = TransportAction::CreateOffer { ice_restart: true };
const SECOND: Duration = Duration::from_secs(1);

fn please_restart() -> Body {
    Body::Control { text: r#"{"type":"please-restart"}"#.into() }
}

fn restarts(world: &World) -> usize {
    world.bodies.iter().filter(|(_, body)| matches!(body, Body::Offer { restart: true, .. })).count()
}

fn asked(world: &World) -> usize {
    world.bodies.iter().filter(|(_, body)| *body == please_restart()).count()
}

#[test]
fn both_notice_and_one_restart_mends_it() {
    let mut world = World::connected();
    world.cut_path();
    assert_eq!(world.names(), ["disconnected", "disconnected"]);
    world.run(SECOND * 3);
    world.restore_path();
    world.run(SECOND);
    assert_eq!(world.names(), ["connected", "connected"]);
    world.run(SECOND * 30);
    assert_eq!((restarts(&world), asked(&world)), (1, 1), "the joiner's request crossed the creator's own restart");
}

#[test]
fn a_path_that_comes_back_by_itself_needs_none() {
    let mut world = World::connected();
    world.cut_path();
    world.run(SECOND);
    world.restore_path();
    world.run(SECOND * 30);
    assert_eq!(world.names(), ["connected", "connected"]);
    assert_eq!((restarts(&world), asked(&world)), (0, 0));
}

#[test]
fn the_joiners_word_is_enough() {
    let mut world = World::connected();
    world.parties[1].peer.as_mut().unwrap().up = false;
    world.transport(1, TransportInput::State(PeerState::Disconnected));
    assert_eq!(world.names(), ["connected", "disconnected"], "the creator still hears the joiner");
    world.run(Timer::Restart.duration() + SECOND);
    assert_eq!(world.names(), ["connected", "connected"]);
    assert_eq!((restarts(&world), asked(&world)), (1, 1));
}

#[test]
fn the_creators_own_eyes_are_enough() {
    let mut world = World::connected();
    world.parties[0].peer.as_mut().unwrap().up = false;
    world.transport(0, TransportInput::State(PeerState::Disconnected));
    world.run(Timer::Restart.duration() + SECOND);
    assert_eq!(world.names(), ["connected", "connected"]);
    assert_eq!((restarts(&world), asked(&world)), (1, 0));
}

#[test]
fn everything_lost_at_once_is_found_again() {
    for down in [5, 20, 40] {
        let mut world = World::connected();
        for who in 0..2 {
            world.parties[who].reachable = false;
            world.cut_socket(who);
        }
        world.cut_path();
        world.run(SECOND * down / 2);
        for who in 0..2 {
            world.parties[who].reachable = true;
        }
        world.run(SECOND * 5);
        world.restore_path();
        world.run(SECOND);
        assert_eq!(world.names(), ["connected", "connected"], "after {down} s");
    }
}

#[test]
fn a_late_answer_still_counts() {
    let mut world = World::connected();
    world.cut_path();
    world.parties[1].reachable = false;
    world.cut_socket(1);
    world.run(SECOND * 20);
    assert_eq!(restarts(&world), 1, "one offer is out, and one is enough");
    world.parties[1].reachable = true;
    world.path = true;
    world.run(SECOND * 6);
    assert_eq!(world.names(), ["connected", "connected"]);
}

#[test]
fn nothing_is_thrown_away_while_the_server_is_away() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    solo.offline();
    solo.path_down();
    solo.take();
    solo.pass(SECOND * 7);
    assert_eq!(solo.actions(), []);
    solo.welcome(true);
    assert_eq!(solo.actions(), [RESTART], "and it is done as soon as the server answers");
}

#[test]
fn the_joiners_request_waits_for_the_server() {
    let mut solo = Solo::at(Role::Joiner, Stage::Connected);
    solo.offline();
    solo.path_down();
    solo.take();
    solo.pass(Timer::Restart.duration());
    assert_eq!(solo.relayed(), []);
    solo.welcome(true);
    let restart = solo.relayed().into_iter().filter(|body| *body == please_restart()).count();
    assert_eq!(restart, 1);
}

#[test]
fn a_request_is_heeded_once_per_attempt() {
    for stage in [Stage::Connected, Stage::Disconnected] {
        let mut solo = Solo::at(Role::Creator, stage);
        for _ in 0..3 {
            solo.body(&please_restart());
        }
        assert_eq!(solo.actions(), [RESTART], "{stage:?}");
        solo.transport(TransportInput::OfferReady("o".into()));
        solo.body(&Solo::answer());
        solo.transport(TransportInput::AnswerAccepted);
        solo.peer(PeerState::Connected);
        solo.take();
        solo.body(&please_restart());
        assert_eq!(solo.actions(), [], "it crossed our restart");
        solo.pass(Timer::RestartAgain.duration());
        solo.body(&please_restart());
        assert_eq!(solo.actions(), [RESTART], "a new one");
    }
}

#[test]
fn one_made_on_request_is_given_its_time_when_the_old_path_goes() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    solo.body(&please_restart());
    solo.peer(PeerState::Connecting);
    assert_eq!(solo.state().name(), "disconnected", "a restart throws the old path away");
    solo.transport(TransportInput::OfferReady("o".into()));
    solo.body(&Solo::answer());
    solo.transport(TransportInput::AnswerAccepted);
    solo.take();
    solo.pass(Timer::RestartAgain.duration() - SECOND);
    assert_eq!(solo.actions(), [], "the attempt is under way");
    solo.pass(SECOND);
    assert_eq!(solo.actions(), [RESTART]);
}

#[test]
fn nobody_else_may_ask() {
    for (role, stage) in Stage::everywhere() {
        let heeded = role == Role::Creator && matches!(stage, Stage::Connected | Stage::Disconnected);
        let mut solo = Solo::at(role, stage);
        solo.transport(TransportInput::Control(r#"{"type":"please-restart"}"#.into()));
        assert_eq!(solo.actions() == [RESTART], heeded, "{role:?} {stage:?}");
    }
}

#[test]
fn a_restart_that_finds_nothing_is_made_again_in_time() {
    let mut solo = Solo::at(Role::Creator, Stage::Disconnected);
    solo.pass(Timer::Restart.duration());
    solo.transport(TransportInput::OfferReady("o".into()));
    solo.body(&Solo::answer());
    solo.transport(TransportInput::AnswerAccepted);
    solo.take();
    solo.pass(Timer::RestartAgain.duration() - SECOND);
    assert_eq!(solo.actions(), [], "a second restart would undo the first");
    solo.pass(SECOND);
    assert_eq!(solo.actions(), [RESTART]);
}

#[test]
fn one_that_fails_inside_is_tried_again() {
    let mut solo = Solo::at(Role::Creator, Stage::Disconnected);
    solo.pass(Timer::Restart.duration());
    solo.transport(TransportInput::Failed { reason: "busy".into() });
    solo.take();
    assert_eq!(solo.state().name(), "disconnected");
    solo.pass(Timer::RestartAgain.duration());
    assert_eq!(solo.actions(), [RESTART]);
}

#[test]
fn a_refused_answer_leaves_the_offer_standing() {
    let mut solo = Solo::at(Role::Creator, Stage::Disconnected);
    solo.pass(Timer::Restart.duration());
    solo.transport(TransportInput::OfferReady("o".into()));
    solo.body(&Solo::answer());
    solo.transport(TransportInput::Failed { reason: "not an answer to this".into() });
    solo.take();
    solo.pass(Timer::RestartAgain.duration());
    assert_eq!(solo.actions(), [], "a peer connection takes no second offer");
    solo.body(&Solo::answer());
    assert!(matches!(solo.actions()[..], [TransportAction::AcceptAnswer { .. }]));
}

#[test]
fn what_cant_come_back_by_itself_isnt_waited_for() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    solo.peer(PeerState::Failed);
    assert_eq!((solo.state().name(), solo.actions()), ("disconnected", vec![RESTART]));
    let mut solo = Solo::at(Role::Joiner, Stage::Disconnected);
    solo.peer(PeerState::Failed);
    solo.peer(PeerState::Failed);
    assert_eq!(solo.relayed(), [please_restart()]);
}

#[test]
fn a_path_that_flaps_is_told_and_nothing_more() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    for _ in 0..20 {
        for state in [PeerState::Disconnected, PeerState::Connecting, PeerState::Connected, PeerState::Connected] {
            solo.peer(state);
            solo.pass(Duration::from_millis(200));
        }
    }
    assert_eq!(solo.actions().iter().filter(|action| **action == RESTART).count(), 0);
    assert_eq!(solo.state().name(), "connected");
    assert_eq!(common::states(&solo.take()), ["disconnected", "connected"].repeat(20));
}

#[test]
fn the_call_keeps_its_age() {
    let mut solo = Solo::at(Role::Joiner, Stage::Connected);
    let since = solo.state();
    solo.pass(SECOND);
    solo.path_down();
    solo.pass(SECOND);
    solo.peer(PeerState::Connected);
    assert_eq!(solo.state(), since);
}

#[test]
fn what_changed_meanwhile_is_told_afterwards() {
    let mut world = World::connected();
    let media = MediaState { microphone: false, camera: false };
    world.stop_server(0);
    world.cut_path();
    world.command(0, Command::Media(media));
    world.run(SECOND);
    world.restore_path();
    world.run(SECOND);
    assert!(world.events(1).contains(&CallEvent::RemoteMedia(media)));
}

#[test]
fn statistics_dont_burden_the_server() {
    let mut solo = Solo::at(Role::Joiner, Stage::Disconnected);
    solo.input(Input::Command(Command::Measured(visavis_call::Measured::default())));
    assert_eq!(solo.take(), []);
}

#[test]
fn a_peer_connection_that_has_ended_ends_the_call() {
    for (role, stage) in Stage::everywhere().filter(|(_, stage)| !matches!(stage, Stage::New | Stage::Waiting)) {
        let mut solo = Solo::at(role, stage);
        solo.peer(PeerState::Closed);
        let expected = if stage == Stage::Closed { "hung-up" } else { "transport-failed" };
        assert_eq!(solo.closed_for().map(|reason| reason.code()), Some(expected), "{role:?} {stage:?}");
    }
}

#[test]
fn nothing_is_thrown_away_in_the_dark() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    solo.pass(SECOND);
    solo.dark = true;
    solo.path_down();
    solo.pass(SECOND * 30);
    assert_eq!(solo.actions(), [], "the old path comes back by itself the moment that the network does");
    solo.peer(PeerState::Connected);
    assert_eq!((solo.state().name(), solo.actions().contains(&RESTART)), ("connected", false));
}

#[test]
fn a_network_that_is_back_without_the_path_is_restarted_on() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    solo.pass(SECOND);
    solo.dark = true;
    solo.path_down();
    solo.pass(SECOND * 4);
    assert_eq!(solo.actions(), []);
    solo.server(&visavis_signaling::ServerMessage::Pong);
    assert_eq!(solo.actions(), [RESTART]);
}

#[test]
fn an_address_that_is_gone_takes_the_path_and_the_socket_along() {
    for role in [Role::Creator, Role::Joiner] {
        let mut solo = Solo::at(role, Stage::Connected);
        solo.input(Input::Command(Command::NetworkChanged { path_gone: true }));
        assert_eq!(solo.state().name(), "disconnected");
        let new_socket = |output: &Output| matches!(output, Output::Socket(SocketAction::Connect { .. }));
        assert!(solo.take().iter().any(new_socket), "with no pause");
        solo.welcome(true);
        match role {
            Role::Creator => assert_eq!(solo.actions(), [RESTART]),
            Role::Joiner => assert_eq!(solo.relayed().last(), Some(&please_restart())),
        }
    }
}

#[test]
fn another_interface_that_comes_or_goes_costs_the_call_nothing() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    solo.input(Input::Command(Command::NetworkChanged { path_gone: false }));
    assert_eq!((solo.state().name(), solo.sent()), ("connected", vec![ClientMessage::Ping]));
    solo.pass(SECOND * 10);
    assert_eq!(solo.actions(), []);
}

#[test]
fn a_request_that_comes_after_the_light_is_late() {
    let mut solo = Solo::at(Role::Creator, Stage::Disconnected);
    solo.peer(PeerState::Connected);
    solo.take();
    solo.body(&please_restart());
    assert_eq!(solo.actions(), []);
    solo.pass(Timer::RestartAgain.duration());
    solo.body(&please_restart());
    assert_eq!(solo.actions(), [RESTART], "this one is meant");
}

#[test]
fn an_offer_that_the_other_cant_use_is_taken_back_and_made_anew() {
    let mut world = World::connected();
    world.parties[1].peer.as_mut().unwrap().refuses_next = true;
    world.cut_path();
    world.run(SECOND * 3);
    world.restore_path();
    world.run(SECOND);
    assert_eq!(world.names(), ["disconnected", "disconnected"], "the old path is gone, and there is no new one yet");
    world.run(Timer::RestartAgain.duration());
    assert_eq!(world.names(), ["connected", "connected"]);
    assert_eq!(restarts(&world), 2);
}
