//! The cases: RFC 8867's, libwebrtc's published marks, and our own.

use super::{Case, LinkSpec, Loss, MediaSpec, Queue, TcpSpec, Traffic};
use std::time::Duration;

fn steps(reference: f64, ratios: &[(f64, f64)]) -> Vec<(f64, f64)> {
    ratios.iter().map(|(at, ratio)| (*at, reference * ratio)).collect()
}

/// RFC 8868, section 4.5.2: 5 ms, cut at three deviations: 30 ms from end to end.
const JITTER_MS: u64 = 5;

fn wired(capacity: &[(f64, f64)], delay_ms: u64) -> LinkSpec {
    LinkSpec::new(capacity, delay_ms).jitter(JITTER_MS)
}

/// The way back where nothing is told of it: never the bottleneck.
fn wide(delay_ms: u64) -> LinkSpec {
    LinkSpec::new(&[(0.0, 100e6)], delay_ms).jitter(JITTER_MS)
}

pub fn rfc8867_5_1(delay_ms: u64) -> Case {
    let capacity = steps(1e6, &[(0.0, 1.0), (40.0, 2.5), (60.0, 0.6), (80.0, 1.0)]);
    Case {
        seed: 51,
        seconds: 100.0,
        forward: wired(&capacity, delay_ms),
        backward: wide(delay_ms),
        traffic: vec![Traffic::Media(MediaSpec::rfc8867(0.0))],
    }
}

pub fn rfc8867_5_2(delay_ms: u64) -> Case {
    let capacity = steps(1e6, &[(0.0, 2.0), (25.0, 1.0), (50.0, 1.75), (75.0, 0.5), (100.0, 1.0)]);
    Case {
        seed: 52,
        seconds: 125.0,
        forward: wired(&capacity, delay_ms),
        backward: wide(delay_ms),
        traffic: vec![Traffic::Media(MediaSpec::rfc8867(0.0)), Traffic::Media(MediaSpec::rfc8867(0.0))],
    }
}

pub fn rfc8867_5_3() -> Case {
    let forward = steps(1e6, &[(0.0, 2.0), (20.0, 1.0), (40.0, 0.5), (60.0, 2.0)]);
    let backward = steps(1e6, &[(0.0, 2.0), (35.0, 0.8), (70.0, 2.0)]);
    Case {
        seed: 53,
        seconds: 100.0,
        forward: wired(&forward, 50),
        backward: wired(&backward, 50),
        traffic: vec![Traffic::Media(MediaSpec::rfc8867(0.0)), Traffic::Media(MediaSpec::rfc8867(0.0).backward())],
    }
}

pub fn rfc8867_5_4() -> Case {
    let flow = |start| Traffic::Media(MediaSpec::rfc8867(start));
    Case {
        seed: 54,
        seconds: 120.0,
        forward: wired(&[(0.0, 3.5e6)], 50),
        backward: wide(50),
        traffic: vec![flow(0.0), flow(20.0), flow(40.0)],
    }
}

pub fn rfc8867_5_5() -> Case {
    let flow = |start, one_way: u64| Traffic::Media(MediaSpec::rfc8867(start).extra(one_way - 10));
    let link = |capacity| LinkSpec::new(&[(0.0, capacity)], 10).jitter(3);
    Case {
        seed: 55,
        seconds: 300.0,
        forward: link(4e6),
        backward: link(100e6),
        traffic: vec![flow(0.0, 10), flow(10.0, 25), flow(20.0, 50), flow(30.0, 100), flow(40.0, 150)],
    }
}

pub fn rfc8867_5_6(queue_ms: u64) -> Case {
    let queue = Queue::Time(Duration::from_millis(queue_ms));
    Case {
        seed: 56,
        seconds: 120.0,
        forward: wired(&[(0.0, 2e6)], 50).queue(queue),
        backward: wide(50),
        traffic: vec![Traffic::Media(MediaSpec::rfc8867(5.0)), Traffic::Tcp(TcpSpec { start: 0.0, short: None })],
    }
}

pub fn rfc8867_5_7() -> Case {
    let mut traffic = vec![Traffic::Media(MediaSpec::rfc8867(0.0)), Traffic::Media(MediaSpec::rfc8867(0.0))];
    traffic.extend((0..10).map(|_| Traffic::Tcp(TcpSpec { start: 0.0, short: Some((30_000, 50_000, 10.0)) })));
    Case { seed: 57, seconds: 300.0, forward: wired(&[(0.0, 2e6)], 50), backward: wide(50), traffic }
}

pub fn rfc8867_5_8() -> Case {
    let mut second = MediaSpec::rfc8867(0.0);
    second.pause = Some((40.0, 60.0));
    let flow = || Traffic::Media(MediaSpec::rfc8867(0.0));
    Case {
        seed: 58,
        seconds: 120.0,
        forward: wired(&[(0.0, 3.5e6)], 50),
        backward: wide(50),
        traffic: vec![flow(), Traffic::Media(second), flow()],
    }
}

