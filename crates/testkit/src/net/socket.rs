//! A UDP socket of the virtual network.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use visavis_transport::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::world::World;

/// It keeps the real socket that it stands for, unused, so that its port stays its own.
pub(crate) struct VirtualSocket {
    world: World,
    host: &'static str,
    addr: SocketAddr,
    _port: std::net::UdpSocket,
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    datagrams: VecDeque<(SocketAddr, Vec<u8>)>,
    reader: Option<Waker>,
}

impl VirtualSocket {
    pub(crate) fn new(world: World, host: &'static str, socket: std::net::UdpSocket) -> io::Result<Self> {
        let addr = socket.local_addr()?;
        Ok(Self { world, host, addr, _port: socket, inbox: Mutex::default() })
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn deliver(&self, from: SocketAddr, datagram: Vec<u8>) {
        let reader = {
            let mut inbox = self.inbox();
            inbox.datagrams.push_back((from, datagram));
            inbox.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl AsyncUdpSocket for VirtualSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }

    fn poll_send(&self, _cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for datagram in transmit.contents.chunks(size) {
            self.world.send(self.host, self.addr, transmit.destination, datagram);
        }
        Poll::Ready(Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut inbox = self.inbox();
        let Some((from, datagram)) = inbox.datagrams.pop_front() else {
            // Who only looks whether something is there must not take the place of who waits.
            if !cx.waker().will_wake(Waker::noop()) {
                inbox.reader = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
        };
        let length = datagram.len().min(buf.len());
        buf[..length].copy_from_slice(&datagram[..length]);
        *meta = RecvMeta::default();
        meta.addr = from;
        meta.len = length;
        meta.stride = length.max(1);
        Poll::Ready(Ok(1))
    }
}

impl Drop for VirtualSocket {
    fn drop(&mut self) {
        self.world.remove_socket(self.addr);
    }
}

impl std::fmt::Debug for VirtualSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VirtualSocket({} {})", self.host, self.addr)
    }
}
