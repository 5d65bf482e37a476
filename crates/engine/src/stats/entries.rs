//! The report under the W3C's names, made from what the media threads count and the transport carries.

use std::time::Duration;

use visavis_frame::{AUDIO_CLOCK_HZ, BitRate, VIDEO_CLOCK_HZ, VideoCodec};
use visavis_transport::{CandidateEnd, MediaStats, TransportStats};

use super::{CallStats, SoundTotals};
use crate::counters::Snapshot;
use crate::webrtc_stats::{
    Candidate, CandidatePair, Codec, Head, InboundAudio, InboundRtp, InboundVideo, Kind, MediaSource, OutboundRtp,
    OutboundVideo, RemoteInboundRtp, StatsEntries, StatsEntry, Transport,
};

/// The `id`s of one medium's objects.
struct Ids {
    kind: Kind,
    codec: &'static str,
    inbound: &'static str,
    outbound: &'static str,
    remote_inbound: &'static str,
    source: &'static str,
}

const VIDEO: Ids = Ids {
    kind: Kind::Video,
    codec: "codec-video",
    inbound: "inbound-video",
    outbound: "outbound-video",
    remote_inbound: "remote-inbound-video",
    source: "source-video",
};
const AUDIO: Ids = Ids {
    kind: Kind::Audio,
    codec: "codec-audio",
    inbound: "inbound-audio",
    outbound: "outbound-audio",
    remote_inbound: "remote-inbound-audio",
    source: "source-audio",
};
const TRANSPORT: &str = "transport";
const PAIR: &str = "pair";
const LOCAL: &str = "local";
const REMOTE: &str = "remote";

/// What the report of this moment is made from.
pub(super) struct Moment<'a> {
    /// Milliseconds since the call began.
    pub(super) timestamp: f64,
    pub(super) counted: &'a Snapshot,
    pub(super) carried: &'a TransportStats,
    pub(super) rates: &'a CallStats,
    pub(super) sound: SoundTotals,
}

