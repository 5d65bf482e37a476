//! The sending side: what leaves when, again, and how fast.
//!
//! One interceptor in place of the library's responder, pacer and numbering, since the four need one another: a resend
//! waits in the pacer like new video, and what the estimate is made of must count it. Video is kept in the [`history`]
//! once it has left; a NACK (RFC 4585, section 6.2.1) brings it back as RTX (RFC 4588) where that was negotiated, else as
//! it was. Where the path asks for it, pictures leave with repair packets behind them ([`shield`]). All RTP leaves through
//! the pacer and with a transport-wide number; RTCP passes by.

mod history;
mod meter;
mod numbers;
mod shield;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::rtp::packet::Packet as RtpPacket;
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;
use visavis_congestion::{Controller, Kind, Limits, Pacer, PathLoss, Protection, Release, Sent};
use visavis_frame::BitRate;

use self::meter::{Allowance, Meter};
use self::numbers::Numbers;
use self::stream::Stream;
use crate::outlook::Known;
use crate::shared::Shared;

/// Packets that one request may name; a call never has so many in flight at the moment of a loss.
const MAX_REQUESTED: usize = 512;

/// The round trip that is assumed while none was measured.
const UNKNOWN_ROUND_TRIP: Duration = Duration::from_millis(100);

/// Without a word of the other side for so long the path was dark. What came of that says nothing about what it carries.
const DARK: Duration = Duration::from_millis(800);
/// Of what a path carried before it went dark, what is sent until it is known better.
const AFTER_THE_DARK: f64 = 0.7;

/// What waits in the pacer.
struct Waiting {
    packet: RtpPacket,
    /// The media stream that it belongs to, which for resends and repairs isn't the packet's own.
    ssrc: u32,
}

/// See the module.
pub(crate) struct SendSide {
    shared: Arc<Shared>,
    streams: BTreeMap<u32, Stream>,
    pacer: Pacer<Waiting>,
    limits: Limits,
    controller: Controller,
    /// When the other side last told of arrivals, and what the estimate was then.
    told: Option<(Instant, BitRate)>,
    numbers: Numbers,
    losses: PathLoss,
    /// What is done against them for video.
    protection: Protection,
    audio: Meter,
    resends: Allowance,
    /// Bytes of IP and UDP headers.
    headers: usize,
    /// How often a path had been found when the estimate began.
    path: u32,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl SendSide {
    pub(crate) fn new(shared: Arc<Shared>, limits: Limits) -> Self {
        let now = shared.runtime.now();
        let controller = Controller::new(limits, now);
        let this = Self {
            streams: BTreeMap::new(),
            pacer: Pacer::new(controller.estimate().pacing, now),
            limits,
            controller,
            told: None,
            numbers: Numbers::default(),
            losses: PathLoss::default(),
            protection: Protection::default(),
            audio: Meter::default(),
            resends: Allowance::new(now),
            headers: stream::headers(false),
            path: shared.paths_found(),
            read: VecDeque::new(),
            write: VecDeque::new(),
            shared,
        };
        this.shared.outlook.publish(&Known { estimate: this.controller.estimate(), ..Known::default() });
        this
    }

    /// A path that comes after another is another path.
    fn notice_path(&mut self, now: Instant) {
        let found = self.shared.paths_found();
        if self.path != found {
            self.path = found;
            self.begin_anew(now);
        }
    }

    /// Estimates from the start, which is near to where the path was before.
    fn begin_anew(&mut self, now: Instant) {
        let start = self.told.map_or(self.limits.start, |(_, target)| {
            // A share of a rate is a rate.
            BitRate::from_bps((target.bps() as f64 * AFTER_THE_DARK) as u64).max(self.limits.floor)
        });
        self.controller = Controller::new(Limits { start, ..self.limits }, now);
        self.losses = PathLoss::default();
        self.follow(now);
    }

    fn take_report(&mut self, report: &TransportLayerCc, now: Instant) {
        let arrivals = self.numbers.arrivals(report);
        if arrivals.is_empty() {
            return;
        }
        if self.told.is_some_and(|(last, _)| now.saturating_duration_since(last) > DARK) {
            self.begin_anew(now);
        } else {
            self.losses.on_report(now, &arrivals);
            self.controller.on_feedback(now, &arrivals);
            self.follow(now);
        }
        self.told = Some((now, self.controller.estimate().target));
    }

    /// Takes over what the controller has come to.
    fn follow(&mut self, now: Instant) {
        self.pacer.set_rate(self.controller.estimate().pacing);
        while let Some(probe) = self.controller.poll_probe() {
            self.pacer.start_probe(now, probe);
        }
    }

    fn feedback(&mut self, packet: &dyn rtc::rtcp::Packet, now: Instant) {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<TransportLayerCc>() {
            self.take_report(report, now);
        } else if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
            self.resend(nack, now);
        } else if any.is::<ReceiverReport>() || any.is::<SenderReport>() {
            // Measured by the watch next to the wire, which has seen this report already.
            if let Some(round_trip) = self.shared.round_trip() {
                self.controller.on_round_trip(now, round_trip);
            }
        }
    }

