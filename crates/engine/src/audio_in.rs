//! Packets → playout buffer → Opus → samples for the speaker.

use std::time::{Duration, Instant};

use visavis_codec::{AudioDecoder, AudioPayload, CodecError, opus};
use visavis_dsp::{
    PlayoutAction, PlayoutBuffer, PlayoutConfig, PlayoutStats, ResampleError, Resampler, Speed, TimeScaler,
};
use visavis_frame::{RtpPacket, SAMPLE_RATE_HZ};

use crate::audio_out::PACKET_SAMPLES;
use crate::config::SoundSink;

pub(crate) struct AudioIn {
    buffer: PlayoutBuffer,
    decoder: opus::Decoder,
    /// The speaker's rate.
    rate_hz: u32,
    resampler: Option<Resampler>,
    sinks: Vec<SoundSink>,
    scaler: TimeScaler,
    decoded: Vec<f32>,
    scaled: Vec<f32>,
    /// Decoded and not taken yet, at the speaker's rate; consumed from `read`.
    ready: Vec<f32>,
    read: usize,
    /// Time that passed with no speaker and isn't made up for yet.
    owed: Duration,
}

impl AudioIn {
    pub(crate) fn new(sinks: Vec<SoundSink>) -> Result<Self, CodecError> {
        Ok(Self {
            buffer: PlayoutBuffer::new(PlayoutConfig::default()),
            decoder: opus::Decoder::new()?,
            rate_hz: SAMPLE_RATE_HZ,
            resampler: None,
            sinks,
            scaler: TimeScaler::new(),
            decoded: Vec::new(),
            scaled: Vec::new(),
            ready: Vec::new(),
            read: 0,
            owed: Duration::ZERO,
        })
    }

    pub(crate) fn insert(&mut self, now: Instant, packet: RtpPacket) {
        self.buffer.insert(now, packet);
    }

    pub(crate) fn stats(&self) -> PlayoutStats {
        self.buffer.stats()
    }

    /// A new stream of the other side begins.
    pub(crate) fn restart(&mut self) {
        self.buffer = PlayoutBuffer::new(PlayoutConfig::default());
    }

    /// A new speaker, of this rate.
    pub(crate) fn drain_to(&mut self, rate_hz: u32) -> Result<(), ResampleError> {
        self.ready.clear();
        self.read = 0;
        self.resampler = None;
        self.rate_hz = rate_hz.max(1);
        if rate_hz != SAMPLE_RATE_HZ {
            self.resampler = Some(Resampler::new(SAMPLE_RATE_HZ, rate_hz)?);
        }
        Ok(())
    }

    /// The next `wanted` samples for the speaker, which has `queued` to play before them.
    pub(crate) fn take(&mut self, now: Instant, queued: usize, wanted: usize) -> &[f32] {
        self.ready.drain(..self.read);
        self.read = 0;
        while self.ready.len() < wanted {
            let ahead = (queued + self.ready.len()) as f64 / f64::from(self.rate_hz);
            self.produce(now + Duration::from_secs_f64(ahead));
        }
        self.read = wanted;
        &self.ready[..wanted]
    }

    /// Lets `passed` of sound go by unheard.
    pub(crate) fn discard(&mut self, now: Instant, passed: Duration) {
        const PACKET: Duration = Duration::from_millis(20);
        self.owed += passed;
        while self.owed >= PACKET {
            self.owed -= PACKET;
            self.produce(now);
            self.ready.clear();
            self.read = 0;
        }
    }

    /// Makes 20 ms (or what a packet holds, or what its speed makes of it) of sound.
    fn produce(&mut self, now: Instant) {
        self.decoded.clear();
        self.scaled.clear();
        let speed = self.decode(now);
        self.scaler.process(speed, &self.decoded, &mut self.scaled);
        for sink in &mut self.sinks {
            sink(&self.scaled);
        }
        let Some(resampler) = &mut self.resampler else {
            self.ready.extend_from_slice(&self.scaled);
            return;
        };
        if let Err(error) = resampler.process(&self.scaled, &mut self.ready) {
            tracing::warn!(%error, "sound couldn't be resampled");
            self.ready.extend_from_slice(&self.scaled);
        }
    }

    fn decode(&mut self, now: Instant) -> Speed {
        let lost = PACKET_SAMPLES as usize;
        let out = &mut self.decoded;
        let mut as_it_is = Speed::Normal;
        let result = match self.buffer.next(now) {
            PlayoutAction::Play { payload, speed } => {
                as_it_is = speed;
                self.decoder.decode(AudioPayload::Packet(&payload), lost, out)
            }
            PlayoutAction::Recover { from } => self.decoder.decode(AudioPayload::Forward(&from), lost, out),
            PlayoutAction::Conceal => self.decoder.decode(AudioPayload::Lost, lost, out),
            PlayoutAction::Silence => Ok(0),
        };
        if let Err(error) = result {
            tracing::debug!(%error, "sound couldn't be decoded");
        }
        if out.is_empty() {
            out.resize(lost, 0.0);
        }
        as_it_is
    }
}
