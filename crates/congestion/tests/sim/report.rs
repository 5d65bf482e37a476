//! The figures that a run is judged by.

use super::estimator::NewEstimator;
use super::{BIN, Case, Trace, Traffic, Way, run_with};

/// Each case is judged by so many seeds.
pub const SEEDS: u64 = 5;

/// What became of the flows over the forward link.
#[derive(Clone, Debug)]
pub struct Report {
    /// Seconds until 90% of what can be used was aimed at: from the start, and after each rise of the capacity.
    pub rises: Vec<f64>,
    /// Seconds after each drop until no more than the capacity was sent.
    pub drops: Vec<f64>,
    /// Delivered media as a share of what could have been used, from the fifth second on.
    pub used: f64,
    /// 95% of the packets waited no longer for others, ms; the worst flow's.
    pub queue_ms: f64,
    /// The same from each drop of the capacity to its next change; the worst.
    pub drop_queue_ms: f64,
    /// The most favoured flow's rate over the least favoured's in the last quarter.
    pub fairness: f64,
    /// Delivered media in the second half, all flows, kb/s.
    pub delivered_kbps: f64,
    /// Mean target in the second half, all flows, kb/s.
    pub target_kbps: f64,
    /// Padding as a share of all that was sent.
    pub padding: f64,
}

impl Report {
    pub fn start(&self) -> f64 {
        self.rises.first().copied().unwrap_or(0.0)
    }

    pub fn slowest_rise(&self) -> f64 {
        self.rises.iter().skip(1).copied().fold(0.0, f64::max)
    }

    pub fn slowest_drop(&self) -> f64 {
        self.drops.iter().copied().fold(0.0, f64::max)
    }
}

/// Runs a case with each of its seeds.
pub fn over_seeds(case: &Case, new: NewEstimator) -> Vec<Report> {
    over_some(case, SEEDS, new)
}

/// Runs a case with so many of its seeds.
pub fn over_some(case: &Case, count: u64, new: NewEstimator) -> Vec<Report> {
    let seeds = (0..count).map(|index| Case { seed: case.seed + 77 * index, ..case.clone() });
    seeds.map(|case| report(&case, &run_with(&case, new))).collect()
}

/// The middle one of the seeds' values, and the largest.
pub fn median_and_most(reports: &[Report], value: fn(&Report) -> f64) -> (f64, f64) {
    let mut values: Vec<f64> = reports.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[values.len() - 1])
}

pub fn mean(reports: &[Report], value: fn(&Report) -> f64) -> f64 {
    reports.iter().map(value).sum::<f64>() / reports.len() as f64
}

/// Judges a run.
pub fn report(case: &Case, traces: &[Trace]) -> Report {
    let flows: Vec<(&super::MediaSpec, &Trace)> = case
        .traffic
        .iter()
        .zip(traces)
        .filter_map(|(traffic, trace)| match traffic {
            Traffic::Media(spec) if spec.way == Way::Forward => Some((spec, trace)),
            Traffic::Media(_) | Traffic::Tcp(_) => None,
        })
        .collect();
    let usable = |second: f64| {
        let wanted: f64 = flows
            .iter()
            .filter(|(spec, _)| {
                spec.start <= second && spec.pause.is_none_or(|(from, to)| second < from || second >= to)
            })
            .map(|(spec, _)| spec.limits.ceiling.bps() as f64)
            .sum();
        case.forward.capacity_at(second).min(wanted)
    };
    let only: Vec<&Trace> = flows.iter().map(|(_, trace)| *trace).collect();
    let all = Trace::sum(&only);
    let half = case.seconds / 2.0;
    let mut report = Report {
        rises: Vec::new(),
        drops: Vec::new(),
        used: share_used(&all, case.seconds, usable),
        queue_ms: only.iter().map(|trace| trace.queue_ms(0.95, 0.0, case.seconds)).fold(0.0, f64::max),
        drop_queue_ms: 0.0,
        fairness: fairness(&only, case.seconds),
        delivered_kbps: all.delivered_kbps(half, case.seconds),
        target_kbps: all.target_kbps(half, case.seconds),
        padding: all.padding / all.sent.iter().sum::<f64>().max(1.0),
    };
    let mut before = 0.0;
    for (index, (at, capacity)) in case.forward.capacity.iter().enumerate() {
        let can = usable(*at);
        if can > before {
            report.rises.push(all.reaches(*at, can * 0.9 / 1e3));
        } else if can < before {
            report.drops.push(all.gets_under(*at, capacity / 1e3));
            let until = case.forward.capacity.get(index + 1).map_or(case.seconds, |(next, _)| *next);
            let waits = only.iter().map(|trace| trace.queue_ms(0.95, *at, until));
            report.drop_queue_ms = waits.fold(report.drop_queue_ms, f64::max);
        }
        before = can;
    }
    report
}

fn share_used(all: &Trace, seconds: f64, usable: impl Fn(f64) -> f64) -> f64 {
    let bins = (5.0 / BIN) as usize..(seconds / BIN) as usize;
    let could: f64 = bins.clone().map(|bin| usable(bin as f64 * BIN) * BIN).sum();
    bins.map(|bin| all.delivered[bin]).sum::<f64>() / could.max(1.0)
}

fn fairness(flows: &[&Trace], seconds: f64) -> f64 {
    let rates: Vec<f64> = flows.iter().map(|flow| flow.delivered_kbps(seconds * 0.75, seconds)).collect();
    let (least, most) =
        (rates.iter().copied().fold(f64::INFINITY, f64::min), rates.iter().copied().fold(0.0, f64::max));
    most / least.max(1.0)
}
