//! The picture size in a sequence parameter set (ITU-T H.264, 7.3.2.1.1), read before the decoder may believe it.
//!
//! A decoder allocates what the parameter set asks for; a stranger's set is checked here first.

/// What a sequence parameter set says that matters before decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sps {
    /// `profile_idc`.
    pub(super) profile: u8,
    /// The constraint flags, first one in the highest bit.
    pub(super) constraints: u8,
    /// `level_idc`.
    pub(super) level: u8,
    /// Coded width before cropping, pixels.
    pub(super) coded_width: u64,
    /// Coded height before cropping, pixels.
    pub(super) coded_height: u64,
}

impl Sps {
    /// Reads a NAL unit of type 7; `None` when it ends early or holds numbers out of range.
    pub(super) fn parse(unit: &[u8]) -> Option<Self> {
        let body = unescape(unit.get(1..)?);
        let mut bits = Bits { bytes: &body, at: 0 };
        let (profile, constraints, level) = (bits.take(8)? as u8, bits.take(8)? as u8, bits.take(8)? as u8);
        bits.exp_golomb()?;
        if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
            bits.skip_high_profile_fields()?;
        }
        bits.exp_golomb()?;
        bits.skip_picture_order()?;
        bits.exp_golomb()?;
        bits.take(1)?;
        let width_mbs = u64::from(bits.exp_golomb()?) + 1;
        let height_units = u64::from(bits.exp_golomb()?) + 1;
        let fields = 2 - u64::from(bits.take(1)?);
        Some(Self {
            profile,
            constraints,
            level,
            coded_width: width_mbs * 16,
            coded_height: height_units * fields * 16,
        })
    }
}

/// Takes out the bytes that keep start codes from appearing inside a unit (7.4.1.1).
fn unescape(unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if byte == 3 && zeros >= 2 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// ue(v), section 9.1.
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.take(zeros)?)
    }

    fn skip_picture_order(&mut self) -> Option<()> {
        match self.exp_golomb()? {
            0 => self.exp_golomb().map(drop),
            1 => {
                self.take(1)?;
                self.exp_golomb()?;
                self.exp_golomb()?;
                let cycle = self.exp_golomb()?;
                (0..cycle.min(256)).try_for_each(|_| self.exp_golomb().map(drop))
            }
            _ => Some(()),
        }
    }

    fn skip_high_profile_fields(&mut self) -> Option<()> {
        let chroma = self.exp_golomb()?;
        if chroma == 3 {
            self.take(1)?;
        }
        self.exp_golomb()?;
        self.exp_golomb()?;
        self.take(1)?;
        if self.take(1)? == 0 {
            return Some(());
        }
        let lists = if chroma == 3 { 12 } else { 8 };
        (0..lists).try_for_each(|list| {
            if self.take(1)? == 0 {
                return Some(());
            }
            self.skip_scaling_list(if list < 6 { 16 } else { 64 })
        })
    }

    fn skip_scaling_list(&mut self, len: u32) -> Option<()> {
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..len {
            if next != 0 {
                let code = i64::from(self.exp_golomb()?);
                let delta = if code % 2 == 0 { -code / 2 } else { (code + 1) / 2 };
                next = (last + delta).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Baseline, level 3.1, picture order type 2, one reference, 80 by 45 macroblocks: 1280×720.
    const HD: [u8; 9] = [0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe4];

    #[test]
    fn size_and_profile_are_read() {
        let sps = Sps::parse(&HD).unwrap();
        assert_eq!((sps.profile, sps.constraints, sps.level), (66, 0xc0, 31));
        assert_eq!((sps.coded_width, sps.coded_height), (1280, 720));
    }

    #[test]
    fn escapes_are_taken_out() {
        assert_eq!(unescape(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(unescape(&[3, 0, 3]), [3, 0, 3]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(unit: Vec<u8>) {
            let _ = Sps::parse(&unit);
        }
    }
}
