//! The bounded queues in which received packets wait for their decoder.
//!
//! Media can't be pushed back against: when the reader is late, the oldest packet goes, because the newest is the one
//! that still has a chance to be shown in time. What goes is counted.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use visavis_frame::{RtpPacket, VideoCodec};

/// A packet of the other side and when it came, by the runtime's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedPacket {
    /// The packet; duplicates and reordering are as the network made them.
    pub packet: RtpPacket,
    /// When it was taken from the connection.
    pub arrival: Instant,
    /// What its picture is coded with; none in sound.
    pub codec: Option<VideoCodec>,
    /// When what it carries was captured, by a clock of the other side that is the same for sound and pictures; known once
    /// it has reported.
    pub captured: Option<Duration>,
}

/// Where a connection puts the packets that it receives.
#[derive(Debug)]
pub struct MediaSinks {
    /// Video packets.
    pub video: PacketSink,
    /// Audio packets.
    pub audio: PacketSink,
}

/// Where the owner of a connection takes them.
#[derive(Debug)]
pub struct MediaSources {
    /// Video packets.
    pub video: PacketSource,
    /// Audio packets.
    pub audio: PacketSource,
}

/// Both queues at sizes that fit a call: about half a second of 1080p video, and two seconds of sound.
#[must_use]
pub fn media_queues() -> (MediaSinks, MediaSources) {
    let (video_sink, video) = packet_queue(1024);
    let (audio_sink, audio) = packet_queue(128);
    (MediaSinks { video: video_sink, audio: audio_sink }, MediaSources { video, audio })
}

/// A queue of at most `capacity` packets, at least one.
#[must_use]
pub fn packet_queue(capacity: usize) -> (PacketSink, PacketSource) {
    let shared = Arc::new(Mutex::new(Queue { capacity: capacity.max(1), ..Queue::default() }));
    (PacketSink(Arc::clone(&shared)), PacketSource(shared))
}

#[derive(Debug, Default)]
struct Queue {
    packets: VecDeque<ReceivedPacket>,
    capacity: usize,
    dropped: u64,
    closed: bool,
    patience: Option<Duration>,
    reader: Option<Waker>,
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writing end.
#[derive(Debug)]
pub struct PacketSink(Arc<Mutex<Queue>>);

impl PacketSink {
    /// Adds a packet; where there is no room, the oldest goes.
    pub fn push(&self, packet: ReceivedPacket) {
        let mut queue = lock(&self.0);
        if queue.packets.len() == queue.capacity {
            queue.packets.pop_front();
            queue.dropped += 1;
        }
        queue.packets.push_back(packet);
        if let Some(reader) = queue.reader.take() {
            reader.wake();
        }
    }
}

impl PacketSink {
    /// Tells the reader how long a missing packet may still come.
    pub fn set_patience(&self, patience: Duration) {
        lock(&self.0).patience = Some(patience);
    }
}

impl Drop for PacketSink {
    fn drop(&mut self) {
        let mut queue = lock(&self.0);
        queue.closed = true;
        if let Some(reader) = queue.reader.take() {
            reader.wake();
        }
    }
}

/// The reading end.
#[derive(Debug)]
pub struct PacketSource(Arc<Mutex<Queue>>);

impl PacketSource {
    /// The next packet, when there is one; `None` once the connection is gone and everything is read.
    pub async fn recv(&mut self) -> Option<ReceivedPacket> {
        poll_fn(|cx| {
            let mut queue = lock(&self.0);
            if let Some(packet) = queue.packets.pop_front() {
                return Poll::Ready(Some(packet));
            }
            if queue.closed {
                return Poll::Ready(None);
            }
            queue.reader = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// The next packet if one is there.
    pub fn try_recv(&mut self) -> Option<ReceivedPacket> {
        lock(&self.0).packets.pop_front()
    }

    /// How long a missing packet is worth waiting for: until then it is asked for again and again. It changes with the
    /// round trip; none before the first packet.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        lock(&self.0).patience
    }

    /// How many packets went because nobody took them in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        lock(&self.0).dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16) -> ReceivedPacket {
        let packet = RtpPacket { sequence, timestamp: 0, marker: false, payload: Vec::new() };
        ReceivedPacket { packet, arrival: Instant::now(), codec: None, captured: None }
    }

    #[test]
    fn the_oldest_goes_first() {
        let (sink, mut source) = packet_queue(2);
        for sequence in 0..5 {
            sink.push(packet(sequence));
        }
        let got: Vec<_> = std::iter::from_fn(|| source.try_recv()).map(|p| p.packet.sequence).collect();
        assert_eq!((got, source.dropped()), (vec![3, 4], 3));
    }

    #[test]
    fn a_reader_is_woken_and_sees_the_end() {
        let (sink, mut source) = packet_queue(4);
        let reader = std::thread::spawn(move || {
            futures::executor::block_on(async { (source.recv().await.map(|p| p.packet.sequence), source.recv().await) })
        });
        sink.push(packet(7));
        drop(sink);
        assert_eq!(reader.join().ok(), Some((Some(7), None)));
    }
}
