//! Microphone samples → 10 ms blocks → Opus → packets of one block or two.

use std::time::Duration;

use futures::FutureExt;
use visavis_codec::{AudioEncoder, CodecError, opus};
use visavis_device::{DeviceError, Microphone};
use visavis_dsp::{Blocker, LevelMeter, ResampleError};
use visavis_frame::{AUDIO_CLOCK_HZ, AudioBlock, BLOCK_SAMPLES, BitRate, RtpPacket, Timestamp};
use visavis_transport::MediaSender;

use crate::counters::Counters;
use crate::processing::Processing;
use crate::steady::SteadyMicrophone;

/// What speech in full quality takes (RFC 7587, section 3.1.1).
const RATE: BitRate = BitRate::from_kbps(40);
/// What speech is still well understood at, and enough for in-band correction.
const LEAST_RATE: BitRate = BitRate::from_kbps(16);
/// Of a path's rate, what sound may take before it makes room for video.
const SHARE: u64 = 8;
/// Loss changes slowly, and so does what is spent against it.
const PACKETS_PER_LOOK: u16 = 50;
/// Opus corrects one lost packet from the next; against more than this it would only cost rate.
const MOST_LOSS_PERCENT: f64 = 40.0;
/// The least loss that it is prepared for: what is there when the first packet gets lost.
const LEAST_LOSS_PERCENT: f64 = 5.0;
/// Packets of 10 ms are sent where the path carries this and loses no more than so much; back to 20 ms goes whoever falls
/// under the second pair. The shorter ones come 10 ms sooner and cost 24 kb/s of headers; on a lossy path the copy of a lost
/// packet would come sooner, too, but it is the rate that is scarce there.
const SHORT: (BitRate, f64) = (BitRate::from_kbps(300), 0.02);
const LONG: (BitRate, f64) = (BitRate::from_kbps(200), 0.04);

pub(crate) struct AudioOut {
    encoder: opus::Encoder,
    to: Option<MediaSender>,
    muted: bool,
    clock: Option<SteadyMicrophone>,
    blocker: Blocker,
    half: Option<AudioBlock>,
    /// A packet holds 10 ms, not 20.
    short: bool,
    /// Packets until the path is looked at.
    look_in: u16,
    meter: LevelMeter,
    sequence: u16,
    /// Media time in samples; goes on while muted, so that the other side can tell silence from loss.
    timestamp: u32,
    /// The next packet is the first after silence (RFC 3551, section 4.1).
    talkspurt: bool,
    /// When a microphone was last read.
    heard_at: Option<Timestamp>,
    heard: Vec<f32>,
    resampled: Vec<f32>,
    blocks: Vec<AudioBlock>,
}

impl AudioOut {
    pub(crate) fn new(sequence: u16, timestamp: u32) -> Result<Self, CodecError> {
        Ok(Self {
            encoder: opus::Encoder::new(RATE)?,
            to: None,
            muted: false,
            clock: None,
            blocker: Blocker::new(),
            half: None,
            short: false,
            look_in: 0,
            meter: LevelMeter::new(),
            sequence,
            timestamp,
            talkspurt: true,
            heard_at: None,
            heard: Vec::new(),
            resampled: Vec::new(),
            blocks: Vec::new(),
        })
    }

    pub(crate) fn send_to(&mut self, to: Option<MediaSender>) {
        self.to = to;
        self.talkspurt = true;
    }

    pub(crate) fn mute(&mut self, muted: bool) {
        self.muted = muted;
        self.talkspurt = true;
    }

    /// A new microphone, of this rate. The time without one is silence to the other side, not a delay of what follows.
    pub(crate) fn source(&mut self, now: Timestamp, rate_hz: u32) -> Result<(), ResampleError> {
        let silence = self.heard_at.map_or(Duration::ZERO, |at| now.since(at));
        self.timestamp = self.timestamp.wrapping_add((Timestamp::ZERO + silence).to_rtp(AUDIO_CLOCK_HZ));
        self.heard_at = None;
        self.talkspurt = true;
        self.blocker.clear();
        self.half = None;
        self.clock = Some(SteadyMicrophone::new(rate_hz)?);
        Ok(())
    }

