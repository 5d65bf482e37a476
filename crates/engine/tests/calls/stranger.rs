//! The other side of a call, in hostile hands: the real session and the real transport, with no engine between them that
//! would keep it from sending whatever it likes.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::channel::oneshot;
use futures::{FutureExt, StreamExt, select};
use visavis_engine::call::{
    CallEvent, CallState, Entropy, Input, Intent, MediaState, Output, Session, SessionConfig, SocketAction,
    SocketInput, TransportAction, TransportInput,
};
use visavis_engine::frame::RtpPacket;
use visavis_engine::transport::runtime::Runtime;
use visavis_engine::transport::{
    Certificate, MediaSender, MediaSources, Transport, TransportConfig, TransportEvent, media_queues,
};
use visavis_testkit::net::{HostRuntime, SignalingServer, World};

/// Longer than a session ever waits without a deadline of its own.
const LONG: Duration = Duration::from_secs(3600);

/// A joiner who is connected.
pub(crate) struct Stranger {
    media: MediaSender,
    texts: UnboundedSender<String>,
    heard: Arc<AtomicU64>,
    sequence: u16,
    timestamp: u32,
}

impl Stranger {
    /// Joins the call that waits for it.
    pub(crate) async fn join(world: &World, server: &SignalingServer, intent: Intent) -> Self {
        let certificate = Certificate::generate().unwrap();
        let session = SessionConfig {
            nearby: false,
            search: false,
            intent,
            servers: 1,
            fingerprint: certificate.fingerprint(),
            media: MediaState { microphone: true, camera: true },
            stays: false,
            seed: 9,
        };
        let bind = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let config = TransportConfig { bind, certificate: Some(certificate), ..TransportConfig::default() };
        let runtime = world.host("b");
        let (socket_sender, socket) = unbounded();
        let (texts, said) = unbounded();
        let (connected, up) = oneshot::channel();
        let heard = Arc::new(AtomicU64::new(0));
        let mind = Mind {
            session: Session::new(runtime.now(), session, Entropy::new([9; 32])),
            server: server.clone(),
            socket_events: socket_sender,
            socket: None,
            config,
            transport: None,
            generation: 0,
            connected: Some(connected),
            heard: Arc::clone(&heard),
            runtime: Arc::clone(&runtime),
        };
        runtime.spawn(Box::pin(mind.run(socket, said))).detach();
        let media = up.await.unwrap();
        Self { media, texts, heard, sequence: 0, timestamp: 0 }
    }

    /// Sends these payloads as the packets of one picture.
    pub(crate) async fn picture(&mut self, payloads: &[&[u8]]) {
        self.timestamp = self.timestamp.wrapping_add(6000);
        for (index, payload) in payloads.iter().enumerate() {
            self.sequence = self.sequence.wrapping_add(1);
            let marker = index + 1 == payloads.len();
            let packet =
                RtpPacket { sequence: self.sequence, timestamp: self.timestamp, marker, payload: payload.to_vec() };
            self.media.send_video(packet).await.unwrap();
        }
    }

    /// Sends these payloads as sound.
    pub(crate) async fn sound(&mut self, payloads: &[&[u8]]) {
        for payload in payloads {
            self.sequence = self.sequence.wrapping_add(1);
            self.timestamp = self.timestamp.wrapping_add(960);
            let (sequence, timestamp) = (self.sequence, self.timestamp);
            self.media
                .send_audio(RtpPacket { sequence, timestamp, marker: false, payload: payload.to_vec() })
                .await
                .unwrap();
        }
    }

    /// Says something over the control channel.
    pub(crate) fn say(&self, text: &str) {
        self.texts.unbounded_send(text.to_owned()).unwrap();
    }

    /// Video packets that have come from the engine.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }
}

/// Its session and its peer connection, and what happens between them.
struct Mind {
    session: Session,
    server: SignalingServer,
    socket_events: UnboundedSender<SocketInput>,
    socket: Option<UnboundedSender<String>>,
    config: TransportConfig,
    transport: Option<(Transport, UnboundedReceiver<TransportEvent>)>,
    generation: u32,
    connected: Option<oneshot::Sender<MediaSender>>,
    heard: Arc<AtomicU64>,
    runtime: Arc<HostRuntime>,
}

