//! Loss that isn't congestion doesn't collapse the rate; loss that is, is heeded.

mod sim;

use sim::report::report;
use sim::{Case, cases};

fn target_kbps(case: &Case) -> f64 {
    report(case, &sim::run(case)).target_kbps
}

#[test]
fn random_loss_leaves_the_rate_alone() {
    for (share, least) in [(0.1, 2_000.0), (0.2, 1_500.0), (0.3, 800.0)] {
        let target = target_kbps(&cases::random_loss(share, 5_000.0, 25));
        assert!(target >= least, "{share}: {target}");
    }
}

#[test]
fn ten_percent_on_a_long_path_keeps_most_of_it() {
    let case = cases::random_loss(0.1, 2_000.0, 200);
    let found = report(&case, &sim::run(&case));
    assert!(found.delivered_kbps >= 1_200.0, "{found:?}");
}

#[test]
fn bursts_pass() {
    let trace = &sim::run(&cases::bursts((10.0, 20.0), 0.11, 0.25, 2_000.0))[0];
    let (during, after) = (trace.target_kbps(12.0, 20.0), trace.target_kbps(25.0, 60.0));
    assert!(during >= 800.0 && after >= 1_700.0, "{during} {after}");
}

#[test]
fn a_queue_too_short_to_be_seen_is_heeded_by_its_loss() {
    for (packets, kbps) in [(5, 1_000.0), (10, 2_000.0)] {
        let case = cases::shallow(packets, kbps);
        let traces = sim::run(&case);
        let sent: f64 = traces[0].sent.iter().sum();
        let lost = traces[0].dropped as f64 * 8.0 * 1_200.0 / sent;
        assert!(lost <= 0.08, "{lost}");
        assert!(target_kbps(&case) <= kbps * 1.05);
    }
}
