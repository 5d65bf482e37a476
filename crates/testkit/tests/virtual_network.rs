//! Two transports in virtual time: how many round trips a join takes, loss, blackouts, and the same run from the same seed.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use visavis_frame::RtpPacket;
use visavis_testkit::net::{LinkConfig, World};
use visavis_transport::runtime::Runtime;
use visavis_transport::{MediaSources, PeerState, Transport, TransportConfig, TransportEvent, media_queues};

struct Side {
    transport: Transport,
    events: UnboundedReceiver<TransportEvent>,
    media: MediaSources,
}

impl Side {
    async fn new(world: &World, host: &'static str) -> Self {
        let config = TransportConfig { bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], ..TransportConfig::default() };
        let ((sender, events), (sinks, media)) = (unbounded(), media_queues());
        let transport = Transport::new(world.host(host), config, sinks, sender).await.unwrap();
        Self { transport, events, media }
    }

    async fn until(&mut self, wanted: &TransportEvent) {
        while self.events.next().await.as_ref() != Some(wanted) {}
    }

    async fn send_candidates(&mut self, to: &Self) {
        loop {
            let event = self.events.next().await.unwrap();
            if event == TransportEvent::EndOfCandidates {
                return;
            }
            if let TransportEvent::Candidate(candidate) = event {
                to.transport.add_candidate(candidate).await.unwrap();
            }
        }
    }
}

async fn negotiate(a: &mut Side, b: &mut Side, ice_restart: bool) {
    let (known_a, known_b) = (a.transport.fingerprint(), b.transport.fingerprint());
    let offer = a.transport.create_offer(ice_restart).await.unwrap();
    let answer = b.transport.accept_offer(&offer, &known_a).await.unwrap();
    a.transport.accept_answer(&answer, &known_b).await.unwrap();
    a.send_candidates(b).await;
    b.send_candidates(a).await;
}

async fn connected(world: &World) -> (Side, Side) {
    let (mut a, mut b) = (Side::new(world, "a").await, Side::new(world, "b").await);
    negotiate(&mut a, &mut b, false).await;
    a.until(&TransportEvent::ControlOpen).await;
    b.until(&TransportEvent::ControlOpen).await;
    (a, b)
}

fn world(seed: u64, config: &LinkConfig) -> World {
    let world = World::new(seed);
    world.connect("a", "b", config);
    world
}

fn packet(sequence: u16) -> RtpPacket {
    RtpPacket { sequence, timestamp: u32::from(sequence) * 3000, marker: true, payload: vec![0; 1000] }
}

/// Sends a picture of one packet every 33 ms and returns what arrived, once nothing more does.
async fn stream(world: &World, from: &Side, to: &mut Side, count: u16) -> Vec<u16> {
    let clock = world.host("a");
    for sequence in 0..count {
        let _ = from.transport.media_sender().send_video(packet(sequence)).await;
        clock.sleep(Duration::from_millis(33)).await;
    }
    clock.sleep(Duration::from_secs(1)).await;
    std::iter::from_fn(|| to.media.video.try_recv()).map(|received| received.packet.sequence).collect()
}

