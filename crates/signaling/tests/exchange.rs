//! The exchange of the code: it proves those who know the words, and everything else ends in its own error.

#![allow(clippy::unwrap_used, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};
use visavis_signaling::body::{BodyError, MAX_SDP_BYTES};
use visavis_signaling::message::MAX_BODY_BYTES;
use visavis_signaling::random::SplitMix;
use visavis_signaling::{Body, Exchange, ExchangeError, Fingerprint, Opened, RoomCode, SIZE_CLASSES, SealError, Terms};

const OWN: Fingerprint = Fingerprint([1; 32]);
const OTHER: Fingerprint = Fingerprint([2; 32]);

fn terms(code: &str, fingerprint: Fingerprint) -> Terms {
    Terms::by_code(&RoomCode::parse(code).unwrap(), fingerprint)
}

fn creator(seed: u64) -> Exchange {
    Exchange::create(terms("4827-tulip-orbit", OWN), Vec::new(), &mut SplitMix::new(seed))
}

fn joiner(code: &str) -> (Exchange, String) {
    Exchange::join(terms(code, OTHER), &mut SplitMix::new(77))
}

fn offer() -> Body {
    Body::Offer { sdp: "an offer".into(), restart: false }
}

fn answer() -> Body {
    Body::Answer { sdp: "an answer".into() }
}

/// Both sides, up to the creator's reply.
fn replied(code: &str) -> (Exchange, Exchange, String) {
    let (joiner, open) = joiner(code);
    let mut creator = creator(1);
    assert_eq!(creator.open(&open), Ok(Opened::Opening));
    let reply = creator.seal(&offer()).unwrap();
    (creator, joiner, reply)
}

fn met() -> (Exchange, Exchange) {
    let (mut creator, mut joiner, reply) = replied("4827-tulip-orbit");
    assert_eq!(joiner.open(&reply), Ok(Opened::Body(offer())));
    let confirm = joiner.seal(&answer()).unwrap();
    assert_eq!(creator.open(&confirm), Ok(Opened::Body(answer())));
    (creator, joiner)
}

fn edit(message: &str, field: &str, value: impl Into<Value>) -> String {
    let mut message: Value = serde_json::from_str(message).unwrap();
    message[field] = value.into();
    message.to_string()
}

fn bytes(message: &str, field: &str) -> Vec<u8> {
    let message: Value = serde_json::from_str(message).unwrap();
    STANDARD.decode(message[field].as_str().unwrap()).unwrap()
}

#[test]
fn two_who_know_the_words_prove_one_another() {
    let (creator, joiner) = met();
    let (of_joiner, of_creator) = (creator.proof().unwrap(), joiner.proof().unwrap());
    assert_eq!((of_joiner.fingerprint, of_creator.fingerprint), (OTHER, OWN));
    assert_eq!(of_joiner.pictures, of_creator.pictures);
    assert_eq!(creator.unanswered(), None);
}

#[test]
fn another_word_or_number_is_seen_by_the_joiner_first() {
    for code in ["4827-tulip-waffle", "4827-orbit-tulip", "4828-tulip-orbit"] {
        let (creator, mut joiner, reply) = replied(code);
        assert_eq!(joiner.open(&reply), Err(ExchangeError::WrongTag), "{code}");
        assert_eq!(joiner.proof(), None);
        assert!(creator.unanswered().is_some(), "the creator's tag is out, and a guess is spent");
        assert_eq!(creator.proof(), None);
    }
}

#[test]
fn a_certificate_swapped_on_the_way_is_a_wrong_tag() {
    for side in ["joiner", "creator"] {
        let (mut joiner, open) = joiner("4827-tulip-orbit");
        let mut creator = creator(1);
        let ad = |message: &str| {
            let mut ad = bytes(message, "ad");
            *ad.last_mut().unwrap() ^= 1;
            STANDARD.encode(ad)
        };
        let open = if side == "joiner" { edit(&open, "ad", ad(&open)) } else { open };
        creator.open(&open).unwrap();
        let reply = creator.seal(&offer()).unwrap();
        let reply = if side == "creator" { edit(&reply, "ad", ad(&reply)) } else { reply };
        assert_eq!(joiner.open(&reply), Err(ExchangeError::WrongTag), "{side}");
    }
}

