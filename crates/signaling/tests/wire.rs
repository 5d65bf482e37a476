//! The bytes on the wire are those of docs/protocol.md, and envelopes open exactly what was sealed.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use visavis_signaling::body::{BodyError, MAX_SDP_BYTES};
use visavis_signaling::message::MAX_BODY_BYTES;
use visavis_signaling::seal::SIZE_CLASSES;
use visavis_signaling::{Body, ClientMessage, ErrorCode, Role, Seal, SealError, ServerMessage};

const PROTOCOL: &str = include_str!("../../../docs/protocol.md");

fn fingerprint() -> String {
    ["AB"; 32].join(":")
}

/// The JSON lines of the page's blocks that carry this mark.
fn examples(mark: &str) -> Vec<&'static str> {
    let fence = format!("```json {mark}\n");
    let blocks = PROTOCOL.split(&fence[..]).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_example_of_the_page_is_what_this_crate_writes() {
    let (client, server, body) = (examples("client"), examples("server"), examples("body"));
    assert!(client.len() >= 8 && server.len() >= 10 && body.len() >= 7, "{client:?} {server:?} {body:?}");
    for line in client {
        assert_eq!(ClientMessage::parse(line).unwrap().to_json(), line);
    }
    for line in server {
        assert_eq!(ServerMessage::parse(line).unwrap().to_json(), line);
    }
    for line in body {
        let body: Body = serde_json::from_str(line).unwrap();
        body.check().unwrap();
        assert_eq!(serde_json::to_string(&body).unwrap(), line);
    }
}

#[test]
fn the_sealed_example_of_the_page_is_what_this_crate_seals() {
    let sealed =
        Seal::pass_through(Role::Joiner).seal(&Body::Knock { version: 1, fingerprint: fingerprint() }).unwrap();
    assert!(PROTOCOL.contains(&sealed), "{sealed}");
    assert_eq!(sealed.len(), 344);
}

#[test]
fn every_error_code_is_on_the_page_and_unknown_ones_are_read() {
    let text = |code: &str| format!(r#"{{"type":"error","code":"{code}","text":"t","fatal":false}}"#);
    let mut known = BTreeSet::new();
    for line in PROTOCOL.lines().filter_map(|line| line.strip_prefix("| `")) {
        let code = line.split('`').next().unwrap();
        if let Ok(ServerMessage::Error { code: read, .. }) = ServerMessage::parse(&text(code))
            && read != ErrorCode::Unknown
        {
            assert_eq!(read.as_str(), code);
            known.insert(code);
        }
    }
    assert_eq!(known.len(), 17, "{known:?}");
    let unknown = ServerMessage::parse(&text("from-the-future")).unwrap();
    assert!(matches!(unknown, ServerMessage::Error { code: ErrorCode::Unknown, .. }));
}

fn any_body() -> impl Strategy<Value = Body> {
    let text = "(?s).{0,400}";
    let tag = || prop::option::of(".{0,40}");
    prop_oneof![
        any::<u32>().prop_map(|version| Body::Knock { version, fingerprint: fingerprint() }),
        (text, any::<bool>()).prop_map(|(sdp, restart)| Body::Offer { sdp, fingerprint: fingerprint(), restart }),
        text.prop_map(|sdp| Body::Answer { sdp, fingerprint: fingerprint() }),
        (".{0,200}", tag(), prop::option::of(any::<u16>()), tag()).prop_map(
            |(candidate, sdp_mid, sdp_mline_index, username_fragment)| Body::Candidate {
                candidate,
                sdp_mid,
                sdp_mline_index,
                username_fragment
            }
        ),
        Just(Body::EndOfCandidates),
        text.prop_map(|text| Body::Control { text }),
        ".{0,20}".prop_map(|reason| Body::Bye { reason }),
    ]
}

proptest! {
    #[test]
    fn what_is_sealed_opens_once_and_in_order(bodies in prop::collection::vec(any_body(), 1..8)) {
        let (mut joiner, mut creator) = (Seal::pass_through(Role::Joiner), Seal::pass_through(Role::Creator));
        let sealed: Vec<_> = bodies.iter().map(|body| joiner.seal(body).unwrap()).collect();
        for (number, (body, sealed)) in bodies.iter().zip(&sealed).enumerate() {
            prop_assert!(SIZE_CLASSES.contains(&STANDARD.decode(sealed).unwrap().len()));
            prop_assert_eq!(creator.open(sealed), Ok(body.clone()));
            let newest = number as u64 + 1;
            prop_assert_eq!(creator.open(sealed), Err(SealError::Replayed { number: newest, newest }));
            prop_assert_eq!(joiner.open(sealed), Err(SealError::Reflected));
        }
    }

    #[test]
    fn any_text_is_opened_or_refused(text in ".{0,600}", bytes in prop::collection::vec(any::<u8>(), 256)) {
        let mut seal = Seal::pass_through(Role::Creator);
        let _ = seal.open(&text);
        prop_assert!(seal.open(&STANDARD.encode(bytes)).is_err());
    }
}

#[test]
fn bounds_are_kept_on_both_sides() {
    let mut seal = Seal::pass_through(Role::Creator);
    let offer = |sdp: String, fingerprint: String| Body::Offer { sdp, fingerprint, restart: false };
    let largest = seal.seal(&offer("x".repeat(MAX_SDP_BYTES), fingerprint())).unwrap();
    assert!(largest.len() <= MAX_BODY_BYTES);
    assert!(Seal::pass_through(Role::Joiner).open(&largest).is_ok());
    let too_long = seal.seal(&offer("x".repeat(MAX_SDP_BYTES + 1), fingerprint()));
    assert!(matches!(too_long, Err(SealError::Body(BodyError::TooLarge { field: "sdp", .. }))));
    for wrong in ["", "AB", &["AB"; 31].join(":"), &["ABC"; 32].join(":"), &["XY"; 32].join(":"), &["é"; 32].join(":")]
    {
        assert_eq!(seal.seal(&offer(String::new(), wrong.to_owned())), Err(SealError::Body(BodyError::Fingerprint)));
    }
    // Quotes take two bytes in JSON: within its own bound, beyond the largest envelope.
    assert!(matches!(seal.seal(&offer("\"".repeat(MAX_SDP_BYTES), fingerprint())), Err(SealError::TooLarge { .. })));
    let small = seal.seal(&Body::EndOfCandidates).unwrap();
    let mut padded = STANDARD.decode(&small).unwrap();
    padded.push(b' ');
    let wrong = Seal::pass_through(Role::Joiner).open(&STANDARD.encode(padded));
    assert!(matches!(wrong, Err(SealError::Padding { .. })), "{wrong:?}");
    assert!(matches!(seal.open(&"A".repeat(MAX_BODY_BYTES + 1)), Err(SealError::TooLarge { .. })));
}

#[test]
fn a_body_refused_does_not_block_the_next() {
    let (mut joiner, mut creator) = (Seal::pass_through(Role::Joiner), Seal::pass_through(Role::Creator));
    let first = joiner.seal(&Body::EndOfCandidates).unwrap();
    let second = joiner.seal(&Body::Bye { reason: "hung-up".into() }).unwrap();
    assert_eq!(creator.open("garbage"), Err(SealError::Encoding));
    assert!(creator.open(&second).is_ok());
    assert!(matches!(creator.open(&first), Err(SealError::Replayed { number: 1, newest: 2 })));
}