#[test]
fn a_join_takes_its_round_trips_and_no_more() {
    let world = world(1, &LinkConfig::with_delay(Duration::from_millis(50)));
    let (mut a, mut b) = world.run(async {
        let (mut a, mut b) = (Side::new(&world, "a").await, Side::new(&world, "b").await);
        negotiate(&mut a, &mut b, false).await;
        (a, b)
    });
    world.run(async {
        a.until(&TransportEvent::State(PeerState::Connected)).await;
        b.until(&TransportEvent::State(PeerState::Connected)).await;
    });
    let connected = world.elapsed();
    world.run(async {
        a.until(&TransportEvent::ControlOpen).await;
        b.until(&TransportEvent::ControlOpen).await;
    });
    let open = world.elapsed();
    eprintln!("connected after {connected:?}, control open after {open:?}");
    // Check and nomination: two. DTLS 1.2 with its cookie: three.
    assert!((400..520).contains(&connected.as_millis()), "{connected:?}");
    // SCTP: two, and the opening of the channel: a half for each side's knowledge.
    assert!((650..800).contains(&open.as_millis()), "{open:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let config = LinkConfig {
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(10),
            loss: 0.03,
            ..LinkConfig::default()
        };
        let world = world(seed, &config);
        let got = world.run(async {
            let (a, mut b) = connected(&world).await;
            stream(&world, &a, &mut b, 100).await
        });
        // Sizes are left out: a signature's length differs by a byte or two.
        let trace: Vec<_> = world.trace().iter().map(|t| (t.at, t.from, t.to, t.fate)).collect();
        (got, trace)
    };
    let (first, second) = (run(5), run(5));
    assert_eq!(first.0, second.0);
    for (i, (one, other)) in first.1.iter().zip(&second.1).enumerate() {
        assert_eq!(one, other, "packet {i} of {} and {}", first.1.len(), second.1.len());
    }
    assert_eq!(first.1.len(), second.1.len());
    assert_ne!(first.1, run(6).1);
}

#[test]
fn lost_packets_are_made_good() {
    let config = LinkConfig { delay: Duration::from_millis(10), loss: 0.1, ..LinkConfig::default() };
    let world = world(3, &config);
    world.run(async {
        let (a, mut b) = connected(&world).await;
        let mut got = stream(&world, &a, &mut b, 300).await;
        got.sort_unstable();
        got.dedup();
        let (sent, received) = (a.transport.stats().await, b.transport.stats().await);
        eprintln!("{} of 300; sent: {:?}\nreceived: {:?}", got.len(), sent.video, received.video);
        assert!(got.len() >= 297, "{} of 300 arrived", got.len());
        let (again, worked_out) = (received.video.retransmitted_packets_received, received.video.fec_packets_recovered);
        assert!(
            again >= 3 && worked_out >= 3 && again + worked_out >= 20,
            "{again} sent again, {worked_out} worked out"
        );
        assert!(sent.video.nacks_received >= 3);
        assert!(sent.video.rtt.is_some_and(|rtt| (18..40).contains(&rtt.as_millis())), "{:?}", sent.video.rtt);
    });
}

#[test]
fn a_blackout_of_forty_seconds_is_survived() {
    let world = world(4, &LinkConfig::with_delay(Duration::from_millis(10)));
    world.run(async {
        let (mut a, mut b) = connected(&world).await;
        world.blackout("a", "b", Duration::from_secs(40));
        let dark = world.now();
        a.until(&TransportEvent::State(PeerState::Disconnected)).await;
        let noticed = world.now() - dark;
        assert!((3..=6).contains(&noticed.as_secs()), "{noticed:?}");
        a.until(&TransportEvent::State(PeerState::Connected)).await;
        b.until(&TransportEvent::State(PeerState::Connected)).await;
        let back = world.now() - dark;
        assert!((40..43).contains(&back.as_secs()), "{back:?}");
        assert_eq!(stream(&world, &a, &mut b, 10).await, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn an_ice_restart_brings_it_back_in_the_dark() {
    let world = world(4, &LinkConfig::with_delay(Duration::from_millis(10)));
    world.run(async {
        let (mut a, mut b) = connected(&world).await;
        world.blackout("a", "b", Duration::from_secs(10));
        a.until(&TransportEvent::State(PeerState::Disconnected)).await;
        b.until(&TransportEvent::State(PeerState::Disconnected)).await;
        negotiate(&mut a, &mut b, true).await;
        a.until(&TransportEvent::State(PeerState::Connected)).await;
        b.until(&TransportEvent::State(PeerState::Connected)).await;
        assert_eq!(stream(&world, &a, &mut b, 10).await, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn closing_leaves_nothing_behind() {
    let world = world(2, &LinkConfig::default());
    world.run(async {
        let (a, b) = connected(&world).await;
        a.transport.close().await;
        b.transport.close().await;
        world.host("a").sleep(Duration::from_secs(1)).await;
        assert_eq!(world.tasks(), 0);
    });
}