/// One flow over one link, up to 6 Mb/s, with what a call begins with.
pub fn single(seed: u64, seconds: f64, forward: LinkSpec) -> Case {
    let backward = LinkSpec { capacity: vec![(0.0, 100e6)], loss: Loss::None, ..forward.clone() };
    let flow = MediaSpec::new(50, 300, 6_000, 0.0);
    Case { seed, seconds, forward, backward, traffic: vec![Traffic::Media(flow)] }
}

pub fn ramp_up() -> Case {
    single(1, 10.0, LinkSpec::new(&[(0.0, 3e6)], 50))
}

pub fn drop_and_rise() -> Case {
    single(2, 60.0, LinkSpec::new(&[(0.0, 2.5e6), (20.0, 0.6e6), (40.0, 2.5e6)], 50))
}

pub fn steady(kbps: f64, one_way_ms: u64, seconds: f64) -> Case {
    single(3, seconds, LinkSpec::new(&[(0.0, kbps * 1e3)], one_way_ms))
}

pub fn random_loss(share: f64, kbps: f64, one_way_ms: u64) -> Case {
    single(4, 60.0, LinkSpec::new(&[(0.0, kbps * 1e3)], one_way_ms).loss(Loss::Random(share)))
}

/// A link that drops what it can't send at once.
pub fn shallow(packets: usize, kbps: f64) -> Case {
    single(5, 60.0, LinkSpec::new(&[(0.0, kbps * 1e3)], 50).queue(Queue::Packets(packets)))
}

pub fn bursts(during: (f64, f64), to_bad: f64, to_good: f64, kbps: f64) -> Case {
    let mut link = LinkSpec::new(&[(0.0, kbps * 1e3)], 50).loss(Loss::Gilbert { to_bad, to_good });
    link.loss_during = during;
    single(6, 60.0, link)
}

/// Cases of change and of company, as docs/NETWORK.md names them.
pub fn all() -> Vec<(&'static str, Case)> {
    vec![
        ("3 Mb/s from 300 kb/s", ramp_up()),
        ("2.5 → 0.6 → 2.5 Mb/s", drop_and_rise()),
        ("RFC 8867 5.1, 50 ms", rfc8867_5_1(50)),
        ("RFC 8867 5.1, 100 ms", rfc8867_5_1(100)),
        ("RFC 8867 5.2, 50 ms", rfc8867_5_2(50)),
        ("RFC 8867 5.2, 100 ms", rfc8867_5_2(100)),
        ("RFC 8867 5.3", rfc8867_5_3()),
        ("RFC 8867 5.4", rfc8867_5_4()),
        ("RFC 8867 5.5", rfc8867_5_5()),
        ("RFC 8867 5.6, queue 300 ms", rfc8867_5_6(300)),
        ("RFC 8867 5.6, queue 1000 ms", rfc8867_5_6(1000)),
        ("RFC 8867 5.7", rfc8867_5_7()),
        ("RFC 8867 5.8", rfc8867_5_8()),
    ]
}

/// One flow over a link that doesn't change.
pub fn steady_ones() -> Vec<(&'static str, Case)> {
    vec![
        ("500 kb/s, 100 ms", steady(500.0, 100, 40.0)),
        ("800 kb/s, 50 ms", steady(800.0, 50, 40.0)),
        ("100 kb/s, 200 ms", steady(100.0, 200, 60.0)),
        ("300 kb/s, 50 ms", steady(300.0, 50, 40.0)),
        ("5 Mb/s, 25 ms", steady(5_000.0, 25, 40.0)),
        ("10% random loss, 2 Mb/s, 200 ms", random_loss(0.1, 2_000.0, 200)),
        ("5% random loss, 500 kb/s, 50 ms", random_loss(0.05, 500.0, 50)),
        ("5% random loss, 5 Mb/s, 25 ms", random_loss(0.05, 5_000.0, 25)),
        ("10% random loss, 5 Mb/s, 25 ms", random_loss(0.1, 5_000.0, 25)),
        ("20% random loss, 5 Mb/s, 25 ms", random_loss(0.2, 5_000.0, 25)),
        ("30% random loss, 5 Mb/s, 25 ms", random_loss(0.3, 5_000.0, 25)),
        ("bursts of loss from 10 to 20 s, 2 Mb/s", bursts((10.0, 20.0), 0.11, 0.25, 2_000.0)),
        ("a queue of 5 packets, 1 Mb/s", shallow(5, 1_000.0)),
        ("a queue of 10 packets, 2 Mb/s", shallow(10, 2_000.0)),
    ]
}

/// RFC 8868's losses, sections 4.5.3 and 4.5.4: random, whatever the rate; percent.
pub const RFC8868_LOSSES: [u8; 5] = [0, 1, 5, 10, 20];
/// And its drop-tail queues, section 4.5.1; ms.
pub const RFC8868_QUEUES: [u64; 3] = [70, 300, 1_000];

/// One flow over 2 Mb/s, 50 ms one way, with that loss and queue.
pub fn rfc8868(percent: u8, queue_ms: u64) -> Case {
    let queue = Queue::Time(Duration::from_millis(queue_ms));
    single(7, 60.0, wired(&[(0.0, 2e6)], 50).queue(queue).loss(Loss::Random(f64::from(percent) / 100.0)))
}
