//! A UDP socket as the library wants one, with streams to relays behind it.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::StreamExt as _;
use futures::channel::mpsc;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Runtime, Transmit};

use super::ledger::{Destination, Standing};
use super::stream::Link;
use super::{Relays, stand_in};
use crate::streams::Received;

/// What has come over streams and wasn't taken yet. Beyond it, streams are read no further.
const INBOUND: usize = 128;
/// No protocol that shares the port begins with it (RFC 7983).
const NOTHING: u8 = 255;

#[derive(Debug)]
pub(super) struct RelaySocket {
    inner: Arc<dyn AsyncUdpSocket>,
    local: SocketAddr,
    runtime: Arc<dyn Runtime>,
    relays: Arc<Relays>,
    links: Mutex<HashMap<u16, Link>>,
    arrivals: mpsc::Sender<Received>,
    inbound: Mutex<mpsc::Receiver<Received>>,
}

impl RelaySocket {
    pub(super) fn new(
        inner: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
        relays: Arc<Relays>,
    ) -> io::Result<Self> {
        let local = inner.local_addr()?;
        let (arrivals, inbound) = mpsc::channel(INBOUND);
        Ok(Self { inner, local, runtime, relays, links: Mutex::default(), arrivals, inbound: Mutex::new(inbound) })
    }

    /// Notes what is asked of a server. An error takes the server out of the library's list.
    fn ask(&self, to: Destination, datagram: &[u8]) -> io::Result<()> {
        self.relays.ledger().asks(self.runtime.now(), self.local, to, datagram).map_err(io::Error::other)
    }

    fn send_over_stream(&self, number: u16, transmit: &Transmit<'_>) -> io::Result<usize> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        for datagram in transmit.contents.chunks(transmit.segment_size.unwrap_or(transmit.contents.len()).max(1)) {
            self.ask(Destination::Stream(number), datagram)?;
            if self.relays.ledger().is_given_up(self.local, number) {
                return Err(io::Error::other("the stream to the relay has ended"));
            }
            let link = links.entry(number).or_insert_with(|| {
                let arrivals = self.arrivals.clone();
                Link::open(&self.runtime, &self.relays, self.local, (number, transmit.destination), arrivals)
            });
            link.send(datagram);
        }
        Ok(transmit.contents.len())
    }

    fn take_arrived(&self, cx: &mut Context<'_>, buffer: &mut [u8], meta: &mut RecvMeta) -> Poll<()> {
        let mut inbound = self.inbound.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Poll::Ready(Some(Received { from, datagram })) = inbound.poll_next_unpin(cx) else {
                return Poll::Pending;
            };
            let refused = self.relays.ledger().answers(self.local, &datagram);
            if let (Some(place), false) = (buffer.get_mut(..datagram.len()), refused) {
                place.copy_from_slice(&datagram);
                *meta = RecvMeta::default();
                (meta.addr, meta.len, meta.stride) = (from, datagram.len(), datagram.len().max(1));
                return Poll::Ready(());
            }
        }
    }

    /// Reads along, and makes refusals unrecognisable.
    fn look_at(&self, buffer: &mut [u8], meta: &RecvMeta) {
        let length = meta.len.min(buffer.len());
        for datagram in buffer[..length].chunks_mut(meta.stride.max(1)) {
            // Most of what comes is media.
            if datagram[0] == 0x01 && self.relays.ledger().answers(self.local, datagram) {
                datagram[0] = NOTHING;
            }
        }
    }
}

impl AsyncUdpSocket for RelaySocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        if let Some(number) = stand_in::number(transmit.destination) {
            return Poll::Ready(self.send_over_stream(number, transmit));
        }
        let asks = transmit.contents.first() == Some(&0);
        if asks {
            self.ask(Destination::Address(transmit.destination), transmit.contents)?;
        }
        let sent = self.inner.poll_send(cx, transmit);
        if let (Poll::Ready(Err(error)), true) = (&sent, asks) {
            let failed = Standing::Failed(error.to_string());
            self.relays.ledger().failed(self.local, Destination::Address(transmit.destination), failed);
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if let (Some(buffer), Some(meta)) = (bufs.first_mut(), meta.first_mut())
            && self.take_arrived(cx, buffer, meta).is_ready()
        {
            return Poll::Ready(Ok(1));
        }
        let received = self.inner.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(count)) = received {
            for (buffer, meta) in bufs.iter_mut().zip(meta).take(count) {
                self.look_at(buffer, meta);
            }
        }
        received
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

impl Drop for RelaySocket {
    fn drop(&mut self) {
        self.relays.ledger().forget(self.local);
    }
}
