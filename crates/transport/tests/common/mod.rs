//! Two transports in one process, over real loopback sockets.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use visavis_frame::RtpPacket;
use visavis_transport::{
    Candidate, MediaSources, PeerState, Transport, TransportConfig, TransportEvent, media_queues, tokio_runtime,
};

/// One side with everything that belongs to it.
pub struct Side {
    pub transport: Transport,
    pub events: UnboundedReceiver<TransportEvent>,
    pub media: MediaSources,
    pub seen: Vec<TransportEvent>,
}

impl Side {
    pub async fn new() -> Self {
        let config = TransportConfig { bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], ..TransportConfig::default() };
        Self::with(config).await
    }

    pub async fn with(config: TransportConfig) -> Self {
        let (sender, events) = unbounded();
        let (sinks, media) = media_queues();
        let transport = Transport::new(tokio_runtime(), config, sinks, sender).await.unwrap();
        Self { transport, events, media, seen: Vec::new() }
    }

    /// Waits for the first event that fits; all on the way are kept in `seen`.
    pub async fn until(&mut self, mut fits: impl FnMut(&TransportEvent) -> bool) -> TransportEvent {
        let waiting = async {
            loop {
                let event = self.events.next().await.unwrap();
                self.seen.push(event.clone());
                if fits(&event) {
                    return event;
                }
            }
        };
        match tokio::time::timeout(Duration::from_secs(20), waiting).await {
            Ok(event) => event,
            Err(_) => panic!("it never came; seen: {:#?}", self.seen),
        }
    }

    pub async fn until_state(&mut self, state: PeerState) {
        self.until(|event| *event == TransportEvent::State(state)).await;
    }

    pub async fn until_control_open(&mut self) {
        self.until(|event| *event == TransportEvent::ControlOpen).await;
    }

    /// The candidates of one gathering.
    pub async fn candidates(&mut self) -> Vec<Candidate> {
        let from = self.seen.len();
        self.until(|event| *event == TransportEvent::EndOfCandidates).await;
        self.seen[from..]
            .iter()
            .filter_map(|event| if let TransportEvent::Candidate(c) = event { Some(c.clone()) } else { None })
            .collect()
    }

    /// The next packet of video.
    pub async fn video(&mut self) -> RtpPacket {
        tokio::time::timeout(Duration::from_secs(10), self.media.video.recv()).await.unwrap().unwrap().packet
    }

    /// The next packet of audio.
    pub async fn audio(&mut self) -> RtpPacket {
        tokio::time::timeout(Duration::from_secs(10), self.media.audio.recv()).await.unwrap().unwrap().packet
    }
}

/// Offer, answer, candidates both ways.
pub async fn negotiate(offerer: &mut Side, answerer: &mut Side, ice_restart: bool) {
    let (a, b) = (offerer.transport.fingerprint(), answerer.transport.fingerprint());
    let offer = offerer.transport.create_offer(ice_restart).await.unwrap();
    let answer = answerer.transport.accept_offer(&offer, &a).await.unwrap();
    offerer.transport.accept_answer(&answer, &b).await.unwrap();
    for candidate in offerer.candidates().await {
        answerer.transport.add_candidate(candidate).await.unwrap();
    }
    for candidate in answerer.candidates().await {
        offerer.transport.add_candidate(candidate).await.unwrap();
    }
}

/// Two sides with an open control channel.
pub async fn connected_pair() -> (Side, Side) {
    let (mut offerer, mut answerer) = (Side::new().await, Side::new().await);
    negotiate(&mut offerer, &mut answerer, false).await;
    offerer.until_control_open().await;
    answerer.until_control_open().await;
    (offerer, answerer)
}

pub fn packet(sequence: u16) -> RtpPacket {
    RtpPacket {
        sequence,
        timestamp: u32::from(sequence) * 3000,
        marker: true,
        payload: vec![(sequence & 0xff) as u8; 100],
    }
}
