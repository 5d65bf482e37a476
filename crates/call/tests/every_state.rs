//! Every input in every state: nothing panics, states move along the drawing's arrows, a call ends once, and what has
//! ended is quiet.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::solo::{Solo, Stage};
use proptest::prelude::*;
use visavis_call::{
    CallEvent, Command, Input, Measured, MediaState, Output, PeerState, SocketInput, TransportAction, TransportInput,
};
use visavis_signaling::message::{ErrorCode, reason};
use visavis_signaling::{Role, ServerMessage};

/// The drawing of `session/transitions.rs`, besides "any → closed".
const ARROWS: [(&str, &str); 9] = [
    ("new", "waiting"),
    ("new", "verifying"),
    ("waiting", "verifying"),
    ("verifying", "waiting"),
    ("verifying", "connecting"),
    ("connecting", "waiting"),
    ("connecting", "connected"),
    ("connected", "disconnected"),
    ("disconnected", "connected"),
];

#[derive(Clone, Debug)]
enum Op {
    Body(usize),
    Unreadable,
    PeerLeft(&'static str),
    Created,
    Knocked,
    Confirmed,
    Refused(ErrorCode, bool),
    Offline,
    BackOnline(bool),
    Text(&'static str),
    Transport(TransportInput),
    Older(TransportInput),
    Command(Command),
    Pass(u64),
    GoTo(usize),
}

fn transports() -> Vec<TransportInput> {
    let control = |text: &str| TransportInput::Control(text.into());
    let states = [
        PeerState::New,
        PeerState::Connecting,
        PeerState::Connected,
        PeerState::Disconnected,
        PeerState::Failed,
        PeerState::Closed,
    ];
    let mut inputs = vec![
        TransportInput::OfferReady("our offer".into()),
        TransportInput::AnswerReady("our answer".into()),
        TransportInput::AnswerAccepted,
        TransportInput::Candidate(Solo::candidate()),
        TransportInput::EndOfCandidates,
        TransportInput::ControlOpened,
        TransportInput::ControlClosed,
        TransportInput::Obstacle(Some(visavis_call::Obstacle::NoRelay)),
        TransportInput::Failed { reason: "so it is".into() },
        control(r#"{"type":"media","camera":true}"#),
        control(r#"{"type":"stats"}"#),
        control(r#"{"type":"please-restart"}"#),
        control(r#"{"type":"bye","reason":"hung-up"}"#),
        control("nonsense"),
    ];
    inputs.extend(states.map(TransportInput::State));
    inputs
}

fn commands() -> Vec<Command> {
    vec![Command::HangUp, Command::Media(MediaState::default()), Command::Measured(Measured::default())]
}

fn every_op() -> Vec<Op> {
    let words = [reason::LEFT, reason::LOST, reason::TIMED_OUT, "hung-up", "no-path", "rubbish"];
    let codes = [ErrorCode::NoSuchRoom, ErrorCode::RoomFull, ErrorCode::Expired, ErrorCode::TooLarge, ErrorCode::Idle];
    let mut ops: Vec<_> = (0..Solo::every_body().len()).map(Op::Body).collect();
    ops.extend([Op::Unreadable, Op::Created, Op::Knocked, Op::Confirmed, Op::Offline]);
    ops.extend([Op::BackOnline(true), Op::BackOnline(false), Op::Text("{}"), Op::Text("{\"type\":\"pong\"}")]);
    ops.extend(words.map(Op::PeerLeft));
    ops.extend(codes.into_iter().flat_map(|code| [Op::Refused(code, false), Op::Refused(code, true)]));
    ops.extend(transports().into_iter().flat_map(|input| [Op::Transport(input.clone()), Op::Older(input)]));
    ops.extend(commands().into_iter().map(Op::Command));
    ops.extend([Op::Pass(1), Op::Pass(300), Op::Pass(3_000), Op::Pass(40_000)]);
    ops
}

fn perform(solo: &mut Solo, op: &Op) {
    match op {
        Op::Body(index) => solo.body(&Solo::every_body()[*index]),
        Op::Unreadable => solo.sealed("~~~".into()),
        Op::PeerLeft(word) => solo.peer_left(word),
        Op::Created => solo.created(),
        Op::Knocked => solo.knocked(),
        Op::Confirmed => {
            solo.server(&ServerMessage::Confirmed { exchange: solo.exchange, room: "00".repeat(16) });
        }
        Op::Refused(code, fatal) => {
            solo.server(&ServerMessage::Error { code: *code, text: "so it is".into(), fatal: *fatal });
        }
        Op::Offline => solo.offline(),
        Op::BackOnline(resumed) => solo.back_online(*resumed),
        Op::Text(text) => solo.socket(SocketInput::Text((*text).to_owned())),
        Op::Transport(input) => solo.transport(input.clone()),
        Op::Older(input) => {
            let generation = solo.generation.wrapping_sub(1);
            solo.input(Input::Transport { generation, input: input.clone() });
        }
        Op::Command(command) => solo.input(Input::Command(command.clone())),
        Op::Pass(millis) => solo.pass(Duration::from_millis(*millis)),
        Op::GoTo(index) => solo.go_to(Stage::ALL[*index]),
    }
}

/// Everything that must hold of what a session ever says.
fn check(solo: &Solo) {
    let states = common::states(&solo.outputs);
    for pair in states.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let drawn = ARROWS.contains(&(from, to)) || (to == "closed" && from != "closed");
        assert!(drawn, "{from} -> {to} isn't in the drawing");
    }
    assert_eq!(states.last(), Some(&solo.state().name()), "the state that was told last is the state");
    check_peers(solo);
    if solo.session.is_finished() {
        assert_eq!(solo.session.poll_timeout(), None);
        assert_eq!(solo.state().name(), "closed");
    } else if solo.state().name() == "closed" {
        assert!(solo.session.poll_timeout().is_some(), "it must come to its end");
    }
    let quiet = solo.outputs.iter().skip_while(|output| !is_closed(output)).skip(1);
    let spoken = |output: &&Output| matches!(output, Output::Event(event) if !is_aftermath(event));
    assert_eq!(quiet.filter(spoken).count(), 0, "events after the end");
}

fn is_closed(output: &Output) -> bool {
    matches!(output, Output::Event(CallEvent::State(state)) if state.name() == "closed")
}

fn is_aftermath(event: &CallEvent) -> bool {
    matches!(event, CallEvent::Peer(_) | CallEvent::Deadline(_))
}

/// One peer connection at a time, each opened and closed once and asked for nothing before or after.
fn check_peers(solo: &Solo) {
    let (mut open, mut newest) = (None, 0);
    for output in &solo.outputs {
        let Output::Transport { generation, action } = output else { continue };
        if *action == TransportAction::Open {
            assert_eq!((open, *generation), (None, newest + 1), "opened in turn");
            (open, newest) = (Some(*generation), *generation);
        } else {
            assert_eq!(open, Some(*generation), "{action:?} for one that isn't open");
            open = open.filter(|_| *action != TransportAction::Close);
        }
    }
    assert!(open.is_none() || !solo.session.is_finished(), "left open");
}

#[test]
fn each_in_each_state_and_twice() {
    for (role, stage) in Stage::everywhere() {
        for op in every_op() {
            let mut solo = Solo::new(role);
            solo.go_to(stage);
            perform(&mut solo, &op);
            check(&solo);
            perform(&mut solo, &op);
            check(&solo);
        }
    }
}

#[test]
fn each_after_each_in_each_state() {
    let ops = every_op();
    for (role, stage) in Stage::everywhere() {
        for (index, first) in ops.iter().enumerate() {
            // Not all of the square: every third, shifted, so that all kinds meet.
            for second in ops.iter().skip(index % 3).step_by(3) {
                let mut solo = Solo::new(role);
                solo.go_to(stage);
                perform(&mut solo, first);
                perform(&mut solo, second);
                check(&solo);
            }
        }
    }
}

fn any_op() -> impl Strategy<Value = Op> {
    let stages = (0..Stage::ALL.len()).prop_map(Op::GoTo);
    prop_oneof![6 => proptest::sample::select(every_op()), 1 => stages, 1 => (0_u64..20_000).prop_map(Op::Pass)]
}

fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Creator), Just(Role::Joiner)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence(role in any_role(), ops in proptest::collection::vec(any_op(), 0..40)) {
        let mut solo = Solo::new(role);
        for op in &ops {
            perform(&mut solo, op);
        }
        check(&solo);
        solo.input(Input::Command(Command::HangUp));
        solo.pass(Duration::from_secs(1));
        check(&solo);
        prop_assert!(solo.session.is_finished(), "hanging up ends everything");
    }

    /// With nobody there any more, neither server nor other, only a path that holds keeps a call alive.
    #[test]
    fn nothing_hangs(role in any_role(), ops in proptest::collection::vec(any_op(), 0..40)) {
        let mut solo = Solo::new(role);
        for op in &ops {
            perform(&mut solo, op);
        }
        solo.offline();
        solo.pass(Duration::from_secs(600));
        check(&solo);
        let holds = solo.state().name() == "connected";
        prop_assert!(holds || solo.session.is_finished(), "{:?} hangs", solo.state());
    }
}