impl Mind {
    async fn run(mut self, mut socket: UnboundedReceiver<SocketInput>, mut said: UnboundedReceiver<String>) {
        loop {
            while let Some(output) = self.session.poll_output() {
                self.perform(output).await;
            }
            let now = self.runtime.now();
            let wait = self.session.poll_timeout().map_or(LONG, |due| due.saturating_duration_since(now));
            let mut sleep = self.runtime.sleep(wait).fuse();
            let input = {
                let transport = async {
                    match &mut self.transport {
                        Some((_, events)) => events.select_next_some().await,
                        None => std::future::pending().await,
                    }
                };
                select! {
                    input = socket.select_next_some() => Some(Input::Socket(input)),
                    event = transport.fuse() => self.input_of(event),
                    text = said.select_next_some() => {
                        self.speak(&text).await;
                        None
                    }
                    () = sleep => None,
                }
            };
            let now = self.runtime.now();
            match input {
                Some(input) => self.session.handle_input(now, input),
                None => self.session.handle_timeout(now),
            }
        }
    }

    fn input_of(&self, event: TransportEvent) -> Option<Input> {
        let input = match event {
            TransportEvent::Candidate(candidate) => TransportInput::Candidate(candidate),
            TransportEvent::EndOfCandidates => TransportInput::EndOfCandidates,
            TransportEvent::State(state) => TransportInput::State(state),
            TransportEvent::ControlOpen => TransportInput::ControlOpened,
            TransportEvent::ControlMessage(text) => TransportInput::Control(text),
            _ => return None,
        };
        Some(Input::Transport { generation: self.generation, input })
    }

    async fn perform(&mut self, output: Output) {
        match output {
            Output::Socket(SocketAction::Connect { .. }) => {
                self.socket = Some(self.server.connect(self.socket_events.clone()));
            }
            Output::Socket(SocketAction::Send(text)) => self.socket.as_ref().unwrap().unbounded_send(text).unwrap(),
            Output::Socket(SocketAction::Disconnect) => self.socket = None,
            Output::Transport { generation, action } => self.act(generation, action).await,
            Output::Event(CallEvent::State(CallState::Connected { .. })) => {
                let (transport, _) = self.transport.as_ref().unwrap();
                if let Some(connected) = self.connected.take() {
                    let _ = connected.send(transport.media_sender());
                }
            }
            Output::Event(_) => {}
        }
    }

    async fn act(&mut self, generation: u32, action: TransportAction) {
        if action == TransportAction::Open {
            self.generation = generation;
            self.open().await;
            return;
        }
        let Some((transport, _)) = &self.transport else { return };
        match action {
            TransportAction::AcceptOffer { sdp, fingerprint } => {
                let answer = transport.accept_offer(&sdp, &fingerprint).await.unwrap();
                let input = Input::Transport { generation, input: TransportInput::AnswerReady(answer) };
                self.session.handle_input(self.runtime.now(), input);
            }
            TransportAction::AddCandidate(candidate) => transport.add_candidate(candidate).await.unwrap(),
            TransportAction::SendControl(text) => transport.send_control(&text).await.unwrap(),
            TransportAction::Close => self.transport = None,
            // It has no other servers than its own, and a joiner makes no offers.
            _ => {}
        }
    }

    async fn open(&mut self) {
        let (sender, events) = unbounded();
        let (sinks, sources) = media_queues();
        let runtime = Arc::clone(&self.runtime) as Arc<dyn Runtime>;
        let transport = Transport::new(runtime, self.config.clone(), sinks, sender).await.unwrap();
        self.transport = Some((transport, events));
        self.runtime.spawn(Box::pin(count(sources, Arc::clone(&self.heard)))).detach();
    }

    async fn speak(&self, text: &str) {
        let (transport, _) = self.transport.as_ref().unwrap();
        transport.send_control(text).await.unwrap();
    }
}

async fn count(mut sources: MediaSources, heard: Arc<AtomicU64>) {
    while sources.video.recv().await.is_some() {
        heard.fetch_add(1, Ordering::Relaxed);
    }
}
