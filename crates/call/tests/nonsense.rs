//! Messages that make no sense: before the call is up they end the exchange with their reason, afterwards they are
//! counted and dropped.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use common::fingerprint;
use common::solo::{Solo, Stage};
use visavis_call::{CallEvent, Output, TransportAction, TransportInput};
use visavis_signaling::message::MAX_BODY_BYTES;
use visavis_signaling::{Body, Role};

fn dropped(solo: &Solo) -> Option<u32> {
    solo.outputs.iter().rev().find_map(|output| match output {
        Output::Event(CallEvent::Dropped { count }) => Some(*count),
        _ => None,
    })
}

/// What is left of the call after nonsense in that state; `why` where it closes.
fn expected(role: Role, stage: Stage, why: &'static str) -> &'static str {
    match (stage, role) {
        (Stage::Verifying | Stage::Describing, Role::Creator) => "waiting",
        (Stage::Verifying | Stage::Describing, Role::Joiner) | (Stage::Connecting, _) => why,
        (Stage::New, _) => "new",
        (Stage::Waiting, _) => "waiting",
        (Stage::Connected, _) => "connected",
        (Stage::Disconnected, _) => "disconnected",
        (Stage::Closed, _) => "hung-up",
    }
}

fn found(solo: &Solo) -> &'static str {
    solo.closed_for().map_or(solo.state().name(), |reason| reason.code())
}

