//! Runs our estimator and goog_cc through the same cases in the same simulator and prints the comparison of docs/NETWORK.md.

#![allow(clippy::print_stdout, reason = "a program whose output is its purpose")]

mod goog;
#[path = "../../tests/sim/mod.rs"]
mod sim;

use goog::goog;
use sim::estimator::ours;
use sim::report::{Report, mean, median_and_most, over_seeds};
use sim::{Case, cases};

/// Ours and goog_cc's.
type Pair = [Vec<Report>; 2];

fn main() {
    println!(
        "| ours / goog_cc | start to 90% | slowest rise | slowest drop | used | queue p95 | after a drop | most : least |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, case) in cases::all() {
        let pair = both(&case);
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            medians(&pair, Report::start, " s", 1),
            medians(&pair, Report::slowest_rise, " s", 1),
            medians(&pair, Report::slowest_drop, " s", 1),
            means(&pair, |report| report.used * 100.0, "%", 0),
            medians(&pair, |report| report.queue_ms, " ms", 0),
            medians(&pair, |report| report.drop_queue_ms, " ms", 0),
            medians(&pair, |report| report.fairness, "", 1),
        );
    }
    println!();
    println!("| ours / goog_cc, one flow, second half | delivered | queue p95 | padding |");
    println!("| --- | --- | --- | --- |");
    for (name, case) in cases::steady_ones() {
        let pair = both(&case);
        println!(
            "| {name} | {} | {} | {} |",
            means(&pair, |report| report.delivered_kbps, " kb/s", 0),
            medians(&pair, |report| report.queue_ms, " ms", 0),
            means(&pair, |report| report.padding * 100.0, "%", 1),
        );
    }
    println!();
    println!("| ours / goog_cc, lost | queue of 70 ms | 300 ms | 1000 ms |");
    println!("| --- | --- | --- | --- |");
    for percent in cases::RFC8868_LOSSES {
        let cells = cases::RFC8868_QUEUES.map(|queue_ms| {
            let pair = both(&cases::rfc8868(percent, queue_ms));
            let delivered = means(&pair, |report| report.delivered_kbps, " kb/s", 0);
            format!("{delivered}, {}", medians(&pair, |report| report.queue_ms, " ms", 0))
        });
        println!("| {percent}% | {} |", cells.join(" | "));
    }
}

fn both(case: &Case) -> Pair {
    [over_seeds(case, ours), over_seeds(case, goog)]
}

fn medians(pair: &Pair, value: fn(&Report) -> f64, unit: &str, digits: usize) -> String {
    show(pair.each_ref().map(|reports| median_and_most(reports, value).0), unit, digits)
}

fn means(pair: &Pair, value: fn(&Report) -> f64, unit: &str, digits: usize) -> String {
    show(pair.each_ref().map(|reports| mean(reports, value)), unit, digits)
}

fn show(values: [f64; 2], unit: &str, digits: usize) -> String {
    if values.iter().all(|value| *value == 0.0) {
        return "—".to_owned();
    }
    let [ours, theirs] =
        values.map(|value| if value.is_finite() { format!("{value:.digits$}{unit}") } else { "never".to_owned() });
    format!("{ours} / {theirs}")
}
