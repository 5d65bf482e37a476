//! RTP packets, in whatever order and number the network hands them over, back into whole pictures (RFC 6184, RFC 7741).
//!
//! Sans-IO: [`Assembler::push`] what came, then drain [`Assembler::poll`], then come back at [`Assembler::poll_timeout`].
//! A picture with a hole is never handed out, and after one nothing is until a keyframe came whole, because a decoder
//! would only smear the error over the pictures that follow.

mod values;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use visavis_frame::{RtpPacket, VideoCodec};

pub use self::values::{AssembledFrame, AssemblerConfig, AssemblerCounters, AssemblerOutput};
use crate::payload::{self, Joined};
use crate::sequence::{Extended, Seen, extend, wire};

/// Packets held, or missed, at most; about a second of the highest rate, and less than the memory for duplicates.
const MAX_PACKETS: usize = 2000;
/// Payload bytes held at most.
const MAX_BYTES: usize = 4 << 20;
/// A step in sequence numbers beyond this is another stream, not a loss.
const MAX_STEP: Extended = 1000;

/// Assembles the pictures of one stream.
#[derive(Debug)]
pub struct Assembler {
    codec: VideoCodec,
    config: AssemblerConfig,
    counters: AssemblerCounters,
    state: State,
    packets: BTreeMap<Extended, Held>,
    bytes: usize,
    /// Numbers at or above `floor` that were skipped, and when that was noticed.
    missing: BTreeMap<Extended, Instant>,
    /// Everything below is done with.
    floor: Extended,
    newest: Option<(Extended, Seen)>,
    /// What would follow a packet that is far off; two in a row are a new stream (RFC 3550, appendix A.1).
    probation: Option<u16>,
    last_dropped: Option<u32>,
}

#[derive(Debug)]
enum State {
    /// Pictures go out in order; the next begins at `floor`.
    Following,
    /// A whole keyframe is looked for.
    Searching { ask_at: Option<Instant>, asked: Option<Instant> },
}

#[derive(Debug)]
struct Held {
    arrived: Instant,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// What stands at a place where a picture may begin.
enum Scan {
    /// A picture, up to the number (exclusive).
    Whole(Extended),
    /// Its packets so far lack none, but its end hasn't come.
    Open,
    /// This packet is missing.
    Hole(Extended),
}

/// What a look for a keyframe gave.
enum Found {
    Keyframe(AssembledFrame),
    /// One is coming; if it isn't whole by then, it won't be.
    Hope(Instant),
    Nothing,
}

impl Assembler {
    /// An assembler for one stream (one SSRC) of this codec.
    #[must_use]
    pub fn new(codec: VideoCodec, config: AssemblerConfig) -> Self {
        Self {
            codec,
            config,
            counters: AssemblerCounters::default(),
            state: State::Searching { ask_at: None, asked: None },
            packets: BTreeMap::new(),
            bytes: 0,
            missing: BTreeMap::new(),
            floor: 0,
            newest: None,
            probation: None,
            last_dropped: None,
        }
    }

    /// Changes how long a missing packet is waited for; those that are missing already are waited for so long, too.
    pub fn set_max_wait(&mut self, max_wait: Duration) {
        self.config.max_wait = max_wait;
    }

    /// Takes one packet. Padding-only packets (empty payload) must be pushed too: they use up a number.
    pub fn push(&mut self, now: Instant, packet: RtpPacket) {
        self.counters.packets += 1;
        let Some(number) = self.place(now, packet.sequence) else { return };
        self.bytes += packet.payload.len();
        let RtpPacket { timestamp, marker, payload, .. } = packet;
        self.packets.insert(number, Held { arrived: now, timestamp, marker, payload });
        if let State::Searching { ask_at: ask_at @ None, asked } = &mut self.state {
            // Before the first request the keyframe that opens a stream gets the time to come by itself.
            *ask_at =
                Some(asked.map_or(now + self.config.max_wait, |asked| now.max(asked + self.config.keyframe_retry)));
        }
        if self.packets.len() > MAX_PACKETS || self.bytes > MAX_BYTES || self.missing.len() > MAX_PACKETS {
            self.drop_below(number.max(self.newest_number()) + 1);
            self.search(now);
        }
    }

