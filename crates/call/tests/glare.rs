//! Both offer at once: the creator's offer stands.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use common::solo::{Solo, Stage};
use visavis_call::{Timer, TransportAction, TransportInput};
use visavis_signaling::{Body, Role};

#[test]
fn an_offer_of_the_joiner_is_answered_when_nothing_is_under_way() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    solo.body(&Solo::offer(false));
    assert!(matches!(solo.actions()[..], [TransportAction::AcceptOffer { .. }]));
    solo.transport(TransportInput::AnswerReady("our answer".into()));
    assert!(matches!(solo.relayed()[..], [Body::Answer { .. }]));
    assert_eq!(solo.state().name(), "connected");
}

#[test]
fn the_creators_own_offer_stands() {
    let mut solo = Solo::at(Role::Creator, Stage::Disconnected);
    solo.pass(Timer::Restart.duration());
    solo.take();
    solo.body(&Solo::offer(false));
    assert_eq!(solo.actions(), [], "while it is being made");
    solo.transport(TransportInput::OfferReady("our offer".into()));
    solo.body(&Solo::offer(false));
    assert_eq!(solo.actions(), [], "while it is out");
    solo.body(&Solo::answer());
    assert!(matches!(solo.actions()[..], [TransportAction::AcceptAnswer { .. }]));
    solo.body(&Solo::offer(false));
    assert_eq!(solo.actions().len(), 1, "while its answer is being taken");
    solo.transport(TransportInput::AnswerAccepted);
    solo.body(&Solo::offer(false));
    assert_eq!(solo.actions().len(), 2, "and not any more");
}
