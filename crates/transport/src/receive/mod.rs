//! The receiving side: asks for lost video (RFC 4585) and keeps what RTX brings twice from the assembler (RFC 4588).
//!
//! It stands behind all that records arrivals, so that reports tell what the path did. The connection itself turns a
//! repair back into what it repairs, on its way to the track.

mod gaps;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use rtc::interceptor::{AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use rtc::rtp::packet::Packet as RtpPacket;
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;

pub(crate) use self::gaps::Terms;
use self::gaps::{Came, Gaps};
use crate::shared::Shared;

/// Streams watched at most: a call has one.
const MAX_STREAMS: usize = 4;

/// See the module.
pub(crate) struct ReceiveSide {
    shared: Arc<Shared>,
    /// Whom requests are from.
    sender_ssrc: u32,
    streams: BTreeMap<u32, Gaps>,
    /// Repair stream → what it repairs.
    repairs: BTreeMap<u32, u32>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl ReceiveSide {
    pub(crate) fn new(shared: Arc<Shared>, sender_ssrc: u32) -> Self {
        Self {
            shared,
            sender_ssrc,
            streams: BTreeMap::new(),
            repairs: BTreeMap::new(),
            read: VecDeque::new(),
            write: VecDeque::new(),
        }
    }

    /// Whether the packet is of use to anybody.
    fn takes(&mut self, now: Instant, packet: &RtpPacket) -> bool {
        let ssrc = packet.header.ssrc;
        let Some(media) = self.repairs.get(&ssrc) else {
            if let Some(gaps) = self.streams.get_mut(&ssrc) {
                gaps.came(now, packet.header.sequence_number, false);
            }
            return true;
        };
        let Some(gaps) = self.streams.get_mut(media) else { return true };
        // Shorter than the number of what it repairs: padding.
        let Some(number) = packet.payload.first_chunk::<2>() else { return false };
        match gaps.came(now, u16::from_be_bytes(*number), true) {
            Came::Known => false,
            Came::New => true,
            Came::Late => {
                self.shared.count_repair(packet.payload.len() - number.len());
                true
            }
        }
    }

    fn ask(&mut self, now: Instant) {
        let terms = self.shared.terms();
        for (&media_ssrc, gaps) in &mut self.streams {
            let numbers = gaps.ask(now, terms);
            if numbers.is_empty() {
                continue;
            }
            let nacks = nack_pairs_from_sequence_numbers(&numbers);
            let nack = TransportLayerNack { sender_ssrc: self.sender_ssrc, media_ssrc, nacks };
            let message = AttributedPacket::new(Packet::Rtcp(vec![Box::new(nack)]));
            self.write.push_back(TaggedPacket { now, transport: TransportContext::default(), message });
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for ReceiveSide {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        let useful = match &packet.message.packet {
            Packet::Rtp(rtp) => self.takes(packet.now, rtp),
            Packet::Rtcp(_) | _ => true,
        };
        if useful {
            self.read.push_back(packet);
        }
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.write.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.ask(now);
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        let terms = self.shared.terms();
        self.streams.values().filter_map(|gaps| gaps.poll_timeout(terms)).min()
    }
}

impl Interceptor for ReceiveSide {
    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        let repairs = self.repairs.contains_key(&info.ssrc);
        let nacks = info.rtcp_feedback.iter().any(|feedback| feedback.typ == "nack" && feedback.parameter.is_empty());
        if repairs || !nacks || self.streams.len() >= MAX_STREAMS {
            return;
        }
        // After an ICE restart it is bound once more, and goes on.
        self.streams.entry(info.ssrc).or_default();
        self.repairs.extend(info.ssrc_rtx.map(|repair| (repair, info.ssrc)));
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
        self.repairs.retain(|repair, media| *repair != info.ssrc && *media != info.ssrc);
    }

    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
}
