//! Clients over TCP and TLS (RFC 8656, section 3.1): the same requests and the same table, from streams.
//!
//! A stream costs more than a datagram, so each is bounded: how many there are and how many from one address, what may wait to
//! be written (more is dropped, as on a path of datagrams), how long a frame may take to come, and how long one without an
//! allocation may stay.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use visavis_signaling::server::source_of;
use visavis_stun::framing::{Frames, write};

use super::Service;
use super::table::Source;

/// The longest frame: more than any packet of media, and than what is said about it.
const MAX_FRAME_BYTES: usize = 8 * 1024;
/// The bytes of one read.
const READ_BYTES: usize = 4 * 1024;
/// Datagrams that wait to be written.
const OUTGOING: usize = 64;
/// A listener that fails (no more file descriptors) mustn't become a busy loop.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// How many streams there may be, and how long each may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamLimits {
    pub(super) all: usize,
    pub(super) per_source: usize,
    /// A frame that has begun comes to its end within this time.
    pub(super) frame: Duration,
    /// Without an allocation a stream stays so long: its client asks three times at most.
    pub(super) without_allocation: Duration,
    /// What can't be written for so long has nobody who reads.
    pub(super) write: Duration,
}

impl StreamLimits {
    pub(super) const fn new(all: usize, per_source: usize) -> Self {
        let (frame, without_allocation, write) =
            (Duration::from_secs(10), Duration::from_secs(20), Duration::from_secs(20));
        Self { all, per_source, frame, without_allocation, write }
    }
}

/// The streams that are open.
#[derive(Debug)]
pub(super) struct Streams {
    limits: StreamLimits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    writers: HashMap<u64, mpsc::Sender<Vec<u8>>>,
    of_source: HashMap<IpAddr, usize>,
}

impl Streams {
    pub(super) fn new(limits: StreamLimits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a datagram over a stream, or loses it.
    pub(super) fn send(&self, stream: u64, datagram: &[u8]) {
        let mut frame = Vec::with_capacity(datagram.len() + 3);
        if write(datagram, &mut frame)
            && let Some(writer) = self.lock().writers.get(&stream)
        {
            let _ = writer.try_send(frame);
        }
    }

    /// A place for a new stream; `None` when there are too many.
    fn enter(&self, address: SocketAddr) -> Option<(Source, mpsc::Receiver<Vec<u8>>)> {
        let mut open = self.lock();
        let source = source_of(address.ip());
        let of_source = open.of_source.get(&source).copied().unwrap_or_default();
        if open.writers.len() >= self.limits.all || of_source >= self.limits.per_source {
            return None;
        }
        open.last += 1;
        let (number, (writer, waiting)) = (open.last, mpsc::channel(OUTGOING));
        open.writers.insert(number, writer);
        open.of_source.insert(source, of_source + 1);
        Some((Source { address, stream: Some(number) }, waiting))
    }

    fn leave(&self, source: Source) {
        let mut open = self.lock();
        let Some(_) = source.stream.and_then(|number| open.writers.remove(&number)) else { return };
        let source = source_of(source.address.ip());
        let left = open.of_source.get(&source).map_or(0, |count| count - 1);
        if left == 0 {
            open.of_source.remove(&source);
        } else {
            open.of_source.insert(source, left);
        }
    }
}

/// A stream's place, given back with the value.
struct Place {
    service: Arc<Service>,
    source: Source,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.service.clients.streams.leave(self.source);
        self.service.table().gone(self.source);
    }
}

/// Takes connections for as long as the relay serves.
pub(super) async fn accept_all(listener: TcpListener, service: Arc<Service>) {
    // With it all of them end.
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    // Small packets one after the other mustn't wait for one another.
                    let _ = stream.set_nodelay(true);
                    serving.spawn(serve(stream, from, Arc::clone(&service)));
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection to the relay wasn't taken");
                    sleep(AFTER_FAILURE).await;
                }
            },
            Some(_) = serving.join_next() => {}
        }
    }
}

/// Serves one stream to its end.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Send, from: SocketAddr, service: Arc<Service>) {
    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
    let Some((source, waiting)) = service.clients.streams.enter(from) else {
        tracing::debug!("a stream to the relay was turned away");
        return;
    };
    let _place = Place { service: Arc::clone(&service), source };
    let (reader, writer) = tokio::io::split(stream);
    let ended = tokio::select! {
        ended = read_all(reader, source, &service) => ended,
        ended = write_all(writer, waiting, service.clients.streams.limits.write) => ended,
        () = leave_unless_used(source, &service) => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a stream to the relay has failed");
    }
}

async fn read_all(mut reader: impl AsyncRead + Unpin, source: Source, service: &Service) -> io::Result<()> {
    let (mut frames, mut bytes, mut out) = (Frames::with_limit(MAX_FRAME_BYTES), vec![0; READ_BYTES], Vec::new());
    let mut frame_began = None;
    loop {
        let count = match frame_began {
            // However few bytes come at a time, the whole frame has one deadline.
            Some(began) => timeout_at(began + service.clients.streams.limits.frame, reader.read(&mut bytes)).await??,
            None => reader.read(&mut bytes).await?,
        };
        if count == 0 {
            return Ok(());
        }
        frames.push(&bytes[..count]);
        let mut any = false;
        while let Some(frame) = frames.next_frame().map_err(|_| io::Error::other("it isn't STUN"))? {
            any = true;
            service.take(source, frame, &mut out);
        }
        frame_began = match frame_began {
            _ if !frames.is_within() => None,
            Some(began) if !any => Some(began),
            Some(_) | None => Some(Instant::now()),
        };
    }
}

async fn write_all(
    mut writer: impl AsyncWrite + Unpin,
    mut waiting: mpsc::Receiver<Vec<u8>>,
    time: Duration,
) -> io::Result<()> {
    while let Some(frame) = waiting.recv().await {
        timeout(time, async {
            writer.write_all(&frame).await?;
            writer.flush().await
        })
        .await??;
    }
    Ok(())
}

/// Done when the client has no allocation any more, or got none in time.
async fn leave_unless_used(source: Source, service: &Service) {
    loop {
        sleep(service.clients.streams.limits.without_allocation).await;
        if !service.table().serves(Instant::now().into_std(), source) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