    fn resend(&mut self, nack: &TransportLayerNack, now: Instant) {
        let Some(stream) = self.streams.get_mut(&nack.media_ssrc) else { return };
        let (round_trip, rate) = (self.shared.round_trip(), self.controller.estimate().target);
        let numbers = nack.nacks.iter().flat_map(|pair| pair.into_iter()).take(MAX_REQUESTED);
        for number in numbers {
            let Some(packet) = stream.history.again(now, number, round_trip) else { continue };
            let packet = stream.resent(packet);
            let size = stream.size(&packet, self.headers);
            if !self.resends.take(now, rate, size) {
                break;
            }
            self.pacer.push(now, Kind::Resend, size, Waiting { packet, ssrc: nack.media_ssrc });
        }
    }

    /// Sends what a picture's losses may be made good from right behind it.
    fn protect(&mut self, now: Instant, packet: &RtpPacket) {
        let Some(stream) = self.streams.get_mut(&packet.header.ssrc) else { return };
        let Some(shield) = &mut stream.shield else {
            self.protection = Protection::by_resending(self.controller.estimate().loss);
            return;
        };
        let repairs = shield.protect(packet, self.protection.repairs);
        if packet.header.marker {
            let estimate = self.controller.estimate();
            let round_trip = self.shared.round_trip().or(estimate.round_trip).unwrap_or(UNKNOWN_ROUND_TRIP);
            let (share, burstiness) = (self.losses.share(), self.losses.burstiness());
            self.protection = Protection::against(share, burstiness, round_trip, shield.covered());
        }
        for repair in repairs {
            let size = stream.size(&repair, self.headers);
            self.pacer.push(now, Kind::Repair, size, Waiting { packet: repair, ssrc: packet.header.ssrc });
        }
    }

    /// Lets go what may go.
    fn release(&mut self, now: Instant) {
        loop {
            while let Some(release) = self.pacer.pop(now) {
                self.depart(now, release);
            }
            let Some(bytes) = self.pacer.wants_padding(now) else { break };
            let padding = self.streams.iter_mut().find_map(|(&ssrc, stream)| Some((ssrc, stream.padding(bytes)?)));
            let Some((ssrc, packet)) = padding else { break };
            let size = self.streams.get(&ssrc).map_or(0, |stream| stream.size(&packet, self.headers));
            self.pacer.push(now, Kind::Padding, size, Waiting { packet, ssrc });
        }
        self.publish(now);
    }

    fn depart(&mut self, now: Instant, release: Release<Waiting>) {
        let Release { payload: Waiting { mut packet, ssrc }, kind, size, probe } = release;
        if let Some(stream) = self.streams.get_mut(&ssrc) {
            if kind == Kind::Video {
                stream.history.add(now, packet.clone());
            }
            if stream.is_numbered() {
                let sequence = self.numbers.take();
                stream.number(&mut packet, sequence);
                self.controller.on_sent(Sent { sequence, at: now, size, kind, probe });
            }
        }
        match kind {
            Kind::Audio => self.audio.add(now, size),
            Kind::Repair => self.shared.repairs.sent.add(packet.payload.len()),
            Kind::Video | Kind::Resend | Kind::Padding => {}
        }
        let mut message = AttributedPacket::new(Packet::Rtp(packet));
        if kind == Kind::Resend {
            message.add(Attribute::Retransmission);
        }
        self.write.push_back(TaggedPacket { now, transport: TransportContext::default(), message });
    }

    fn publish(&mut self, now: Instant) {
        let known = Known {
            estimate: self.controller.estimate(),
            audio: self.audio.rate(now),
            protection: self.protection,
            overdue: self.pacer.is_overdue(now),
            heard: self.told.is_some(),
        };
        self.shared.outlook.publish(&known);
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for SendSide {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            self.headers = stream::headers(packet.transport.peer_addr.is_ipv6());
            packets.iter().for_each(|inner| self.feedback(inner.as_ref(), packet.now));
            self.release(packet.now);
        }
        self.read.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        let now = packet.now;
        if let Packet::Rtp(rtp) = &packet.message.packet
            && let Some(stream) = self.streams.get(&rtp.header.ssrc)
        {
            let (kind, size) = (stream.kind, stream.size(rtp, self.headers));
            self.notice_path(now);
            self.pacer.push(now, kind, size, Waiting { packet: rtp.clone(), ssrc: rtp.header.ssrc });
            if kind == Kind::Video {
                self.protect(now, rtp);
            }
            self.release(now);
        } else {
            self.write.push_back(packet);
        }
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.controller.handle_timeout(now);
        self.follow(now);
        self.release(now);
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        [self.pacer.poll_timeout(), self.controller.poll_timeout()].into_iter().flatten().min()
    }
}

impl Interceptor for SendSide {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        self.streams.insert(info.ssrc, Stream::new(info));
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }

    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
