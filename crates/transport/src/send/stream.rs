//! One of our streams: what is sent again of it, what protects it in advance, its history, and what its packets weigh on
//! the wire.

use rtc::interceptor::StreamInfo;
use rtc::rtp::extension::transport_cc_extension::TransportCcExtension;
use rtc::rtp::header::Header;
use rtc::rtp::packet::Packet;
use rtc::sdp::extmap::TRANSPORT_CC_URI;
use rtc::shared::marshal::{Marshal, MarshalSize};
use visavis_congestion::Kind;

use super::history::History;
use super::shield::Shield;

/// What SRTP adds: the tag of AES-GCM (RFC 7714, section 14.2), which both sides prefer.
const SRTP_TAG: usize = 16;
/// What the transport-wide number adds to a header without extensions (RFC 8285, section 4.2).
const NUMBER: usize = 8;

/// Bytes of UDP's and IP's headers.
pub(super) const fn headers(is_ipv6: bool) -> usize {
    8 + if is_ipv6 { 40 } else { 20 }
}

/// RTX for a stream (RFC 4588): an SSRC and numbers of its own.
struct Resending {
    ssrc: u32,
    payload_type: u8,
    /// The payload type of what is sent again.
    resends: u8,
    next: u16,
}

pub(super) struct Stream {
    pub(super) kind: Kind,
    pub(super) history: History,
    resending: Option<Resending>,
    /// What protects it in advance, where that was negotiated.
    pub(super) shield: Option<Shield>,
    /// The header extension with the transport-wide number, where it was negotiated.
    extension: Option<u8>,
}

impl Stream {
    pub(super) fn new(info: &StreamInfo) -> Self {
        let is_video = info.mime_type.to_ascii_lowercase().starts_with("video/");
        let extension = info.rtp_header_extensions.iter().find(|extension| extension.uri == TRANSPORT_CC_URI);
        let resending = info.ssrc_rtx.zip(info.payload_type_rtx);
        let repairs = info.ssrc_fec.zip(info.payload_type_fec);
        Self {
            kind: if is_video { Kind::Video } else { Kind::Audio },
            history: History::default(),
            shield: repairs.map(|(ssrc, payload_type)| Shield::new(ssrc, payload_type)),
            // The stream's SSRC is random already; its numbers may begin anywhere.
            resending: resending.map(|(ssrc, payload_type)| Resending {
                ssrc,
                payload_type,
                resends: info.payload_type,
                next: (ssrc >> 16) as u16,
            }),
            extension: extension.and_then(|extension| u8::try_from(extension.id).ok()).filter(|&id| id != 0),
        }
    }

    pub(super) const fn is_numbered(&self) -> bool {
        self.extension.is_some()
    }

    /// Writes the transport-wide number into the header; its low 16 bits are what goes on the wire.
    pub(super) fn number(&self, packet: &mut Packet, sequence: u64) {
        let number = TransportCcExtension { transport_sequence: sequence as u16 };
        if let Some(id) = self.extension
            && let Ok(bytes) = number.marshal()
            && let Err(error) = packet.header.set_extension(id, bytes.freeze())
        {
            tracing::debug!(%error, "a packet leaves without its transport-wide number");
        }
    }

    /// Bytes on the wire.
    pub(super) fn size(&self, packet: &Packet, headers: usize) -> usize {
        let number = if self.is_numbered() { NUMBER } else { 0 };
        packet.header.marshal_size() + number + packet.payload.len() + SRTP_TAG + headers
    }

    /// The packet as it is sent again: as RTX where that was negotiated, else as it was.
    pub(super) fn resent(&mut self, packet: Packet) -> Packet {
        match &mut self.resending {
            Some(resending) if resending.resends == packet.header.payload_type => resending.wrap(&packet),
            _ => packet,
        }
    }

    /// A packet of about so many bytes that the receiver needn't have: one that it has, as RTX. It can tell those apart
    /// from losses, which it couldn't if the packet came once more as it was.
    pub(super) fn padding(&mut self, bytes: usize) -> Option<Packet> {
        let packet = self.history.nearest(bytes)?;
        let resending = self.resending.as_mut().filter(|rtx| rtx.resends == packet.header.payload_type)?;
        Some(resending.wrap(packet))
    }
}

impl Resending {
    /// RFC 4588, section 4: the original's number in front of its payload.
    fn wrap(&mut self, original: &Packet) -> Packet {
        let header = Header {
            version: 2,
            marker: original.header.marker,
            payload_type: self.payload_type,
            sequence_number: self.next,
            timestamp: original.header.timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        self.next = self.next.wrapping_add(1);
        let number = original.header.sequence_number.to_be_bytes();
        Packet { header, payload: [&number, original.payload.as_ref()].concat().into() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rtc::interceptor::RTPHeaderExtension;
    use rtc::shared::marshal::Unmarshal;

    use super::*;

    fn info(rtx: bool) -> StreamInfo {
        StreamInfo {
            ssrc: 1,
            payload_type: 102,
            ssrc_rtx: Some(2),
            payload_type_rtx: rtx.then_some(103),
            mime_type: "video/H264".to_owned(),
            rtp_header_extensions: vec![RTPHeaderExtension { uri: TRANSPORT_CC_URI.to_owned(), id: 5 }],
            ..StreamInfo::default()
        }
    }

    fn packet() -> Packet {
        let header = Header {
            version: 2,
            marker: true,
            payload_type: 102,
            sequence_number: 0x1234,
            timestamp: 9,
            ssrc: 1,
            ..Header::default()
        };
        Packet { header, payload: vec![7; 100].into() }
    }

    #[test]
    fn a_resend_is_a_packet_of_a_stream_of_its_own() {
        let mut stream = Stream::new(&info(true));
        let (first, second) = (stream.resent(packet()), stream.resent(packet()));
        assert_eq!((first.header.ssrc, first.header.payload_type), (2, 103));
        assert_eq!((first.header.timestamp, first.header.marker), (9, true));
        assert_eq!(first.payload[..3], [0x12, 0x34, 7]);
        assert_eq!(second.header.sequence_number, first.header.sequence_number.wrapping_add(1));
    }

    #[test]
    fn without_that_stream_it_is_sent_as_it_was_and_nothing_pads() {
        let mut stream = Stream::new(&info(false));
        assert_eq!(stream.resent(packet()), packet());
        stream.history.add(Instant::now(), packet());
        assert!(stream.padding(100).is_none());
    }

    #[test]
    fn a_packet_carries_its_number_once_and_weighs_what_was_said() {
        let (stream, mut numbered) = (Stream::new(&info(true)), packet());
        stream.number(&mut numbered, 0x1_0007);
        stream.number(&mut numbered, 0x1_0008);
        let read = numbered.header.get_extension(5).map(|bytes| TransportCcExtension::unmarshal(&mut bytes.as_ref()));
        assert!(matches!(read, Some(Ok(TransportCcExtension { transport_sequence: 8 }))), "{read:?}");
        let before = stream.size(&packet(), headers(false));
        assert_eq!(before, numbered.header.marshal_size() + 100 + SRTP_TAG + 28);
    }
}
