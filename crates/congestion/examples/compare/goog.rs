//! goog_cc, the port of libwebrtc's estimator, in the place of ours.
//!
//! As an application with transport-wide feedback alone runs it: `feedback_only`, its default trials, probes also where the source sends little.
//! Pictures are paced as ours are, which serves it better than its own factor of 2.5. Its window's pushback, which makes libwebrtc
//! drop pictures, lowers the target instead: the model encoder drops none.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use goog_cc::network_control::{NetworkControllerConfig, NetworkControllerInterface};
use goog_cc::transport::{
    NetworkAvailability, NetworkControlUpdate, PacedPacketInfo, PacketResult, ProbeClusterConfig, ProcessInterval,
    SentPacket, StreamsConfig, TargetRateConstraints, TransportPacketsFeedback,
};
use goog_cc::units::{DataRate, DataSize, TimeDelta, Timestamp};
use goog_cc::{GoogCcConfig, GoogCcNetworkController};
use visavis_congestion::{Arrival, Estimate, Kind, Limits, Probe, ProbeId, Sent};
use visavis_frame::BitRate;

use crate::sim::estimator::Estimator;

/// [`visavis_congestion::Controller`]'s.
const PACING: f64 = 1.5;
/// Its `get_process_interval`.
const PROCESS: Duration = Duration::from_millis(25);
/// Packets of which nothing was heard are forgotten beyond so many.
const MEMORY: usize = 20_000;

pub(crate) struct Goog {
    inner: GoogCcNetworkController,
    epoch: Instant,
    next_process: Instant,
    sent: BTreeMap<u64, SentPacket>,
    /// Each probe with the bytes of it that were sent.
    clusters: HashMap<u32, (ProbeClusterConfig, i64)>,
    probes: Vec<Probe>,
    /// Losses from reports that told of nothing else: 0.1.4 panics on such a report.
    held: Vec<PacketResult>,
    /// What to add to the receiver's clock so that the first arrival is at its report's time, as libwebrtc's adapter does.
    offset: Option<i64>,
    in_flight: i64,
    estimate: Estimate,
}

pub(crate) fn goog(limits: Limits, now: Instant) -> Box<dyn Estimator> {
    let mut this = Goog::new(limits, now);
    let availability = NetworkAvailability { at_time: this.at(now), network_available: true };
    let update = this.inner.on_network_availability(availability);
    this.take(update);
    this.handle_timeout(now);
    Box::new(this)
}

impl Goog {
    fn new(limits: Limits, now: Instant) -> Self {
        let (start, ceiling) = (rate(limits.start), rate(limits.ceiling));
        let config = NetworkControllerConfig {
            constraints: TargetRateConstraints {
                at_time: ORIGIN,
                min_data_rate: Some(rate(limits.floor)),
                max_data_rate: Some(ceiling),
                starting_rate: Some(start),
            },
            stream_based_config: StreamsConfig {
                at_time: ORIGIN,
                requests_alr_probing: Some(true),
                pacing_factor: Some(PACING),
                max_total_allocated_bitrate: Some(ceiling),
                ..StreamsConfig::default()
            },
            ..NetworkControllerConfig::default()
        };
        let goog = GoogCcConfig { feedback_only: true };
        Self {
            inner: GoogCcNetworkController::new(config, goog),
            epoch: now,
            next_process: now,
            sent: BTreeMap::new(),
            clusters: HashMap::new(),
            probes: Vec::new(),
            held: Vec::new(),
            offset: None,
            in_flight: 0,
            estimate: Estimate {
                target: limits.start,
                pacing: limits.start,
                round_trip: None,
                loss: 0.0,
                queueing: Duration::ZERO,
            },
        }
    }

    fn at(&self, now: Instant) -> Timestamp {
        ORIGIN + TimeDelta::from_micros(micros(now.saturating_duration_since(self.epoch)))
    }

