//! Transport → assembler → decoder → renderer: one future, one thread.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{Either, select};
use visavis_codec::h264::{Assembler, AssemblerConfig, AssemblerOutput, Decoder};
use visavis_codec::{CodecError, VideoDecoder};
use visavis_frame::FramePool;
use visavis_transport::{PacketSource, ReceivedPacket};

use crate::config::FrameSink;
use crate::counters::Counters;
use crate::freeze::FreezeMeter;
use crate::host::Host;

pub(crate) struct VideoIn {
    pub(crate) host: Host,
    pub(crate) sinks: Vec<Box<dyn FrameSink>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) freezes: FreezeMeter,
    /// Asks the other side for a keyframe.
    pub(crate) keyframes: mpsc::UnboundedSender<()>,
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
        let mut assembler = Assembler::new(AssemblerConfig::default());
        let mut decoder = Decoder::new(FramePool::new())?;
        loop {
            let happened = next(&self.host, &mut packets, sources, assembler.poll_timeout()).await;
            let now = self.host.now();
            match happened {
                Happened::Source(source) => return Ok(source),
                Happened::Packet(None) => return Ok(sources.next().await),
                Happened::Packet(Some(packet)) => {
                    packets.patience().into_iter().for_each(|patience| assembler.set_max_wait(patience));
                    assembler.push(now, packet.packet);
                }
                Happened::Timeout => {}
            }
            while let Some(output) = assembler.poll(now) {
                self.on_output(now, &mut assembler, &mut decoder, output);
            }
            self.counters.assembler(assembler.counters());
        }
    }

    fn on_output(&mut self, now: Instant, assembler: &mut Assembler, decoder: &mut Decoder, output: AssemblerOutput) {
        let unit = match output {
            AssemblerOutput::NeedKeyframe => {
                self.want_keyframe();
                return;
            }
            AssemblerOutput::Frame(unit) => unit,
        };
        for sink in &mut self.sinks {
            sink.unit(&unit.data);
        }
        match decoder.decode(&unit.data, self.host.media_now()) {
            Ok(Some(frame)) => {
                let spent = self.host.now().saturating_duration_since(now);
                if self.counters.is_remote_camera_off() {
                    self.freezes.pause();
                }
                let freezes = self.freezes.picture(now);
                self.counters.frame_decoded(frame.size(), unit.keyframe, spent, freezes);
                for sink in &mut self.sinks {
                    sink.frame(&frame);
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "a picture couldn't be decoded");
                assembler.resync(now);
                self.want_keyframe();
            }
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
