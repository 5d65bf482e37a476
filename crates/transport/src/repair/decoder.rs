//! The receiving half: a system of linear equations over the packets that haven't come, solved as far as it can be.
//!
//! Every repair packet is an equation; what has come already is taken out of it at once. The rest is kept in reduced row
//! echelon form: each row begins with a number that no other row has, so that a row of one number is a packet worked out.

use std::collections::{BTreeMap, VecDeque};

use super::{FIELDS, HEAD, LAST, MOST_COVERED, Source, coefficient, field};

/// Packets kept to be taken out of equations: far more than a repair packet is the sum of.
const MOST_KEPT: usize = 400;
/// Equations kept at most: as many losses can be worked out together.
const MOST_ROWS: usize = 64;
/// What lies so far behind the newest is nobody's any more.
const BEHIND: i64 = 400;
/// A step in the numbers beyond this is another stream.
const MAX_STEP: i64 = 1000;
/// No path carries longer payloads.
const LONGEST: usize = 1500;

/// Works out lost packets of one stream.
#[derive(Debug)]
pub struct RepairDecoder<P> {
    newest: Option<i64>,
    known: BTreeMap<i64, Source<P>>,
    rows: Vec<Row>,
    recovered: VecDeque<Source<Vec<u8>>>,
}

/// Numbers that are missing with what they are multiplied by, and their sum.
#[derive(Debug)]
struct Row {
    factors: BTreeMap<i64, u8>,
    sum: Vec<u8>,
}

/// What a repair packet says besides what can be worked out from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The newest packet that it is a sum of.
    pub newest: u16,
    /// No more repairs come for the picture that it follows.
    pub last: bool,
    /// It was of no use: all that it is a sum of was there, or it is no repair packet.
    pub useless: bool,
}

impl<P> Default for RepairDecoder<P> {
    fn default() -> Self {
        Self { newest: None, known: BTreeMap::new(), rows: Vec::new(), recovered: VecDeque::new() }
    }
}

