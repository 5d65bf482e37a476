//! NAL units in an Annex B byte stream (ITU-T H.264, 7.3.1 and annex B).

/// `nal_unit_type` of a slice of a picture that resets the decoder.
pub(super) const IDR: u8 = 5;
/// `nal_unit_type` of a sequence parameter set.
pub(super) const SPS: u8 = 7;
/// `nal_unit_type` of a picture parameter set.
pub(super) const PPS: u8 = 8;
/// `nal_unit_type` of an access unit delimiter.
pub(super) const AUD: u8 = 9;

/// What stands in front of every unit that we write.
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// `nal_unit_type` of the unit (or RTP payload) that starts with `header`.
pub(super) const fn kind(header: u8) -> u8 {
    header & 0x1f
}

/// The units of an Annex B stream, without start codes and trailing zeros; empty units are left out.
pub(super) fn units(annexb: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(annexb);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let (unit, next) = match start_code_at(bytes) {
            Some(at) => (&bytes[..at], Some(&bytes[at + 3..])),
            None => (bytes, None),
        };
        rest = next;
        let len = unit.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        Some(&unit[..len])
    })
    .filter(|unit| !unit.is_empty())
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    start_code_at(bytes).map(|at| &bytes[at + 3..])
}

/// Where the next three bytes `00 00 01` stand.
fn start_code_at(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(&third) = bytes.get(at + 2) {
        // Only the third byte decides how far one may step: most bytes of a picture are larger than one.
        match third {
            0 => at += 1,
            1 if bytes[at] == 0 && bytes[at + 1] == 0 => return Some(at),
            _ => at += 3,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(bytes: &[u8]) -> Vec<&[u8]> {
        units(bytes).collect()
    }

    #[test]
    fn units_are_found_behind_both_kinds_of_start_code() {
        let stream = [9, 9, 0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 0, 1, 0x65, 0, 1, 1];
        assert_eq!(split(&stream), [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 0, 1, 1]]);
    }

    #[test]
    fn streams_without_units_have_none() {
        for bytes in [&[][..], &[0], &[0, 0, 1], &[0, 0, 1, 0, 0, 1], &[5, 6, 7, 8]] {
            assert!(split(bytes).is_empty(), "{bytes:?}");
        }
    }

    #[test]
    fn a_start_code_is_seen_wherever_it_stands() {
        for front in 0..7 {
            let mut stream = vec![0, 0, 1];
            stream.extend(std::iter::repeat_n(0x41, front + 1));
            stream.extend([0, 0, 1, 0x42]);
            assert_eq!(split(&stream).len(), 2, "after {front}");
        }
    }
}
