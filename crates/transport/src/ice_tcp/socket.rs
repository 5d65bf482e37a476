//! A UDP socket as the library wants one, with streams to the other side behind it.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Runtime, Transmit};

use super::link::{self, Carrying, Links};
use super::{HEAD_START, IceTcp};
use crate::streams::{Received, StreamListener, Streams};

/// What has come over streams and wasn't taken yet. Beyond it, streams are read no further.
const INBOUND: usize = 128;
/// How long a port rests when it can't take a stream, or has more of them than it needs.
const REST: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct StreamSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    local: SocketAddr,
    ice: Arc<IceTcp>,
    streams: Arc<dyn Streams>,
    links: Arc<Mutex<Links>>,
    carrying: Carrying,
    inbound: Mutex<mpsc::Receiver<Received>>,
    /// Whether what came last came over a stream: datagrams are next then, so that no stream keeps them out.
    streams_had_it: AtomicBool,
}

impl StreamSocket {
    pub(super) fn new(
        inner: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
        ice: Arc<IceTcp>,
        streams: Arc<dyn Streams>,
    ) -> io::Result<Arc<Self>> {
        let local = inner.local_addr()?;
        let (arrivals, inbound) = mpsc::channel(INBOUND);
        let (links, carrying) = (Arc::<Mutex<Links>>::default(), Carrying { runtime, arrivals });
        let port = match streams.listen(local.ip()) {
            Ok(listener) => Some(listen(listener, Arc::clone(&links), carrying.clone())),
            Err(error) => {
                tracing::debug!(%error, %local, "no port for streams");
                None
            }
        };
        ice.opened(local, Arc::clone(&links), port);
        Ok(Arc::new(Self {
            inner,
            local,
            ice,
            streams,
            links,
            carrying,
            inbound: Mutex::new(inbound),
            streams_had_it: AtomicBool::new(false),
        }))
    }

    /// Whether that went over a stream, or was lost there.
    fn send_over_stream(&self, transmit: &Transmit<'_>) -> bool {
        let mut links = link::lock(&self.links);
        let to = transmit.destination;
        if self.ice.is_dialled(to) && links.may_dial(to) {
            let dialing = self.streams.dial_peer(self.local.ip(), to);
            links.dial(&self.carrying, to, dialing);
        }
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        // What is sent at once is of one kind: the first tells whether a stream that isn't proven yet takes it.
        transmit.contents.chunks(size).all(|datagram| links.send(to, datagram))
    }

    fn take_arrived(&self, cx: &mut Context<'_>, buffer: &mut [u8], meta: &mut RecvMeta) -> Poll<()> {
        let mut inbound = self.inbound.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Poll::Ready(Some(Received { from, datagram })) = inbound.poll_next_unpin(cx) else {
                return Poll::Pending;
            };
            if let Some(place) = buffer.get_mut(..datagram.len()) {
                place.copy_from_slice(&datagram);
                *meta = RecvMeta::default();
                (meta.addr, meta.len, meta.stride) = (from, datagram.len(), datagram.len());
                return Poll::Ready(());
            }
        }
    }
}

impl AsyncUdpSocket for StreamSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        if self.send_over_stream(transmit) {
            return Poll::Ready(Ok(transmit.contents.len()));
        }
        self.inner.poll_send(cx, transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let datagrams_first = self.streams_had_it.swap(false, Ordering::Relaxed);
        for datagrams in [datagrams_first, !datagrams_first] {
            if datagrams {
                let received = self.inner.poll_recv(cx, bufs, meta);
                if received.is_ready() {
                    return received;
                }
            } else if let (Some(buffer), Some(meta)) = (bufs.first_mut(), meta.first_mut())
                && self.take_arrived(cx, buffer, meta).is_ready()
            {
                self.streams_had_it.store(true, Ordering::Relaxed);
                return Poll::Ready(Ok(1));
            }
        }
        Poll::Pending
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

impl Drop for StreamSocket {
    fn drop(&mut self) {
        self.ice.closed(self.local);
        // Streams end with their links, which the table of sockets may not be the last to hold.
        link::lock(&self.links).clear();
    }
}

/// Takes streams at a port until what is returned is dropped: where it is, and what holds it open.
fn listen(
    mut listener: Box<dyn StreamListener>,
    links: Arc<Mutex<Links>>,
    carrying: Carrying,
) -> (SocketAddr, oneshot::Sender<()>) {
    let at = listener.local();
    let (open, mut closed) = oneshot::channel();
    let runtime = Arc::clone(&carrying.runtime);
    let held_until = runtime.now() + HEAD_START;
    let task = async move {
        loop {
            let accepted = match select(listener.accept(), &mut closed).await {
                Either::Left((accepted, _)) => accepted,
                Either::Right(_) => return,
            };
            let rests = match accepted {
                Ok((stream, from)) => {
                    let hold = held_until.saturating_duration_since(carrying.runtime.now());
                    link::lock(&links).accept(&carrying, from, (stream, at.port()), hold)
                }
                Err(error) => {
                    tracing::debug!(%error, %at, "a stream couldn't be taken");
                    true
                }
            };
            if rests && matches!(select(carrying.runtime.sleep(REST), &mut closed).await, Either::Right(_)) {
                return;
            }
        }
    };
    runtime.spawn(Box::pin(task)).detach();
    (at, open)
}
