//! A signalling server in a [`World`]: the real rooms, with sockets that only take time.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use visavis_call::SocketInput;
use visavis_signaling::random::SplitMix;
use visavis_signaling::server::{ConnectionId, Limits, Rooms, RoomsInput, RoomsOutput};
use visavis_signaling::token::TokenKey;
use visavis_transport::runtime::Runtime;

use super::world::World;

/// Any moment will do: tokens only ever see time pass.
const UNIX_TIME: Duration = Duration::from_secs(1_800_000_000);

/// A signalling server. Clones are the same server.
#[derive(Clone)]
pub struct SignalingServer {
    world: World,
    /// From a client to the server, or back.
    delay: Duration,
    state: Arc<Mutex<State>>,
}

struct State {
    /// None while the server is down.
    rooms: Option<Rooms>,
    /// The clients' ends.
    sockets: HashMap<ConnectionId, UnboundedSender<SocketInput>>,
    last: u64,
    /// The task that waits for the rooms' next deadline.
    timer: Option<u64>,
    /// Frames that arrived, from clients.
    received: u64,
}

impl SignalingServer {
    /// A server that is up. Each frame takes `delay` from a client to it, and as much back.
    #[must_use]
    pub fn new(world: &World, delay: Duration) -> Self {
        let state = State { rooms: None, sockets: HashMap::new(), last: 0, timer: None, received: 0 };
        let server = Self { world: world.clone(), delay, state: Arc::new(Mutex::new(state)) };
        server.start();
        server
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it (again), with no room but with the key that it had.
    pub fn start(&self) {
        let (key, random) = (TokenKey::new([7; TokenKey::BYTES]), Box::new(SplitMix::new(7)));
        let unix = UNIX_TIME + self.world.elapsed();
        self.lock().rooms = Some(Rooms::new(self.world.now(), unix, Limits::default(), key, random));
    }

    /// Stops it as a crash would: every socket is lost, and nothing listens any more.
    pub fn crash(&self) {
        let mut state = self.lock();
        state.rooms = None;
        let sockets: Vec<_> = state.sockets.drain().collect();
        drop(state);
        for (_, socket) in sockets {
            self.close(socket);
        }
    }

    /// How many frames it has got from its clients.
    #[must_use]
    pub fn frames_received(&self) -> u64 {
        self.lock().received
    }

    /// Opens a socket to it, as a WebSocket over TCP would: two round trips. What happens goes to `events`; dropping the
    /// returned sender closes the socket.
    pub fn connect(&self, events: UnboundedSender<SocketInput>) -> UnboundedSender<String> {
        let (sender, outgoing) = unbounded();
        let server = self.clone();
        self.world.spawn(Box::pin(async move { server.serve(events, outgoing).await }));
        sender
    }

    async fn serve(self, events: UnboundedSender<SocketInput>, mut outgoing: UnboundedReceiver<String>) {
        self.trips(1).await;
        if self.lock().rooms.is_none() {
            self.trips(1).await;
            let _ = events.unbounded_send(closed("nothing listens there"));
            return;
        }
        self.trips(2).await;
        let id = {
            let mut state = self.lock();
            state.last += 1;
            let id = ConnectionId(state.last);
            state.sockets.insert(id, events.clone());
            id
        };
        self.input(RoomsInput::Opened(id));
        self.trips(1).await;
        let _ = events.unbounded_send(SocketInput::Opened);
        drop(events);
        while let Some(text) = outgoing.next().await {
            self.later(move |server| {
                server.lock().received += 1;
                server.input(RoomsInput::Text(id, text));
            });
        }
        self.later(move |server| {
            let socket = server.lock().sockets.remove(&id);
            drop(socket);
            server.input(RoomsInput::Closed(id));
        });
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.world.host("server").sleep(duration)
    }

    async fn trips(&self, count: u32) {
        self.sleep(self.delay * count).await;
    }

    /// What is on the way keeps its order: all of it takes equally long.
    fn later(&self, arrive: impl FnOnce(&Self) + Send + 'static) {
        let server = self.clone();
        let arrival = self.sleep(self.delay);
        self.world.spawn(Box::pin(async move {
            arrival.await;
            arrive(&server);
        }));
    }

    fn close(&self, socket: UnboundedSender<SocketInput>) {
        self.later(move |_| {
            let _ = socket.unbounded_send(closed("the server closed the connection"));
        });
    }

    fn input(&self, input: RoomsInput) {
        let now = self.world.now();
        if let Some(rooms) = &mut self.lock().rooms {
            rooms.handle_timeout(now);
            rooms.handle_input(now, input);
        }
        self.drain();
    }

    fn drain(&self) {
        loop {
            let output = self.lock().rooms.as_mut().and_then(Rooms::poll_output);
            match output {
                None => break,
                Some(RoomsOutput::Send(id, text)) => {
                    let socket = self.lock().sockets.get(&id).cloned();
                    self.later(move |_| {
                        let _ = socket.map(|socket| socket.unbounded_send(SocketInput::Text(text)));
                    });
                }
                Some(RoomsOutput::Close(id, _)) => {
                    let socket = self.lock().sockets.remove(&id);
                    if let Some(socket) = socket {
                        self.close(socket);
                    }
                }
                Some(RoomsOutput::Move(moved)) => panic!("a server that is alone moves nobody: {moved:?}"),
            }
        }
        self.wait_for_deadline();
    }

    fn wait_for_deadline(&self) {
        let (old, due) = {
            let mut state = self.lock();
            (state.timer.take(), state.rooms.as_ref().and_then(Rooms::poll_timeout))
        };
        if let Some(old) = old {
            self.world.abort(old);
        }
        let Some(due) = due else { return };
        let wait = self.sleep(due.saturating_duration_since(self.world.now()));
        let (world, delay, state) = (self.world.clone(), self.delay, Arc::downgrade(&self.state));
        let id = self.world.spawn(Box::pin(async move {
            wait.await;
            if let Some(state) = Weak::upgrade(&state) {
                Self { world, delay, state }.on_deadline();
            }
        }));
        self.lock().timer = Some(id);
    }

    fn on_deadline(&self) {
        let now = self.world.now();
        if let Some(rooms) = &mut self.lock().rooms {
            rooms.handle_timeout(now);
        }
        self.drain();
    }
}

impl std::fmt::Debug for SignalingServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignalingServer").field("delay", &self.delay).finish_non_exhaustive()
    }
}

fn closed(reason: &str) -> SocketInput {
    SocketInput::Closed { reason: reason.to_owned() }
}
