//! What processes cost: their time on the processor and their share of the memory (proc_pid_stat(5), proc_pid_smaps(5)).

use std::time::Duration;

use crate::browser::{family, stat_fields};

/// What Linux tells processor time in, whatever the kernel's own timer (USER_HZ).
const TICKS_PER_SECOND: u64 = 100;
/// Where `utime` and `stime` stand behind the name in `/proc/PID/stat`.
const UTIME: usize = 11;
const STIME: usize = 12;

/// What some processes have used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Time on processors, all threads.
    pub(crate) processor: Duration,
    /// Proportional set size: pages shared with others count by share. Bytes.
    pub(crate) memory: u64,
    /// How many processes.
    pub(crate) processes: usize,
}

/// Reads it for these processes.
pub(crate) fn of(processes: &[u32]) -> Usage {
    let ticks: u64 = processes.iter().filter_map(|&process| ticks(process)).sum();
    Usage {
        processor: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
        memory: processes.iter().filter_map(|&process| pss(process)).sum(),
        processes: processes.len(),
    }
}

/// A process's descendants, without itself.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    family(root).split_off(1)
}

fn ticks(process: u32) -> Option<u64> {
    let fields = stat_fields(process)?;
    let field = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(field(UTIME)? + field(STIME)?)
}

fn pss(process: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}
