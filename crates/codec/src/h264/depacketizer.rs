//! RTP payloads of one picture back into Annex B (RFC 6184, packetization-mode 1), from bytes that nobody vouches for.

use super::nal;
use super::packetizer::{FU_A, STAP_A};
use crate::payload::Joined;

const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
const FORBIDDEN_BIT: u8 = 0x80;

/// The payloads aren't whole NAL units by RFC 6184.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

/// What one picture consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct AccessUnit {
    /// Annex B.
    data: Vec<u8>,
    has_sps: bool,
    has_pps: bool,
    has_idr: bool,
}

/// Joins the payloads of one picture; `None` when they aren't one.
pub(crate) fn join<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Option<Joined> {
    let unit = depacketize(payloads).ok()?;
    Some(Joined { data: unit.data, keyframe: unit.has_idr, starts: unit.has_idr && unit.has_sps && unit.has_pps })
}

/// Joins the payloads of one picture, in order and without holes. Empty payloads (padding) say nothing.
fn depacketize<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Result<AccessUnit, Malformed> {
    let mut unit = AccessUnit::default();
    let mut fragment_of = None;
    for payload in payloads {
        let Some(&header) = payload.first() else { continue };
        if header & FORBIDDEN_BIT != 0 {
            return Err(Malformed);
        }
        if nal::kind(header) == FU_A {
            fragment_of = unit.append_fragment(payload, fragment_of)?;
            continue;
        }
        if fragment_of.is_some() {
            return Err(Malformed);
        }
        match nal::kind(header) {
            1..=23 => unit.append(payload),
            STAP_A => unit.append_aggregate(&payload[1..])?,
            _ => return Err(Malformed),
        }
    }
    if fragment_of.is_some() { Err(Malformed) } else { Ok(unit) }
}

/// Whether a picture with parameter sets seems to begin with this payload, so that nothing of it can be missing in front.
pub(crate) fn opens_keyframe(payload: &[u8]) -> bool {
    let Some(&header) = payload.first() else { return false };
    let first = match nal::kind(header) {
        STAP_A => payload.get(3),
        FU_A => payload.get(1).filter(|&&fu| fu & FU_START != 0),
        _ => Some(&header),
    };
    first.is_some_and(|&first| matches!(nal::kind(first), nal::SPS | nal::AUD))
}

impl AccessUnit {
    fn append(&mut self, unit: &[u8]) {
        self.begin(unit[0]);
        self.data.extend_from_slice(&unit[1..]);
    }

    fn begin(&mut self, header: u8) {
        self.data.extend(nal::START_CODE);
        self.data.push(header);
        match nal::kind(header) {
            nal::SPS => self.has_sps = true,
            nal::PPS => self.has_pps = true,
            nal::IDR => self.has_idr = true,
            _ => {}
        }
    }

    fn append_aggregate(&mut self, mut rest: &[u8]) -> Result<(), Malformed> {
        if rest.is_empty() {
            return Err(Malformed);
        }
        while !rest.is_empty() {
            let (len, tail) = rest.split_first_chunk::<2>().ok_or(Malformed)?;
            let len = usize::from(u16::from_be_bytes(*len));
            let (unit, tail) = tail.split_at_checked(len).ok_or(Malformed)?;
            let header = unit.first().ok_or(Malformed)?;
            if header & FORBIDDEN_BIT != 0 || !matches!(nal::kind(*header), 1..=23) {
                return Err(Malformed);
            }
            self.append(unit);
            rest = tail;
        }
        Ok(())
    }

    /// Returns the type of the unit that stays open, if one does.
    fn append_fragment(&mut self, payload: &[u8], open: Option<u8>) -> Result<Option<u8>, Malformed> {
        let [indicator, fu, body @ ..] = payload else { return Err(Malformed) };
        let (start, end, kind) = (fu & FU_START != 0, fu & FU_END != 0, nal::kind(*fu));
        let in_order = if start { open.is_none() } else { open == Some(kind) };
        if body.is_empty() || (start && end) || !in_order || !matches!(kind, 1..=23) {
            return Err(Malformed);
        }
        if start {
            self.begin(indicator & 0xe0 | kind);
        }
        self.data.extend_from_slice(body);
        Ok((!end).then_some(kind))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn join(payloads: &[&[u8]]) -> Result<Vec<u8>, Malformed> {
        depacketize(payloads.iter().copied()).map(|unit| unit.data)
    }

    #[test]
    fn every_form_of_payload_is_joined() {
        let unit = depacketize([
            &[0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 2][..],
            &[],
            &[0x7c, 0x85, 3],
            &[0x7c, 0x05, 4],
            &[0x7c, 0x45, 5],
            &[0x06, 6],
        ])
        .unwrap();
        assert_eq!(
            unit.data,
            [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 3, 4, 5, 0, 0, 0, 1, 0x06, 6]
        );
        assert!(unit.has_sps && unit.has_pps && unit.has_idr);
    }

    #[test]
    fn broken_aggregates_are_refused() {
        for payload in [
            &[0x78][..],
            &[0x78, 0],
            &[0x78, 0, 0],
            &[0x78, 0, 2, 0x67],
            &[0x78, 0, 1, 0x67, 0],
            &[0x78, 0xff, 0xff, 0x67],
            &[0x78, 0, 1, 0x78],
            &[0x78, 0, 1, 0xe7],
        ] {
            assert_eq!(join(&[payload]), Err(Malformed), "{payload:x?}");
        }
        // The same bytes in the order that crashed another depacketiser.
        assert_eq!(join(&[&[0x78, 0x00, 0x01, 0x67, 0x00]]), Err(Malformed));
    }

    #[test]
    fn broken_fragments_are_refused() {
        let (start, middle, end): (&[u8], &[u8], &[u8]) = (&[0x7c, 0x85, 1], &[0x7c, 0x05, 2], &[0x7c, 0x45, 3]);
        for payloads in [
            &[start][..],
            &[middle],
            &[end],
            &[start, middle],
            &[start, start, end],
            &[start, &[0x61, 1], end],
            &[start, &[0x7c, 0x41, 3]],
            &[&[0x7c, 0xc5, 1]],
            &[&[0x7c, 0x85]],
            &[&[0x7c]],
            &[&[0x7c, 0x80, 1], &[0x7c, 0x40, 1]],
        ] {
            assert_eq!(join(payloads), Err(Malformed), "{payloads:x?}");
        }
        assert!(join(&[start, middle, end]).is_ok());
    }

    #[test]
    fn types_outside_the_mode_are_refused() {
        for kind in [0, 25, 26, 27, 29, 30, 31, 0x81] {
            assert_eq!(join(&[&[kind, 1, 2]]), Err(Malformed));
        }
    }

    #[test]
    fn keyframes_are_known_by_their_first_payload() {
        assert!(opens_keyframe(&[0x78, 0, 2, 0x67, 1]));
        assert!(opens_keyframe(&[0x67, 1]));
        assert!(opens_keyframe(&[0x09, 0xf0]));
        assert!(opens_keyframe(&[0x7c, 0x87, 1]));
        for payload in [&[][..], &[0x78], &[0x7c, 0x07, 1], &[0x65, 1], &[0x68, 1], &[0x41]] {
            assert!(!opens_keyframe(payload), "{payload:x?}");
        }
    }
}
