//! The pacer: speech passes by, resends go before new pictures, nothing leaves faster than the pace but a probe.

use std::time::{Duration, Instant};

use visavis_congestion::{Controller, Kind, Limits, Pacer, Probe, ProbeId};
use visavis_frame::BitRate;

fn start() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "any instant will do: the test counts from it")]
    Instant::now()
}

/// Runs until `end` in steps of a millisecond; gives when each packet left, ms.
fn run(pacer: &mut Pacer<u32>, from: Instant, ms: u64) -> Vec<(u64, u32, Option<ProbeId>)> {
    let mut left = Vec::new();
    for step in 0..ms {
        let now = from + Duration::from_millis(step);
        while let Some(release) = pacer.pop(now) {
            left.push((step, release.payload, release.probe));
        }
    }
    left
}

#[test]
fn speech_passes_by_and_resends_come_before_new_pictures() {
    let now = start();
    let mut pacer = Pacer::new(BitRate::from_kbps(96), now);
    for number in 0..3 {
        pacer.push(now, Kind::Video, 1_200, number);
    }
    pacer.push(now, Kind::Resend, 1_200, 10);
    pacer.push(now, Kind::Audio, 100, 20);
    let order: Vec<u32> = run(&mut pacer, now, 1_000).into_iter().map(|left| left.1).collect();
    assert_eq!(order, [20, 10, 0, 1, 2]);
}

#[test]
fn keeps_the_pace() {
    let now = start();
    let mut pacer = Pacer::new(BitRate::from_kbps(960), now);
    for number in 0..50 {
        pacer.push(now, Kind::Video, 1_200, number);
    }
    // 10 ms each.
    let left = run(&mut pacer, now, 1_000);
    assert_eq!(left.len(), 50);
    assert!((485..=500).contains(&left[49].0), "{:?}", left[49]);
}

#[test]
fn a_slow_moment_puts_nothing_off_for_longer_than_it_lasts() {
    let now = start();
    let mut pacer = Pacer::new(BitRate::from_kbps(10), now);
    pacer.push(now, Kind::Video, 1_200, 0);
    pacer.push(now, Kind::Video, 1_200, 1);
    assert_eq!(run(&mut pacer, now, 20).len(), 1);
    pacer.set_rate(BitRate::from_kbps(960));
    assert_eq!(run(&mut pacer, now + Duration::from_millis(20), 20).len(), 1);
}

#[test]
fn tells_the_encoder_to_skip_before_pictures_are_old() {
    let now = start();
    let mut pacer = Pacer::new(BitRate::from_kbps(96), now);
    for number in 0..4 {
        pacer.push(now, Kind::Video, 1_200, number);
    }
    run(&mut pacer, now, 100);
    assert!(!pacer.is_overdue(now + Duration::from_millis(100)));
    assert!(pacer.is_overdue(now + Duration::from_millis(150)));
    assert!(pacer.backlog(now + Duration::from_millis(150)).bytes >= 2_400);
}

#[test]
fn a_probe_goes_at_its_own_rate_and_asks_for_padding() {
    let now = start();
    let mut pacer: Pacer<u32> = Pacer::new(BitRate::from_kbps(100), now);
    let probe = Probe { id: ProbeId(7), rate: BitRate::from_kbps(1_000), packets: 5, bytes: 2_500 };
    pacer.start_probe(now, probe);
    let mut sent = 0;
    for step in 0..40 {
        let at = now + Duration::from_millis(step);
        while let Some(size) = pacer.wants_padding(at) {
            pacer.push(at, Kind::Padding, size, 0);
            let release = pacer.pop(at);
            assert_eq!(release.and_then(|release| release.probe), Some(ProbeId(7)));
            sent += size;
        }
    }
    assert!((2_500..4_000).contains(&sent), "{sent}");
    assert_eq!(pacer.poll_timeout(), None);
}

#[test]
fn a_probe_that_nobody_feeds_is_given_up() {
    let now = start();
    let mut pacer: Pacer<u32> = Pacer::new(BitRate::from_kbps(100), now);
    pacer.start_probe(now, Probe { id: ProbeId(0), rate: BitRate::from_kbps(1_000), packets: 5, bytes: 2_500 });
    assert!(pacer.wants_padding(now).is_some());
    assert_eq!(pacer.wants_padding(now + Duration::from_secs(2)), None);
    assert_eq!(pacer.poll_timeout(), None);
}

#[test]
fn silence_slows_the_sender_by_itself() {
    let mut now = start();
    let limits =
        Limits { floor: BitRate::from_kbps(50), start: BitRate::from_kbps(1_000), ceiling: BitRate::from_kbps(4_000) };
    let mut controller = Controller::new(limits, now);
    for sequence in 0..500 {
        now += Duration::from_millis(10);
        controller.on_sent(visavis_congestion::Sent { sequence, at: now, size: 1_250, kind: Kind::Video, probe: None });
        if controller.poll_timeout().is_some_and(|at| at <= now) {
            controller.handle_timeout(now);
        }
    }
    assert_eq!(controller.estimate().target, limits.floor);
}

#[test]
fn handling_a_timeout_moves_the_next_one_on() {
    let mut now = start();
    let limits =
        Limits { floor: BitRate::from_kbps(50), start: BitRate::from_kbps(300), ceiling: BitRate::from_kbps(4_000) };
    let mut controller = Controller::new(limits, now);
    for sequence in 0..200 {
        controller.on_sent(visavis_congestion::Sent { sequence, at: now, size: 500, kind: Kind::Video, probe: None });
        while let Some(at) = controller.poll_timeout().filter(|at| *at <= now + Duration::from_millis(20)) {
            controller.handle_timeout(at.max(now));
            assert!(controller.poll_timeout().is_none_or(|next| next > at), "nothing came of it");
        }
        now += Duration::from_millis(20);
    }
}
