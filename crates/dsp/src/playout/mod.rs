//! The adaptive playout buffer: what comes when the network pleases goes out when the speaker needs it.
//!
//! Sans-IO. [`PlayoutBuffer::insert`] what came; ask [`PlayoutBuffer::next`] whenever another packet's worth of sound is
//! due. The buffer plays each packet a target delay after the fastest one of late would have come; the target follows the
//! network's jitter, and the playing follows the target by [`Speed`], which a [`crate::TimeScaler`] carries out on the
//! decoded sound. A lost packet is restored from the copy in the next one (RFC 6716, section 2.1.7) when that is there.

mod delay;
mod toc;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use visavis_frame::{AUDIO_CLOCK_HZ, RtpPacket};

pub(crate) use self::delay::DelayEstimator;
use crate::timescale::Speed;

/// A step in timestamps beyond this, 5 s, is a new stream.
const MAX_STEP: i64 = 5 * AUDIO_CLOCK_HZ as i64;
/// A hole longer than this, 1 s, isn't filled: playing starts anew behind it.
const MAX_HOLE: i64 = AUDIO_CLOCK_HZ as i64;
/// Concealed sound fades; after so much of it, 100 ms, silence is honest.
const MAX_CONCEALED: i64 = AUDIO_CLOCK_HZ as i64 / 10;
/// What stands in for a packet lasts as long as the stream's packets do, from 10 to 20 ms.
const STAND_IN: [i64; 2] = [480, 960];
/// Packets held at most, two seconds of the shortest.
const MAX_PACKETS: usize = 200;
/// Delay above the target that is left alone: the join costs more than the wait.
const SLACK_ABOVE: Duration = Duration::from_millis(12);
/// Delay below the target that is left alone: less than [`MARGIN`], so that playing slows before it runs dry.
const SLACK_BELOW: Duration = Duration::from_millis(4);
/// Delay above the target that no speeding up can work off in good time: packets are thrown away instead.
const HOPELESS: Duration = Duration::from_millis(250);
/// Room above the network's own delay for what is uneven on our side.
const MARGIN: Duration = Duration::from_millis(5);
/// Packets between two changes of speed, so that the first shows in the delay before the second is decided.
const SPEED_PAUSE: u8 = 3;
/// Weight of the newest measurement in the delay.
const DELAY_WEIGHT: f64 = 0.3;
/// Weight of the newest packet in the loss, and the loss from which on waiting for the next packet pays.
const LOSS: (f64, f64) = (0.01, 0.005);

/// Bounds of the delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayoutConfig {
    /// Never aim lower.
    pub min_delay: Duration,
    /// Never aim higher: beyond it a conversation breaks down, and loss is the smaller evil.
    pub max_delay: Duration,
    /// Aim at least this high at first, while nothing is known.
    pub start_delay: Duration,
}

impl Default for PlayoutConfig {
    fn default() -> Self {
        Self {
            min_delay: Duration::from_millis(10),
            max_delay: Duration::from_millis(400),
            start_delay: Duration::from_millis(25),
        }
    }
}

/// What to play next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlayoutAction {
    /// Decode this packet and play it at this speed.
    Play {
        /// The packet.
        payload: Vec<u8>,
        /// How to scale the decoded sound.
        speed: Speed,
    },
    /// The packet before this one is lost: restore it from the copy in this one, which will be played next.
    Recover {
        /// The packet that follows the lost one.
        from: Vec<u8>,
    },
    /// Nothing to play: let the decoder conceal a packet's worth ([`PlayoutBuffer::packet_samples`]).
    Conceal,
    /// Nothing has come yet, or for long: a packet's worth of silence.
    Silence,
}

/// What a [`PlayoutBuffer`] counted and measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayoutStats {
    /// The delay aimed at, over the fastest packet's.
    pub target: Duration,
    /// The delay of what is being played, smoothed.
    pub delay: Duration,
    /// Packets inserted, of any kind.
    pub packets: u64,
    /// Packets played.
    pub played: u64,
    /// Lost packets restored from the next.
    pub recovered: u64,
    /// Times that a packet's worth was concealed.
    pub concealed: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets that had come before.
    pub duplicates: u64,
    /// Packets thrown away to bring the delay down, or because too many were held.
    pub discarded: u64,
    /// Packets played faster.
    pub accelerated: u64,
    /// Packets played slower.
    pub stretched: u64,
}

/// Orders, delays and restores the packets of one stream of sound.
#[derive(Debug)]
pub struct PlayoutBuffer {
    config: PlayoutConfig,
    stats: PlayoutStats,
    /// By media time without its wrap, in samples.
    packets: BTreeMap<i64, Held>,
    timeline: Option<Timeline>,
    playing: Option<Playing>,
    loss: f64,
    /// What one packet holds, samples.
    packet: i64,
    /// How long before its sound plays a packet is asked for.
    lead: Duration,
}

