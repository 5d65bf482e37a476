//! The one task that owns the rooms. Sockets tell it what came in; it tells each socket what to send, through a bounded
//! queue: who doesn't read what is sent to it is cut off, and nobody else waits for it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};
use visavis_signaling::ErrorCode;
use visavis_signaling::message::ServerMessage;
use visavis_signaling::server::{ConnectionId, Counts, Limits, Rooms, RoomsInput, RoomsOutput, Tally};
use visavis_signaling::token::TokenKey;

use crate::cluster::{Cluster, ClusterCounts, Deed, Heard, Taken, ToOthers, is_welcome};
use crate::relay::Issuer;

/// Messages from all sockets that may wait for the rooms; beyond it the sockets aren't read.
const INCOMING_QUEUE: usize = 1024;
/// Messages that may wait for one socket.
const OUTGOING_QUEUE: usize = 128;

/// Bytes of messages that may wait for one socket: what may be under way to it, several times.
const OUTGOING_BYTES: usize = 1024 * 1024;

/// What a socket sends.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Text(String),
    Close(ErrorCode),
}

/// The hub's end of a socket.
#[derive(Debug)]
struct Socket {
    queue: mpsc::Sender<Outgoing>,
    waiting: Arc<AtomicUsize>,
    cut_off: oneshot::Sender<()>,
    from: Option<IpAddr>,
    /// Whether it has been welcomed by rooms that have since let go of it, so that another welcome is none for it.
    greeted: bool,
}

/// The socket's end of its queue.
#[derive(Debug)]
pub(crate) struct Queue {
    messages: mpsc::Receiver<Outgoing>,
    waiting: Arc<AtomicUsize>,
    /// Says that the socket is to go, whatever it is doing.
    pub(crate) cut_off: oneshot::Receiver<()>,
}

impl Queue {
    /// The next message; `None` when there will be no more.
    pub(crate) async fn next(&mut self) -> Option<Outgoing> {
        let message = self.messages.recv().await?;
        if let Outgoing::Text(text) = &message {
            self.waiting.fetch_sub(text.len(), Ordering::Relaxed);
        }
        Some(message)
    }
}

#[derive(Debug)]
enum ToHub {
    Opened(ConnectionId, Socket),
    Input(RoomsInput),
    #[cfg(feature = "hosting")]
    Heard(Heard),
    Ask(oneshot::Sender<Report>),
}

/// How busy a server is, and what it has done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) counts: Counts,
    pub(crate) tally: Tally,
    /// Nothing for a server that is alone.
    pub(crate) cluster: Option<ClusterCounts>,
}

/// The way into the hub. The hub ends when the last one is gone.
#[derive(Debug, Clone)]
pub(crate) struct HubHandle {
    inputs: mpsc::Sender<ToHub>,
    next_connection: Arc<AtomicU64>,
    going_down: Arc<AtomicBool>,
    apart: Arc<AtomicBool>,
}

/// The same for who doesn't keep the hub alive.
#[cfg(feature = "hosting")]
#[derive(Debug, Clone)]
pub(crate) struct WeakHub(mpsc::WeakSender<ToHub>);

#[cfg(feature = "hosting")]
impl WeakHub {
    /// Tells what other servers say; whether the hub is still there.
    pub(crate) async fn hear(&self, heard: Heard) -> bool {
        match self.0.upgrade() {
            Some(inputs) => inputs.send(ToHub::Heard(heard)).await.is_ok(),
            None => false,
        }
    }
}

impl HubHandle {
    #[cfg(feature = "hosting")]
    pub(crate) fn weak(&self) -> WeakHub {
        WeakHub(self.inputs.downgrade())
    }