    /// Takes what the microphone has heard and sends what fills a packet.
    pub(crate) fn hear(
        &mut self,
        now: Timestamp,
        microphone: &mut dyn Microphone,
        processing: &mut Processing,
        counters: &Counters,
    ) -> Result<(), DeviceError> {
        self.heard_at = Some(now);
        self.heard.clear();
        microphone.read(now, &mut self.heard)?;
        self.cut_into_blocks(now);
        let bent_ppm = self.clock.as_ref().map_or(0.0, SteadyMicrophone::bent_ppm);
        // From the last sample of the last block until now.
        let late = lasts(self.blocker.held())
            + processing.latency()
            + self.clock.as_ref().map_or(Duration::ZERO, SteadyMicrophone::latency);
        let blocks = std::mem::take(&mut self.blocks);
        let mut behind = blocks.len();
        for mut block in blocks {
            behind -= 1;
            // Muted too, so that the echo is known when it is wanted.
            processing.process(&mut block, bent_ppm);
            self.meter.push(if self.muted { &AudioBlock::SILENCE } else { &block });
            counters.microphone_level(self.meter.rms_dbfs());
            match self.half.take() {
                Some(first) => self.packet(&[&first, &block], late + lasts((behind + 2) * BLOCK_SAMPLES)),
                None if self.short => self.packet(&[&block], late + lasts((behind + 1) * BLOCK_SAMPLES)),
                None => self.half = Some(block),
            }
        }
        Ok(())
    }

    fn cut_into_blocks(&mut self, now: Timestamp) {
        let Self { clock, resampled, heard, blocker, blocks, .. } = self;
        resampled.clear();
        match clock {
            Some(clock) => clock.process(now, heard, resampled),
            None => resampled.extend_from_slice(heard),
        }
        blocker.push(resampled, |block| blocks.push(block.clone()));
    }

    /// `ago` is when the first sample was heard.
    fn packet(&mut self, blocks: &[&AudioBlock], ago: Duration) {
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(blocks.iter().map(|block| block.samples.len() as u32).sum());
        let Some(to) = self.to.as_ref().filter(|_| !self.muted) else { return };
        self.look_in = if self.look_in == 0 {
            let outlook = to.outlook();
            self.short = is_short(self.short, outlook.target, outlook.loss);
            follow(&mut self.encoder, to);
            PACKETS_PER_LOOK
        } else {
            self.look_in - 1
        };
        to.audio_captured(timestamp, ago);
        let mut payload = Vec::with_capacity(256);
        if let Err(error) = self.encoder.encode(blocks, &mut payload) {
            tracing::warn!(%error, "sound couldn't be encoded");
            return;
        }
        let marker = std::mem::take(&mut self.talkspurt);
        let packet = RtpPacket { sequence: self.sequence, timestamp, marker, payload };
        self.sequence = self.sequence.wrapping_add(1);
        // Nobody here may wait: the other's sound is played by the same thread. Where the transport is behind, this packet
        // would come too late anyway; and one that closes under our hands says so in its own events.
        if to.send_audio(packet).now_or_never().is_none() {
            tracing::debug!("the transport is behind: a packet of sound was dropped");
        }
    }
}

/// How long so many samples are.
fn lasts(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(AUDIO_CLOCK_HZ))
}

/// Whether the next packets are short ones, given what the last were, and the path's rate and loss.
fn is_short(before: bool, target: BitRate, loss: f64) -> bool {
    let (rate, most_loss) = if before { LONG } else { SHORT };
    target >= rate && loss <= most_loss
}

/// Rate and correction follow the path.
fn follow(encoder: &mut opus::Encoder, to: &MediaSender) {
    let outlook = to.outlook();
    let rate = BitRate::from_bps(outlook.target.bps() / SHARE).clamp(LEAST_RATE, RATE);
    // Between the two, so it fits.
    let loss = (outlook.loss * 100.0).clamp(LEAST_LOSS_PERCENT, MOST_LOSS_PERCENT) as u8;
    to.encoding_audio_at(rate);
    if let Err(error) = encoder.set_rate(rate).and_then(|()| encoder.set_expected_loss(loss)) {
        tracing::warn!(%error, "the sound's encoder didn't take its new rate");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_short_where_the_path_is_good_and_do_not_flutter() {
        let kbps = BitRate::from_kbps;
        assert!(is_short(false, kbps(500), 0.0));
        assert!(!is_short(false, kbps(250), 0.0) && !is_short(false, kbps(500), 0.03));
        assert!(is_short(true, kbps(250), 0.03));
        assert!(!is_short(true, kbps(150), 0.0) && !is_short(true, kbps(500), 0.05));
    }
}
