//! One stream to one relay, from one of our addresses: when it is opened, and what goes over it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::io::AsyncReadExt as _;
use futures::{SinkExt as _, pin_mut};
use visavis_stun::framing::{Frames, MAX_FRAME_BYTES, write};
use visavis_stun::{Carrier, Class, Message, TransactionId};
use webrtc::runtime::Runtime;

use super::ledger::{Destination, Standing};
use super::{HEAD_START, Relays};
use crate::streams::{Received, Stream, StreamServer, send_all};

/// Datagrams that wait for a slow stream, a quarter of a second of video. More are dropped, as a full queue on a path of
/// datagrams would: the sender has to see that it is too fast.
const OUTGOING: usize = 96;
/// Opening takes at most so long: a name, a connection, and TLS.
const DIALING: Duration = Duration::from_secs(8);
/// The bytes of one read.
const READ: usize = 16 * 1024;
/// Requests that are remembered.
const RECENT: usize = 8;
/// How often one that is being challenged over datagrams is waited for once more.
const WAITS: usize = 3;

/// The way into a stream. Dropping it closes the stream once all is written.
#[derive(Debug)]
pub(super) struct Link {
    outgoing: mpsc::Sender<Vec<u8>>,
    /// Requests that are on their way already.
    recent: [Option<TransactionId>; RECENT],
    next: usize,
    _needed: oneshot::Sender<()>,
}

struct Task {
    runtime: Arc<dyn Runtime>,
    relays: Arc<Relays>,
    local: SocketAddr,
    number: u16,
    stands_in: SocketAddr,
}

impl Link {
    pub(super) fn open(
        runtime: &Arc<dyn Runtime>,
        relays: &Arc<Relays>,
        local: SocketAddr,
        (number, stands_in): (u16, SocketAddr),
        arrivals: mpsc::Sender<Received>,
    ) -> Self {
        let (outgoing, datagrams) = mpsc::channel(OUTGOING);
        let (needed, unneeded) = oneshot::channel();
        let (of_task, relays) = (Arc::clone(runtime), Arc::clone(relays));
        let task = Task { runtime: of_task, relays, local, number, stands_in };
        runtime.spawn(Box::pin(task.run(datagrams, arrivals, unneeded))).detach();
        Self { outgoing, recent: [None; RECENT], next: 0, _needed: needed }
    }

    /// Sends a datagram, or loses it. A request that is repeated is left out: a stream loses nothing (RFC 8489, section 6.2.2).
    pub(super) fn send(&mut self, datagram: &[u8]) {
        if let Some(message) = Message::parse(datagram)
            && message.class == Class::Request
        {
            if self.recent.contains(&Some(message.transaction)) {
                return;
            }
            self.recent[self.next] = Some(message.transaction);
            self.next = (self.next + 1) % RECENT;
        }
        // It is full, or its task has ended, which the ledger tells.
        let _ = self.outgoing.try_send(datagram.to_vec());
    }
}

impl Task {
    async fn run(
        self,
        datagrams: mpsc::Receiver<Vec<u8>>,
        arrivals: mpsc::Sender<Received>,
        unneeded: oneshot::Receiver<()>,
    ) {
        let opening = self.open();
        pin_mut!(opening);
        let stream = match select(opening, unneeded).await {
            Either::Left((stream, _)) => stream,
            Either::Right(_) => return,
        };
        let end = match stream {
            Ok(stream) => {
                tracing::debug!(relay = self.number, local = %self.local, "a stream to a relay is open");
                let reason = self.carry(stream, datagrams, arrivals).await.err();
                Standing::Failed(
                    reason.map_or_else(|| "it closed the connection".to_owned(), |error| error.to_string()),
                )
            }
            Err(standing) => standing,
        };
        tracing::debug!(relay = self.number, local = %self.local, ?end, "a stream to a relay has ended");
        self.relays.ledger().failed(self.local, Destination::Stream(self.number), end);
    }

    /// Waits for its turn, and opens the stream if it is still wanted then.
    async fn open(&self) -> Result<Stream, Standing> {
        self.wait().await;
        let failed = |reason: &str| Standing::Failed(reason.to_owned());
        if self.relays.ledger().relay_of(self.local).0 {
            return Err(Standing::Unasked);
        }
        let url = self.relays.ledger().url(self.number).cloned().ok_or_else(|| failed("it is unknown"))?;
        let streams = self.relays.streams.as_ref().ok_or_else(|| failed("streams can't be opened here"))?;
        let server = StreamServer { host: url.host, port: url.port, tls: url.carrier == Carrier::Tls };
        let (dialing, late) = (streams.dial(self.local.ip(), server), self.runtime.sleep(DIALING));
        match select(dialing, late).await {
            Either::Left((Ok(stream), _)) => Ok(stream),
            Either::Left((Err(error), _)) if error.kind() == io::ErrorKind::TimedOut => Err(Standing::Silent),
            Either::Left((Err(error), _)) => Err(Standing::Failed(error.to_string())),
            Either::Right(_) => Err(Standing::Silent),
        }
    }

    async fn wait(&self) {
        let (before, datagrams) = self.relays.ledger().turn_of(self.number);
        let turns = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(u32::from(datagrams));
        self.runtime.sleep(HEAD_START.saturating_mul(turns)).await;
        for _ in 0..WAITS {
            if !self.relays.ledger().relay_of(self.local).1 {
                return;
            }
            self.runtime.sleep(HEAD_START).await;
        }
    }

    /// Carries datagrams both ways until either side has had enough.
    async fn carry(
        &self,
        stream: Stream,
        datagrams: mpsc::Receiver<Vec<u8>>,
        arrivals: mpsc::Sender<Received>,
    ) -> io::Result<()> {
        let (out, back) = (send_all(stream.writer, datagrams, write), self.receive_all(stream.reader, arrivals));
        pin_mut!(out, back);
        match select(out, back).await {
            Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
        }
    }

    async fn receive_all(
        &self,
        mut reader: Box<dyn futures::io::AsyncRead + Send + Unpin>,
        mut arrivals: mpsc::Sender<Received>,
    ) -> io::Result<()> {
        let (mut frames, mut read) = (Frames::with_limit(MAX_FRAME_BYTES), vec![0; READ]);
        loop {
            let count = reader.read(&mut read).await?;
            if count == 0 {
                return Ok(());
            }
            frames.push(&read[..count]);
            loop {
                let frame = frames.next_frame().map_err(|_| io::Error::other("it doesn't speak TURN"))?;
                let Some(frame) = frame else { break };
                let received = Received { from: self.stands_in, datagram: frame.to_vec() };
                if arrivals.send(received).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}