    fn take(&mut self, update: NetworkControlUpdate) {
        for cluster in update.probe_cluster_configs {
            let id = u32::try_from(cluster.id).unwrap_or(0);
            let bits = cluster.target_data_rate.bps_float() * cluster.target_duration.seconds_float();
            self.probes.push(Probe {
                id: ProbeId(id),
                rate: bit_rate(cluster.target_data_rate),
                packets: u32::try_from(cluster.target_probe_count).unwrap_or(1),
                bytes: (bits / 8.0) as usize,
            });
            self.clusters.insert(id, (cluster, 0));
        }
        if let Some(pacer) = update.pacer_config {
            self.estimate.pacing = bit_rate(pacer.data_rate());
        }
        if let Some(target) = update.target_rate {
            let left = 1.0 - target.cwnd_reduce_ratio.clamp(0.0, 1.0);
            self.estimate.target = BitRate::from_bps((target.target_rate.bps_float() * left) as u64);
            self.estimate.loss = f64::from(target.network_estimate.loss_rate_ratio);
            let round_trip = target.network_estimate.round_trip_time;
            if round_trip.is_finite() {
                self.estimate.round_trip = Some(Duration::from_micros(round_trip.us().unsigned_abs()));
            }
        }
    }

    /// What to say of the packet as part of its probe.
    fn paced(&mut self, sent: &Sent) -> PacedPacketInfo {
        let Some((cluster, bytes)) = sent.probe.and_then(|probe| self.clusters.get_mut(&probe.0)) else {
            return PacedPacketInfo::default();
        };
        let least = cluster.target_data_rate * cluster.target_duration;
        let mut info = PacedPacketInfo::new(cluster.id, i64::from(cluster.target_probe_count), least.bytes());
        info.send_bitrate = cluster.target_data_rate;
        info.probe_cluster_bytes_sent = *bytes;
        *bytes += sent.size as i64;
        info
    }

    fn result(&mut self, now: Instant, arrival: &Arrival) -> Option<PacketResult> {
        let sent_packet = *self.sent.get(&arrival.sequence)?;
        let now = self.at(now).us();
        let receive_time = match arrival.received {
            Some(received) => {
                let received = micros(received);
                let offset = *self.offset.get_or_insert(now - received);
                self.sent.remove(&arrival.sequence);
                self.in_flight -= sent_packet.size.bytes();
                Timestamp::from_micros(received + offset)
            }
            None => Timestamp::plus_infinity(),
        };
        Some(PacketResult { sent_packet, receive_time, ..PacketResult::default() })
    }
}

impl Estimator for Goog {
    fn on_sent(&mut self, sent: Sent) {
        self.in_flight += sent.size as i64;
        let packet = SentPacket {
            send_time: self.at(sent.at),
            size: DataSize::from_bytes(sent.size as i64),
            pacing_info: self.paced(&sent),
            audio: sent.kind == Kind::Audio,
            sequence_number: sent.sequence as i64,
            data_in_flight: DataSize::from_bytes(self.in_flight.max(0)),
            ..SentPacket::default()
        };
        self.sent.insert(sent.sequence, packet);
        if self.sent.len() > MEMORY {
            self.sent.pop_first();
        }
        let update = self.inner.on_sent_packet(packet);
        self.take(update);
    }

    fn on_feedback(&mut self, now: Instant, arrivals: &[Arrival]) {
        let mut results = std::mem::take(&mut self.held);
        results.extend(arrivals.iter().filter_map(|arrival| self.result(now, arrival)));
        if results.iter().all(|result| !result.is_received()) {
            self.held = results;
            return;
        }
        // What was sent before the newest that is heard of isn't on its way any more.
        let newest = results.iter().map(|result| result.sent_packet.sequence_number).max().unwrap_or(0);
        let beyond = self.sent.range(u64::try_from(newest).unwrap_or(0)..);
        self.in_flight = beyond.map(|(_, packet)| packet.size.bytes()).sum();
        let feedback = TransportPacketsFeedback {
            feedback_time: self.at(now),
            data_in_flight: DataSize::from_bytes(self.in_flight),
            packet_feedbacks: results,
            ..TransportPacketsFeedback::default()
        };
        let update = self.inner.on_transport_packets_feedback(feedback);
        self.take(update);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.next_process = now + PROCESS;
        let update = self.inner.on_process_interval(ProcessInterval { at_time: self.at(now), pacer_queue: None });
        self.take(update);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next_process)
    }

    fn poll_probe(&mut self) -> Option<Probe> {
        (!self.probes.is_empty()).then(|| self.probes.remove(0))
    }

    fn estimate(&self) -> Estimate {
        self.estimate
    }
}

/// Times begin well above zero: it subtracts from them.
const ORIGIN: Timestamp = Timestamp::from_seconds(100_000);

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn rate(rate: BitRate) -> DataRate {
    DataRate::from_bits_per_sec(i64::try_from(rate.bps()).unwrap_or(i64::MAX))
}

fn bit_rate(rate: DataRate) -> BitRate {
    BitRate::from_bps(rate.bps().unsigned_abs())
}
