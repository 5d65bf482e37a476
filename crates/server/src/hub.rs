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
use visavis_signaling::server::{ConnectionId, Counts, Limits, Record, Rooms, RoomsInput, RoomsOutput, Tally};
use visavis_signaling::token::TokenKey;

use crate::journal::Journal;
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
    Opened(ConnectionId, Option<IpAddr>, Socket),
    Input(RoomsInput),
    Ask(oneshot::Sender<(Counts, Tally)>),
}

/// The way into the hub. The hub ends when the last one is gone.
#[derive(Debug, Clone)]
pub(crate) struct HubHandle {
    inputs: mpsc::Sender<ToHub>,
    next_connection: Arc<AtomicU64>,
    going_down: Arc<AtomicBool>,
}

impl HubHandle {
    /// Makes a new connection known, and from where it is, if that counts. `None` when the hub is gone.
    pub(crate) async fn open(&self, from: Option<IpAddr>) -> Option<(ConnectionId, Queue)> {
        let id = ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed));
        let (queue, messages) = mpsc::channel(OUTGOING_QUEUE);
        let (cut_off, is_cut_off) = oneshot::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let socket = Socket { queue, waiting: Arc::clone(&waiting), cut_off };
        self.inputs.send(ToHub::Opened(id, from, socket)).await.ok()?;
        Some((id, Queue { messages, waiting, cut_off: is_cut_off }))
    }

    /// How busy it is, and what it has done. `None` when the hub is gone.
    pub(crate) async fn ask(&self) -> Option<(Counts, Tally)> {
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
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("counts", &self.rooms.counts()).finish_non_exhaustive()
    }
}

impl Hub {
    pub(crate) fn new(
        limits: Limits,
        key: TokenKey,
        issuer: Option<Issuer>,
        journal: Option<(Journal, Vec<Record>)>,
    ) -> (Self, HubHandle) {
        let (sender, inputs) = mpsc::channel(INCOMING_QUEUE);
        let unix_time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let rooms = Rooms::new(Instant::now(), unix_time, limits, key, Box::new(fill_random));
        let rooms = match issuer {
            Some(issuer) => rooms.with_introductions(Box::new(issuer)),
            None => rooms,
        };
        let rooms = match journal {
            Some((journal, kept)) => rooms.with_records(Box::new(journal), kept),
            None => rooms,
        };
        let handle = HubHandle { inputs: sender, next_connection: Arc::default(), going_down: Arc::default() };
        (Self { rooms, inputs, sockets: HashMap::new() }, handle)
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
            ToHub::Opened(id, from, socket) => {
                self.sockets.insert(id, socket);
                from.map_or(RoomsInput::Opened(id), |from| RoomsInput::OpenedFrom(id, from))
            }
            ToHub::Input(input) => input,
            ToHub::Ask(answer) => {
                // Who asked may be gone.
                let _ = answer.send((self.rooms.counts(), self.rooms.tally()));
                return;
            }
        };
        if let RoomsInput::Closed(id) = &input {
            self.sockets.remove(id);
        }
        let now = Instant::now();
        // Under a steady stream of messages the deadlines would otherwise never be asked for.
        self.rooms.handle_timeout(now);
        self.rooms.handle_input(now, input);
    }

    fn drain(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            match output {
                RoomsOutput::Send(id, text) => self.send(id, text),
                RoomsOutput::Close(id, code) => {
                    debug!(connection = id.0, code = code.as_str(), "closing");
                    if let Some(socket) = self.sockets.remove(&id) {
                        // A full queue needs no word more: the socket closes when its queue is gone.
                        let _ = socket.queue.try_send(Outgoing::Close(code));
                    }
                }
            }
        }
    }

    fn send(&mut self, id: ConnectionId, text: String) {
        let Some(socket) = self.sockets.get(&id) else { return };
        let waiting = socket.waiting.fetch_add(text.len(), Ordering::Relaxed) + text.len();
        if waiting > OUTGOING_BYTES || socket.queue.try_send(Outgoing::Text(text)).is_err() {
            warn!(connection = id.0, "a client doesn't read what it is sent");
            if let Some(socket) = self.sockets.remove(&id) {
                let _ = socket.cut_off.send(());
            }
            self.rooms.handle_input(Instant::now(), RoomsInput::Closed(id));
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
