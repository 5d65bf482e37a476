//! The vectors that docs/protocol.md points to: one whole meeting with fixed randomness, each step of it as hex, for
//! whoever implements the exchange in another language. `VISAVIS_BLESS=1` writes them anew.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::keys::channel_identifier;
use super::*;
use crate::cpace::lv;
use crate::random::Randomness;
use crate::seal::SIZE_CLASSES;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Counts upwards from a byte: nobody takes this for randomness.
struct Counting(u8);

impl Randomness for Counting {
    fn fill(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
    }
}

const CODE: &str = "4827-tulip-orbit";

fn terms(fingerprint: u8) -> Terms {
    Terms::by_code(&RoomCode::parse(CODE).unwrap(), Fingerprint([fingerprint; 32]))
}

fn parts(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn meeting() -> Value {
    let (joiner_terms, creator_terms) = (terms(0xa1), terms(0xc2));
    let offer = Body::Offer { sdp: "v=0\r\n".into(), restart: false };
    let answer = Body::Answer { sdp: "v=0\r\n".into() };
    let (mut joiner, open) = Exchange::join(joiner_terms.clone(), &mut Counting(0));
    let mut creator = Exchange::create(creator_terms.clone(), Vec::new(), &mut Counting(0x60));
    assert_eq!(creator.open(&open).unwrap(), Opened::Opening);
    let reply = creator.seal(&offer).unwrap();
    assert_eq!(joiner.open(&reply).unwrap(), Opened::Body(offer.clone()));
    let confirm = joiner.seal(&answer).unwrap();
    assert_eq!(creator.open(&confirm).unwrap(), Opened::Body(answer.clone()));
    let from_joiner = joiner.seal(&Body::EndOfCandidates).unwrap();
    let from_creator = creator.seal(&Body::EndOfCandidates).unwrap();
    assert_eq!(joiner.proof().unwrap().pictures, creator.proof().unwrap().pictures);

    // The same once more, step by step, for what the exchange doesn't show.
    let (sid, wide): ([u8; 16], [u8; 64]) = (counting(0), counting(16));
    let code = RoomCode::parse(CODE).unwrap();
    let (ci, password) = (channel_identifier(&joiner_terms.secret), code.words().password());
    let share = |wide: &[u8; 64]| KeyShare::new(password.as_bytes(), &ci, &sid, wide);
    let (yj, yc) = (share(&wide), share(&counting(0x60)));
    let ad_j = associated_data(Role::Joiner, &joiner_terms.fingerprint);
    let ad_c = associated_data(Role::Creator, &creator_terms.fingerprint);
    let shared = yj.shared(yc.point()).unwrap();
    let transcript = transcript((yj.point(), &ad_j), (yc.point(), &ad_c));
    let key = SessionKey::new(&sid, &shared, &transcript);
    let derived = derive(&key, Role::Joiner, &joiner_terms.fingerprint, &creator_terms.fingerprint);
    let pictures = joiner.proof().unwrap().pictures;
    json!({
        "about": "One meeting of Visavis with fixed randomness; docs/protocol.md, \"The code exchange\". Bytes in hex; relay bodies as they are sent.",
        "code": CODE,
        "prs": hex(password.as_bytes()),
        "ci": hex(&ci),
        "sid": hex(&sid),
        "scalarSeed": { "joiner": hex(&wide), "creator": hex(&counting::<64>(0x60)) },
        "fingerprint": { "joiner": joiner_terms.fingerprint.to_string(), "creator": creator_terms.fingerprint.to_string() },
        "point": { "joiner": hex(yj.point()), "creator": hex(yc.point()) },
        "ad": { "joiner": hex(&ad_j), "creator": hex(&ad_c) },
        "k": hex(&*shared),
        "transcript": hex(&transcript),
        "isk": hex(key.bytes()),
        "tag": { "joiner": hex(&key.tag(yj.point(), &ad_j)), "creator": hex(&key.tag(yc.point(), &ad_c)) },
        "info": {
            "keyJoiner": hex(&lv(&[b"visavis/1", b"from joiner"])),
            "keyCreator": hex(&lv(&[b"visavis/1", b"from creator"])),
            "pictures": hex(&lv(&[b"visavis/1", b"pictures", &joiner_terms.fingerprint.0, &creator_terms.fingerprint.0])),
            "rejoin": hex(&lv(&[b"visavis/1", b"again"])),
        },
        "key": { "joiner": hex(&*derived.sending), "creator": hex(&*derived.receiving) },
        "rejoin": hex(derived.rejoin.bytes()),
        "pictures": pictures.map(|emoji| json!({ "picture": emoji.picture, "name": emoji.name })),
        "seal": {
            "key": "creator",
            "kind": "reply",
            "number": 1,
            "nonce": hex(&[&[0; 4][..], &1_u64.to_be_bytes()].concat()),
            "associatedData": hex(&[lv(&[b"reply"]), 1_u64.to_be_bytes().to_vec()].concat()),
            "plain": serde_json::to_string(&offer).unwrap(),
            "paddedTo": SIZE_CLASSES[0] - 16,
        },
        "messages": [
            { "from": "joiner", "body": parts(&open), "text": open },
            { "from": "creator", "body": parts(&reply), "text": reply, "opens": offer },
            { "from": "joiner", "body": parts(&confirm), "text": confirm, "opens": answer },
            { "from": "joiner", "body": parts(&from_joiner), "text": from_joiner, "opens": Body::EndOfCandidates },
            { "from": "creator", "body": parts(&from_creator), "text": from_creator, "opens": Body::EndOfCandidates },
        ],
        "sameCode": [
            "4827-tulip-orbit", "4827 Tulip ORBIT", "48 27 tul orb", "4827tuliporbit", "visavis://4827-tulip-orbit",
            "https://call.example/#4827-tulip-orbit",
        ],
    })
}

fn counting<const N: usize>(from: u8) -> [u8; N] {
    let mut bytes = [0; N];
    Counting(from).fill(&mut bytes);
    bytes
}

/// Compares with the committed file, or writes it.
fn hold(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("VISAVIS_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{} isn't what this crate computes; VISAVIS_BLESS=1 writes it anew", path.display());
}

#[test]
fn the_committed_vectors_are_what_this_crate_computes() {
    let text = serde_json::to_string_pretty(&meeting()).unwrap() + "\n";
    hold("tests/vectors/visavis.json", &text);
}

#[test]
fn every_spelling_in_the_vectors_is_that_code() {
    let vectors = meeting();
    for spelling in vectors["sameCode"].as_array().unwrap() {
        let code = crate::RoomCode::parse(spelling.as_str().unwrap()).unwrap();
        assert_eq!(code.to_string(), vectors["code"].as_str().unwrap());
    }
}

/// What the window and the guest page need of the tables: the words, to complete one, and the pictures.
#[test]
fn the_interface_has_the_same_words_and_pictures() {
    let words = crate::words::beginning_with("");
    let mut text =
        "// The words of codes and the pictures of calls, written by the tests of `crates/signaling`.\n\n".to_owned();
    text += "/** In alphabetical order; no two have the same first three letters. */\n";
    text += "export const WORDS: readonly string[] = [\n";
    words.iter().for_each(|word| writeln!(text, "  \"{word}\",").unwrap());
    text += "];\n\n/** Each picture and its name, in the order of the protocol. */\n";
    text += "export const PICTURES: readonly (readonly [picture: string, name: string])[] = [\n";
    for emoji in crate::emoji::EMOJI {
        writeln!(text, "  [\"{}\", \"{}\"],", emoji.picture, emoji.name).unwrap();
    }
    text += "];\n";
    hold("../../ui/src/bindings/code.ts", &text);
}
