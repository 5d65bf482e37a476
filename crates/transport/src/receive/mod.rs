//! The receiving side: works out lost video from repair packets ([`crate::repair`]), asks for the rest (RFC 4585), and keeps
//! what RTX brings twice from the assembler (RFC 4588).
//!
//! It stands behind all that records arrivals, so that reports tell what the path did: what was worked out never arrived. The
//! connection itself turns a resend back into what it brings again, on its way to the track; repair packets end here.

mod gaps;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use rtc::interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use rtc::rtp::header::Header;
use rtc::rtp::packet::Packet as RtpPacket;
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;

pub(crate) use self::gaps::Terms;
use self::gaps::{Came, Gaps};
use crate::protected::{Payload, resent_source, source};
use crate::repair::{RepairDecoder, Source};
use crate::shared::Shared;

/// Streams watched at most: a call has one.
const MAX_STREAMS: usize = 4;

/// A stream of video.
#[derive(Debug, Default)]
struct Watched {
    gaps: Gaps,
    /// Where repair packets were negotiated.
    decoder: Option<RepairDecoder<Payload>>,
    /// Of the latest packet.
    payload_type: u8,
}

impl Watched {
    /// A packet of media came; whether it is of use.
    fn take_media(&mut self, now: Instant, packet: &RtpPacket) -> bool {
        self.gaps.came(now, packet.header.sequence_number, false);
        self.payload_type = packet.header.payload_type;
        if let Some(decoder) = &mut self.decoder {
            decoder.media(source(packet));
        }
        true
    }

    /// A packet came once more (RFC 4588); whether it is of use.
    fn take_resent(&mut self, now: Instant, packet: &RtpPacket, shared: &Shared) -> bool {
        // Shorter than the number of what it brings: padding.
        let Some(number) = packet.payload.first_chunk::<2>() else { return false };
        let sequence = u16::from_be_bytes(*number);
        match self.gaps.came(now, sequence, true) {
            Came::Known => return false,
            Came::New => {}
            Came::Late => shared.repairs.resent.add(packet.payload.len() - number.len()),
        }
        if let Some(decoder) = &mut self.decoder {
            decoder.media(resent_source(packet, sequence));
        }
        true
    }

    /// A repair packet came; whether there was anything to learn from it.
    fn take_repair(&mut self, now: Instant, packet: &RtpPacket) -> bool {
        let Some(decoder) = &mut self.decoder else { return false };
        let Some(covered) = decoder.repair(packet.header.sequence_number, &packet.payload) else { return false };
        self.gaps.repairs(now, covered.newest, covered.last);
        !covered.useless
    }

    /// A packet that could be worked out and hasn't come meanwhile.
    fn recovered(&mut self, now: Instant, ssrc: u32) -> Option<RtpPacket> {
        let decoder = self.decoder.as_mut()?;
        let gaps = &mut self.gaps;
        let new = |source: &Source<Vec<u8>>| gaps.came(now, source.sequence, true) != Came::Known;
        let source = std::iter::from_fn(|| decoder.poll()).find(new)?;
        let header = Header {
            version: 2,
            marker: source.marker,
            payload_type: self.payload_type,
            sequence_number: source.sequence,
            timestamp: source.timestamp,
            ssrc,
            ..Header::default()
        };
        Some(RtpPacket { header, payload: source.payload.into() })
    }
}

/// See the module.
pub(crate) struct ReceiveSide {
    shared: Arc<Shared>,
    /// Whom requests are from.
    sender_ssrc: u32,
    streams: BTreeMap<u32, Watched>,
    /// Stream of resends → what it sends again.
    resends: BTreeMap<u32, u32>,
    /// Stream of repair packets → what they protect.
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
            resends: BTreeMap::new(),
            repairs: BTreeMap::new(),
            read: VecDeque::new(),
            write: VecDeque::new(),
        }
    }

    /// Passes on what is of use to somebody, and what it makes it possible to work out.
    fn receive(&mut self, packet: TaggedPacket) {
        let (now, transport) = (packet.now, packet.transport);
        let Packet::Rtp(rtp) = &packet.message.packet else {
            self.read.push_back(packet);
            return;
        };
        let ssrc = rtp.header.ssrc;
        let protected = self.repairs.get(&ssrc).copied();
        let media = protected.or_else(|| self.resends.get(&ssrc).copied()).unwrap_or(ssrc);
        if protected.is_some() {
            // Nobody else could read it.
            self.take_repair(now, media, rtp);
        } else {
            let useful = match self.streams.get_mut(&media) {
                Some(watched) if media == ssrc => watched.take_media(now, rtp),
                Some(watched) => watched.take_resent(now, rtp, &self.shared),
                None => true,
            };
            if useful {
                self.read.push_back(packet);
            }
        }
        let Some(watched) = self.streams.get_mut(&media) else { return };
        while let Some(recovered) = watched.recovered(now, media) {
            self.shared.repairs.recovered.add(recovered.payload.len());
            let mut message = AttributedPacket::new(Packet::Rtp(recovered));
            message.add(Attribute::RecoveredByFec);
            self.read.push_back(TaggedPacket { now, transport, message });
        }
    }

    fn take_repair(&mut self, now: Instant, media: u32, packet: &RtpPacket) {
        let counts = &self.shared.repairs;
        counts.received.add(packet.payload.len());
        let useful = self.streams.get_mut(&media).is_some_and(|watched| watched.take_repair(now, packet));
        if !useful {
            counts.discarded.add(packet.payload.len());
        }
    }

    fn ask(&mut self, now: Instant) {
        let terms = self.shared.terms();
        for (&media_ssrc, watched) in &mut self.streams {
            let numbers = watched.gaps.ask(now, terms);
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
        self.receive(packet);
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
        let (now, terms) = (self.shared.runtime.now(), self.shared.terms());
        self.streams.values().filter_map(|watched| watched.gaps.poll_timeout(now, terms)).min()
    }
}

impl Interceptor for ReceiveSide {
    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        let accompanies = self.resends.contains_key(&info.ssrc) || self.repairs.contains_key(&info.ssrc);
        let nacks = info.rtcp_feedback.iter().any(|feedback| feedback.typ == "nack" && feedback.parameter.is_empty());
        if accompanies || !nacks || self.streams.len() >= MAX_STREAMS {
            return;
        }
        // After an ICE restart it is bound once more, and goes on.
        let watched = self.streams.entry(info.ssrc).or_default();
        self.resends.extend(info.ssrc_rtx.map(|resends| (resends, info.ssrc)));
        if let Some(repairs) = info.ssrc_fec.filter(|_| info.payload_type_fec.is_some()) {
            self.repairs.insert(repairs, info.ssrc);
            watched.decoder.get_or_insert_default();
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
        let gone = |other: &u32, media: &mut u32| *other != info.ssrc && *media != info.ssrc;
        self.resends.retain(gone);
        self.repairs.retain(gone);
    }

    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
}
