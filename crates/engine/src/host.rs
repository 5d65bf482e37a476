//! Where the engine's time, timers, sockets and threads come from.
//!
//! The engine never asks the system for any of them. In the app they are tokio's and every codec has a thread of its own;
//! in tests the same engine runs single-threaded in virtual time, so that the same seed gives the same call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Either, Shared, pending, select};
use visavis_frame::Timestamp;
use visavis_transport::runtime::Runtime;
use visavis_transport::{LocalNames, Streams};

use crate::devices::{DeviceOpener, SystemDevices};
use crate::names::SystemNames;
use crate::streams::SystemStreams;

/// A future that can move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs the long, busy futures: codecs and sound.
pub trait MediaThreads: Send + Sync {
    /// Runs `future` to its end where it may be busy for milliseconds without holding up anything else.
    fn spawn(&self, name: &'static str, future: BoxFuture<()>);

    /// Runs something that may block for seconds (opening a camera), and gives its result to nobody but its own closure.
    fn block(&self, name: &'static str, work: Box<dyn FnOnce() + Send>);

    /// Waits, by the runtime's timers. Never done where the runtime has ended.
    fn sleep(&self, runtime: &Arc<dyn Runtime>, duration: Duration) -> BoxFuture<()> {
        runtime.sleep(duration)
    }
}

/// The engine's surroundings. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    runtime: Arc<dyn Runtime>,
    threads: Arc<dyn MediaThreads>,
    devices: Arc<dyn DeviceOpener>,
    streams: Option<Arc<dyn Streams>>,
    names: bool,
    zero: Instant,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("runtime", &self.runtime.name()).finish_non_exhaustive()
    }
}

impl Host {
    /// A host of these parts, with the system's devices, no streams and no names. Media time starts now.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>, threads: Arc<dyn MediaThreads>) -> Self {
        let zero = runtime.now();
        Self { runtime, threads, devices: Arc::new(SystemDevices), streams: None, names: false, zero }
    }

    /// The real thing: tokio, and a thread for each busy future.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn tokio() -> Self {
        let threads = DedicatedThreads::new(tokio::runtime::Handle::current());
        let host = Self::new(visavis_transport::tokio_runtime(), Arc::new(threads));
        Self { streams: Some(Arc::new(SystemStreams)), names: true, ..host }
    }

    /// The same host with other devices.
    #[must_use]
    pub fn with_devices(self, devices: Arc<dyn DeviceOpener>) -> Self {
        Self { devices, ..self }
    }

    /// Where devices come from.
    pub(crate) fn devices(&self) -> Arc<dyn DeviceOpener> {
        Arc::clone(&self.devices)
    }

    /// What opens and takes streams.
    pub(crate) fn streams(&self) -> Option<Arc<dyn Streams>> {
        self.streams.clone()
    }

    /// What gives names in the local network and looks them up, for one connection: it forgets its own at the end of that.
    pub(crate) fn names(&self) -> Option<Arc<dyn LocalNames>> {
        self.names.then(|| Arc::new(SystemNames::default()) as _)
    }

    /// The runtime, for the transport.
    #[must_use]
    pub fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::clone(&self.runtime)
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.runtime.now()
    }

    /// Now, as media time.
    #[must_use]
    pub fn media_now(&self) -> Timestamp {
        Timestamp::ZERO + self.now().saturating_duration_since(self.zero)
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        self.threads.sleep(&self.runtime, duration).await;
    }

    /// Waits until then; not at all when that has passed.
    pub async fn sleep_until(&self, then: Instant) {
        let wait = then.saturating_duration_since(self.now());
        if !wait.is_zero() {
            self.sleep(wait).await;
        }
    }

    /// Waits until that media time.
    pub async fn sleep_until_media(&self, then: Timestamp) {
        self.sleep(then.since(self.media_now())).await;
    }

    /// Runs a future that is never busy for long.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(Box::pin(future)).detach();
    }

    /// Runs a future that is busy for milliseconds at a time.
    pub fn spawn_media(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        self.threads.spawn(name, Box::pin(future));
    }

    /// Runs something that may block. The result comes through the receiver, which is cancelled when the work panicked.
    pub fn blocking<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        let work = move || {
            // The one who asked may have gone: then nobody needs the result.
            let _ = done.send(work());
        };
        self.threads.block(name, Box::new(work));
        result
    }
}

/// Threads that end with their tokio runtime: a timer of a runtime that has ended panics when it is looked at.
struct DedicatedThreads {
    handle: tokio::runtime::Handle,
    /// Resolved when the runtime ends.
    ended: Shared<oneshot::Receiver<()>>,
    /// Lets go of the task that watches for that, when nobody needs it any more.
    _needed: oneshot::Sender<()>,
}

impl DedicatedThreads {
    fn new(handle: tokio::runtime::Handle) -> Self {
        let (alive, ended) = oneshot::channel();
        let (needed, unneeded) = oneshot::channel::<()>();
        // A runtime drops its tasks before its timers, and `alive` with this one.
        handle.spawn(async move {
            let _alive = alive;
            // Cancelled, since nothing is ever sent.
            let _ = unneeded.await;
        });
        Self { handle, ended: ended.shared(), _needed: needed }
    }
}

impl MediaThreads for DedicatedThreads {
    fn spawn(&self, name: &'static str, future: BoxFuture<()>) {
        let (handle, ended) = (self.handle.clone(), self.ended.clone());
        start_thread(name, move || drop(handle.block_on(select(ended, future))));
    }

    fn block(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) {
        start_thread(name, work);
    }

    fn sleep(&self, runtime: &Arc<dyn Runtime>, duration: Duration) -> BoxFuture<()> {
        let wait = select(self.ended.clone(), runtime.sleep(duration));
        Box::pin(async move {
            // What waits when the runtime ends is never woken; its thread leaves it behind.
            if let Either::Left(_) = wait.await {
                pending::<()>().await;
            }
        })
    }
}

fn start_thread(name: &'static str, body: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(body) {
        // The future is dropped, and whoever waits for it sees its channel close.
        tracing::error!(%error, thread = name, "a thread couldn't be started");
    }
}
