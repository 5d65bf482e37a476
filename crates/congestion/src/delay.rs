//! Queueing delay: how much longer packets take than the shortest way seen lately.
//!
//! The two clocks share neither zero nor pace, so only differences count: the least difference between arrival and sending in a
//! window of [`BASE_WINDOW`] stands for the empty path (RFC 6817, section 3.4.2 keeps base delays the same way). Jitter only
//! adds delay, so the least of a few packets tells of the queue.

use std::collections::VecDeque;

/// How long a shortest way is believed, seconds. Two clocks 100 ppm apart differ by 2 ms after it.
const BASE_WINDOW: f64 = 20.0;
/// The shortest ways are kept per slice of so many seconds.
const SLICE: f64 = 0.5;
/// Packets sent within so many seconds of the newest tell of the queue,
const RECENT: f64 = 0.03;
/// or so many, where fewer were sent,
const RECENT_PACKETS: usize = 5;
/// but none older than this, seconds.
const RECENT_LIMIT: f64 = 0.3;

/// Times are seconds since the controller's epoch (sent) and since the receiver's (received).
#[derive(Debug, Default)]
pub(crate) struct Delay {
    /// Slices with their shortest way, both rising.
    slices: VecDeque<(f64, f64)>,
    recent: VecDeque<(f64, f64)>,
    jitter: f64,
}

impl Delay {
    pub(crate) fn on_packet(&mut self, sent: f64, way: f64) {
        if let Some(&(_, last)) = self.recent.back() {
            self.jitter += ((way - last).abs().min(0.2) - self.jitter) / 32.0;
        }
        self.recent.push_back((sent, way));
        self.trim(sent);
        let slice = (sent / SLICE).floor();
        while self.slices.back().is_some_and(|&(_, shortest)| shortest >= way) {
            self.slices.pop_back();
        }
        if self.slices.back().is_none_or(|&(last, _)| last < slice) {
            self.slices.push_back((slice, way));
        }
        while self.slices.len() > 1 && self.slices.front().is_some_and(|&(at, _)| at * SLICE < sent - BASE_WINDOW) {
            self.slices.pop_front();
        }
    }

    /// How much longer that way is than the shortest, seconds.
    pub(crate) fn over_base(&self, way: f64) -> f64 {
        self.slices.front().map_or(0.0, |&(_, shortest)| way - shortest)
    }

    /// The queue's delay, seconds.
    pub(crate) fn queueing(&self) -> f64 {
        let least = self.recent.iter().map(|&(_, way)| way).fold(f64::INFINITY, f64::min);
        if least.is_finite() { self.over_base(least).max(0.0) } else { 0.0 }
    }

    /// Mean difference between the ways of two packets in a row, seconds.
    pub(crate) fn jitter(&self) -> f64 {
        self.jitter
    }

    /// Takes the way of the latest packets for the shortest: the path itself has become longer.
    pub(crate) fn rebase(&mut self) {
        let Some(&(sent, _)) = self.recent.back() else { return };
        let least = self.recent.iter().map(|&(_, way)| way).fold(f64::INFINITY, f64::min);
        self.slices.clear();
        self.slices.push_back(((sent / SLICE).floor(), least));
    }

    fn trim(&mut self, newest: f64) {
        while let Some(&(sent, _)) = self.recent.front() {
            let age = newest - sent;
            if age <= RECENT || (age <= RECENT_LIMIT && self.recent.len() <= RECENT_PACKETS) || self.recent.len() == 1 {
                break;
            }
            self.recent.pop_front();
        }
    }
}
