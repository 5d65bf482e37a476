//! Sent video, kept for the case that it is asked for again: for so long as the other side may still want it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtc::rtp::packet::Packet;

/// A receiver has given up on a packet that is older than this.
const MAX_AGE: Duration = Duration::from_secs(2);
/// Payload bytes kept at most: three seconds of the highest rate that a call uses.
const MAX_BYTES: usize = 2 << 20;
/// One packet is sent again at most so often: enough for any loss that a call survives.
const MAX_RESENDS: u8 = 10;
/// Requests that are closer than the round trip are for the same loss; of the round trip a little less, since it varies.
const SAME_LOSS: f64 = 0.75;
/// And at least so far apart.
const LEAST_SPACING: Duration = Duration::from_millis(10);
/// A probe's packets are chosen from so many of the latest.
const PROBE_CHOICE: usize = 24;

/// The packets of one stream, oldest first, without a gap in their numbers.
#[derive(Debug, Default)]
pub(super) struct History {
    packets: VecDeque<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    packet: Packet,
    sent: Instant,
    resends: u8,
    resent: Option<Instant>,
}

impl History {
    /// Keeps a packet that leaves now.
    pub(super) fn add(&mut self, now: Instant, packet: Packet) {
        let follows = |last: &Kept| packet.header.sequence_number.wrapping_sub(last.packet.header.sequence_number) == 1;
        if !self.packets.back().is_none_or(follows) {
            // Numbers were left out while there was no connection: nobody asks for what is older.
            (self.packets, self.bytes) = (VecDeque::new(), 0);
        }
        self.bytes += packet.payload.len();
        self.packets.push_back(Kept { packet, sent: now, resends: 0, resent: None });
        let old = |kept: &Kept| now.saturating_duration_since(kept.sent) > MAX_AGE;
        while self.bytes > MAX_BYTES || self.packets.front().is_some_and(old) {
            let Some(kept) = self.packets.pop_front() else { break };
            self.bytes -= kept.packet.payload.len();
        }
    }

    /// The packet of that number, unless it is gone, was sent again just now, or too often.
    pub(super) fn again(&mut self, now: Instant, sequence: u16, round_trip: Option<Duration>) -> Option<Packet> {
        let first = self.packets.front()?.packet.header.sequence_number;
        let kept = self.packets.get_mut(usize::from(sequence.wrapping_sub(first)))?;
        let spacing = round_trip.unwrap_or_default().mul_f64(SAME_LOSS).max(LEAST_SPACING);
        let soon = kept.resent.is_some_and(|at| now.saturating_duration_since(at) < spacing);
        if soon || kept.resends >= MAX_RESENDS {
            return None;
        }
        kept.resends += 1;
        kept.resent = Some(now);
        Some(kept.packet.clone())
    }

    /// Of the latest packets the one whose payload comes nearest to `bytes`: what a probe sends once more.
    pub(super) fn nearest(&self, bytes: usize) -> Option<&Packet> {
        let latest = self.packets.iter().rev().take(PROBE_CHOICE).map(|kept| &kept.packet);
        latest.min_by_key(|packet| packet.payload.len().abs_diff(bytes))
    }
}

#[cfg(test)]
mod tests {
    use rtc::rtp::header::Header;

    use super::*;

    const ROUND_TRIP: Option<Duration> = Some(Duration::from_millis(40));

    fn packet(sequence_number: u16, bytes: usize) -> Packet {
        Packet { header: Header { sequence_number, ..Header::default() }, payload: vec![0; bytes].into() }
    }

    #[test]
    fn packets_are_found_over_the_wrap_of_their_numbers() {
        let (mut history, now) = (History::default(), Instant::now());
        for sequence in [65_534, 65_535, 0, 1] {
            history.add(now, packet(sequence, 10));
        }
        let found = |history: &mut History, sequence| {
            history.again(now, sequence, ROUND_TRIP).map(|packet| packet.header.sequence_number)
        };
        assert_eq!(found(&mut history, 65_534), Some(65_534));
        assert_eq!(found(&mut history, 1), Some(1));
        assert_eq!(found(&mut history, 2), None);
        assert_eq!(found(&mut history, 65_533), None);
    }

    #[test]
    fn one_loss_is_answered_once_and_not_for_ever() {
        let (mut history, mut now) = (History::default(), Instant::now());
        history.add(now, packet(7, 10));
        assert!(history.again(now, 7, ROUND_TRIP).is_some());
        assert!(history.again(now + Duration::from_millis(20), 7, ROUND_TRIP).is_none(), "it is on its way");
        let mut answered = 1;
        for _ in 0..100 {
            now += Duration::from_millis(40);
            answered += u8::from(history.again(now, 7, ROUND_TRIP).is_some());
        }
        assert_eq!(answered, MAX_RESENDS);
    }

    #[test]
    fn age_and_size_have_a_limit() {
        let (mut history, now) = (History::default(), Instant::now());
        history.add(now, packet(1, 10));
        history.add(now + MAX_AGE + Duration::from_millis(1), packet(2, 10));
        assert!(history.again(now, 1, None).is_none());
        for sequence in 3..3000 {
            history.add(now + MAX_AGE, packet(sequence, 1200));
        }
        assert!(history.bytes <= MAX_BYTES && history.packets.len() > 1700, "{}", history.packets.len());
        assert!(history.again(now, 2999, None).is_some());
    }

    #[test]
    fn a_gap_in_the_numbers_begins_anew() {
        let (mut history, now) = (History::default(), Instant::now());
        history.add(now, packet(1, 10));
        history.add(now, packet(5, 10));
        assert!(history.again(now, 1, None).is_none());
        assert_eq!(history.again(now, 5, None).map(|packet| packet.header.sequence_number), Some(5));
    }

    #[test]
    fn a_probe_gets_the_size_that_it_wants() {
        let (mut history, now) = (History::default(), Instant::now());
        assert!(history.nearest(500).is_none());
        for (sequence, bytes) in [(1, 1100), (2, 300), (3, 900)] {
            history.add(now, packet(sequence, bytes));
        }
        assert_eq!(history.nearest(400).map(|packet| packet.payload.len()), Some(300));
        assert_eq!(history.nearest(5000).map(|packet| packet.payload.len()), Some(1100));
    }
}
