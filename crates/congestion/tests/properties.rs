//! Whatever a stranger reports, the controller goes on and stays within its limits.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use visavis_congestion::{Arrival, Controller, Kind, Limits, Pacer, ProbeId, Sent};
use visavis_frame::BitRate;

#[derive(Clone, Debug)]
enum Step {
    Sent { sequence: u64, size: usize, probe: Option<u32> },
    Feedback(Vec<(u64, Option<u64>)>),
    RoundTrip(u64),
    Wait(u64),
    Route,
    Limits(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let number = prop_oneof![0..60_u64, any::<u64>()];
    let received = proptest::option::of(prop_oneof![0..4_000_u64, any::<u64>()]);
    prop_oneof![
        6 => (number.clone(), 0..3_000_usize, proptest::option::of(0..6_u32))
            .prop_map(|(sequence, size, probe)| Step::Sent { sequence, size, probe }),
        4 => proptest::collection::vec((number, received), 0..40).prop_map(Step::Feedback),
        1 => any::<u64>().prop_map(Step::RoundTrip),
        4 => (0..3_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Route),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(floor, ceiling)| Step::Limits(floor, ceiling)),
    ]
}

fn start() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "any instant will do: the test counts from it")]
    Instant::now()
}

fn apply(controller: &mut Controller, now: &mut Instant, limits: &mut Limits, step: Step) {
    match step {
        Step::Sent { sequence, size, probe } => {
            controller.on_sent(Sent { sequence, at: *now, size, kind: Kind::Video, probe: probe.map(ProbeId) });
        }
        Step::Feedback(told) => {
            let arrivals: Vec<Arrival> = told
                .into_iter()
                .map(|(sequence, received)| Arrival { sequence, received: received.map(Duration::from_millis) })
                .collect();
            controller.on_feedback(*now, &arrivals);
        }
        Step::RoundTrip(ms) => controller.on_round_trip(*now, Duration::from_millis(ms)),
        Step::Wait(ms) => {
            *now += Duration::from_millis(ms);
            controller.handle_timeout(*now);
        }
        Step::Route => controller.on_route_change(*now),
        Step::Limits(floor, ceiling) => {
            *limits = Limits { floor: BitRate::from_bps(floor), ceiling: BitRate::from_bps(ceiling), ..*limits };
            controller.set_limits(*limits);
        }
    }
}

proptest! {
    #[test]
    fn any_feedback_leaves_the_estimate_within_its_limits(steps in proptest::collection::vec(step(), 1..120)) {
        let mut now = start();
        let mut limits = Limits {
            floor: BitRate::from_kbps(50),
            start: BitRate::from_kbps(300),
            ceiling: BitRate::from_kbps(4_000),
        };
        let mut controller = Controller::new(limits, now);
        for step in steps {
            apply(&mut controller, &mut now, &mut limits, step);
            let _ = (controller.poll_probe(), controller.poll_timeout());
            let estimate = controller.estimate();
            let most = limits.ceiling.max(limits.floor).bps();
            // A rate beyond 2^53 is rounded on its way through a float.
            prop_assert!(estimate.target.bps() as f64 <= most as f64 * 1.000_001 + 1.0);
            prop_assert!(estimate.target.bps() as f64 >= limits.floor.bps() as f64 * 0.999_999 - 1.0);
            prop_assert!((0.0..=1.0).contains(&estimate.loss));
        }
    }

    #[test]
    fn the_pacer_lets_everything_go_in_the_end(
        pushes in proptest::collection::vec((0..4_u8, 1..1_500_usize, 0..40_u64), 1..200),
        kbps in 50..5_000_u64,
    ) {
        let mut now = start();
        let mut pacer = Pacer::new(BitRate::from_kbps(kbps), now);
        let mut out = 0;
        for (index, (kind, size, wait)) in pushes.iter().enumerate() {
            let kind = [Kind::Audio, Kind::Video, Kind::Resend, Kind::Padding][usize::from(*kind)];
            pacer.push(now, kind, *size, index);
            while pacer.pop(now).is_some() {
                out += 1;
            }
            now += Duration::from_millis(*wait);
        }
        for _ in 0..10_000 {
            while pacer.pop(now).is_some() {
                out += 1;
            }
            match pacer.poll_timeout() {
                Some(at) => now = now.max(at) + Duration::from_micros(1),
                None => break,
            }
        }
        prop_assert_eq!(out, pushes.len());
        prop_assert_eq!(pacer.backlog(now).bytes, 0);
    }
}
