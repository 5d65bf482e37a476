//! The given runtime, with a driver that doesn't oversleep while it connects and sockets that keep the handshake going
//! ([`crate::handshake`]) and have streams behind them: to relays ([`crate::relays`]) and to the other side ([`crate::ice_tcp`]).
//!
//! The library's driver flushes its writes, then collects events, then sleeps until its next timer. What an event made
//! it write, above all the first SCTP packets once DTLS is up, waits for that timer: 400 ms in a call that could be up
//! in 100. So while connecting no sleep is longer than [`LONGEST_NAP`].

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use webrtc::runtime::{AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime};

use crate::handshake::Answered;
use crate::ice_tcp::IceTcp;
use crate::relays::Relays;

const LONGEST_NAP: Duration = Duration::from_millis(5);

/// Passes everything on to the runtime that it wraps; see the module.
#[derive(Debug)]
pub(crate) struct PacedRuntime {
    inner: Arc<dyn Runtime>,
    hurry_until: Mutex<Option<Instant>>,
    answered: Answered,
    relays: Arc<Relays>,
    ice_tcp: Arc<IceTcp>,
}

impl PacedRuntime {
    pub(crate) fn new(inner: Arc<dyn Runtime>, relays: Arc<Relays>, ice_tcp: Arc<IceTcp>) -> Self {
        Self { inner, hurry_until: Mutex::new(None), answered: Answered::default(), relays, ice_tcp }
    }

    /// Only naps for so long.
    pub(crate) fn hurry(&self, length: Duration) {
        *self.hurry_until.lock().unwrap_or_else(PoisonError::into_inner) = self.inner.now().checked_add(length);
    }

    /// Sleeps as asked again.
    pub(crate) fn calm(&self) {
        *self.hurry_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Sleeps for as long as is said, in a hurry too: for those who wait for something else than the driver.
    pub(crate) fn sleep_through(&self, length: Duration) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep(length)
    }

    fn hurries(&self) -> bool {
        let until = *self.hurry_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| self.inner.now() < until)
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Runtime for PacedRuntime {
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        self.inner.spawn(future)
    }

    fn spawn_reactor(&self, reactor_pool_size: usize, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        self.inner.spawn_reactor(reactor_pool_size, future)
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let socket = self.relays.guard(self.inner.wrap_udp_socket(socket)?, Arc::clone(&self.inner))?;
        let socket = self.ice_tcp.guard(socket, Arc::clone(&self.inner))?;
        Ok(self.answered.guard(socket, Arc::clone(&self.inner)))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.inner.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(&'a self, remote_addr: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        self.inner.connect_tcp(remote_addr)
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(self.relays.resolve(&self.inner, host))
    }

    fn now(&self) -> Instant {
        self.inner.now()
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        self.inner.sleep(if self.hurries() { duration.min(LONGEST_NAP) } else { duration })
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.inner.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.inner.block_on(future);
    }

    fn yield_now(&self) -> Boxed<'static, ()> {
        self.inner.yield_now()
    }

    fn name(&self) -> &'static str {
        self.inner.name()
    }
}
