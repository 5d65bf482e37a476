//! Transport → assembler → decoder → hold → renderer: one future, one thread.
//!
//! What is decoded waits until its sound is heard, or until pictures come evenly ([`PictureClock`]); on a good network that
//! is a few milliseconds.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{Either, select};
use visavis_codec::{AssembledFrame, Assembler, AssemblerConfig, AssemblerOutput, CodecError, VideoDecoder, video};
use visavis_dsp::{PictureClock, SenderClock};
use visavis_frame::{FramePool, VIDEO_CLOCK_HZ, VideoCodec, VideoFrame};
use visavis_transport::{PacketSource, ReceivedPacket};

use crate::config::FrameSink;
use crate::counters::Counters;
use crate::freeze::FreezeMeter;
use crate::host::Host;
use crate::sound_moment::SoundMoment;

/// Pictures that wait at most; with more the oldest is shown early. Far more than can wait at 60 a second.
const MOST_WAITING: usize = 16;

pub(crate) struct VideoIn {
    pub(crate) host: Host,
    pub(crate) sinks: Vec<Box<dyn FrameSink>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) freezes: FreezeMeter,
    /// What is heard meanwhile.
    pub(crate) moment: Arc<SoundMoment>,
    /// Asks the other side for a keyframe.
    pub(crate) keyframes: mpsc::UnboundedSender<()>,
}

/// One connection's pictures of one codec on their way to the screen.
struct Stream {
    codec: VideoCodec,
    assembler: Assembler,
    decoder: Box<dyn VideoDecoder>,
    sender: SenderClock,
    clock: PictureClock,
    waiting: VecDeque<Waiting>,
}

/// A decoded picture, and when to show it.
struct Waiting {
    due: Instant,
    frame: VideoFrame,
    keyframe: bool,
    /// What decoding took.
    spent: Duration,
}

impl Stream {
    fn new(codec: VideoCodec) -> Result<Self, CodecError> {
        Ok(Self {
            codec,
            assembler: Assembler::new(codec, AssemblerConfig::default()),
            decoder: video::decoder(codec, FramePool::new())?,
            sender: SenderClock::default(),
            clock: PictureClock::new(),
            waiting: VecDeque::new(),
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = self.waiting.front().map(|waiting| waiting.due);
        self.assembler.poll_timeout().into_iter().chain(due).min()
    }

    /// The next picture whose time has come.
    fn next_due(&mut self, now: Instant) -> Option<Waiting> {
        let crowded = self.waiting.len() > MOST_WAITING;
        self.waiting.pop_front_if(|waiting| crowded || waiting.due <= now)
    }
}

impl VideoIn {
    /// Runs until no more sources will come. Each is a stream of its own: one connection's packets. A new one takes the
    /// place of the one before it.
    pub(crate) async fn run(mut self, mut sources: mpsc::UnboundedReceiver<PacketSource>) {
        let mut source = sources.next().await;
        while let Some(packets) = source {
            source = match self.receive(packets, &mut sources).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "no video decoder");
                    sources.next().await
                }
            };
        }
    }

    async fn receive(
        &mut self,
        mut packets: PacketSource,
        sources: &mut mpsc::UnboundedReceiver<PacketSource>,
    ) -> Result<Option<PacketSource>, CodecError> {
        let mut stream = Stream::new(VideoCodec::H264)?;
        self.freezes = FreezeMeter::default();
        loop {
            let happened = next(&self.host, &mut packets, sources, stream.poll_timeout()).await;
            let now = self.host.now();
            match happened {
                Happened::Source(source) => return Ok(source),
                Happened::Packet(None) => return Ok(sources.next().await),
                Happened::Packet(Some(packet)) => {
                    // The other side may send any codec that was agreed on, and change its mind.
                    let Some(codec) = packet.codec else { continue };
                    if codec != stream.codec {
                        stream = Stream::new(codec)?;
                    }
                    packets.patience().into_iter().for_each(|patience| stream.assembler.set_max_wait(patience));
                    stream.sender.note(packet.packet.timestamp, packet.captured);
                    stream.assembler.push(now, packet.packet);
                }
                Happened::Timeout => {}
            }
            while let Some(output) = stream.assembler.poll(now) {
                match output {
                    AssemblerOutput::NeedKeyframe => self.want_keyframe(),
                    AssemblerOutput::Frame(unit) => self.on_unit(now, &mut stream, &unit),
                }
            }
            self.counters.assembler(stream.assembler.counters());
            let now = self.host.now();
            while let Some(waiting) = stream.next_due(now) {
                self.show(now, waiting);
            }
        }
    }

    fn on_unit(&mut self, now: Instant, stream: &mut Stream, unit: &AssembledFrame) {
        for sink in &mut self.sinks {
            sink.unit(stream.codec, &unit.data);
        }
        match stream.decoder.decode(&unit.data, self.host.media_now()) {
            Ok(Some(frame)) => {
                let decoded = self.host.now();
                let captured = stream.sender.time(unit.timestamp, VIDEO_CLOCK_HZ);
                let sound = captured.and_then(|captured| self.moment.heard(decoded, captured));
                let due = stream.clock.due(now, decoded, unit.timestamp, VIDEO_CLOCK_HZ, sound);
                let spent = decoded.saturating_duration_since(now);
                stream.waiting.push_back(Waiting { due, frame, keyframe: unit.keyframe, spent });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "a picture couldn't be decoded");
                stream.assembler.resync(now);
                self.want_keyframe();
            }
        }
    }

    fn show(&mut self, now: Instant, waiting: Waiting) {
        let Waiting { frame, keyframe, spent, .. } = waiting;
        if self.counters.is_remote_camera_off() {
            self.freezes.pause();
        }
        let freezes = self.freezes.picture(now);
        self.counters.frame_decoded(frame.size(), keyframe, spent, freezes);
        for sink in &mut self.sinks {
            sink.frame(&frame);
        }
    }

    fn want_keyframe(&self) {
        self.counters.keyframe_wanted();
        // The engine's loop may have ended already.
        let _ = self.keyframes.unbounded_send(());
    }
}

/// What happened next.
enum Happened {
    /// A packet came; `None`: no more will.
    Packet(Option<ReceivedPacket>),
    /// It is time to look at what is missing.
    Timeout,
    /// Another connection takes over; `None`: the call is over.
    Source(Option<PacketSource>),
}

async fn next(
    host: &Host,
    packets: &mut PacketSource,
    sources: &mut mpsc::UnboundedReceiver<PacketSource>,
    timeout: Option<Instant>,
) -> Happened {
    let timeout = pin!(async {
        match timeout {
            Some(at) => host.sleep_until(at).await,
            None => std::future::pending().await,
        }
    });
    match select(sources.next(), select(pin!(packets.recv()), timeout)).await {
        Either::Left((source, _)) => Happened::Source(source),
        Either::Right((Either::Left((packet, _)), _)) => Happened::Packet(packet),
        Either::Right((Either::Right(((), _)), _)) => Happened::Timeout,
    }
}
