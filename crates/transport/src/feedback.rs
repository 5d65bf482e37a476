//! What the two sides tell one another about received media (RTCP: RFC 3550, RFC 4585, RFC 5104), and what we do with it.
//!
//! The stock chain answers retransmission requests but ends there: nobody is told that the other side wants a
//! keyframe, and no report of the other side is counted. [`FeedbackWatch`] stands next to the wire, passes everything
//! on, and does both.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::interceptor::{
    Attribute, Interceptor, NackGeneratorBuilder, NackResponderBuilder, Packet, ReceiverReportBuilder, Registry,
    SenderReportBuilder, Slot, StreamInfo, TaggedPacket,
};
use rtc::peer_connection::configuration::interceptor_registry::configure_twcc_receiver_only;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use visavis_frame::{AUDIO_CLOCK_HZ, VIDEO_CLOCK_HZ};

use crate::error::{TransportError, stopped};
use crate::event::TransportEvent;
use crate::shared::Shared;

/// How often missing packets are asked for again; a call's playout waits for little more than this.
const NACK_INTERVAL: Duration = Duration::from_millis(20);
/// After so many requests, 200 ms, a picture is lost anyway and a keyframe costs less.
const MAX_NACKS_PER_PACKET: u16 = 10;
/// Sent packets kept for retransmission: about a second of 1080p.
const SENT_PACKETS: u16 = 1024;
/// How often each side reports what it received; browsers do so each second for video.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Requests closer than this are for the same keyframe, which is on its way.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(50);

/// The chain that every packet passes. The order is that of the slots, not of the calls.
pub(crate) fn registry(
    engine: &mut MediaEngine,
    shared: &Arc<Shared>,
    video_ssrc: u32,
    audio_ssrc: u32,
) -> Result<Registry, TransportError> {
    let nacks = NackGeneratorBuilder::new()
        .with_interval(NACK_INTERVAL)
        .with_max_nacks_per_packet(MAX_NACKS_PER_PACKET)
        .build();
    let registry = Registry::new()
        .with(Slot::NackResponder, NackResponderBuilder::new().with_size(SENT_PACKETS).build())
        .with(Slot::NackGenerator, nacks)
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().with_interval(REPORT_INTERVAL).build())
        .with(Slot::SenderReport, SenderReportBuilder::new().with_interval(REPORT_INTERVAL).build())
        .with(Slot::from(NEXT_TO_THE_WIRE), FeedbackWatch::new(Arc::clone(shared), video_ssrc, audio_ssrc));
    configure_twcc_receiver_only(registry, engine).map_err(stopped)
}

/// Below every slot with a name.
const NEXT_TO_THE_WIRE: usize = 500;

/// What the other side has told about one kind of our media.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RemoteView {
    /// Packets sent again on its request.
    pub(crate) resent: u64,
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
    clock_hz: u32,
    /// The latest sender reports: middle 32 bits of the NTP time, and when it went out.
    reported: VecDeque<(u32, Instant)>,
    view: RemoteView,
}

impl Watched {
    fn take_report(&mut self, report: &ReceptionReport, now: Instant) {
        self.view.packets_lost = i64::from(report.total_lost);
        self.view.fraction_lost = f64::from(report.fraction_lost) / 256.0;
        self.view.jitter = Duration::from_secs_f64(f64::from(report.jitter) / f64::from(self.clock_hz));
        if let Some((_, sent)) = self.reported.iter().find(|(ntp, _)| *ntp == report.last_sender_report) {
            let held = Duration::from_secs_f64(f64::from(report.delay) / 65536.0);
            self.view.rtt = Some(now.saturating_duration_since(*sent).saturating_sub(held));
        }
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
    fn new(shared: Arc<Shared>, video_ssrc: u32, audio_ssrc: u32) -> Self {
        let stream =
            |ssrc, clock_hz| Watched { ssrc, clock_hz, reported: VecDeque::new(), view: RemoteView::default() };
        let streams = [stream(video_ssrc, VIDEO_CLOCK_HZ), stream(audio_ssrc, AUDIO_CLOCK_HZ)];
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
        }
    }

    fn reports(&mut self, reports: &[ReceptionReport], now: Instant) {
        for report in reports {
            if let Some(stream) = self.stream(report.ssrc) {
                stream.take_report(report, now);
            }
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

    fn outbound(&mut self, packet: &dyn rtc::rtcp::Packet, now: Instant) {
        if let Some(report) = packet.as_any().downcast_ref::<SenderReport>()
            && let Some(stream) = self.stream(report.ssrc)
        {
            // Both sides' timers run in step, so a report often refers to the one before the latest.
            stream.reported.truncate(3);
            stream.reported.push_front((((report.ntp_time >> 16) & 0xffff_ffff) as u32, now));
        }
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

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            packets.iter().for_each(|inner| self.outbound(inner.as_ref(), packet.now));
        } else if packet.message.has(&Attribute::Retransmission)
            && let Packet::Rtp(rtp) = &packet.message.packet
        {
            self.stream(rtp.header.ssrc).into_iter().for_each(|stream| stream.view.resent += 1);
        }
        self.write.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }
}

impl Interceptor for FeedbackWatch {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
