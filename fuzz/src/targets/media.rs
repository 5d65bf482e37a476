//! RTP payloads: pictures through the frame assembler and the decoder, sound through the playout buffer and Opus.

use std::time::{Duration, Instant};

use visavis_codec::{
    Assembler, AssemblerConfig, AssemblerOutput, AudioDecoder, AudioPayload, VideoDecoder, opus as codec, video,
};
use visavis_dsp::{PlayoutAction, PlayoutBuffer, PlayoutConfig};
use visavis_frame::{FramePool, RtpPacket, Timestamp, VideoCodec};

use crate::Bytes;

/// The longest sound in one packet, samples (RFC 6716, section 2.1.4).
const LONGEST_PACKET: usize = 5760;

/// RTP packets of H.264 into the frame assembler, and its frames into the decoder.
pub(crate) fn assembler(data: &[u8]) {
    assemble(VideoCodec::H264, data);
}

/// The same with VP8.
pub(crate) fn assembler_vp8(data: &[u8]) {
    assemble(VideoCodec::Vp8, data);
}

fn assemble(codec: VideoCodec, data: &[u8]) {
    let mut input = Bytes::new(data);
    let mut now = Instant::now();
    let mut assembler = Assembler::new(codec, AssemblerConfig::default());
    let mut decoder = Pictures { codec, decoder: None };
    let (mut sequence, mut timestamp) = (input.word(), input.long());
    let mut pushed = 0;
    while !input.is_empty() {
        let what = input.byte();
        // Mostly the next packet in order; sometimes a jump.
        sequence = sequence.wrapping_add(if what & 1 == 0 { 1 } else { input.word() });
        timestamp = timestamp.wrapping_add(if what & 2 == 0 { 0 } else { input.word().into() });
        now += Duration::from_millis(if what & 4 == 0 { 0 } else { input.byte().into() });
        let payload = input.chunk().to_vec();
        assembler.push(now, RtpPacket { sequence, timestamp, marker: what & 8 != 0, payload });
        pushed += 1;
        drain(&mut assembler, now, pushed, &mut decoder);
    }
    // Whatever it waits for comes to an end when nothing more comes.
    for _ in 0..4 {
        if let Some(due) = assembler.poll_timeout() {
            now = now.max(due);
            drain(&mut assembler, now, pushed, &mut decoder);
            assert!(assembler.poll_timeout().is_none_or(|next| next > now), "it is due again at once");
        }
    }
}

fn drain(assembler: &mut Assembler, now: Instant, pushed: usize, decoder: &mut Pictures) {
    // No packet can complete more pictures than there are packets.
    let mut left = pushed + 2;
    while let Some(output) = assembler.poll(now) {
        left = left.checked_sub(1).unwrap_or_else(|| panic!("it goes on without end"));
        if let AssemblerOutput::Frame(frame) = output {
            decoder.decode(&frame.data);
        }
    }
}

/// A decoder that is made when the first picture comes; none where the build has no such codec.
struct Pictures {
    codec: VideoCodec,
    decoder: Option<Box<dyn VideoDecoder>>,
}

impl Pictures {
    fn decode(&mut self, unit: &[u8]) {
        if self.decoder.is_none() {
            self.decoder = video::decoder(self.codec, FramePool::new()).ok();
        }
        if let Some(decoder) = &mut self.decoder {
            let _ = decoder.decode(unit, Timestamp::ZERO);
        }
    }
}

/// Access units, as nothing but a broken or hostile encoder writes them.
pub(crate) fn h264(data: &[u8]) {
    pictures(VideoCodec::H264, data);
}

/// The same with VP8.
pub(crate) fn vp8(data: &[u8]) {
    pictures(VideoCodec::Vp8, data);
}

fn pictures(codec: VideoCodec, data: &[u8]) {
    let (mut input, mut decoder) = (Bytes::new(data), Pictures { codec, decoder: None });
    while !input.is_empty() {
        decoder.decode(input.chunk());
    }
}

/// Opus packets, each played, restored from or missing.
pub(crate) fn opus(data: &[u8]) {
    let mut input = Bytes::new(data);
    let Ok(mut decoder) = codec::Decoder::new() else { return };
    let mut out = Vec::new();
    while !input.is_empty() {
        let (what, lost) = (input.byte(), usize::from(input.word()));
        let payload = input.chunk();
        let payload = match what % 4 {
            0 | 1 => AudioPayload::Packet(payload),
            2 => AudioPayload::Forward(payload),
            _ => AudioPayload::Lost,
        };
        out.clear();
        if let Ok(samples) = decoder.decode(payload, lost, &mut out) {
            assert!(samples == out.len() && samples <= LONGEST_PACKET, "{samples} samples, {} written", out.len());
        }
    }
}

/// RTP packets into the playout buffer while the speaker takes sound out of it.
pub(crate) fn sound(data: &[u8]) {
    let mut input = Bytes::new(data);
    let Ok(mut decoder) = codec::Decoder::new() else { return };
    let mut now = Instant::now();
    let mut buffer = PlayoutBuffer::new(PlayoutConfig::default());
    let (mut sequence, mut timestamp) = (input.word(), input.long());
    let mut out = Vec::new();
    while !input.is_empty() {
        let what = input.byte();
        now += Duration::from_millis((what >> 4).into());
        if what & 1 == 0 {
            sequence = sequence.wrapping_add(if what & 2 == 0 { 1 } else { input.word() });
            timestamp = timestamp.wrapping_add(if what & 4 == 0 { 960 } else { input.long() });
            let payload = input.chunk().to_vec();
            buffer.insert(now, RtpPacket { sequence, timestamp, marker: what & 8 != 0, payload });
            continue;
        }
        out.clear();
        let lost = buffer.packet_samples();
        let _ = match buffer.next(now) {
            PlayoutAction::Play { payload, .. } => decoder.decode(AudioPayload::Packet(&payload), lost, &mut out),
            PlayoutAction::Recover { from } => decoder.decode(AudioPayload::Forward(&from), lost, &mut out),
            PlayoutAction::Conceal => decoder.decode(AudioPayload::Lost, lost, &mut out),
            PlayoutAction::Silence => Ok(0),
        };
    }
    let stats = buffer.stats();
    assert!(stats.target <= PlayoutConfig::default().max_delay, "a delay of {:?}", stats.target);
}