#[test]
fn a_tag_made_up_is_refused_by_the_creator() {
    let (mut creator, mut joiner, reply) = replied("4827-tulip-orbit");
    joiner.open(&reply).unwrap();
    let confirm = joiner.seal(&answer()).unwrap();
    let forged = edit(&confirm, "tag", STANDARD.encode([0; 64]));
    assert_eq!(creator.open(&forged), Err(ExchangeError::WrongTag));
    assert!(creator.unanswered().is_some());
    assert!(matches!(creator.open(&confirm), Err(ExchangeError::OutOfTurn { .. })), "there is no second try");
}

#[test]
fn what_comes_back_is_known() {
    let (mut creator, mut joiner, reply) = replied("4827-tulip-orbit");
    let (mut mirror, _) = self::joiner("4827-tulip-orbit");
    assert!(matches!(creator.open(&reply), Err(ExchangeError::OutOfTurn { kind: "reply" })));
    // The joiner's own point and data, dressed up as a reply.
    let (_, open) = self::joiner("4827-tulip-orbit");
    let own = ["point", "ad"]
        .into_iter()
        .fold(reply.clone(), |message, field| edit(&message, field, STANDARD.encode(bytes(&open, field))));
    assert_eq!(mirror.open(&own), Err(ExchangeError::Reflected));
    joiner.open(&reply).unwrap();
    let confirm = joiner.seal(&answer()).unwrap();
    creator.open(&confirm).unwrap();
    let sealed = joiner.seal(&Body::EndOfCandidates).unwrap();
    assert_eq!(joiner.open(&sealed), Err(ExchangeError::Seal(SealError::Reflected)));
}

#[test]
fn points_and_data_that_no_honest_side_sends() {
    let (_, open) = joiner("4827-tulip-orbit");
    let b64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let other_version = [b"\x09visavis/2\x04join\x20".as_slice(), &[1; 32]].concat();
    let creators = [b"\x09visavis/1\x06create\x20".as_slice(), &[1; 32]].concat();
    let nobodys = [b"\x09visavis/1\x04jump\x20".as_slice(), &[1; 32]].concat();
    let longer = [b"\x09visavis/1\x04join\x20".as_slice(), &[1; 33]].concat();
    let cases = [
        ("point", b64(&[0; 32]), "the code exchange was tampered with: the point is the identity"),
        ("point", b64(&[255; 32]), "the code exchange was tampered with: the point doesn't decode"),
        ("point", b64(&[1; 31]), "a message of the code exchange can't be read: point"),
        ("sid", b64(&[1; 15]), "a message of the code exchange can't be read: sid"),
        ("sid", "~".into(), "a message of the code exchange can't be read: sid"),
        ("ad", b64(&other_version), "the other side's app speaks another version of the code exchange"),
        ("ad", b64(&creators), "a message of the code exchange came back"),
        ("ad", b64(&nobodys), "a message of the code exchange can't be read: ad"),
        ("ad", b64(&longer), "a message of the code exchange can't be read: ad"),
        ("ad", b64(&[9; 300]), "a message of the code exchange can't be read: ad"),
    ];
    for (field, value, error) in cases {
        let mut creator = creator(1);
        assert_eq!(creator.open(&edit(&open, field, value)).unwrap_err().to_string(), error);
        assert_eq!((creator.unanswered(), creator.proof()), (None, None), "no guess: {error}");
        assert_eq!(creator.seal(&offer()), Err(ExchangeError::TooEarly));
    }
}

#[test]
fn an_exchange_of_before_is_not_played_again() {
    let (_, open) = joiner("4827-tulip-orbit");
    let (first, _, _) = replied("4827-tulip-orbit");
    let seen = vec![first.unanswered().unwrap()];
    let mut second = Exchange::create(terms("4827-tulip-orbit", OWN), seen, &mut SplitMix::new(9));
    assert_eq!(second.open(&open), Err(ExchangeError::SidSeen));
}

