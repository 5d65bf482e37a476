//! Runs the network cases in virtual time and prints the tables of docs/NETWORK.md; with a case's name, its run by the 200 ms.

#![allow(clippy::print_stdout, reason = "a program whose output is its purpose")]

#[path = "../tests/sim/mod.rs"]
mod sim;

use sim::estimator::ours;
use sim::report::{Report, mean, median_and_most, over_seeds};
use sim::{Case, cases};

fn main() {
    if let Some(name) = std::env::args().nth(1) {
        return trace(&name);
    }
    println!(
        "| case | start to 90% | slowest rise to 90% | slowest drop | used | queue p95 | after a drop | most : least |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, case) in cases::all() {
        changes(name, &case);
    }
    println!();
    println!("| one flow, second half | delivered | target | queue p95 | padding |");
    println!("| --- | --- | --- | --- | --- |");
    for (name, case) in cases::steady_ones() {
        steady(name, &case);
    }
    println!();
    println!("| lost | queue of 70 ms | 300 ms | 1000 ms |");
    println!("| --- | --- | --- | --- |");
    for percent in cases::RFC8868_LOSSES {
        let cells = cases::RFC8868_QUEUES.map(|queue_ms| lossy(&cases::rfc8868(percent, queue_ms)));
        println!("| {percent}% | {} |", cells.join(" | "));
    }
}

/// The median of the seeds, and the worst.
fn spread(reports: &[Report], value: fn(&Report) -> f64, unit: &str, digits: usize) -> String {
    let (median, worst) = median_and_most(reports, value);
    if worst.is_finite() && worst > 0.0 {
        format!("{median:.digits$} ({worst:.digits$}){unit}")
    } else {
        "—".to_owned()
    }
}

fn changes(name: &str, case: &Case) {
    let reports = over_seeds(case, ours);
    println!(
        "| {name} | {} | {} | {} | {:.0}% | {} | {} | {} |",
        spread(&reports, Report::start, " s", 1),
        spread(&reports, Report::slowest_rise, " s", 1),
        spread(&reports, Report::slowest_drop, " s", 1),
        mean(&reports, |report| report.used * 100.0),
        spread(&reports, |report| report.queue_ms, " ms", 0),
        spread(&reports, |report| report.drop_queue_ms, " ms", 0),
        spread(&reports, |report| report.fairness, "", 1),
    );
}

fn steady(name: &str, case: &Case) {
    let reports = over_seeds(case, ours);
    println!(
        "| {name} | {:.0} kb/s | {:.0} kb/s | {} | {:.1}% |",
        mean(&reports, |report| report.delivered_kbps),
        mean(&reports, |report| report.target_kbps),
        spread(&reports, |report| report.queue_ms, " ms", 0),
        mean(&reports, |report| report.padding * 100.0),
    );
}

fn lossy(case: &Case) -> String {
    let reports = over_seeds(case, ours);
    let delivered = mean(&reports, |report| report.delivered_kbps);
    format!("{delivered:.0} kb/s, {}", spread(&reports, |report| report.queue_ms, " ms", 0))
}

fn trace(name: &str) {
    let found = cases::all().into_iter().chain(cases::steady_ones()).find(|(known, _)| *known == name);
    let Some((_, case)) = found else {
        println!("no such case");
        return;
    };
    show(&case);
}

fn show(case: &Case) {
    for (index, trace) in sim::run(case).iter().enumerate() {
        for (bin, target) in trace.target.iter().enumerate() {
            let at = bin as f64 * sim::BIN;
            let (sent, delivered) = (trace.sent[bin] / sim::BIN / 1e3, trace.delivered[bin] / sim::BIN / 1e3);
            let queue = trace.queue_ms(0.95, at, at + sim::BIN);
            println!(
                "flow {index} at {at:.1} s: target {:.0} sent {sent:.0} delivered {delivered:.0} kb/s, queue {queue:.0} ms",
                target / 1e3
            );
        }
    }
}
