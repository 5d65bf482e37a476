//! Who has which nameplates. They are dealt in a thousand slices, by their last three digits; a slice belongs to one server at a time, and so do
//! all rooms that were made under its nameplates. Who has a slice is decided by compare-and-swap where all servers look
//! (`crate::nats`); here is what this server knows of it, so that the rooms can ask without waiting.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use visavis_signaling::Nameplate;
use visavis_signaling::server::{Home, Numbers};

/// How many slices there are.
pub(crate) const SLICES: u16 = 1000;
/// Nameplates in one: three digits before its own.
const NAMEPLATES: u64 = 1000;

/// A server, under a random name that it has for as long as its process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ServerId(pub(crate) u128);

impl ServerId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
        is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self)
    }
}

impl std::fmt::Display for ServerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A slice of the nameplates: those with these last three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slice(u16);

impl Slice {
    pub(crate) fn new(number: u16) -> Option<Self> {
        (number < SLICES).then_some(Self(number))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_one.then(|| text.parse().ok()).flatten().and_then(Self::new)
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..SLICES).map(Self)
    }

    pub(crate) fn of(nameplate: &Nameplate) -> Self {
        let digits = nameplate.as_str().bytes().rev().take(3).zip([1, 10, 100]);
        Self(digits.map(|(digit, weight)| u16::from(digit.wrapping_sub(b'0') % 10) * weight).sum())
    }
}

impl std::fmt::Display for Slice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

#[derive(Debug)]
struct Known {
    me: ServerId,
    owners: Vec<Option<ServerId>>,
    /// Those of ours from which new rooms get their nameplates: not those that came from another server with its rooms.
    drawn_from: Vec<Slice>,
    gone: HashSet<ServerId>,
}

/// What this server knows of all slices; cloned, it is the same.
#[derive(Debug, Clone)]
pub(crate) struct Table(Arc<Mutex<Known>>);

impl Table {
    pub(crate) fn new(me: ServerId) -> Self {
        let owners = vec![None; usize::from(SLICES)];
        Self(Arc::new(Mutex::new(Known { me, owners, drawn_from: Vec::new(), gone: HashSet::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn owner(&self, slice: Slice) -> Option<ServerId> {
        self.lock().owners.get(usize::from(slice.0)).copied().flatten()
    }

    pub(crate) fn is_gone(&self, server: ServerId) -> bool {
        self.lock().gone.contains(&server)
    }

    /// A server doesn't answer, or does again.
    pub(crate) fn set_gone(&self, server: ServerId, is_gone: bool) {
        let mut known = self.lock();
        if is_gone {
            let Known { owners, gone, .. } = &mut *known;
            // Those who have nothing any more needn't be remembered.
            gone.retain(|gone| owners.contains(&Some(*gone)));
            gone.insert(server);
        } else {
            known.gone.remove(&server);
        }
    }

    /// Who has a slice now. Whether this server had it and has lost it.
    pub(crate) fn set_owner(&self, slice: Slice, owner: Option<ServerId>) -> bool {
        let mut known = self.lock();
        let me = known.me;
        let Some(entry) = known.owners.get_mut(usize::from(slice.0)) else { return false };
        let lost = std::mem::replace(entry, owner) == Some(me) && owner != Some(me);
        if lost {
            known.drawn_from.retain(|ours| *ours != slice);
        }
        lost
    }

    /// A slice is this server's, and new rooms get nameplates from it.
    pub(crate) fn draw_from(&self, slice: Slice) {
        let mut known = self.lock();
        let me = known.me;
        if let Some(entry) = known.owners.get_mut(usize::from(slice.0)) {
            *entry = Some(me);
            known.drawn_from.push(slice);
        }
    }

    /// The slices of this server.
    pub(crate) fn ours(&self) -> Vec<Slice> {
        let known = self.lock();
        Slice::all().filter(|slice| known.owners.get(usize::from(slice.0)) == Some(&Some(known.me))).collect()
    }
}

impl Numbers for Table {
    fn home_of(&self, nameplate: &Nameplate) -> Home {
        let known = self.lock();
        match known.owners.get(usize::from(Slice::of(nameplate).0)).copied().flatten() {
            None => Home::Nobody,
            Some(owner) if owner == known.me => Home::Here,
            Some(owner) if known.gone.contains(&owner) => Home::Nobody,
            Some(_) => Home::Elsewhere,
        }
    }

    fn draw(&self, random: u64) -> Option<Nameplate> {
        let known = self.lock();
        let count = u64::try_from(known.drawn_from.len()).ok().filter(|count| *count > 0)?;
        let slice = known.drawn_from.get(usize::try_from(random / NAMEPLATES % count).ok()?)?;
        Nameplate::new(&format!("{:03}{slice}", random % NAMEPLATES)).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_slice_is_the_last_three_digits() {
        for (nameplate, slice) in [("4827", "827"), ("482713", "713"), ("100000", "000"), ("123456789", "789")] {
            assert_eq!(Slice::of(&Nameplate::new(nameplate).unwrap()).to_string(), slice);
            assert_eq!(Slice::parse(slice).unwrap().to_string(), slice);
        }
        assert!(["1000", "12", "-12", "+12", "abc", ""].iter().all(|text| Slice::parse(text).is_none()));
    }

    #[test]
    fn numbers_are_drawn_from_all_of_ones_own_slices_and_no_others() {
        let table = Table::new(ServerId(1));
        assert_eq!(table.draw(5), None);
        let slice = |number| Slice::new(number).unwrap();
        table.draw_from(slice(7));
        table.draw_from(slice(123));
        table.set_owner(slice(8), Some(ServerId(2)));
        let drawn: BTreeSet<_> = (0..4000).map(|random| table.draw(random).unwrap()).collect();
        assert_eq!(drawn.len(), 2000);
        assert!(drawn.iter().all(|nameplate| table.home_of(nameplate) == Home::Here));
        assert!(!table.set_owner(slice(8), None));
        assert!(table.set_owner(slice(123), Some(ServerId(2))));
        assert!((0..4000).all(|random| table.draw(random).unwrap().as_str().ends_with("007")));
        assert_eq!(table.ours(), [slice(7)]);
    }

    #[test]
    fn who_is_gone_is_nobody() {
        let table = Table::new(ServerId(1));
        let nameplate = Nameplate::new("123456").unwrap();
        assert_eq!(table.home_of(&nameplate), Home::Nobody);
        table.set_owner(Slice::of(&nameplate), Some(ServerId(2)));
        assert_eq!(table.home_of(&nameplate), Home::Elsewhere);
        table.set_gone(ServerId(2), true);
        assert_eq!(table.home_of(&nameplate), Home::Nobody);
    }

    #[test]
    fn a_server_is_read_as_it_is_written() {
        let server = ServerId(0x1234);
        assert_eq!(ServerId::parse(&server.to_string()), Some(server));
        assert!(["", "12", &"g".repeat(32), &"F".repeat(32)].iter().all(|text| ServerId::parse(text).is_none()));
    }
}
