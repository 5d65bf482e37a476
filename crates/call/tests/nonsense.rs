//! Messages that make no sense: before the call is up they end the exchange with their reason, afterwards they are
//! counted and dropped.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use common::fingerprint;
use common::solo::{Solo, Stage};
use visavis_call::{CallEvent, Output, TransportAction, TransportInput};
use visavis_signaling::message::MAX_BODY_BYTES;
use visavis_signaling::{Body, Role, Seal};

fn dropped(solo: &Solo) -> Option<u32> {
    solo.outputs.iter().rev().find_map(|output| match output {
        Output::Event(CallEvent::Dropped { count }) => Some(*count),
        _ => None,
    })
}

/// What is left of the call after nonsense in that state.
fn expected(role: Role, stage: Stage) -> &'static str {
    match (stage, role) {
        (Stage::Verifying | Stage::Describing, Role::Creator) => "waiting",
        (Stage::Verifying | Stage::Describing, Role::Joiner) | (Stage::Connecting, _) => "bad-message",
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

fn envelopes() -> Vec<(&'static str, String)> {
    // The other side's role is filled in by the test.
    let content = |body: &str| format!(r#"{{"number":90,"from":"OTHER","body":{body}}}"#);
    vec![
        ("not base64", "~~~".into()),
        ("empty", String::new()),
        ("of no size class", "AAAA".into()),
        ("too large", "A".repeat(MAX_BODY_BYTES)),
        ("no json", "x".repeat(256)),
        ("an unknown type", content(r#"{"type":"dance"}"#)),
        ("a field missing", content(r#"{"type":"offer","sdp":"v=0"}"#)),
        ("no fingerprint", content(r#"{"type":"knock","version":1,"fingerprint":"AB"}"#)),
        ("our own role", content(r#"{"type":"end-of-candidates"}"#).replace("OTHER", "OURS")),
        ("a number that was there", content(r#"{"type":"end-of-candidates"}"#).replace("90", "0")),
    ]
}

fn sealed(text: &str, role: Role) -> String {
    let name = |role| if role == Role::Creator { "creator" } else { "joiner" };
    let text = text.replace("OTHER", name(role.other())).replace("OURS", name(role));
    if text.starts_with('{') || text.starts_with('x') { base64(&format!("{text:256}")) } else { text }
}

/// RFC 4648, section 4, for what the tests send.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |chunk: &[u8]| {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        (0..4)
            .map(
                move |at| {
                    if at <= chunk.len() { char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]) } else { '=' }
                },
            )
            .collect::<String>()
    };
    text.as_bytes().chunks(3).map(encode).collect()
}

#[test]
fn the_tests_own_envelope_is_a_good_one() {
    let text = r#"{"number":90,"from":"OTHER","body":{"type":"end-of-candidates"}}"#;
    assert_eq!(Seal::pass_through(Role::Creator).open(&sealed(text, Role::Creator)), Ok(Body::EndOfCandidates));
}

#[test]
fn unreadable_envelopes_in_every_state() {
    for (role, stage) in Stage::everywhere() {
        for (what, text) in envelopes() {
            let mut solo = Solo::at(role, stage);
            solo.sealed(sealed(&text, role));
            assert_eq!(found(&solo), expected(role, stage), "{what}, {role:?} {stage:?}");
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
    let table = [
        (Role::Creator, Stage::Verifying, Solo::offer(false)),
        (Role::Creator, Stage::Verifying, Solo::answer()),
        (Role::Creator, Stage::Describing, Solo::knock()),
        (Role::Creator, Stage::Describing, Solo::answer()),
        (Role::Creator, Stage::Connecting, Solo::knock()),
        (Role::Creator, Stage::Connecting, Solo::answer()),
        (Role::Creator, Stage::Connected, Solo::knock()),
        (Role::Creator, Stage::Disconnected, Solo::answer()),
        (Role::Joiner, Stage::Verifying, Solo::knock()),
        (Role::Joiner, Stage::Verifying, Solo::answer()),
        (Role::Joiner, Stage::Describing, Solo::offer(false)),
        (Role::Joiner, Stage::Connecting, Solo::knock()),
        (Role::Joiner, Stage::Connecting, Solo::answer()),
        (Role::Joiner, Stage::Connected, Solo::answer()),
        (Role::Joiner, Stage::Disconnected, Solo::knock()),
    ];
    for (role, stage, body) in table {
        let mut solo = Solo::at(role, stage);
        solo.body(&body);
        assert_eq!(found(&solo), expected(role, stage), "{role:?} {stage:?} {body:?}");
        let asked = solo.actions().into_iter().filter(|action| *action != TransportAction::Close).count();
        let goodbye = usize::from(stage == Stage::Connecting && solo.actions().len() > 1);
        assert_eq!(asked - goodbye, 0, "{role:?} {stage:?} {body:?}");
    }
}

#[test]
fn another_certificate_than_the_one_of_the_exchange() {
    let other = fingerprint(8);
    let answer = Body::Answer { sdp: "v=0".into(), fingerprint: other.clone() };
    let offer = Body::Offer { sdp: "v=0".into(), fingerprint: other, restart: true };
    let mut solo = Solo::at(Role::Creator, Stage::Describing);
    solo.transport(TransportInput::OfferReady("our offer".into()));
    solo.body(&answer);
    assert_eq!(solo.state().name(), "waiting");
    assert_eq!(solo.actions(), [TransportAction::Close], "it was never taken");
    for stage in [Stage::Connecting, Stage::Connected, Stage::Disconnected] {
        let mut solo = Solo::at(Role::Joiner, stage);
        solo.body(&offer);
        assert_eq!(found(&solo), expected(Role::Joiner, stage));
        assert!(!solo.actions().iter().any(|action| matches!(action, TransportAction::AcceptOffer { .. })));
    }
}

#[test]
fn the_case_of_a_fingerprint_doesnt_matter() {
    let mut solo = Solo::at(Role::Joiner, Stage::Connected);
    let Body::Offer { sdp, fingerprint, restart } = Solo::offer(true) else { panic!() };
    solo.body(&Body::Offer { sdp, fingerprint: fingerprint.to_lowercase(), restart });
    assert!(matches!(solo.actions()[..], [TransportAction::AcceptOffer { .. }]));
}

#[test]
fn a_knock_of_another_version() {
    let mut solo = Solo::at(Role::Creator, Stage::Verifying);
    solo.body(&Body::Knock { version: 2, fingerprint: fingerprint(9) });
    assert_eq!((solo.state().name(), solo.actions()), ("waiting", vec![TransportAction::Close]));
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
