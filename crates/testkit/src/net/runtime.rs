//! The `Runtime` of one host in a [`World`].

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use visavis_transport::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
};

use super::socket::VirtualSocket;
use super::world::World;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One host's clock, timers, tasks and UDP sockets. There is no TCP and no name service.
#[derive(Clone, Debug)]
pub struct HostRuntime {
    pub(crate) world: World,
    pub(crate) name: &'static str,
}

impl Runtime for HostRuntime {
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        Box::new(Handle { id: self.world.spawn(future), world: self.world.clone() })
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let addr = socket.local_addr()?;
        let socket = Arc::new(VirtualSocket::new(self.world.clone(), self.name, socket)?);
        self.world.add_socket(self.name, addr, &socket);
        Ok(socket)
    }

    fn wrap_tcp_listener(&self, _listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect_tcp<'a>(&'a self, _remote_addr: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        let found = host.parse().map(|addr| vec![addr]).map_err(|_| io::ErrorKind::NotFound.into());
        Box::pin(async move { found })
    }

    fn now(&self) -> Instant {
        self.world.now()
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        let deadline = self.now().checked_add(duration);
        Box::pin(Sleep { world: self.world.clone(), deadline, key: None })
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        Box::new(Interval { runtime: self.clone(), next: self.now(), period })
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.world.run(future);
    }

    fn name(&self) -> &'static str {
        "virtual"
    }
}

struct Handle {
    world: World,
    id: u64,
}

impl JoinHandle for Handle {
    fn detach(&self) {}

    fn abort(&self) {
        self.world.abort(self.id);
    }

    fn is_finished(&self) -> bool {
        self.world.is_finished(self.id)
    }
}

struct Sleep {
    world: World,
    /// None: beyond what the clock can say.
    deadline: Option<Instant>,
    key: Option<(Instant, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        if let Some(key) = self.key.take() {
            self.world.forget(key);
        }
        if self.world.now() >= deadline {
            return Poll::Ready(());
        }
        self.key = Some(self.world.wake_at(deadline, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.world.forget(key);
        }
    }
}

struct Interval {
    runtime: HostRuntime,
    next: Instant,
    period: Duration,
}

impl AsyncInterval for Interval {
    fn tick(&mut self) -> Boxed<'_, ()> {
        let wait = self.next.saturating_duration_since(self.runtime.now());
        self.next += self.period;
        self.runtime.sleep(wait)
    }
}
