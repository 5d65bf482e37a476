//! RTP payloads of one picture back into VP8 (RFC 7741), from bytes that nobody vouches for.

use super::header::{Header, claims_keyframe};
use crate::payload::Joined;

/// Bits of the descriptor's first octet (RFC 7741, section 4.2); those that are reserved are ignored, as it says.
const X: u8 = 0x80;
const S: u8 = 0x10;
const PARTITION: u8 = 0x07;
/// Bits of the octet that X announces.
const I: u8 = 0x80;
const L: u8 = 0x40;
const T_OR_K: u8 = 0x30;
/// The picture's number has two octets.
const M: u8 = 0x80;

/// A payload without its descriptor.
struct Part<'a> {
    /// A picture begins with it.
    begins: bool,
    body: &'a [u8],
}

impl<'a> Part<'a> {
    fn parse(payload: &'a [u8]) -> Option<Self> {
        let (&first, mut rest) = payload.split_first()?;
        if first & X != 0 {
            let (&extension, behind) = rest.split_first()?;
            rest = behind;
            if extension & I != 0 {
                let octets = if rest.first()? & M != 0 { 2 } else { 1 };
                rest = rest.get(octets..)?;
            }
            if extension & L != 0 {
                rest = rest.get(1..)?;
            }
            if extension & T_OR_K != 0 {
                rest = rest.get(1..)?;
            }
        }
        (!rest.is_empty()).then_some(Self { begins: first & S != 0 && first & PARTITION == 0, body: rest })
    }
}

/// Joins the payloads of one picture, in order and without holes; `None` when they aren't one. Empty payloads (padding) say
/// nothing.
pub(crate) fn join<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Option<Joined> {
    let mut data = Vec::new();
    for payload in payloads.into_iter().filter(|payload| !payload.is_empty()) {
        let part = Part::parse(payload)?;
        // The first begins the picture, and no other does.
        if part.begins != data.is_empty() {
            return None;
        }
        data.extend_from_slice(part.body);
    }
    let keyframe = Header::parse(&data)?.keyframe.is_some();
    Some(Joined { data, keyframe, starts: keyframe })
}

/// Whether a keyframe seems to begin with this payload, so that nothing of it can be missing in front.
pub(crate) fn opens_keyframe(payload: &[u8]) -> bool {
    Part::parse(payload).is_some_and(|part| part.begins && claims_keyframe(part.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a keyframe of 640×360.
    const HEAD: [u8; 10] = [0x10, 2, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];

    fn joined(payloads: &[&[u8]]) -> Option<(Vec<u8>, bool)> {
        join(payloads.iter().copied()).map(|joined| (joined.data, joined.keyframe))
    }

    fn with(descriptor: &[u8], body: &[u8]) -> Vec<u8> {
        [descriptor, body].concat()
    }

    #[test]
    fn every_form_of_descriptor_is_taken_off() {
        for descriptor in [
            &[0x10][..],
            &[0x30],
            &[0x58],
            &[0x90, 0x00],
            &[0x90, 0x80, 0x7f],
            &[0x90, 0x80, 0x80, 0x01],
            &[0x90, 0x40, 0xff],
            &[0x90, 0x20, 0xe0],
            &[0x90, 0x10, 0x1f],
            &[0x90, 0xf0, 0xff, 0xff, 0x01, 0x02],
        ] {
            assert_eq!(joined(&[&with(descriptor, &HEAD)]), Some((HEAD.to_vec(), true)), "{descriptor:x?}");
            assert!(opens_keyframe(&with(descriptor, &HEAD)), "{descriptor:x?}");
        }
    }

    #[test]
    fn the_parts_of_a_picture_are_joined_and_padding_is_passed_over() {
        let (first, second, third) = (with(&[0x10], &HEAD), [0x00, 5, 6], [0x11, 7]);
        let whole = [HEAD.as_slice(), &[5, 6, 7]].concat();
        assert_eq!(joined(&[&first, &[], &second, &third]), Some((whole, true)), "the third begins another partition");
        assert_eq!(joined(&[&[0x10, 0x31, 2, 0, 9]]), Some((vec![0x31, 2, 0, 9], false)));
    }

    #[test]
    fn parts_that_are_no_picture_are_refused() {
        let head = with(&[0x10], &HEAD);
        for payloads in [
            &[][..],
            &[&[][..]],
            &[&[0x00, 1, 2, 3]],
            &[&[0x11, 1, 2, 3]],
            &[&head, &head],
            &[&head, &[0x00]],
            &[&head[..8]],
            &[&[0x10, 1]],
        ] {
            assert_eq!(joined(payloads), None, "{payloads:x?}");
        }
    }

    #[test]
    fn cut_descriptors_are_refused() {
        for payload in [
            &[0x10][..],
            &[0x90],
            &[0x90, 0x80],
            &[0x90, 0x80, 0x80],
            &[0x90, 0x80, 0x80, 0x01],
            &[0x90, 0x40],
            &[0x90, 0x20],
            &[0x90, 0xf0, 0x01, 0x02],
        ] {
            assert!(joined(&[payload]).is_none() && !opens_keyframe(payload), "{payload:x?}");
        }
    }

    #[test]
    fn only_the_first_part_of_a_keyframe_opens_one() {
        for payload in [&[0x10, 0x31, 2, 0][..], &with(&[0x00], &HEAD), &with(&[0x11], &HEAD), &[]] {
            assert!(!opens_keyframe(payload), "{payload:x?}");
        }
    }
}
