//! Runs the network cases in virtual time and prints the tables of docs/NETWORK.md; with a case's name, its run by the 200 ms.

#![allow(clippy::print_stdout, reason = "a program whose output is its purpose")]

#[path = "../tests/sim/mod.rs"]
mod sim;

use sim::report::{Report, report};
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
        steady(name, &report(&case, &sim::run(&case)));
    }
}

/// Each case is run with so many seeds.
const SEEDS: u64 = 5;

/// The median of the seeds, and the worst.
fn spread(reports: &[Report], value: fn(&Report) -> f64, unit: &str, digits: usize) -> String {
    let mut values: Vec<f64> = reports.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let (median, worst) = (values[values.len() / 2], values[values.len() - 1]);
    if worst.is_finite() && worst > 0.0 {
        format!("{median:.digits$} ({worst:.digits$}){unit}")
    } else {
        "—".to_owned()
    }
}

fn changes(name: &str, case: &Case) {
    let seeds = (0..SEEDS).map(|index| Case { seed: case.seed + 77 * index, ..case.clone() });
    let reports: Vec<Report> = seeds.map(|case| report(&case, &sim::run(&case))).collect();
    println!(
        "| {name} | {} | {} | {} | {:.0}% | {} | {} | {} |",
        spread(&reports, |report| report.rises.first().copied().unwrap_or(0.0), " s", 1),
        spread(&reports, Report::slowest_rise, " s", 1),
        spread(&reports, Report::slowest_drop, " s", 1),
        reports.iter().map(|report| report.used).sum::<f64>() / SEEDS as f64 * 100.0,
        spread(&reports, |report| report.queue_ms, " ms", 0),
        spread(&reports, |report| report.drop_queue_ms, " ms", 0),
        spread(&reports, |report| report.fairness, "", 1),
    );
}

fn steady(name: &str, report: &Report) {
    println!(
        "| {name} | {:.0} kb/s | {:.0} kb/s | {:.0} ms | {:.1}% |",
        report.delivered_kbps,
        report.target_kbps,
        report.queue_ms,
        report.padding * 100.0,
    );
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
