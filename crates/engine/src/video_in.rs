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
use crate::host::Host;

pub(crate) struct VideoIn {
    pub(crate) host: Host,
    pub(crate) sinks: Vec<Box<dyn FrameSink>>,
    pub(crate) counters: Arc<Counters>,
    /// Asks the other side for a keyframe.
    pub(crate) keyframes: mpsc::UnboundedSender<()>,
}

impl VideoIn {
    /// Runs until no more sources will come. Each is a stream of its own: one connection's packets.
    pub(crate) async fn run(mut self, mut sources: mpsc::UnboundedReceiver<PacketSource>) {
        while let Some(source) = sources.next().await {
            if let Err(error) = self.receive(source).await {
                tracing::error!(%error, "no video decoder");
            }
        }
    }

    async fn receive(&mut self, mut packets: PacketSource) -> Result<(), CodecError> {
        let mut assembler = Assembler::new(AssemblerConfig::default());
        let mut decoder = Decoder::new(FramePool::new())?;
        while let Some(packet) = next_packet(&self.host, &mut packets, assembler.poll_timeout()).await {
            let now = self.host.now();
            if let Some(packet) = packet {
                assembler.push(now, packet.packet);
            }
            while let Some(output) = assembler.poll(now) {
                self.on_output(now, &mut assembler, &mut decoder, output);
            }
            self.counters.assembler(assembler.counters());
        }
        Ok(())
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
                self.counters.frame_decoded(frame.size(), unit.data.len());
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

/// The next packet, or `Some(None)` when it is time to look at what is missing; `None` when no more will come.
async fn next_packet(
    host: &Host,
    packets: &mut PacketSource,
    timeout: Option<Instant>,
) -> Option<Option<ReceivedPacket>> {
    let Some(at) = timeout else { return packets.recv().await.map(Some) };
    match select(pin!(packets.recv()), pin!(host.sleep_until(at))).await {
        Either::Left((packet, _)) => packet.map(Some),
        Either::Right(((), _)) => Some(None),
    }
}
