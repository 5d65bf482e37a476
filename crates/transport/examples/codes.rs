//! What three codes make of the same losses at the same cost: the table of docs/NETWORK.md that the choice was made by.
//!
//! Pictures of five packets, 30 a second, each with repair packets behind it, and no resends. A picture is late when it isn't
//! whole after the repairs of the third picture behind it, a tenth of a second later.
//! - *parity*: each repair packet is the sum of every n-th packet of the picture, as flexible FEC's draft 03 is used;
//! - *block*: any repair packet of the picture makes any of its losses good (Reed and Solomon's code);
//! - *window*: [`visavis_transport::repair`], over the last four pictures.
#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::collections::BTreeSet;

use visavis_transport::repair::{RepairDecoder, RepairEncoder, Source};

const PICTURES: usize = 60_000;
const PACKETS: usize = 5;
/// In so many pictures' time losses are still made good unseen.
const IN_TIME: usize = 3;

/// Loses packets: evenly, or in bursts that begin and end with these chances.
#[derive(Clone, Copy)]
enum Path {
    Even(f64),
    Bursts { begin: f64, end: f64 },
}

struct Dice {
    path: Path,
    state: u64,
    in_burst: bool,
}

impl Dice {
    fn new(path: Path) -> Self {
        Self { path, state: 1, in_burst: false }
    }

    fn unit(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn lost(&mut self) -> bool {
        let unit = self.unit();
        match self.path {
            Path::Even(share) => unit < share,
            Path::Bursts { begin, end } => {
                self.in_burst = if self.in_burst { unit >= end } else { unit < begin };
                self.in_burst
            }
        }
    }
}

/// Repair packets after each picture, at so many for each packet.
fn due(credit: &mut f64, repairs: f64) -> usize {
    *credit += repairs * PACKETS as f64;
    let due = credit.floor();
    *credit -= due;
    due as usize
}

/// Late pictures, percent, of a code that sees one picture at a time; `mends`: lost packets of it and repairs that came.
fn by_picture(path: Path, repairs: f64, mends: impl Fn(&[bool], &[bool]) -> bool) -> f64 {
    let (mut dice, mut credit, mut late) = (Dice::new(path), 0.0, 0);
    for _ in 0..PICTURES {
        let lost: Vec<_> = (0..PACKETS).map(|_| dice.lost()).collect();
        let came: Vec<_> = (0..due(&mut credit, repairs)).map(|_| !dice.lost()).collect();
        late += usize::from(!mends(&lost, &came));
    }
    percent(late)
}

fn parity(lost: &[bool], came: &[bool]) -> bool {
    let groups = came.len();
    let mended = |group: usize| {
        let missing = lost.iter().skip(group).step_by(groups).filter(|lost| **lost).count();
        missing == 0 || (missing == 1 && came[group])
    };
    if groups == 0 { !lost.contains(&true) } else { (0..groups).all(mended) }
}

fn block(lost: &[bool], came: &[bool]) -> bool {
    lost.iter().filter(|lost| **lost).count() <= came.iter().filter(|came| **came).count()
}

/// The same of the code that is used.
fn window(path: Path, repairs: f64) -> f64 {
    let mut dice = Dice::new(path);
    let (mut encoder, mut decoder) = (RepairEncoder::default(), RepairDecoder::<Vec<u8>>::default());
    let (mut number, mut missing, mut late) = (0_u16, BTreeSet::new(), BTreeSet::new());
    for index in 0..PICTURES * PACKETS {
        let picture = index / PACKETS;
        // Numbers and times wrap as on the wire.
        let (sequence, timestamp) = (index as u16, (picture * 3000) as u32);
        let marker = index % PACKETS == PACKETS - 1;
        let packet = Source { sequence, timestamp, marker, payload: vec![index as u8; 4] };
        let due = encoder.protect(packet.clone(), repairs);
        if dice.lost() {
            missing.insert(index);
        } else {
            decoder.media(packet);
        }
        for _ in 0..due {
            number = number.wrapping_add(1);
            if !dice.lost() {
                encoder.repair(number, true).and_then(|payload| decoder.repair(number, &payload));
            }
        }
        while let Some(found) = decoder.poll() {
            missing.retain(|&index| index as u16 != found.sequence);
        }
        if marker {
            let over = missing.range(..(picture + 1).saturating_sub(IN_TIME) * PACKETS).copied().collect::<Vec<_>>();
            for index in over {
                missing.remove(&index);
                late.insert(index / PACKETS);
            }
        }
    }
    percent(late.len())
}

fn percent(late: usize) -> f64 {
    late as f64 * 100.0 / PICTURES as f64
}

fn main() {
    let paths = [
        ("5%", Path::Even(0.05)),
        ("10%", Path::Even(0.1)),
        ("20%", Path::Even(0.2)),
        ("30%", Path::Even(0.3)),
        ("Gilbert(3%, 25%)", Path::Bursts { begin: 0.03, end: 0.25 }),
    ];
    println!("| lost | repairs | parity | block | window |\n| --- | --- | --- | --- | --- |");
    for (name, path) in paths {
        for repairs in [0.2, 0.4, 0.6, 0.8, 1.0] {
            let (parity, block) = (by_picture(path, repairs, parity), by_picture(path, repairs, block));
            let window = window(path, repairs);
            println!("| {name} | {:.0}% | {parity:.2}% | {block:.2}% | {window:.2}% |", repairs * 100.0);
        }
    }
}
