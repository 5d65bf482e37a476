//! Transport-wide sequence numbers and what the receiver reports of them
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use std::time::Duration;

use rtc::rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc, TransportLayerCc};
use visavis_congestion::Arrival;

/// One tick of the reference time (section 3.1).
const TICK: Duration = Duration::from_millis(64);
/// The reference time has 24 bits.
const REFERENCE_SPAN: i64 = 1 << 24;
/// A number that far back can't be told from one to come.
const HALF_SPAN: u64 = 1 << 15;

/// Gives out the numbers, and knows them again without their wrap.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The number of the next packet.
    next: u64,
    /// The latest reference time, unwrapped, in ticks.
    reference: Option<i64>,
}

impl Numbers {
    /// The number of the packet that leaves now; its low 16 bits go on the wire.
    pub(super) const fn take(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// What a report says of the packets that were really sent; whatever else it says is left out.
    pub(super) fn arrivals(&mut self, report: &TransportLayerCc) -> Vec<Arrival> {
        let mut time = self.reference_time(report.reference_time);
        let mut deltas = report.recv_deltas.iter().map(|delta| delta.delta);
        let symbols = report.packet_chunks.iter().flat_map(symbols).take(usize::from(report.packet_status_count));
        let mut arrivals = Vec::new();
        for (index, symbol) in symbols.enumerate() {
            let received = match symbol {
                SymbolTypeTcc::PacketNotReceived => None,
                SymbolTypeTcc::PacketReceivedSmallDelta | SymbolTypeTcc::PacketReceivedLargeDelta => {
                    // A report that has fewer times than arrivals ends where they do.
                    let Some(delta) = deltas.next() else { break };
                    time = time.saturating_add(delta);
                    Some(Duration::from_micros(u64::try_from(time).unwrap_or(0)))
                }
                // Nobody sends it; without a time it says nothing of the path.
                SymbolTypeTcc::PacketReceivedWithoutDelta => continue,
            };
            // Truncated as on the wire.
            let wire = report.base_sequence_number.wrapping_add(index as u16);
            arrivals.extend(self.sent_as(wire).map(|sequence| Arrival { sequence, received }));
        }
        arrivals
    }

    /// The latest number sent that ends in these 16 bits.
    fn sent_as(&self, wire: u16) -> Option<u64> {
        let newest = self.next.checked_sub(1)?;
        // Truncated as on the wire.
        let back = u64::from((newest as u16).wrapping_sub(wire));
        (back < HALF_SPAN).then(|| newest.checked_sub(back)).flatten()
    }

    /// Microseconds on the receiver's clock. The zero lies one span back, so that no delta leads below it.
    fn reference_time(&mut self, ticks: u32) -> i64 {
        let ticks = i64::from(ticks) % REFERENCE_SPAN;
        let reference = match self.reference {
            None => REFERENCE_SPAN + ticks,
            Some(last) => {
                let step = (ticks - last).rem_euclid(REFERENCE_SPAN);
                let step = if step >= REFERENCE_SPAN / 2 { step - REFERENCE_SPAN } else { step };
                (last + step).max(0)
            }
        };
        self.reference = Some(reference);
        reference.saturating_mul(TICK.as_micros() as i64)
    }
}

fn symbols(chunk: &PacketStatusChunk) -> Box<dyn Iterator<Item = SymbolTypeTcc> + '_> {
    match chunk {
        PacketStatusChunk::RunLengthChunk(run) => {
            Box::new(std::iter::repeat_n(run.packet_status_symbol, usize::from(run.run_length)))
        }
        PacketStatusChunk::StatusVectorChunk(vector) => Box::new(vector.symbol_list.iter().copied()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc::rtcp::transport_feedbacks::transport_layer_cc::{RecvDelta, RunLengthChunk, StatusVectorChunk};

    use super::*;

    fn run(symbol: SymbolTypeTcc, length: u16) -> PacketStatusChunk {
        let chunk = RunLengthChunk { packet_status_symbol: symbol, run_length: length, ..RunLengthChunk::default() };
        PacketStatusChunk::RunLengthChunk(chunk)
    }

    fn deltas(micros: &[i64]) -> Vec<RecvDelta> {
        micros.iter().map(|&delta| RecvDelta { delta, ..RecvDelta::default() }).collect()
    }

    fn sent(count: u64) -> Numbers {
        Numbers { next: count, reference: None }
    }

    #[test]
    fn times_add_up_and_padding_of_a_chunk_is_no_loss() {
        let symbols = vec![
            SymbolTypeTcc::PacketReceivedSmallDelta,
            SymbolTypeTcc::PacketNotReceived,
            SymbolTypeTcc::PacketReceivedLargeDelta,
            SymbolTypeTcc::PacketNotReceived,
        ];
        let vector = StatusVectorChunk { symbol_list: symbols, ..StatusVectorChunk::default() };
        let report = TransportLayerCc {
            base_sequence_number: 65_535,
            packet_status_count: 3,
            reference_time: 2,
            packet_chunks: vec![PacketStatusChunk::StatusVectorChunk(vector)],
            recv_deltas: deltas(&[1_000, -250]),
            ..TransportLayerCc::default()
        };
        let arrivals = sent(65_540).arrivals(&report);
        let zero = TICK * (1 << 24) + TICK * 2;
        let expected = [
            (65_535, Some(zero + Duration::from_micros(1_000))),
            (65_536, None),
            (65_537, Some(zero + Duration::from_micros(750))),
        ];
        assert_eq!(arrivals.iter().map(|a| (a.sequence, a.received)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_was_never_sent_is_left_out() {
        let report = TransportLayerCc {
            base_sequence_number: 8,
            packet_status_count: 4,
            packet_chunks: vec![run(SymbolTypeTcc::PacketNotReceived, 4)],
            ..TransportLayerCc::default()
        };
        assert_eq!(sent(10).arrivals(&report).iter().map(|a| a.sequence).collect::<Vec<_>>(), [8, 9]);
        assert!(sent(0).arrivals(&report).is_empty());
    }

    #[test]
    fn the_reference_time_goes_on_over_its_wrap() {
        let mut numbers = sent(10);
        let mut at = |ticks| {
            let report = TransportLayerCc {
                packet_status_count: 1,
                reference_time: ticks,
                packet_chunks: vec![run(SymbolTypeTcc::PacketReceivedSmallDelta, 1)],
                recv_deltas: deltas(&[0]),
                ..TransportLayerCc::default()
            };
            numbers.arrivals(&report)[0].received
        };
        let (before, after) = (at((1 << 24) - 1), at(1));
        assert_eq!(after.zip(before).map(|(after, before)| after - before), Some(TICK * 2));
    }

    proptest! {
        #[test]
        fn no_report_breaks_us(
            next in 0..200_000_u64,
            base: u16,
            count: u16,
            reference: u32,
            runs in prop::collection::vec((0..4_u8, 0..9_000_u16), 0..20),
            times in prop::collection::vec(any::<i64>(), 0..50),
        ) {
            let chunks = runs.into_iter().map(|(symbol, length)| run(SymbolTypeTcc::from(u16::from(symbol)), length));
            let report = TransportLayerCc {
                base_sequence_number: base,
                packet_status_count: count,
                reference_time: reference,
                packet_chunks: chunks.collect(),
                recv_deltas: deltas(&times),
                ..TransportLayerCc::default()
            };
            let mut numbers = sent(next);
            for _ in 0..2 {
                let arrivals = numbers.arrivals(&report);
                prop_assert!(arrivals.len() <= usize::from(count));
                prop_assert!(arrivals.iter().all(|arrival| arrival.sequence < next));
            }
        }
    }
}