    /// From where new connections get their numbers.
    #[cfg(feature = "hosting")]
    pub(crate) fn numbers(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.next_connection)
    }

    /// Whether it is one of several servers that can't hear one another now.
    pub(crate) fn is_apart(&self) -> bool {
        self.apart.load(Ordering::Relaxed)
    }

    /// Makes a new connection known, and from where it is, if that counts. `None` when the hub is gone.
    pub(crate) async fn open(&self, from: Option<IpAddr>) -> Option<(ConnectionId, Queue)> {
        let id = ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed));
        let (queue, messages) = mpsc::channel(OUTGOING_QUEUE);
        let (cut_off, is_cut_off) = oneshot::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let socket = Socket { queue, waiting: Arc::clone(&waiting), cut_off, from, greeted: false };
        self.inputs.send(ToHub::Opened(id, socket)).await.ok()?;
        Some((id, Queue { messages, waiting, cut_off: is_cut_off }))
    }

    /// How busy it is, and what it has done. `None` when the hub is gone.
    pub(crate) async fn ask(&self) -> Option<Report> {
        let (answer, answered) = oneshot::channel();
        self.inputs.send(ToHub::Ask(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Tells what happened; whether the hub is still there.
    pub(crate) async fn tell(&self, input: RoomsInput) -> bool {
        self.inputs.send(ToHub::Input(input)).await.is_ok()
    }

    pub(crate) async fn shut_down(&self) {
        self.going_down.store(true, Ordering::Relaxed);
        self.tell(RoomsInput::Shutdown).await;
    }

    pub(crate) fn is_going_down(&self) -> bool {
        self.going_down.load(Ordering::Relaxed)
    }
}

/// The rooms and the queues to their sockets.
pub(crate) struct Hub {
    rooms: Rooms,
    inputs: mpsc::Receiver<ToHub>,
    sockets: HashMap<ConnectionId, Socket>,
    others: Option<Others>,
    #[cfg(feature = "hosting")]
    apart: Arc<AtomicBool>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("counts", &self.rooms.counts()).finish_non_exhaustive()
    }
}

/// The other servers, and the way to them.
#[derive(Debug)]
pub(crate) struct Others {
    pub(crate) cluster: Cluster,
    pub(crate) ways: mpsc::Sender<ToOthers>,
}

/// The rooms of a server that is alone and remembers nothing.
pub(crate) fn rooms(limits: Limits, key: TokenKey, issuer: Option<Issuer>) -> Rooms {
    let unix_time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let rooms = Rooms::new(Instant::now(), unix_time, limits, key, Box::new(fill_random));
    match issuer {
        Some(issuer) => rooms.with_introductions(Box::new(issuer)),
        None => rooms,
    }
}

impl Hub {
    /// With what makes a server one of several out of the way in, for one that is.
    pub(crate) fn new(rooms: Rooms, others: impl FnOnce(&HubHandle) -> Option<Others>) -> (Self, HubHandle) {
        let (sender, inputs) = mpsc::channel(INCOMING_QUEUE);
        let (next_connection, going_down, apart) = (Arc::default(), Arc::default(), Arc::default());
        let handle = HubHandle { inputs: sender, next_connection, going_down, apart };
        let others = others(&handle);
        let hub = Self {
            rooms,
            inputs,
            sockets: HashMap::new(),
            others,
            #[cfg(feature = "hosting")]
            apart: Arc::clone(&handle.apart),
        };
        (hub, handle)
    }

    pub(crate) async fn run(mut self) {
        loop {
            let message = match self.rooms.poll_timeout() {
                None => self.inputs.recv().await,
                Some(due) => match tokio::time::timeout_at(due.into(), self.inputs.recv()).await {
                    Ok(message) => message,
                    Err(_) => {
                        self.rooms.handle_timeout(Instant::now());
                        self.drain();
                        continue;
                    }
                },
            };
            let Some(message) = message else { return };
            self.handle(message);
            self.drain();
        }
    }

    fn handle(&mut self, message: ToHub) {
        let input = match message {
            ToHub::Opened(id, socket) => {
                let from = socket.from;
                self.sockets.insert(id, socket);
                from.map_or(RoomsInput::Opened(id), |from| RoomsInput::OpenedFrom(id, from))
            }
            ToHub::Input(input) => {
                if let RoomsInput::Closed(id) = &input {
                    self.sockets.remove(id);
                }
                let elsewhere = |others: &mut Others| others.cluster.take_from_client(input.clone()).is_none();
                if self.others.as_mut().is_some_and(elsewhere) {
                    return;
                }
                input
            }
            #[cfg(feature = "hosting")]
            ToHub::Heard(heard) => return self.hear(heard),
            ToHub::Ask(answer) => {
                let cluster = self.others.as_ref().map(|others| others.cluster.counts());
                // Who asked may be gone.
                let _ = answer.send(Report { counts: self.rooms.counts(), tally: self.rooms.tally(), cluster });
                return;
            }
        };
        self.tell_rooms(input);
    }

    #[cfg(feature = "hosting")]
    fn hear(&mut self, heard: Heard) {
        match &heard {
            Heard::Up => self.apart.store(false, Ordering::Relaxed),
            Heard::Down => self.apart.store(true, Ordering::Relaxed),
            Heard::Frame(_) | Heard::Answered(..) | Heard::Owner(..) | Heard::Taken(..) | Heard::Tick => {}
        }
        if let Some(others) = &mut self.others {
            others.cluster.hear(heard);
        }
    }

    fn tell_rooms(&mut self, input: RoomsInput) {
        let now = Instant::now();
        // Under a steady stream of messages the deadlines would otherwise never be asked for.
        self.rooms.handle_timeout(now);
        self.rooms.handle_input(now, input);
    }

    /// Does what the rooms and the other servers want until neither wants anything more.
    fn drain(&mut self) {
        loop {
            while let Some(output) = self.rooms.poll_output() {
                self.do_for_rooms(output);
            }
            let Some(deed) = self.others.as_mut().and_then(|others| others.cluster.poll_deed()) else { break };
            self.do_for_others(deed);
        }
        self.tell_others();
    }

    fn do_for_rooms(&mut self, output: RoomsOutput) {
        match output {
            RoomsOutput::Send(id, text) => {
                let text = match &mut self.others {
                    Some(others) => others.cluster.give_to_client(id, text),
                    None => Some(text),
                };
                if let Some(text) = text {
                    self.send(id, text);
                }
            }
            RoomsOutput::Close(id, code) => {
                if !self.others.as_mut().is_some_and(|others| others.cluster.close_inward(id, code)) {
                    self.close(id, code);
                }
            }
            RoomsOutput::Move(moved) => {
                let from = self.sockets.get(&moved.connection).and_then(|socket| socket.from);
                match &mut self.others {
                    Some(others) => others.cluster.carry(moved, from),
                    None => self.let_go(moved.connection),
                }
            }
        }
    }

    fn do_for_others(&mut self, deed: Deed) {
        match deed {
            Deed::Rooms(input) => self.tell_rooms(input),
            Deed::Recall(records) => {
                let now = Instant::now();
                records.into_iter().for_each(|record| self.rooms.recall(now, record));
            }
            Deed::Return(id, greeted, inputs) => {
                if let Some(socket) = self.sockets.get_mut(&id) {
                    socket.greeted = greeted;
                    inputs.into_iter().for_each(|input| self.tell_rooms(input));
                }
            }
            Deed::Send(id, text) => self.send(id, text),
            Deed::Close(id, code) => self.close(id, code),
            Deed::LetGo(id) => self.let_go(id),
        }
    }

    /// What can't be brought is lost. The other servers notice; a client that waits for a slice comes again.
    fn tell_others(&mut self) {
        let Some(others) = &mut self.others else { return };
        while let Some(said) = others.cluster.poll_to_others() {
            if let Err(mpsc::error::TrySendError::Full(ToOthers::Take(slice, _))) = others.ways.try_send(said) {
                others.cluster.hear(Heard::Taken(slice, Taken::Failed));
            }
        }
    }

    /// Lets a client come again, with its token if it has one.
    fn let_go(&mut self, id: ConnectionId) {
        let code = ErrorCode::ShuttingDown;
        let text = "the way to the room is lost; come again".into();
        self.send(id, ServerMessage::Error { code, text, fatal: true }.to_json());
        self.close(id, code);
    }

    fn close(&mut self, id: ConnectionId, code: ErrorCode) {
        debug!(connection = id.0, code = code.as_str(), "closing");
        if let Some(socket) = self.sockets.remove(&id) {
            // A full queue needs no word more: the socket closes when its queue is gone.
            let _ = socket.queue.try_send(Outgoing::Close(code));
        }
    }

    fn send(&mut self, id: ConnectionId, text: String) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        // The first word of the rooms here is either a welcome or why there is none.
        if std::mem::take(&mut socket.greeted) && is_welcome(&text) {
            return;
        }
        let waiting = socket.waiting.fetch_add(text.len(), Ordering::Relaxed) + text.len();
        if waiting > OUTGOING_BYTES || socket.queue.try_send(Outgoing::Text(text)).is_err() {
            warn!(connection = id.0, "a client doesn't read what it is sent");
            if let Some(socket) = self.sockets.remove(&id) {
                let _ = socket.cut_off.send(());
            }
            self.handle(ToHub::Input(RoomsInput::Closed(id)));
        }
    }
}

/// Randomness for nameplates and ids. The system had some when the key was made; a system that has none later can't
/// be served on, and a predictable id would be worse than no server.
fn fill_random(buffer: &mut [u8]) {
    if let Err(error) = getrandom::fill(buffer) {
        panic!("the system gives no random numbers: {error}");
    }
}
