//! One peer connection of a call: actions in, in order; results and events out, with their generation.

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, pin_mut, select_biased};
use visavis_call::{PeerState, TransportAction, TransportInput, Way};
use visavis_transport::{
    MediaSender, MediaSources, Transport, TransportConfig, TransportError, TransportEvent, TransportStats, media_queues,
};

use crate::host::Host;

/// What comes out of a peer connection.
pub(crate) enum LinkEvent {
    /// For the session.
    Session(TransportInput),
    /// The connection is there: media is sent and received here.
    Ready(MediaSender, MediaSources),
    /// The other side can't decode.
    KeyframeWanted,
    /// The other side takes no video of ours.
    VideoRefused,
    /// The answer to [`LinkCommand::Stats`].
    Stats(Box<TransportStats>),
}

/// What a peer connection is asked for.
pub(crate) enum LinkCommand {
    Action(TransportAction),
    RequestKeyframe,
    Stats,
}

pub(crate) struct PeerLink {
    pub(crate) host: Host,
    /// Whose it is, and which one of theirs.
    pub(crate) way: Way,
    pub(crate) generation: u32,
    pub(crate) config: TransportConfig,
    pub(crate) events: mpsc::UnboundedSender<(Way, u32, LinkEvent)>,
}

impl PeerLink {
    /// Runs until it is told to close, or the commands end.
    pub(crate) async fn run(self, mut commands: mpsc::UnboundedReceiver<LinkCommand>) {
        let (sender, mut events) = mpsc::unbounded();
        let (sinks, sources) = media_queues();
        let config = TransportConfig { streams: self.host.streams(), names: self.host.names(), ..self.config.clone() };
        let made = Transport::new(self.host.runtime(), config, sinks, sender).await;
        let transport = match made {
            Ok(transport) => transport,
            Err(error) => {
                self.session(TransportInput::Failed { reason: error.to_string() });
                return;
            }
        };
        self.tell(LinkEvent::Ready(transport.media_sender(), sources));
        loop {
            let command = commands.next().fuse();
            let event = events.next().fuse();
            pin_mut!(command, event);
            select_biased! {
                event = event => match event {
                    Some(event) => self.on_event(&transport, event),
                    None => break,
                },
                command = command => match command {
                    None | Some(LinkCommand::Action(TransportAction::Close)) => break,
                    Some(command) => self.on_command(&transport, command).await,
                },
            }
        }
        transport.close().await;
    }

    async fn on_command(&self, transport: &Transport, command: LinkCommand) {
        match command {
            LinkCommand::Action(action) => self.on_action(transport, action).await,
            LinkCommand::RequestKeyframe => {
                if let Err(error) = transport.request_keyframe().await {
                    tracing::debug!(%error, "a keyframe couldn't be asked for");
                }
            }
            LinkCommand::Stats => {
                self.session(TransportInput::Obstacle(transport.obstacle()));
                if transport.is_without_relay() {
                    self.without_relay(transport);
                }
                self.tell(LinkEvent::Stats(Box::new(transport.stats().await)));
            }
        }
    }

    async fn on_action(&self, transport: &Transport, action: TransportAction) {
        let result = match action {
            TransportAction::Open | TransportAction::Close => return,
            TransportAction::CreateOffer { ice_restart } => {
                transport.create_offer(ice_restart).await.map(TransportInput::OfferReady)
            }
            TransportAction::AcceptOffer { sdp, fingerprint } => {
                transport.accept_offer(&sdp, &fingerprint).await.map(TransportInput::AnswerReady)
            }
            TransportAction::AcceptAnswer { sdp, fingerprint } => {
                transport.accept_answer(&sdp, &fingerprint).await.map(|()| TransportInput::AnswerAccepted)
            }
            TransportAction::Rollback => {
                if let Err(error) = transport.rollback().await {
                    tracing::warn!(%error, "an offer couldn't be taken back");
                }
                return;
            }
            TransportAction::UseServers(servers) => {
                if let Err(error) = transport.use_servers(&servers).await {
                    tracing::debug!(%error, "the servers for the path weren't taken");
                }
                return;
            }
            // One unusable address is no reason to end anything.
            TransportAction::AddCandidate(candidate) => {
                if let Err(error) = transport.add_candidate(candidate).await {
                    tracing::debug!(%error, "a remote candidate was left out");
                }
                return;
            }
            TransportAction::SendControl(text) => {
                if let Err(error) = transport.send_control(&text).await {
                    tracing::debug!(%error, "a control message wasn't sent");
                }
                return;
            }
        };
        match result {
            Ok(input) => self.session(input),
            Err(TransportError::WrongFingerprint) => self.session(TransportInput::WrongCertificate),
            Err(error) => self.session(TransportInput::Failed { reason: error.to_string() }),
        }
    }

    fn without_relay(&self, transport: &Transport) {
        let cause = transport.obstacle().map_or_else(String::new, |obstacle| format!(". {obstacle}"));
        let reason = format!("only relayed addresses may be used, and no TURN server has given one{cause}");
        // Whoever tells it ends the sentence.
        self.session(TransportInput::Failed { reason: reason.trim_end_matches('.').to_owned() });
    }

    fn on_event(&self, transport: &Transport, event: TransportEvent) {
        match event {
            TransportEvent::Candidate(candidate) => self.session(TransportInput::Candidate(candidate)),
            TransportEvent::EndOfCandidates => self.session(TransportInput::EndOfCandidates),
            TransportEvent::NoRelay => self.without_relay(transport),
            TransportEvent::State(state) => self.session(TransportInput::State(state)),
            TransportEvent::ControlOpen => self.session(TransportInput::ControlOpened),
            TransportEvent::ControlMessage(text) => self.session(TransportInput::Control(text)),
            TransportEvent::ControlClosed => self.session(TransportInput::ControlClosed),
            TransportEvent::KeyframeWanted => self.tell(LinkEvent::KeyframeWanted),
            TransportEvent::VideoRefused => self.tell(LinkEvent::VideoRefused),
            TransportEvent::Failed(error) => {
                // Its machinery has stopped: no restart of ICE brings it back.
                tracing::warn!(%error, "the transport failed");
                self.session(TransportInput::State(PeerState::Closed));
            }
            // Packets find their way by the queues; the enum may grow.
            TransportEvent::RemoteVideo { .. } | TransportEvent::RemoteAudio { .. } => {}
        }
    }

    fn session(&self, input: TransportInput) {
        self.tell(LinkEvent::Session(input));
    }

    fn tell(&self, event: LinkEvent) {
        // The engine's loop may have ended already.
        let _ = self.events.unbounded_send((self.way, self.generation, event));
    }
}