impl<P: AsRef<[u8]>> RepairDecoder<P>
where
    P: From<Vec<u8>>,
{
    /// Takes a packet of media that came, by itself or sent again.
    pub fn media(&mut self, packet: Source<P>) {
        let newest = self.newest.unwrap_or_else(|| i64::from(packet.sequence));
        let number = extend(packet.sequence, newest);
        if number > newest + MAX_STEP {
            // Another stream, or a break of seconds: nothing before it is of any use.
            *self = Self { recovered: std::mem::take(&mut self.recovered), ..Self::default() };
        } else if number <= newest - BEHIND || self.known.contains_key(&number) {
            return;
        }
        self.newest = Some(number.max(newest));
        self.learn(number, packet);
        self.collect();
        self.forget();
    }

    /// Takes the payload of the repair packet of this number; `None`: it isn't one.
    pub fn repair(&mut self, number: u16, payload: &[u8]) -> Option<Covered> {
        let (&[flags, count, f0, f1], sum) = payload.split_first_chunk::<HEAD>()?;
        let count = usize::from(count);
        if flags & !LAST != 0 || !(1..=MOST_COVERED).contains(&count) || !(FIELDS..=LONGEST).contains(&sum.len()) {
            return None;
        }
        let first = u16::from_be_bytes([f0, f1]);
        // At most 128, so it fits.
        let last = first.wrapping_add(count as u16 - 1);
        let newest = self.newest.unwrap_or_else(|| i64::from(last));
        let end = extend(last, newest);
        let covered = Covered { newest: last, last: flags & LAST != 0, useless: true };
        let numbers = end + 1 - count as i64..=end;
        if end > newest + MAX_STEP || end <= newest - BEHIND {
            return None;
        }
        if numbers.clone().all(|at| self.known.contains_key(&at)) {
            return Some(covered);
        }
        self.newest = Some(end.max(newest));
        let mut row = Row { factors: BTreeMap::new(), sum: sum.to_vec() };
        for at in numbers {
            // Truncated as on the wire.
            let factor = coefficient(number, at as u16);
            match self.known.get(&at) {
                Some(source) => source.add_to(&mut row.sum, factor),
                None => drop(row.factors.insert(at, factor)),
            }
        }
        let useful = self.insert(row);
        self.collect();
        self.forget();
        Some(Covered { useless: !useful, ..covered })
    }

    /// A packet that was worked out; call it until `None`.
    pub fn poll(&mut self) -> Option<Source<Vec<u8>>> {
        self.recovered.pop_front()
    }

    /// Takes what is known now out of the equations.
    fn learn(&mut self, number: i64, packet: Source<P>) {
        let mut loose = None;
        for (index, row) in self.rows.iter_mut().enumerate() {
            let begins = row.begins();
            if let Some(factor) = row.factors.remove(&number) {
                packet.add_to(&mut row.sum, factor);
                if begins == Some(number) {
                    loose = Some(index);
                }
            }
        }
        self.known.insert(number, packet);
        // A row that has lost its beginning needs another.
        if let Some(index) = loose {
            let row = self.rows.swap_remove(index);
            self.insert(row);
        }
    }

    /// Adds an equation; false: it says nothing new.
    fn insert(&mut self, mut row: Row) -> bool {
        for other in &self.rows {
            if let Some(begins) = other.begins()
                && let Some(&factor) = row.factors.get(&begins)
            {
                row.add(other, factor);
            }
        }
        let Some((&begins, &factor)) = row.factors.first_key_value() else { return false };
        row.scale(field::inverse(factor));
        for other in &mut self.rows {
            if let Some(&factor) = other.factors.get(&begins) {
                other.add(&row, factor);
            }
        }
        self.rows.push(row);
        true
    }

    /// Takes out the rows of one number: these packets are known now. No other row has any of their numbers.
    fn collect(&mut self) {
        let Some(newest) = self.newest else { return };
        for row in self.rows.extract_if(.., |row| row.factors.len() <= 1) {
            let Some(number) = row.begins().filter(|&number| number > newest - BEHIND) else { continue };
            // Truncated as on the wire.
            let Some(source) = Source::from_sum(number as u16, &row.sum) else { continue };
            let kept = Source {
                sequence: source.sequence,
                timestamp: source.timestamp,
                marker: source.marker,
                payload: P::from(source.payload.clone()),
            };
            self.known.insert(number, kept);
            self.recovered.push_back(source);
        }
    }

    fn forget(&mut self) {
        let Some(newest) = self.newest else { return };
        while self.known.len() > MOST_KEPT || self.known.first_key_value().is_some_and(|(&at, _)| at <= newest - BEHIND)
        {
            self.known.pop_first();
        }
        self.rows.retain(|row| row.begins().is_some_and(|begins| begins > newest - BEHIND));
        while self.rows.len() > MOST_ROWS {
            let oldest = self.rows.iter().enumerate().min_by_key(|(_, row)| row.begins()).map(|(index, _)| index);
            oldest.into_iter().for_each(|index| drop(self.rows.swap_remove(index)));
        }
    }
}

impl Row {
    fn begins(&self) -> Option<i64> {
        self.factors.first_key_value().map(|(&number, _)| number)
    }

    /// Adds `factor` times another row.
    fn add(&mut self, other: &Self, factor: u8) {
        for (&number, &of_other) in &other.factors {
            let own = self.factors.entry(number).or_default();
            *own ^= field::multiply(of_other, factor);
            if *own == 0 {
                self.factors.remove(&number);
            }
        }
        if self.sum.len() < other.sum.len() {
            self.sum.resize(other.sum.len(), 0);
        }
        field::add(&mut self.sum, &other.sum, factor);
    }

    fn scale(&mut self, factor: u8) {
        self.factors.values_mut().for_each(|own| *own = field::multiply(*own, factor));
        field::scale(&mut self.sum, factor);
    }
}

/// The number nearest to `near` with these low 16 bits.
fn extend(sequence: u16, near: i64) -> i64 {
    // The low 16 bits, by truncation; as a signed number the shorter way round.
    near + i64::from(sequence.wrapping_sub(near as u16) as i16)
}
