//! What the two sides tell one another about received media (RTCP: RFC 3550, RFC 4585, RFC 5104), and what we do with it.
//!
//! The stock parts record arrivals and make the reports of both directions; what is sent, paced and asked for again is
//! ours ([`SendSide`], [`ReceiveSide`]). Nobody in the stock chain tells that the other side wants a keyframe, or counts
//! its reports: [`FeedbackWatch`] stands next to the wire, passes everything on, and does both.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::interceptor::{
    Attribute, Interceptor, Packet, ReceiverReportBuilder, Registry, SenderReportBuilder, Slot, StreamInfo,
    TaggedPacket,
};
use rtc::peer_connection::configuration::interceptor_registry::configure_twcc_receiver_only;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use visavis_congestion::Limits;
use visavis_frame::{AUDIO_CLOCK_HZ, VIDEO_CLOCK_HZ};

use crate::error::{TransportError, stopped};
use crate::event::TransportEvent;
use crate::receive::ReceiveSide;
use crate::send::SendSide;
use crate::shared::Shared;

/// How often each side reports what it received; browsers do so each second for video.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Fits every path, with SRTCP's additions and the headers below.
const MAX_COMPOUND_BYTES: usize = 1100;
/// Requests closer than this are for the same keyframe, which is on its way.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(50);

/// The chain that every packet passes. The order is that of the slots, not of the calls.
pub(crate) fn registry(
    engine: &mut MediaEngine,
    shared: &Arc<Shared>,
    limits: Limits,
    video: VideoSsrcs,
    audio_ssrc: u32,
) -> Result<Registry, TransportError> {
    let registry = Registry::new()
        .with(Slot::Pacer, SendSide::new(Arc::clone(shared), limits))
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().with_interval(REPORT_INTERVAL).build())
        .with(Slot::SenderReport, SenderReportBuilder::new().with_interval(REPORT_INTERVAL).build())
        .with(Slot::from(BEHIND_THE_RECORDERS), ReceiveSide::new(Arc::clone(shared), video.ssrc))
        .with(Slot::from(NEXT_TO_THE_WIRE), FeedbackWatch::new(Arc::clone(shared), video, audio_ssrc));
    configure_twcc_receiver_only(registry, engine).map_err(stopped)
}

/// The SSRCs of our video (RFC 3550) and of what is sent again of it (RFC 4588).
#[derive(Clone, Copy, Debug)]
pub(crate) struct VideoSsrcs {
    pub(crate) ssrc: u32,
    pub(crate) resend: u32,
}

/// Above all that records arrivals.
const BEHIND_THE_RECORDERS: usize = 12_500;
/// Below every slot with a name.
const NEXT_TO_THE_WIRE: usize = 500;

/// What the other side has told about one kind of our media.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RemoteView {
    /// Packets sent again on its request, and their payload bytes.
    pub(crate) resent: u64,
    pub(crate) resent_bytes: u64,
    pub(crate) nacks: u32,
    pub(crate) keyframe_requests: u32,
    pub(crate) packets_lost: i64,
    pub(crate) fraction_lost: f64,
    pub(crate) jitter: Duration,
    pub(crate) rtt: Option<Duration>,
}

/// One of our streams and the sender reports that the other side's next report may refer to.
struct Watched {
    ssrc: u32,
    resend: Option<u32>,
    clock_hz: u32,
    /// The latest sender reports: middle 32 bits of the NTP time, and when it went out.
    reported: VecDeque<(u32, Instant)>,
    view: RemoteView,
}

impl Watched {
    /// Takes a report in; returns the round trip where it tells one.
    fn take_report(&mut self, report: &ReceptionReport, now: Instant) -> Option<Duration> {
        self.view.packets_lost = i64::from(report.total_lost);
        self.view.fraction_lost = f64::from(report.fraction_lost) / 256.0;
        self.view.jitter = Duration::from_secs_f64(f64::from(report.jitter) / f64::from(self.clock_hz));
        let (_, sent) = self.reported.iter().find(|(ntp, _)| *ntp == report.last_sender_report)?;
        let held = Duration::from_secs_f64(f64::from(report.delay) / 65536.0);
        self.view.rtt = Some(now.saturating_duration_since(*sent).saturating_sub(held));
        self.view.rtt
    }
}

