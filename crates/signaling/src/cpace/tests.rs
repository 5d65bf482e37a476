//! The draft's own test vectors for ristretto255 with SHA-512 (sections B.3 and B.7), and the refusals it demands.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;

use super::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/cpace.json")).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn point(value: &Value) -> Point {
    hex(value).try_into().unwrap()
}

fn share(set: &Value, scalar: &str) -> KeyShare {
    let secret = Scalar::from_canonical_bytes(point(&set[scalar])).unwrap();
    KeyShare::with_scalar(&hex(&set["PRS"]), &hex(&set["CI"]), &hex(&set["sid"]), secret)
}

#[test]
fn the_drafts_exchanges_come_out() {
    let vectors = vectors();
    let sets = vectors["valid"].as_array().unwrap();
    assert_eq!(sets.len(), 2);
    for set in sets {
        let (prs, ci, sid) = (hex(&set["PRS"]), hex(&set["CI"]), hex(&set["sid"]));
        assert_eq!(generator(&prs, &ci, &sid).compress().to_bytes(), point(&set["g"]));
        let (a, b) = (share(set, "ya"), share(set, "yb"));
        assert_eq!((*a.point(), *b.point()), (point(&set["Ya"]), point(&set["Yb"])));
        let shared = a.shared(b.point()).unwrap();
        assert_eq!(*shared, point(&set["K"]));
        assert_eq!(*b.shared(a.point()).unwrap(), *shared);
        let transcript = transcript((a.point(), &hex(&set["ADa"])), (b.point(), &hex(&set["ADb"])));
        let key = SessionKey::new(&sid, &shared, &transcript);
        assert_eq!(key.bytes().to_vec(), hex(&set["ISK_IR"]));
    }
}

#[test]
fn multiplication_is_the_drafts_and_aborts_where_it_says() {
    let vectors = &vectors()["scalar_mult_vfy"];
    let secret = Scalar::from_canonical_bytes(point(&vectors["valid"]["s"])).unwrap();
    let share = KeyShare { secret, point: [0; 32] };
    assert_eq!(*share.shared(&point(&vectors["valid"]["X"])).unwrap(), point(&vectors["valid"]["result"]));
    let abort: Vec<_> = vectors["must_abort"].as_array().unwrap().iter().map(|x| share.shared(&point(x))).collect();
    assert_eq!(
        abort.into_iter().map(Result::unwrap_err).collect::<Vec<_>>(),
        [PointError::Encoding, PointError::Identity]
    );
}

#[test]
fn lengths_are_leb128() {
    for (length, prefix) in [(0, vec![0]), (127, vec![0x7f]), (128, vec![0x80, 1]), (300, vec![0xac, 2])] {
        let data = vec![7; length];
        assert_eq!(lv(&[&data]), [prefix, data].concat());
    }
}

#[test]
fn a_tag_proves_its_own_side_and_key_only() {
    let key = |shared: u8| SessionKey::new(b"sid", &[shared; 32], b"transcript");
    let tag = key(1).tag(&[2; 32], b"ad");
    assert!(key(1).verifies(&tag, &[2; 32], b"ad"));
    assert!(!key(3).verifies(&tag, &[2; 32], b"ad"));
    assert!(!key(1).verifies(&tag, &[4; 32], b"ad"));
    assert!(!key(1).verifies(&tag, &[2; 32], b"da"));
}
