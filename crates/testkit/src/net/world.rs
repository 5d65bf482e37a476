//! The executor: ready tasks first, in order; when none is ready, time jumps to the next timer or arrival.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::link::{Fate, Link, LinkConfig, Rng};
use super::runtime::HostRuntime;
use super::socket::VirtualSocket;

/// Polls without time passing after which something is taken to spin.
const MAX_POLLS_PER_INSTANT: u32 = 1_000_000;
/// Between two sockets of one host.
const WITHIN_A_HOST: Duration = Duration::from_micros(50);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The record of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Travel {
    /// When it was sent, since the world began.
    pub at: Duration,
    /// The host that sent it.
    pub from: &'static str,
    /// The host that it was for; empty where nobody has the address.
    pub to: &'static str,
    /// UDP payload bytes. Signatures make some of these differ from run to run.
    pub bytes: usize,
    /// What became of it.
    pub fate: Fate,
}

/// Virtual time and a network. Clones are the same world.
#[derive(Clone)]
pub struct World {
    shared: Arc<Mutex<State>>,
}

struct State {
    start: Instant,
    now: Instant,
    serial: u64,
    tasks: HashMap<u64, Option<Task>>,
    ready: VecDeque<u64>,
    due: BTreeMap<(Instant, u64), Due>,
    sockets: HashMap<SocketAddr, (&'static str, Weak<VirtualSocket>)>,
    links: BTreeMap<(&'static str, &'static str), Link>,
    rng: Rng,
    trace: Vec<Travel>,
}

enum Due {
    Timer(Waker),
    Arrival { to: SocketAddr, from: SocketAddr, datagram: Vec<u8> },
}

impl World {
    /// A world whose dice are thrown by this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let start = Instant::now();
        let state = State {
            start,
            now: start,
            serial: 0,
            tasks: HashMap::new(),
            ready: VecDeque::new(),
            due: BTreeMap::new(),
            sockets: HashMap::new(),
            links: BTreeMap::new(),
            rng: Rng::new(seed),
            trace: Vec::new(),
        };
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runtime of a host. All sockets that are wrapped by it stand on that host.
    #[must_use]
    pub fn host(&self, name: &'static str) -> Arc<HostRuntime> {
        Arc::new(HostRuntime { world: self.clone(), name })
    }

    /// Sets both directions between two hosts; packets on their way keep their time.
    pub fn connect(&self, a: &'static str, b: &'static str, config: &LinkConfig) {
        self.set_link(a, b, config.clone());
        self.set_link(b, a, config.clone());
    }

    /// Sets one direction.
    pub fn set_link(&self, from: &'static str, to: &'static str, config: LinkConfig) {
        self.lock().links.entry((from, to)).or_default().config = config;
    }

    /// Nothing passes between two hosts for so long from now on.
    pub fn blackout(&self, a: &'static str, b: &'static str, length: Duration) {
        let mut state = self.lock();
        let until = state.now + length;
        for direction in [(a, b), (b, a)] {
            state.links.entry(direction).or_default().darken(until);
        }
    }

    /// The virtual clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.lock().now
    }