#[test]
fn whoever_has_no_key_can_only_refuse() {
    let (mut joiner, _) = joiner("4827-tulip-orbit");
    let mut creator = creator(1);
    assert_eq!(creator.seal(&Body::EndOfCandidates), Err(ExchangeError::TooEarly));
    assert_eq!(joiner.seal(&answer()), Err(ExchangeError::TooEarly));
    let refusal = creator.seal(&Body::Bye { reason: "dismissed".into() }).unwrap();
    assert_eq!(joiner.open(&refusal), Ok(Opened::Refused { reason: "dismissed".into() }));
    // Once the two are proved, a plain word means nothing.
    let (mut creator, mut joiner) = met();
    for side in [&mut creator, &mut joiner] {
        assert_eq!(side.open(&refusal), Err(ExchangeError::OutOfTurn { kind: "refuse" }));
    }
    let bad = json!({"type": "refuse", "reason": "Shout!"}).to_string();
    assert_eq!(self::joiner("4827-tulip-orbit").0.open(&bad), Err(ExchangeError::Malformed("reason")));
}

#[test]
fn the_first_that_each_seals_is_its_description() {
    let (joiner, open) = joiner("4827-tulip-orbit");
    let mut creator = creator(1);
    creator.open(&open).unwrap();
    assert_eq!(creator.seal(&Body::EndOfCandidates), Err(ExchangeError::TooEarly));
    assert_eq!(creator.unanswered(), None, "the tag hasn't left");
    drop(joiner);
}

#[test]
fn a_sealed_part_is_bound_to_its_place() {
    let (mut creator, mut joiner, reply) = replied("4827-tulip-orbit");
    joiner.open(&reply).unwrap();
    let confirm = joiner.seal(&answer()).unwrap();
    creator.open(&confirm).unwrap();
    // The offer of the reply, as if it were an ordinary message.
    let moved = json!({"type": "sealed", "number": 1, "sealed": STANDARD.encode(bytes(&reply, "sealed"))}).to_string();
    assert_eq!(joiner.open(&moved), Err(ExchangeError::Seal(SealError::Forged)));
    let next = creator.seal(&Body::EndOfCandidates).unwrap();
    assert_eq!(joiner.open(&edit(&next, "number", 3)), Err(ExchangeError::Seal(SealError::Forged)));
    assert_eq!(joiner.open(&next), Ok(Opened::Body(Body::EndOfCandidates)));
}

#[test]
fn dropped_reordered_replayed_cut_and_changed_are_told_apart() {
    let (mut creator, mut joiner) = met();
    let sealed: Vec<_> = (0..4).map(|_| creator.seal(&Body::EndOfCandidates).unwrap()).collect();
    let seal = |error| Err(ExchangeError::Seal(error));
    assert_eq!(joiner.open(&sealed[0]), Ok(Opened::Body(Body::EndOfCandidates)));
    assert_eq!(joiner.open(&sealed[0]), seal(SealError::Replayed { number: 2, newest: 2 }));
    assert_eq!(joiner.open(&sealed[2]), seal(SealError::Missing { number: 4, expected: 3 }));
    assert_eq!(joiner.open(&sealed[1]), seal(SealError::Replayed { number: 3, newest: 4 }));
    let mut cut = bytes(&sealed[3], "sealed");
    cut.pop();
    assert_eq!(
        joiner.open(&edit(&sealed[3], "sealed", STANDARD.encode(&cut))),
        seal(SealError::Padding { bytes: 255 })
    );
    let mut changed = bytes(&sealed[3], "sealed");
    changed[100] ^= 1;
    assert_eq!(joiner.open(&edit(&sealed[3], "sealed", STANDARD.encode(&changed))), seal(SealError::Forged));
    assert_eq!(joiner.open(&sealed[3]), Ok(Opened::Body(Body::EndOfCandidates)), "a bad one blocks no good one");
}

#[test]
fn bounds_are_kept_before_sealing() {
    let (mut creator, mut joiner) = met();
    let offer = |sdp: String| Body::Offer { sdp, restart: true };
    let largest = creator.seal(&offer("x".repeat(MAX_SDP_BYTES))).unwrap();
    assert!(largest.len() <= MAX_BODY_BYTES);
    assert!(joiner.open(&largest).is_ok());
    let too_long = creator.seal(&offer("x".repeat(MAX_SDP_BYTES + 1)));
    assert!(matches!(too_long, Err(ExchangeError::Seal(SealError::Body(BodyError::TooLarge { field: "sdp", .. })))));
    // Quotes take two bytes in JSON: within its own bound, beyond the largest size.
    let quotes = creator.seal(&offer("\"".repeat(MAX_SDP_BYTES)));
    assert!(matches!(quotes, Err(ExchangeError::Seal(SealError::TooLarge { .. }))));
    assert!(matches!(joiner.open(&"A".repeat(MAX_BODY_BYTES + 1)), Err(ExchangeError::TooLarge { .. })));
    let next = creator.seal(&Body::EndOfCandidates).unwrap();
    assert!(joiner.open(&next).is_ok(), "what couldn't be sealed has used no number");
}