/// Texts that no side ever sends, and what a call that isn't up calls them.
fn strangers() -> Vec<(&'static str, String, &'static str)> {
    let forged = format!(r#"{{"type":"sealed","number":9,"sealed":"{}"}}"#, "A".repeat(344));
    vec![
        ("no json", "~~~".into(), "bad-message"),
        ("empty", String::new(), "bad-message"),
        ("too large", "A".repeat(MAX_BODY_BYTES), "bad-message"),
        ("an unknown type", r#"{"type":"dance"}"#.into(), "bad-message"),
        ("a field missing", r#"{"type":"sealed","number":1}"#.into(), "bad-message"),
        ("no base64", r#"{"type":"sealed","number":1,"sealed":"~"}"#.into(), "bad-message"),
        ("of no size class", r#"{"type":"sealed","number":1,"sealed":"AAAA"}"#.into(), "tampered"),
        ("sealed by nobody", forged, "tampered"),
    ]
}

#[test]
fn unreadable_envelopes_in_every_state() {
    for (role, stage) in Stage::everywhere() {
        for (what, text, why) in strangers() {
            let mut solo = Solo::at(role, stage);
            solo.sealed(text);
            assert_eq!(found(&solo), expected(role, stage, why), "{what}, {role:?} {stage:?}");
            let counted = matches!(stage, Stage::Connected | Stage::Disconnected).then_some(1);
            assert_eq!(dropped(&solo), counted, "{what}, {role:?} {stage:?}");
        }
    }
}

#[test]
fn a_good_one_behind_a_bad_one_is_read() {
    let mut solo = Solo::at(Role::Joiner, Stage::Connected);
    solo.sealed("~~~".into());
    solo.body(&Solo::offer(true));
    assert!(matches!(solo.actions()[..], [TransportAction::AcceptOffer { .. }]));
}

#[test]
fn descriptions_where_none_fits() {
    let (other, early) = ("bad-message", "tampered");
    let table = [
        (Role::Creator, Stage::Verifying, Solo::offer(false), early),
        (Role::Creator, Stage::Verifying, Solo::answer(), early),
        (Role::Creator, Stage::Describing, Solo::answer(), early),
        (Role::Creator, Stage::Connecting, Solo::answer(), other),
        (Role::Creator, Stage::Disconnected, Solo::answer(), other),
        (Role::Joiner, Stage::Verifying, Solo::answer(), early),
        (Role::Joiner, Stage::Describing, Solo::offer(false), other),
        (Role::Joiner, Stage::Connecting, Solo::answer(), other),
        (Role::Joiner, Stage::Connected, Solo::answer(), other),
    ];
    for (role, stage, body, why) in table {
        let mut solo = Solo::at(role, stage);
        solo.body(&body);
        assert_eq!(found(&solo), expected(role, stage, why), "{role:?} {stage:?} {body:?}");
        let asked = solo.actions().into_iter().filter(|action| *action != TransportAction::Close).count();
        let goodbye = usize::from(stage == Stage::Connecting && solo.actions().len() > 1);
        assert_eq!(asked - goodbye, 0, "{role:?} {stage:?} {body:?}");
    }
}

#[test]
fn a_second_opening_is_nothing() {
    for stage in [Stage::Describing, Stage::Connecting, Stage::Connected] {
        let mut solo = Solo::new(Role::Creator);
        solo.go_to(Stage::Verifying);
        let opening = solo.opening().to_owned();
        solo.continue_to(stage);
        solo.sealed(opening);
        assert_eq!(found(&solo), expected(Role::Creator, stage, "tampered"), "{stage:?}");
    }
}

#[test]
fn a_description_that_names_another_certificate() {
    let mut solo = Solo::at(Role::Creator, Stage::Describing);
    solo.transport(TransportInput::OfferReady("our offer".into()));
    solo.body(&Solo::answer());
    solo.transport(TransportInput::WrongCertificate);
    assert_eq!(found(&solo), "waiting");
    let mut solo = Solo::at(Role::Joiner, Stage::Describing);
    solo.transport(TransportInput::WrongCertificate);
    assert_eq!(found(&solo), "wrong-certificate");
}

#[test]
fn the_peer_connection_is_told_the_certificate_that_was_proved() {
    let mut solo = Solo::at(Role::Joiner, Stage::Verifying);
    solo.body(&Solo::offer(false));
    let proved = fingerprint(common::solo::OTHER);
    assert!(matches!(solo.actions()[..], [TransportAction::AcceptOffer { fingerprint, .. }] if fingerprint == proved));
}

#[test]
fn an_app_of_another_version() {
    let mut solo = Solo::at(Role::Creator, Stage::Verifying);
    let opening = solo.opening().replace("CXZpc2F2aXMvM", "CXZpc2F2aXMvO");
    solo.sealed(opening);
    assert_eq!((solo.state().name(), solo.actions()), ("waiting", vec![TransportAction::Close]));
    assert_eq!(solo.relayed(), [Body::Bye { reason: "dismissed".into() }]);
    let mut solo = Solo::at(Role::Joiner, Stage::Verifying);
    solo.sealed(r#"{"type":"refuse","reason":"dismissed"}"#.into());
    assert_eq!(found(&solo), "dismissed");
}

#[test]
fn an_answer_that_the_peer_connection_refuses() {
    let mut solo = Solo::at(Role::Creator, Stage::Describing);
    solo.transport(TransportInput::OfferReady("our offer".into()));
    solo.body(&Solo::answer());
    solo.transport(TransportInput::Failed { reason: "no answer to this".into() });
    assert_eq!(solo.state().name(), "waiting", "this one wasn't it");
}

#[test]
fn our_own_failure_is_told_as_ours() {
    let mut solo = Solo::at(Role::Creator, Stage::Verifying);
    solo.transport(TransportInput::Failed { reason: "no socket".into() });
    assert_eq!(found(&solo), "transport-failed", "nobody else would fare better");
    let mut solo = Solo::at(Role::Joiner, Stage::Describing);
    solo.transport(TransportInput::Failed { reason: "no socket".into() });
    assert_eq!(found(&solo), "transport-failed");
}

#[test]
fn an_offer_that_no_envelope_holds() {
    let mut solo = Solo::at(Role::Creator, Stage::Describing);
    solo.transport(TransportInput::OfferReady("x".repeat(40_000)));
    assert_eq!(found(&solo), "transport-failed");
}

#[test]
fn control_text_that_nobody_knows_is_skipped() {
    for (role, stage) in Stage::everywhere() {
        for text in ["", "{", "[]", r#"{"type":"dance"}"#, &"x".repeat(20_000)] {
            let mut solo = Solo::at(role, stage);
            solo.transport(TransportInput::Control(text.to_owned()));
            assert_eq!(solo.take(), [], "{role:?} {stage:?}");
        }
    }
}
