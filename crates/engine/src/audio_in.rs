//! Packets → playout buffer → Opus → samples for the speaker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use visavis_codec::{AudioDecoder, AudioPayload, opus};
use visavis_dsp::{
    DriftControl, PlayoutAction, PlayoutBuffer, PlayoutConfig, PlayoutStats, ResampleError, Resampler, SenderClock,
    Speed, TimeScaler,
};
use visavis_frame::{AUDIO_CLOCK_HZ, RtpPacket, SAMPLE_RATE_HZ};

use crate::StartError;
use crate::config::SoundSink;
use crate::sound_moment::SoundMoment;

/// What a packet is joined with the next to, before it is made shorter, samples: a period of the voice must fit in twice.
const JOINED: usize = SAMPLE_RATE_HZ as usize / 50;
/// What a packet's worth of sound leaves of the longest lead seen: half of it is forgotten in some ten seconds.
const KEEP_LEAD: f64 = 0.999;

pub(crate) struct AudioIn {
    buffer: PlayoutBuffer,
    sender: SenderClock,
    /// Tells the pictures what is heard.
    moment: Arc<SoundMoment>,
    decoder: opus::Decoder,
    /// The speaker's rate.
    rate_hz: u32,
    /// To the speaker's rate and clock.
    resampler: Resampler,
    drift: DriftControl,
    /// When the first sound was asked for.
    began: Option<Instant>,
    sinks: Vec<SoundSink>,
    scaler: TimeScaler,
    decoded: Vec<f32>,
    scaled: Vec<f32>,
    /// Decoded and not taken yet, at the speaker's rate; consumed from `read`.
    ready: Vec<f32>,
    read: usize,
    /// How long before it is played sound is made, at the most of late.
    lead: Duration,
    /// Time that passed with no speaker and isn't made up for yet.
    owed: Duration,
}

impl AudioIn {
    pub(crate) fn new(sinks: Vec<SoundSink>, moment: Arc<SoundMoment>) -> Result<Self, StartError> {
        Ok(Self {
            buffer: PlayoutBuffer::new(PlayoutConfig::default()),
            sender: SenderClock::default(),
            moment,
            decoder: opus::Decoder::new()?,
            rate_hz: SAMPLE_RATE_HZ,
            resampler: Resampler::new(SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)?,
            drift: DriftControl::new(),
            began: None,
            sinks,
            scaler: TimeScaler::new(),
            decoded: Vec::new(),
            scaled: Vec::new(),
            ready: Vec::new(),
            read: 0,
            lead: Duration::ZERO,
            owed: Duration::ZERO,
        })
    }

    /// `captured`: by the other side's clock, where it has told.
    pub(crate) fn insert(&mut self, now: Instant, packet: RtpPacket, captured: Option<Duration>) {
        self.sender.note(packet.timestamp, captured);
        self.buffer.insert(now, packet);
    }

    pub(crate) fn stats(&self) -> PlayoutStats {
        self.buffer.stats()
    }

    /// A new stream of the other side begins.
    pub(crate) fn restart(&mut self) {
        self.buffer = PlayoutBuffer::new(PlayoutConfig::default());
        self.sender = SenderClock::default();
        self.drift = DriftControl::new();
    }

    /// A new speaker, of this rate.
    pub(crate) fn drain_to(&mut self, rate_hz: u32) -> Result<(), ResampleError> {
        self.ready.clear();
        self.read = 0;
        self.resampler = Resampler::new(SAMPLE_RATE_HZ, rate_hz)?;
        self.rate_hz = rate_hz.max(1);
        self.drift = DriftControl::new();
        Ok(())
    }

    /// The next `wanted` samples for the speaker, which has `queued` to play before them.
    pub(crate) fn take(&mut self, now: Instant, queued: usize, wanted: usize) -> &[f32] {
        self.ready.drain(..self.read);
        self.read = 0;
        while self.ready.len() < wanted {
            let ahead = Duration::from_secs_f64((queued + self.ready.len()) as f64 / f64::from(self.rate_hz));
            self.lead = self.lead.mul_f64(KEEP_LEAD).max(ahead);
            self.buffer.set_lead(self.lead);
            self.produce(now + ahead);
        }
        self.read = wanted;
        &self.ready[..wanted]
    }

    /// Lets `passed` of sound go by unheard.
    pub(crate) fn discard(&mut self, now: Instant, passed: Duration) {
        self.owed += passed;
        while self.owed >= lasts(self.buffer.packet_samples()) {
            self.produce(now);
            self.owed = self.owed.saturating_sub(lasts(self.scaled.len()));
            self.ready.clear();
            self.read = 0;
        }
    }

    /// Makes a packet's sound, or what stands in for it, or what its speed makes of it.
    fn produce(&mut self, now: Instant) {
        self.decoded.clear();
        self.scaled.clear();
        let speed = self.decode(now);
        if speed == Speed::Faster && self.decoded.len() < JOINED {
            self.decode(now + lasts(self.decoded.len()));
        }
        self.scaler.process(speed, &self.decoded, &mut self.scaled);
        for sink in &mut self.sinks {
            sink(&self.scaled);
        }
        self.follow_the_speaker(now);
        if let Err(error) = self.resampler.process(&self.scaled, &mut self.ready) {
            tracing::warn!(%error, "sound couldn't be resampled");
            self.ready.extend_from_slice(&self.scaled);
        }
    }

    /// The other side's microphone and our speaker have clocks of their own: what waits in the buffer tells them apart.
    fn follow_the_speaker(&mut self, now: Instant) {
        let stats = self.buffer.stats();
        if stats.delay.is_zero() {
            // Nothing is being played.
            self.drift.restart();
            return;
        }
        let excess_ms = (stats.delay.as_secs_f64() - stats.target.as_secs_f64()) * 1000.0;
        let passed = now.saturating_duration_since(*self.began.get_or_insert(now));
        if let Some(ppm) = self.drift.observe(passed, excess_ms)
            && let Err(error) = self.resampler.set_ratio_adjust(ppm)
        {
            tracing::warn!(%error, "the speaker's clock can't be followed");
        }
    }

    fn decode(&mut self, now: Instant) -> Speed {
        let lost = self.buffer.packet_samples();
        let out = &mut self.decoded;
        let before = out.len();
        let mut as_it_is = Speed::Normal;
        let result = match self.buffer.next(now) {
            PlayoutAction::Play { payload, speed } => {
                as_it_is = speed;
                let timestamp = self.buffer.playing().unwrap_or_default();
                if let Some(captured) = self.sender.time(timestamp, AUDIO_CLOCK_HZ) {
                    let filter = self.resampler.delay() as f64 / f64::from(self.rate_hz);
                    self.moment.note(now + Duration::from_secs_f64(filter), captured);
                }
                self.decoder.decode(AudioPayload::Packet(&payload), lost, out)
            }
            PlayoutAction::Recover { from } => self.decoder.decode(AudioPayload::Forward(&from), lost, out),
            PlayoutAction::Conceal => self.decoder.decode(AudioPayload::Lost, lost, out),
            PlayoutAction::Silence => Ok(0),
        };
        if let Err(error) = result {
            tracing::debug!(%error, "sound couldn't be decoded");
        }
        if out.len() == before {
            out.resize(before + lost, 0.0);
        }
        as_it_is
    }
}

/// How long so many samples are, at 48 kHz.
fn lasts(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(SAMPLE_RATE_HZ))
}

#[cfg(test)]
mod tests;
