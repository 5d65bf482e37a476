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
        changes(name, &report(&case, &sim::run(&case)));
    }
    println!();
    println!("| one flow, second half | delivered | target | queue p95 | padding |");
    println!("| --- | --- | --- | --- | --- |");
    for (name, case) in cases::steady_ones() {
        steady(name, &report(&case, &sim::run(&case)));
    }
}

fn seconds(value: f64) -> String {
    if value.is_finite() && value > 0.0 { format!("{value:.1} s") } else { "—".to_owned() }
}

fn changes(name: &str, report: &Report) {
    println!(
        "| {name} | {} | {} | {} | {:.0}% | {:.0} ms | {} | {:.1} |",
        seconds(report.rises.first().copied().unwrap_or(0.0)),
        seconds(report.slowest_rise()),
        seconds(report.slowest_drop()),
        report.used * 100.0,
        report.queue_ms,
        if report.drops.is_empty() { "—".to_owned() } else { format!("{:.0} ms", report.drop_queue_ms) },
        report.fairness,
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