/// Counts what passes by and tells the owner of the connection when the other side asks for a keyframe.
struct FeedbackWatch {
    shared: Arc<Shared>,
    /// Video, then audio.
    streams: [Watched; 2],
    last_request: Option<Instant>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl FeedbackWatch {
    fn new(shared: Arc<Shared>, video: VideoSsrcs, audio_ssrc: u32) -> Self {
        let stream = |ssrc, resend, clock_hz| Watched {
            ssrc,
            resend,
            clock_hz,
            reported: VecDeque::new(),
            view: RemoteView::default(),
        };
        let streams =
            [stream(video.ssrc, Some(video.resend), VIDEO_CLOCK_HZ), stream(audio_ssrc, None, AUDIO_CLOCK_HZ)];
        Self { shared, streams, last_request: None, read: VecDeque::new(), write: VecDeque::new() }
    }

    fn stream(&mut self, ssrc: u32) -> Option<&mut Watched> {
        self.streams.iter_mut().find(|stream| stream.ssrc == ssrc)
    }

    fn inbound(&mut self, packet: &dyn rtc::rtcp::Packet, now: Instant) {
        let any = packet.as_any();
        if let Some(pli) = any.downcast_ref::<PictureLossIndication>() {
            self.keyframe_request(pli.media_ssrc, now);
        } else if let Some(fir) = any.downcast_ref::<FullIntraRequest>() {
            fir.fir.iter().for_each(|entry| self.keyframe_request(entry.ssrc, now));
        } else if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
            self.stream(nack.media_ssrc).into_iter().for_each(|stream| stream.view.nacks += 1);
        } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            self.reports(&report.reports, now);
        } else if let Some(report) = any.downcast_ref::<SenderReport>() {
            self.reports(&report.reports, now);
            self.shared.clocks.reported(report.ssrc, report.rtp_time, report.ntp_time);
        }
    }

    fn reports(&mut self, reports: &[ReceptionReport], now: Instant) {
        for report in reports {
            let round_trip = self.stream(report.ssrc).and_then(|stream| stream.take_report(report, now));
            round_trip.into_iter().for_each(|round_trip| self.shared.set_round_trip(round_trip));
        }
    }

    fn keyframe_request(&mut self, ssrc: u32, now: Instant) {
        let video = &mut self.streams[0];
        if video.ssrc != ssrc {
            return;
        }
        video.view.keyframe_requests += 1;
        if self.last_request.is_none_or(|last| now.saturating_duration_since(last) >= KEYFRAME_INTERVAL) {
            self.last_request = Some(now);
            self.shared.emit(TransportEvent::KeyframeWanted);
        }
    }

    /// Feedback that leaves at the same time leaves as one packet (RFC 3550, section 6.1). The stock parts make a packet
    /// for each stream, in an order that differs from run to run.
    fn compound(&mut self, first: &mut TaggedPacket) {
        let Packet::Rtcp(packets) = &mut first.message.packet else { return };
        let size = |packets: &[Box<dyn rtc::rtcp::Packet>]| packets.iter().map(|inner| inner.raw_size()).sum::<usize>();
        while let Some(next) = self.write.pop_front() {
            match next.message.packet {
                Packet::Rtcp(more) if size(packets) + size(&more) <= MAX_COMPOUND_BYTES => packets.extend(more),
                Packet::Rtp(_) | Packet::Rtcp(_) | _ => {
                    self.write.push_front(next);
                    break;
                }
            }
        }
        // It may have padding, which only the last may.
        packets.sort_by_key(|inner| inner.as_any().is::<TransportLayerCc>());
    }

    fn resent(&mut self, ssrc: u32, bytes: usize) {
        let stream = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc || stream.resend == Some(ssrc));
        if let Some(stream) = stream {
            stream.view.resent += 1;
            stream.view.resent_bytes += bytes as u64;
        }
    }

    fn outbound(&mut self, packet: &mut Box<dyn rtc::rtcp::Packet>, now: Instant) {
        let Some(report) = packet.as_any().downcast_ref::<SenderReport>() else { return };
        let Some(index) = self.streams.iter().position(|stream| stream.ssrc == report.ssrc) else { return };
        let mut report = report.clone();
        if let Some((ntp_time, rtp_time)) = self.shared.clocks.report(index, now) {
            (report.ntp_time, report.rtp_time) = (ntp_time, rtp_time);
        }
        if let Some(stream) = self.streams.get_mut(index) {
            // Both sides' timers run in step, so a report often refers to the one before the latest.
            stream.reported.truncate(3);
            stream.reported.push_front((((report.ntp_time >> 16) & 0xffff_ffff) as u32, now));
        }
        *packet = Box::new(report);
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for FeedbackWatch {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            packets.iter().for_each(|inner| self.inbound(inner.as_ref(), packet.now));
            self.shared.set_remote_views([self.streams[0].view, self.streams[1].view]);
        }
        self.read.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &mut packet.message.packet {
            packets.iter_mut().for_each(|inner| self.outbound(inner, packet.now));
        } else if packet.message.has(&Attribute::Retransmission)
            && let Packet::Rtp(rtp) = &packet.message.packet
        {
            self.resent(rtp.header.ssrc, rtp.payload.len());
        }
        self.write.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        let mut first = self.write.pop_front()?;
        self.compound(&mut first);
        Some(first)
    }
}

impl Interceptor for FeedbackWatch {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