    /// Time since the world began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let state = self.lock();
        state.now - state.start
    }

    /// Every packet so far, in the order of sending.
    #[must_use]
    pub fn trace(&self) -> Vec<Travel> {
        self.lock().trace.clone()
    }

    /// Tasks that haven't ended.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.lock().tasks.len()
    }

    /// Runs until `future` is done, with everything else that is spawned meanwhile.
    ///
    /// # Panics
    /// When nothing is left that could happen, or something polls without end.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let main = Arc::new(MainWaker(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&main));
        let mut future = pin!(future);
        let mut polls = 0;
        loop {
            polls += 1;
            assert!(polls < MAX_POLLS_PER_INSTANT, "something is polled without end at {:?}", self.elapsed());
            if main.0.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
            } else if !self.poll_one() {
                assert!(self.advance(), "nothing is left that could happen at {:?}", self.elapsed());
                polls = 0;
            }
        }
    }

    /// Polls the first ready task; false: none is.
    fn poll_one(&self) -> bool {
        let (id, task) = {
            let mut state = self.lock();
            let Some(id) = state.ready.pop_front() else { return false };
            (id, state.tasks.get_mut(&id).and_then(Option::take))
        };
        let Some(mut task) = task else { return true };
        let waker = Waker::from(Arc::new(TaskWaker { world: Arc::downgrade(&self.shared), id }));
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.lock().tasks.remove(&id);
        } else if let Some(slot) = self.lock().tasks.get_mut(&id) {
            *slot = Some(task);
        }
        true
    }

    /// Lets time go on to the next thing that is due; false: there is none.
    fn advance(&self) -> bool {
        let Some((socket, due)) = self.take_due() else { return false };
        match due {
            Due::Timer(waker) => waker.wake(),
            Due::Arrival { from, datagram, .. } => {
                if let Some(socket) = socket.and_then(|socket| socket.upgrade()) {
                    socket.deliver(from, datagram);
                }
            }
        }
        true
    }

    fn take_due(&self) -> Option<(Option<Weak<VirtualSocket>>, Due)> {
        let mut state = self.lock();
        let ((at, _), due) = state.due.pop_first()?;
        state.now = state.now.max(at);
        let socket = match &due {
            Due::Timer(_) => None,
            Due::Arrival { to, .. } => state.sockets.get(to).map(|(_, socket)| Weak::clone(socket)),
        };
        Some((socket, due))
    }

    pub(crate) fn spawn(&self, task: Task) -> u64 {
        let mut state = self.lock();
        state.serial += 1;
        let id = state.serial;
        state.tasks.insert(id, Some(task));
        state.ready.push_back(id);
        id
    }

    pub(crate) fn is_finished(&self, id: u64) -> bool {
        !self.lock().tasks.contains_key(&id)
    }

    pub(crate) fn abort(&self, id: u64) {
        // Dropped outside the lock: its end may wake others.
        let task = self.lock().tasks.remove(&id);
        drop(task);
    }

    /// Asks for `waker` to be woken at `at`; the key takes it back.
    pub(crate) fn wake_at(&self, at: Instant, waker: Waker) -> (Instant, u64) {
        let mut state = self.lock();
        state.serial += 1;
        let key = (at, state.serial);
        state.due.insert(key, Due::Timer(waker));
        key
    }

    pub(crate) fn forget(&self, key: (Instant, u64)) {
        let due = self.lock().due.remove(&key);
        drop(due);
    }

    pub(crate) fn add_socket(&self, host: &'static str, addr: SocketAddr, socket: &Arc<VirtualSocket>) {
        self.lock().sockets.insert(addr, (host, Arc::downgrade(socket)));
    }

    pub(crate) fn remove_socket(&self, addr: SocketAddr) {
        let removed = self.lock().sockets.remove(&addr);
        drop(removed);
    }

    /// Puts a datagram on its way.
    pub(crate) fn send(&self, host: &'static str, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let receiver = state.sockets.get(&to).map_or("", |(host, _)| *host);
        let fate = if receiver.is_empty() {
            Fate::Nowhere
        } else if receiver == host {
            Fate::Arrives(WITHIN_A_HOST)
        } else {
            state.links.entry((host, receiver)).or_default().send(state.now, datagram.len(), &mut state.rng)
        };
        let at = state.now - state.start;
        state.trace.push(Travel { at, from: host, to: receiver, bytes: datagram.len(), fate });
        if let Fate::Arrives(after) = fate {
            state.serial += 1;
            let arrival = Due::Arrival { to, from, datagram: datagram.to_vec() };
            state.due.insert((state.now + after, state.serial), arrival);
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("elapsed", &self.elapsed()).finish_non_exhaustive()
    }
}

struct MainWaker(AtomicBool);

impl Wake for MainWaker {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

struct TaskWaker {
    world: Weak<Mutex<State>>,
    id: u64,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let Some(world) = self.world.upgrade() else { return };
        let mut state = world.lock().unwrap_or_else(PoisonError::into_inner);
        if state.tasks.contains_key(&self.id) && !state.ready.contains(&self.id) {
            state.ready.push_back(self.id);
        }
    }
}