#[test]
fn the_largest_description_fits_every_message() {
    let (mut joiner, open) = joiner("4827-tulip-orbit");
    let mut creator = creator(1);
    creator.open(&open).unwrap();
    let sdp = "x".repeat(MAX_SDP_BYTES);
    let reply = creator.seal(&Body::Offer { sdp: sdp.clone(), restart: false }).unwrap();
    joiner.open(&reply).unwrap();
    let confirm = joiner.seal(&Body::Answer { sdp }).unwrap();
    assert!(reply.len() <= MAX_BODY_BYTES && confirm.len() <= MAX_BODY_BYTES);
    creator.open(&confirm).unwrap();
}

#[test]
fn a_log_shows_no_secret() {
    let (creator, joiner) = met();
    assert_eq!(format!("{creator:?} {joiner:?}"), "Exchange { role: Creator, .. } Exchange { role: Joiner, .. }");
    let logged = format!("{:?}", terms("4827-tulip-orbit", OWN));
    assert!(!logged.contains("tulip"), "{logged}");
}

fn any_body() -> impl Strategy<Value = Body> {
    let text = "(?s).{0,400}";
    let tag = || prop::option::of(".{0,40}");
    prop_oneof![
        (text, any::<bool>()).prop_map(|(sdp, restart)| Body::Offer { sdp, restart }),
        text.prop_map(|sdp| Body::Answer { sdp }),
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
        let (mut creator, mut joiner) = met();
        for body in bodies {
            let sealed = joiner.seal(&body).unwrap();
            prop_assert!(SIZE_CLASSES.contains(&bytes(&sealed, "sealed").len()));
            prop_assert_eq!(creator.open(&sealed), Ok(Opened::Body(body)));
            prop_assert!(creator.open(&sealed).is_err());
        }
    }

    #[test]
    fn any_text_is_taken_or_refused(text in ".{0,600}") {
        let (mut creator, mut joiner) = met();
        prop_assert!(creator.open(&text).is_err() && joiner.open(&text).is_err());
        prop_assert!(self::creator(1).open(&text).is_err());
    }
}

#[test]
fn those_who_have_met_meet_again_without_words() {
    let (joiner, _) = joiner("4827-tulip-orbit");
    assert!(joiner.rejoin_secret().is_none() && creator(1).rejoin_secret().is_none());
    let (first_creator, first_joiner) = met();
    let of = |exchange: &Exchange, fingerprint| Terms::again(exchange.rejoin_secret().unwrap(), fingerprint);
    let (mut joiner, open) = Exchange::join(of(&first_joiner, OTHER), &mut SplitMix::new(5));
    let mut creator = Exchange::create(of(&first_creator, OWN), Vec::new(), &mut SplitMix::new(6));
    assert_eq!(creator.open(&open), Ok(Opened::Opening));
    let reply = creator.seal(&offer()).unwrap();
    assert_eq!(joiner.open(&reply), Ok(Opened::Body(offer())));
    let confirm = joiner.seal(&answer()).unwrap();
    assert_eq!(creator.open(&confirm), Ok(Opened::Body(answer())));
    assert_ne!(creator.proof().unwrap().pictures, first_creator.proof().unwrap().pictures);

    // The secret of another meeting is as good as none, and so are the words of the first.
    let strangers = [of(&creator, OWN), terms("4827-tulip-orbit", OWN)];
    for terms in strangers {
        let (mut joiner, open) = Exchange::join(of(&first_joiner, OTHER), &mut SplitMix::new(7));
        let mut creator = Exchange::create(terms, Vec::new(), &mut SplitMix::new(8));
        assert_eq!(creator.open(&open), Ok(Opened::Opening));
        assert_eq!(joiner.open(&creator.seal(&offer()).unwrap()), Err(ExchangeError::WrongTag));
    }
}
