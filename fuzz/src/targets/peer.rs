//! The peer connection: descriptions and candidates of the other side, datagrams of anybody, and the packets of a peer
//! that was let in.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::future::poll_fn;
use rtc::rtp::packet::Packet;
use rtc::shared::marshal::Unmarshal;
use visavis_testkit::net::World;
use visavis_transport::repair::{RepairDecoder, RepairEncoder, Source};
use visavis_transport::runtime::{AsyncUdpSocket, Runtime, Transmit};
use visavis_transport::{
    Candidate, Certificate, Fingerprint, Transport, TransportConfig, TransportEvent, media_queues,
};

use crate::Bytes;

/// How long a closed connection may take to be gone.
const AFTERMATH: Duration = Duration::from_secs(5);
/// Candidates, or datagrams, of one input.
const MOST: usize = 32;

fn config() -> Option<TransportConfig> {
    // One for all inputs: making it costs more than the rest.
    static CERTIFICATE: OnceLock<Option<Certificate>> = OnceLock::new();
    let certificate = CERTIFICATE.get_or_init(|| Certificate::generate().ok()).clone()?;
    let bind = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    Some(TransportConfig { bind, certificate: Some(certificate), ..TransportConfig::default() })
}

async fn transport(world: &World) -> Option<(Transport, UnboundedReceiver<TransportEvent>)> {
    let (sinks, _) = media_queues();
    let (sender, events) = unbounded();
    Some((Transport::new(world.host("us"), config()?, sinks, sender).await.ok()?, events))
}

/// An offer (behind an `o`) or the answer to ours (behind anything else), then `---` and a candidate a line.
pub(crate) fn description(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (kind, text) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    let (sdp, candidates) = text.split_once("---").unwrap_or((text, ""));
    // The other side's certificate, whatever it is.
    let theirs = Fingerprint::from([0xAB; 32]);
    let sdp = sdp.replace("@F", &theirs.to_string());
    let world = World::new(1);
    world.run(async {
        let Some((transport, _)) = transport(&world).await else { return };
        if kind == "o" {
            let _ = transport.accept_offer(&sdp, &theirs).await;
        } else if transport.create_offer(false).await.is_ok() {
            let _ = transport.accept_answer(&sdp, &theirs).await;
        }
        for line in candidates.lines().take(MOST) {
            let _ = transport.add_candidate(Candidate { candidate: line.to_owned(), ..Candidate::default() }).await;
        }
        world.host("us").sleep(Duration::from_millis(200)).await;
        close(&world, transport).await;
    });
}

/// Whatever came, nothing of a connection stays behind.
async fn close(world: &World, transport: Transport) {
    transport.close().await;
    drop(transport);
    world.host("us").sleep(AFTERMATH).await;
    assert_eq!(world.tasks(), 0, "tasks go on behind a connection that was closed");
}

/// Where we are, as we tell the other side.
async fn address(events: &mut UnboundedReceiver<TransportEvent>) -> Option<SocketAddr> {
    loop {
        if let TransportEvent::Candidate(candidate) = events.next().await? {
            let mut fields = candidate.candidate.split(' ').skip(4);
            return Some(SocketAddr::new(fields.next()?.parse().ok()?, fields.next()?.parse().ok()?));
        }
    }
}

/// Datagrams from a stranger who knows our address and nothing else.
pub(crate) fn datagrams(data: &[u8]) {
    let mut input = Bytes::new(data);
    let world = World::new(1);
    world.run(async {
        let Some((transport, mut events)) = transport(&world).await else { return };
        let Ok(_) = transport.create_offer(false).await else { return };
        let Some(to) = address(&mut events).await else { return };
        let host = world.host("stranger");
        let Ok(socket) = UdpSocket::bind("127.0.0.1:0").and_then(|socket| host.wrap_udp_socket(socket)) else { return };
        for _ in 0..MOST {
            if input.is_empty() {
                break;
            }
            send(&socket, to, input.chunk()).await;
            host.sleep(Duration::from_millis(20)).await;
        }
        close(&world, transport).await;
    });
}

async fn send(socket: &Arc<dyn AsyncUdpSocket>, to: SocketAddr, contents: &[u8]) {
    let transmit = Transmit { destination: to, contents, ecn: None, segment_size: None, src_ip: None };
    let _ = poll_fn(|cx| socket.poll_send(cx, &transmit)).await;
}

/// RTP as it comes out of SRTP.
pub(crate) fn rtp(data: &[u8]) {
    let mut data = data;
    let _ = Packet::unmarshal(&mut data);
}

/// RTCP as it comes out of SRTCP.
pub(crate) fn rtcp(data: &[u8]) {
    let mut data = data;
    let _ = rtc::rtcp::packet::unmarshal(&mut data);
}

/// A stream of video whose packets get lost, its repair packets, and repair packets that nobody sound would send.
pub(crate) fn repair(data: &[u8]) {
    let mut input = Bytes::new(data);
    let mut encoder = RepairEncoder::default();
    let mut decoder = RepairDecoder::<Vec<u8>>::default();
    let (mut sequence, mut timestamp, mut number) = (input.word(), input.long(), input.word());
    let mut sent = BTreeMap::new();
    let (mut forged, mut repairs) = (false, 0_usize);
    while !input.is_empty() {
        let what = input.byte();
        if what & 3 == 3 {
            forged = true;
            repairs += 1;
            let _ = decoder.repair(input.word(), input.chunk());
        } else {
            sequence = sequence.wrapping_add(1);
            timestamp = timestamp.wrapping_add(if what & 4 == 0 { 0 } else { u32::from(input.word()) });
            let payload = input.chunk().to_vec();
            let packet = Source { sequence, timestamp, marker: what & 8 != 0, payload };
            let due = encoder.protect(packet.clone(), f64::from(what >> 4) / 8.0);
            if what & 1 == 0 {
                decoder.media(packet.clone());
            } else {
                sent.insert(sequence, packet);
            }
            for _ in 0..due {
                number = number.wrapping_add(1);
                repairs += 1;
                let payload = encoder.repair(number, true).unwrap_or_else(|| panic!("one is due"));
                let _ = decoder.repair(number, &payload);
            }
        }
        while let Some(packet) = decoder.poll() {
            repairs = repairs.checked_sub(1).unwrap_or_else(|| panic!("more comes out than went in"));
            // The window is far shorter than a round of the numbers, and an input than that.
            assert!(forged || sent.remove(&packet.sequence) == Some(packet), "something false was worked out");
        }
    }
}