#[derive(Debug)]
struct Held {
    sequence: u16,
    payload: Vec<u8>,
}

/// What relates media time to ours.
#[derive(Debug)]
struct Timeline {
    began: Instant,
    newest: i64,
    delays: DelayEstimator,
}

#[derive(Debug)]
struct Playing {
    /// Media time of what is due.
    next: i64,
    last_sequence: u16,
    /// Samples concealed since `next` became due, while it may still come.
    overdue: i64,
    delay_ms: f64,
    speed_pause: u8,
    /// RTP time of what was played last.
    timestamp: u32,
}

impl PlayoutBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(config: PlayoutConfig) -> Self {
        let stats = PlayoutStats { target: config.start_delay, ..PlayoutStats::default() };
        Self {
            config,
            stats,
            packets: BTreeMap::new(),
            timeline: None,
            playing: None,
            loss: 0.0,
            packet: STAND_IN[1],
            lead: Duration::ZERO,
        }
    }

    /// How many samples at 48 kHz stand in for a packet that isn't there.
    #[must_use]
    pub fn packet_samples(&self) -> usize {
        usize::try_from(self.packet).unwrap_or_default()
    }

    /// Packets are asked for so long before their sound plays, as what is queued before them has it: they must be there by
    /// then.
    pub fn set_lead(&mut self, lead: Duration) {
        self.lead = lead;
    }

    /// Takes one packet. Empty ones (padding) are ignored.
    pub fn insert(&mut self, now: Instant, packet: RtpPacket) {
        if packet.payload.is_empty() {
            return;
        }
        self.stats.packets += 1;
        self.packet = toc::samples(&packet.payload).clamp(STAND_IN[0], STAND_IN[1]);
        let media = self.media_time(now, packet.timestamp);
        if self.packets.contains_key(&media) {
            self.stats.duplicates += 1;
            return;
        }
        self.observe(now, media);
        if self.playing.as_ref().is_some_and(|playing| media < playing.next) {
            self.stats.late += 1;
            return;
        }
        self.packets.insert(media, Held { sequence: packet.sequence, payload: packet.payload });
        if self.packets.len() > MAX_PACKETS {
            self.discard_first();
        }
    }

    /// What to play when the sound made so far ends. `now` is when this packet's sound will begin to play: with samples
    /// still queued in front of it, the present plus what they last.
    pub fn next(&mut self, now: Instant) -> PlayoutAction {
        if self.playing.is_none() && !self.start(now) {
            return PlayoutAction::Silence;
        }
        self.shed(now);
        let Some(playing) = &mut self.playing else { return PlayoutAction::Silence };
        let Some((&media, head)) = self.packets.first_key_value() else { return self.starve() };
        let packet = self.packet;
        let hole = media - playing.next;
        let open = hole - playing.overdue;
        if open < packet / 2 {
            return self.play(now);
        }
        if hole > MAX_HOLE {
            self.playing = None;
            return PlayoutAction::Silence;
        }
        if head.sequence == playing.last_sequence.wrapping_add(1) {
            // Nothing is lost: the sender paused.
            playing.next += packet;
            return PlayoutAction::Silence;
        }
        self.loss += (1.0 - self.loss) * LOSS.0;
        if open >= packet * 3 / 2 {
            playing.next += packet;
            self.stats.concealed += 1;
            return PlayoutAction::Conceal;
        }
        playing.next = media;
        playing.overdue = 0;
        self.stats.recovered += 1;
        PlayoutAction::Recover { from: head.payload.clone() }
    }

    /// The RTP time of the packet that was played last; `None` while nothing plays.
    #[must_use]
    pub fn playing(&self) -> Option<u32> {
        self.playing.as_ref().map(|playing| playing.timestamp)
    }

    /// Counts and delays so far.
    #[must_use]
    pub fn stats(&self) -> PlayoutStats {
        let delay_ms = self.playing.as_ref().map_or(0.0, |playing| playing.delay_ms.max(0.0));
        PlayoutStats { delay: Duration::from_secs_f64(delay_ms / 1000.0), ..self.stats }
    }

    fn media_time(&mut self, now: Instant, timestamp: u32) -> i64 {
        if let Some(timeline) = &mut self.timeline {
            // The difference as a signed 32-bit number is the shorter way round.
            let step = i64::from(timestamp.wrapping_sub(timeline.newest as u32).cast_signed());
            if step.abs() <= MAX_STEP {
                timeline.newest = timeline.newest.max(timeline.newest + step);
                return timeline.newest + step.min(0);
            }
        }
        self.packets.clear();
        self.playing = None;
        let newest = i64::from(timestamp);
        self.timeline = Some(Timeline { began: now, newest, delays: DelayEstimator::new() });
        newest
    }

    fn observe(&mut self, now: Instant, media: i64) {
        let Some(timeline) = &mut self.timeline else { return };
        let transit = timeline.transit_us(now, media);
        timeline.delays.observe(now, transit);
        // To restore a lost packet the next one must be there.
        let packet = Duration::from_micros(self.packet.unsigned_abs() * 1_000_000 / u64::from(AUDIO_CLOCK_HZ));
        let forward = if self.loss > LOSS.1 { packet } else { Duration::ZERO };
        let needed = self.lead + timeline.delays.needed() + MARGIN + forward;
        self.stats.target = needed.clamp(self.config.min_delay, self.config.max_delay);
    }

    /// Begins to play once the first packet has waited long enough.
    fn start(&mut self, now: Instant) -> bool {
        let Some((&media, head)) = self.packets.first_key_value() else { return false };
        let delay_ms = self.delay_ms(now, media);
        if delay_ms < millis(self.stats.target.max(self.config.start_delay)) {
            return false;
        }
        let last_sequence = head.sequence.wrapping_sub(1);
        self.playing = Some(Playing {
            next: media,
            last_sequence,
            overdue: 0,
            delay_ms,
            speed_pause: SPEED_PAUSE,
            timestamp: media as u32,
        });
        true
    }

    /// Delay over the fastest packet's if `media` were played at `now`, milliseconds; negative when it can't be here yet.
    fn delay_ms(&self, now: Instant, media: i64) -> f64 {
        let delay = |line: &Timeline| line.transit_us(now, media) - line.delays.fastest_us();
        self.timeline.as_ref().map_or(0.0, |line| delay(line) as f64 / 1000.0)
    }

    /// Throws packets away while the delay is hopelessly high.
    fn shed(&mut self, now: Instant) {
        let limit = millis(self.stats.target + HOPELESS);
        while self.packets.len() > 1
            && self.packets.first_key_value().is_some_and(|(&media, _)| self.delay_ms(now, media) > limit)
        {
            self.discard_first();
        }
    }

    fn discard_first(&mut self) {
        let Some((_, dropped)) = self.packets.pop_first() else { return };
        self.stats.discarded += 1;
        if let (Some(playing), Some((&media, _))) = (&mut self.playing, self.packets.first_key_value()) {
            playing.next = media;
            playing.last_sequence = dropped.sequence;
            playing.overdue = 0;
        }
    }

    /// Nothing is there: what is due may still come, so its turn stays.
    fn starve(&mut self) -> PlayoutAction {
        let Some(playing) = &mut self.playing else { return PlayoutAction::Silence };
        playing.overdue += self.packet;
        if playing.overdue > MAX_HOLE {
            self.playing = None;
        } else if playing.overdue <= MAX_CONCEALED {
            self.stats.concealed += 1;
            return PlayoutAction::Conceal;
        }
        PlayoutAction::Silence
    }

    fn play(&mut self, now: Instant) -> PlayoutAction {
        let Some((media, head)) = self.packets.pop_first() else { return PlayoutAction::Silence };
        let delay_ms = self.delay_ms(now, media);
        let speed = match &mut self.playing {
            Some(playing) => {
                if media > playing.next {
                    self.loss += (1.0 - self.loss) * LOSS.0;
                }
                playing.next = media + toc::samples(&head.payload);
                playing.last_sequence = head.sequence;
                playing.timestamp = media as u32;
                playing.overdue = 0;
                playing.speed(delay_ms, self.stats.target)
            }
            None => Speed::Normal,
        };
        self.loss *= 1.0 - LOSS.0;
        self.stats.played += 1;
        self.stats.accelerated += u64::from(speed == Speed::Faster);
        self.stats.stretched += u64::from(speed == Speed::Slower);
        PlayoutAction::Play { payload: head.payload, speed }
    }
}

impl Timeline {
    /// From the sender's clock to ours, microseconds, less a constant.
    fn transit_us(&self, now: Instant, media: i64) -> i64 {
        let ours = i64::try_from(now.saturating_duration_since(self.began).as_micros()).unwrap_or(i64::MAX / 2);
        ours - media * 1_000_000 / i64::from(AUDIO_CLOCK_HZ)
    }
}

impl Playing {
    /// Which way the delay should move, given what it is at this packet.
    fn speed(&mut self, delay_ms: f64, target: Duration) -> Speed {
        self.delay_ms += (delay_ms - self.delay_ms) * DELAY_WEIGHT;
        if self.speed_pause > 0 {
            self.speed_pause -= 1;
            return Speed::Normal;
        }
        let speed = if self.delay_ms > millis(target + SLACK_ABOVE) {
            Speed::Faster
        } else if self.delay_ms < millis(target.saturating_sub(SLACK_BELOW)) {
            Speed::Slower
        } else {
            return Speed::Normal;
        };
        self.speed_pause = SPEED_PAUSE;
        speed
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