impl Moment<'_> {
    pub(super) fn entries(&self) -> StatsEntries {
        // Before anything is agreed on, what is hoped for.
        let video = self.carried.video_codec.unwrap_or(VideoCodec::H264);
        let mut entries = vec![
            self.codec(&VIDEO, video.media_type(), VIDEO_CLOCK_HZ, None),
            self.codec(&AUDIO, "audio/opus", AUDIO_CLOCK_HZ, Some(2)),
            self.inbound_video(),
            self.inbound_audio(),
            self.outbound(&VIDEO, &self.carried.video, Some(self.outbound_video())),
            self.outbound(&AUDIO, &self.carried.audio, None),
            self.remote_inbound(&VIDEO, &self.carried.video),
            self.remote_inbound(&AUDIO, &self.carried.audio),
            self.video_source(),
            self.audio_source(),
            StatsEntry::Transport(Transport {
                head: self.head(TRANSPORT),
                bytes_sent: self.carried.bytes_sent,
                bytes_received: self.carried.bytes_received,
                selected_candidate_pair_id: self.carried.pair.is_some().then_some(PAIR),
            }),
        ];
        if let Some(pair) = &self.carried.pair {
            entries.push(self.pair(pair.rtt));
            entries.push(StatsEntry::LocalCandidate(self.candidate(LOCAL, &pair.local)));
            entries.push(StatsEntry::RemoteCandidate(self.candidate(REMOTE, &pair.remote)));
        }
        entries
    }

    const fn head(&self, id: &'static str) -> Head {
        Head { id, timestamp: self.timestamp }
    }

    const fn codec(&self, of: &Ids, mime_type: &'static str, clock_rate: u32, channels: Option<u8>) -> StatsEntry {
        StatsEntry::Codec(Codec { head: self.head(of.codec), mime_type, clock_rate, channels })
    }

    fn inbound(&self, of: &Ids, media: &MediaStats) -> InboundRtp {
        InboundRtp {
            head: self.head(of.inbound),
            kind: of.kind,
            codec_id: of.codec,
            transport_id: TRANSPORT,
            packets_received: media.packets_received,
            bytes_received: media.bytes_received,
            packets_lost: media.packets_lost,
            jitter: media.jitter.as_secs_f64(),
            nack_count: media.nacks_sent,
            retransmitted_packets_received: media.retransmitted_packets_received,
            retransmitted_bytes_received: media.retransmitted_bytes_received,
            video: None,
            audio: None,
        }
    }

    fn inbound_video(&self) -> StatsEntry {
        let counted = self.counted;
        let video = InboundVideo {
            frame_width: counted.width,
            frame_height: counted.height,
            frames_per_second: self.rates.inbound.frames_per_second,
            frames_decoded: counted.decoded,
            key_frames_decoded: counted.keyframes_decoded,
            frames_dropped: counted.dropped,
            total_decode_time: Duration::from_micros(counted.decode_micros).as_secs_f64(),
            total_inter_frame_delay: counted.freezes.gaps.as_secs_f64(),
            freeze_count: counted.freezes.count,
            total_freezes_duration: counted.freezes.length.as_secs_f64(),
            pli_count: self.carried.video.plis_sent,
            fec_packets_received: self.carried.video.fec_packets_received,
            fec_bytes_received: self.carried.video.fec_bytes_received,
            fec_packets_discarded: self.carried.video.fec_packets_discarded,
            fec_packets_recovered: self.carried.video.fec_packets_recovered,
        };
        let inbound = InboundRtp { video: Some(video), ..self.inbound(&VIDEO, &self.carried.video) };
        StatsEntry::InboundRtp(Box::new(inbound))
    }

    fn inbound_audio(&self) -> StatsEntry {
        let audio = InboundAudio {
            total_samples_received: self.sound.played + self.sound.concealed,
            concealed_samples: self.sound.concealed,
            jitter_buffer_delay: self.sound.buffer_delay,
            jitter_buffer_emitted_count: self.sound.played + self.sound.concealed,
            fec_packets_received: self.counted.recovered,
            packets_discarded: self.counted.late,
        };
        let inbound = InboundRtp { audio: Some(audio), ..self.inbound(&AUDIO, &self.carried.audio) };
        StatsEntry::InboundRtp(Box::new(inbound))
    }

    fn outbound(&self, of: &Ids, media: &MediaStats, video: Option<OutboundVideo>) -> StatsEntry {
        StatsEntry::OutboundRtp(Box::new(OutboundRtp {
            head: self.head(of.outbound),
            kind: of.kind,
            codec_id: of.codec,
            transport_id: TRANSPORT,
            media_source_id: of.source,
            remote_id: of.remote_inbound,
            packets_sent: media.packets_sent,
            bytes_sent: media.bytes_sent,
            retransmitted_packets_sent: media.retransmitted_packets_sent,
            retransmitted_bytes_sent: media.retransmitted_bytes_sent,
            nack_count: media.nacks_received,
            target_bitrate: known(media.target_bitrate),
            video,
        }))
    }

    fn outbound_video(&self) -> OutboundVideo {
        OutboundVideo {
            frames_per_second: self.rates.outbound.frames_per_second,
            frames_encoded: self.counted.encoded,
            key_frames_encoded: self.counted.keyframes,
            total_encode_time: Duration::from_micros(self.counted.encode_micros).as_secs_f64(),
            quality_limitation_reason: self.counted.limitation,
            pli_count: self.carried.video.plis_received,
            fec_packets_sent: self.carried.video.fec_packets_sent,
            fec_bytes_sent: self.carried.video.fec_bytes_sent,
        }
    }

    fn remote_inbound(&self, of: &Ids, media: &MediaStats) -> StatsEntry {
        StatsEntry::RemoteInboundRtp(RemoteInboundRtp {
            head: self.head(of.remote_inbound),
            kind: of.kind,
            local_id: of.outbound,
            packets_lost: media.remote_packets_lost,
            fraction_lost: media.remote_fraction_lost,
            jitter: media.remote_jitter.as_secs_f64(),
            round_trip_time: media.rtt.map(|rtt| rtt.as_secs_f64()),
        })
    }

    fn video_source(&self) -> StatsEntry {
        let sent = &self.rates.outbound;
        StatsEntry::MediaSource(MediaSource {
            head: self.head(VIDEO.source),
            kind: Kind::Video,
            audio_level: None,
            frames_per_second: Some(sent.frames_per_second),
        })
    }

    fn audio_source(&self) -> StatsEntry {
        StatsEntry::MediaSource(MediaSource {
            head: self.head(AUDIO.source),
            kind: Kind::Audio,
            audio_level: Some(10f64.powf(f64::from(self.counted.level_dbfs) / 20.0).clamp(0.0, 1.0)),
            frames_per_second: None,
        })
    }

    fn pair(&self, rtt: Option<Duration>) -> StatsEntry {
        StatsEntry::CandidatePair(CandidatePair {
            head: self.head(PAIR),
            transport_id: TRANSPORT,
            local_candidate_id: LOCAL,
            remote_candidate_id: REMOTE,
            state: "succeeded",
            nominated: true,
            bytes_sent: self.carried.bytes_sent,
            bytes_received: self.carried.bytes_received,
            current_round_trip_time: rtt.map(|rtt| rtt.as_secs_f64()),
            available_outgoing_bitrate: known(self.carried.available_outgoing_bitrate),
        })
    }

    fn candidate(&self, id: &'static str, end: &CandidateEnd) -> Candidate {
        Candidate {
            head: self.head(id),
            transport_id: TRANSPORT,
            candidate_type: end.kind.clone(),
            protocol: end.protocol.clone(),
            address: end.address.clone(),
            port: Some(end.port),
        }
    }
}

/// Zero says that there is no rate.
fn known(rate: BitRate) -> Option<u64> {
    (rate.bps() > 0).then(|| rate.bps())
}
