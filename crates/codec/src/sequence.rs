//! RTP sequence numbers without their wrap (RFC 3550, appendix A.1), and which of them were seen.

/// A sequence number that doesn't wrap within a call.
pub(crate) type Extended = i64;

/// The extended number nearest to `near` that has the low 16 bits `sequence`.
pub(crate) fn extend(sequence: u16, near: Extended) -> Extended {
    // The low 16 bits of `near`, by truncation; the difference as a signed 16-bit number is the shorter way round.
    let step = sequence.wrapping_sub(near as u16) as i16;
    near + Extended::from(step)
}

/// What goes on the wire: the low 16 bits.
pub(crate) fn wire(extended: Extended) -> u16 {
    extended as u16
}

/// Remembers which of the last [`Seen::SPAN`] sequence numbers came.
#[derive(Debug)]
pub(crate) struct Seen {
    bits: Box<[bool; Seen::SPAN as usize]>,
    newest: Extended,
}

impl Seen {
    /// How far back the memory goes; at 1000 packets a second, two seconds.
    pub(crate) const SPAN: Extended = 2048;

    pub(crate) fn starting_at(first: Extended) -> Self {
        Self { bits: Box::new([false; Self::SPAN as usize]), newest: first }
    }

    /// Notes a number; `false` when it was noted before or is older than the memory.
    pub(crate) fn insert(&mut self, number: Extended) -> bool {
        if number <= self.newest - Self::SPAN {
            return false;
        }
        let skipped = (self.newest + 1..=number).rev().take(Self::SPAN as usize);
        for missing in skipped {
            self.bits[Self::slot(missing)] = false;
        }
        self.newest = self.newest.max(number);
        !std::mem::replace(&mut self.bits[Self::slot(number)], true)
    }

    fn slot(number: Extended) -> usize {
        number.rem_euclid(Self::SPAN) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_over_the_wrap_in_both_directions() {
        assert_eq!(extend(2, 65_535), 65_538);
        assert_eq!(extend(65_534, 65_538), 65_534);
        assert_eq!(extend(65_535, 0), -1);
        assert_eq!(wire(65_538), 2);
        assert_eq!(wire(-1), 65_535);
    }

    #[test]
    fn a_number_is_new_once() {
        let mut seen = Seen::starting_at(10);
        assert!(seen.insert(10));
        assert!(!seen.insert(10));
        assert!(seen.insert(12));
        assert!(seen.insert(11));
        assert!(!seen.insert(11));
        assert!(seen.insert(12 + 3 * Seen::SPAN));
        assert!(!seen.insert(12), "older than the memory");
        assert!(seen.insert(13 + 2 * Seen::SPAN));
    }
}