    /// The next thing to do; call until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<AssemblerOutput> {
        loop {
            match self.state {
                State::Following => {
                    if let Some(frame) = self.follow(now)? {
                        return Some(AssemblerOutput::Frame(frame));
                    }
                }
                State::Searching { ask_at, asked } => {
                    let ask_at = match self.find_keyframe(now) {
                        Found::Keyframe(frame) => {
                            self.state = State::Following;
                            return Some(AssemblerOutput::Frame(frame));
                        }
                        Found::Hope(until) => Some(until),
                        Found::Nothing => ask_at,
                    };
                    if ask_at.is_none_or(|at| at > now) {
                        self.state = State::Searching { ask_at, asked };
                        return None;
                    }
                    self.state = State::Searching { ask_at: None, asked: Some(now) };
                    self.counters.keyframe_requests += 1;
                    return Some(AssemblerOutput::NeedKeyframe);
                }
            }
        }
    }

    /// When [`Assembler::poll`] has something to do though nothing came.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let hole = self.missing.values().next().map(|&noticed| noticed + self.config.max_wait);
        match self.state {
            State::Following => hole,
            State::Searching { ask_at, .. } => ask_at,
        }
    }

    /// The numbers to ask for again (RFC 4585, section 6.2.1): missing for longer than packets overtake one another, and
    /// still worth having.
    #[must_use]
    pub fn missing(&self, now: Instant) -> Vec<u16> {
        let due = |noticed: Instant| now >= noticed + self.config.reorder_wait;
        let useful = |noticed: Instant| now < noticed + self.config.max_wait;
        self.missing.iter().filter(|&(_, &at)| due(at) && useful(at)).map(|(&number, _)| wire(number)).collect()
    }

    /// Says that the decoder couldn't use the last picture: only a keyframe helps.
    pub fn resync(&mut self, now: Instant) {
        if matches!(self.state, State::Following) {
            self.search(now);
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> AssemblerCounters {
        self.counters
    }

    /// Gives a packet its place; `None` for duplicates, latecomers and strays.
    fn place(&mut self, now: Instant, sequence: u16) -> Option<Extended> {
        let newest = match &self.newest {
            Some((newest, _)) => *newest,
            None => return Some(self.start(Extended::from(sequence))),
        };
        let number = extend(sequence, newest);
        if (number - newest).abs() > MAX_STEP {
            return self.stray(now, sequence);
        }
        self.probation = None;
        let new = self.newest.as_mut().is_some_and(|(_, seen)| seen.insert(number));
        if !new {
            self.counters.duplicates += 1;
            return None;
        }
        if number < self.floor {
            self.counters.late += 1;
            return None;
        }
        self.missing.remove(&number);
        self.missing.extend((newest + 1..number).map(|skipped| (skipped, now)));
        if let Some((newest, _)) = &mut self.newest {
            *newest = number.max(*newest);
        }
        Some(number)
    }

    fn start(&mut self, number: Extended) -> Extended {
        let mut seen = Seen::starting_at(number);
        seen.insert(number);
        self.newest = Some((number, seen));
        // What was sent before the first packet that came may still follow it.
        self.floor = number - MAX_STEP;
        number
    }

    fn stray(&mut self, now: Instant, sequence: u16) -> Option<Extended> {
        let expected = self.probation.replace(sequence.wrapping_add(1));
        if expected != Some(sequence) {
            return None;
        }
        self.drop_below(self.newest_number() + 1);
        self.missing.clear();
        self.probation = None;
        self.search(now);
        Some(self.start(Extended::from(sequence)))
    }

    fn newest_number(&self) -> Extended {
        self.newest.as_ref().map_or(0, |(number, _)| *number)
    }

    /// One step in following: `None` to wait, `Some(None)` when the state changed.
    fn follow(&mut self, now: Instant) -> Option<Option<AssembledFrame>> {
        self.skip_padding();
        match self.scan(self.floor) {
            Scan::Open => None,
            Scan::Whole(end) => {
                let frame = self.take(end);
                if frame.is_none() {
                    self.search(now);
                }
                Some(frame)
            }
            Scan::Hole(at) => {
                if let Found::Keyframe(frame) = self.find_keyframe(now) {
                    return Some(Some(frame));
                }
                if !self.expired(at, now) {
                    return None;
                }
                self.drop_below(at + 1);
                self.search(now);
                Some(None)
            }
        }
    }

    fn skip_padding(&mut self) {
        while let Some(held) = self.packets.get(&self.floor)
            && held.payload.is_empty()
        {
            self.packets.remove(&self.floor);
            self.floor += 1;
        }
    }

    fn scan(&self, from: Extended) -> Scan {
        let mut expected = from;
        let mut timestamp = None;
        for (&number, held) in self.packets.range(from..) {
            if number != expected {
                return Scan::Hole(expected);
            }
            expected += 1;
            if held.payload.is_empty() {
                continue;
            }
            if *timestamp.get_or_insert(held.timestamp) != held.timestamp {
                return Scan::Whole(number);
            }
            if held.marker {
                return Scan::Whole(expected);
            }
        }
        Scan::Open
    }

    fn expired(&self, number: Extended, now: Instant) -> bool {
        self.missing.get(&number).is_none_or(|&noticed| now >= noticed + self.config.max_wait)
    }

    /// Looks for the first whole keyframe and, when there is one, drops everything in front of it. While searching, it
    /// also drops what can't become part of one any more.
    fn find_keyframe(&mut self, now: Instant) -> Found {
        let starts: Vec<_> =
            self.packets.iter().filter(|&(&at, held)| self.may_start(at, held)).map(|(&at, _)| at).collect();
        let mut hope = None;
        for start in starts {
            let until = match self.scan(start) {
                Scan::Whole(end) if self.is_keyframe(start, end) => {
                    self.drop_below(start);
                    return self.take(end).map_or(Found::Nothing, Found::Keyframe);
                }
                Scan::Whole(_) => None,
                Scan::Hole(at) => self.missing.get(&at).copied(),
                Scan::Open => self.packets.range(start..).map(|(_, held)| held.arrived).max(),
            };
            let until = until.map(|at| at + self.config.max_wait).filter(|&until| until > now);
            hope = hope.or(until.map(|until| (start, until)));
        }
        if matches!(self.state, State::Searching { .. }) {
            self.forget_old(now, hope.map(|(start, _)| start));
        }
        hope.map_or(Found::Nothing, |(_, until)| Found::Hope(until))
    }

    /// Whether a keyframe can begin here: by its first bytes, and not within what came just before.
    fn may_start(&self, number: Extended, held: &Held) -> bool {
        let before = || self.packets.get(&(number - 1));
        payload::opens_keyframe(self.codec, &held.payload)
            && before().is_none_or(|b| b.marker || b.timestamp != held.timestamp || b.payload.is_empty())
    }

    fn forget_old(&mut self, now: Instant, hope: Option<Extended>) {
        let old = |&(&number, held): &(&Extended, &Held)| {
            hope.is_none_or(|start| number < start) && now >= held.arrived + self.config.max_wait
        };
        if let Some(last) = self.packets.iter().take_while(old).last().map(|(&number, _)| number) {
            self.drop_below(last + 1);
        }
    }

    fn is_keyframe(&self, start: Extended, end: Extended) -> bool {
        self.join(start, end).is_some_and(|joined| joined.starts)
    }

    fn join(&self, start: Extended, end: Extended) -> Option<Joined> {
        payload::join(self.codec, self.packets.range(start..end).map(|(_, held)| held.payload.as_slice()))
    }

    /// Takes the picture from `floor` to `end` out; `None` when it is malformed.
    fn take(&mut self, end: Extended) -> Option<AssembledFrame> {
        let timestamp = self.packets.range(self.floor..end).find(|(_, held)| !held.payload.is_empty())?.1.timestamp;
        let Some(joined) = self.join(self.floor, end) else {
            self.drop_below(end);
            return None;
        };
        while let Some(entry) = self.packets.first_entry().filter(|entry| *entry.key() < end) {
            self.bytes -= entry.remove().payload.len();
        }
        self.floor = end;
        self.counters.frames += 1;
        Some(AssembledFrame { data: joined.data, keyframe: joined.keyframe, timestamp })
    }

    fn search(&mut self, now: Instant) {
        self.state = State::Searching { ask_at: Some(now), asked: None };
    }

    /// Drops everything below `floor`, and counts it.
    fn drop_below(&mut self, floor: Extended) {
        while let Some(entry) = self.packets.first_entry().filter(|entry| *entry.key() < floor) {
            let held = entry.remove();
            self.bytes -= held.payload.len();
            if !held.payload.is_empty() && self.last_dropped != Some(held.timestamp) {
                self.last_dropped = Some(held.timestamp);
                self.counters.dropped_frames += 1;
            }
        }
        while let Some(entry) = self.missing.first_entry().filter(|entry| *entry.key() < floor) {
            entry.remove();
            self.counters.lost += 1;
        }
        self.floor = self.floor.max(floor);
    }
}
