//! Feedback: a receiver may say anything about the packets that it was sent, or wasn't.

use std::time::{Duration, Instant};

use visavis_congestion::{Arrival, Controller, Kind, Limits, Pacer, Probe, Sent};
use visavis_frame::BitRate;

use crate::Bytes;

const LIMITS: Limits =
    Limits { floor: BitRate::from_kbps(80), start: BitRate::from_kbps(300), ceiling: BitRate::from_kbps(4000) };
/// More than a packet on the wire has, bytes.
const LARGEST_PACKET: usize = 1500;

/// One sender that believes every word.
struct Sender {
    now: Instant,
    controller: Controller,
    pacer: Pacer<()>,
    sequence: u64,
}

impl Sender {
    fn new(now: Instant) -> Self {
        let pacer = Pacer::new(LIMITS.start, now);
        Self { now, controller: Controller::new(LIMITS, now), pacer, sequence: 0 }
    }

    /// Queues a packet and lets go what may go.
    fn send(&mut self, kind: u8, size: usize) {
        let kind = match kind % 4 {
            0 => Kind::Audio,
            1 | 2 => Kind::Video,
            _ => Kind::Resend,
        };
        self.pacer.push(self.now, kind, size, ());
        self.release();
    }

    fn release(&mut self) {
        while let Some(release) = self.pacer.pop(self.now) {
            self.sequence += 1;
            let (sequence, at) = (self.sequence, self.now);
            self.controller.on_sent(Sent {
                sequence,
                at,
                size: release.size,
                kind: release.kind,
                probe: release.probe,
            });
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        // Every deadline on the way, but no more than a device could wake up for.
        for _ in 0..1000 {
            let due = [self.controller.poll_timeout(), self.pacer.poll_timeout()].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            self.controller.handle_timeout(self.now);
            self.release();
            self.check();
        }
        self.now = end;
    }

    fn check(&mut self) {
        let estimate = self.controller.estimate();
        let within = estimate.target >= LIMITS.floor && estimate.target <= LIMITS.ceiling;
        assert!(within && (0.0..=1.0).contains(&estimate.loss), "{estimate:?}");
        self.pacer.set_rate(estimate.pacing);
        if let Some(probe) = self.controller.poll_probe() {
            let Probe { rate, packets, bytes, .. } = probe;
            assert!(rate.bps() <= 16 * LIMITS.ceiling.bps() && packets < 1000 && bytes < 1 << 20, "{probe:?}");
            self.pacer.start_probe(self.now, probe);
        }
    }
}

/// Packets sent and what the other side says became of them.
pub(crate) fn congestion(data: &[u8]) {
    let mut input = Bytes::new(data);
    let mut sender = Sender::new(Instant::now());
    while !input.is_empty() {
        let what = input.byte();
        match what % 5 {
            0 => sender.send(what >> 3, usize::from(input.word()) % LARGEST_PACKET),
            1 => sender.pass(Duration::from_millis(input.byte().into())),
            2 => sender.pass(Duration::from_millis(u64::from(input.word()))),
            3 => sender.controller.on_round_trip(sender.now, Duration::from_millis(input.word().into())),
            _ => {
                let newest = sender.sequence.wrapping_sub(u64::from(input.byte()));
                let mut clock = Duration::from_micros(input.long().into());
                let arrivals: Vec<_> = (0..u64::from(what >> 3))
                    .map(|number| {
                        let step = input.word();
                        clock += Duration::from_micros(u64::from(step >> 1) * 8);
                        let received = (step & 1 == 0).then_some(clock);
                        Arrival { sequence: newest.wrapping_add(number), received }
                    })
                    .collect();
                sender.controller.on_feedback(sender.now, &arrivals);
            }
        }
        sender.check();
    }
    sender.pass(Duration::from_secs(10));
}
