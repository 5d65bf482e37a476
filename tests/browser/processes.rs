//! A program with all the processes that it has started, and they in turn.

use std::process::Command;

/// A process and its descendants, itself first. Linux only: elsewhere it is the process alone.
#[must_use]
pub fn family(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|process| Some((process, parent_of(process)?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
        next += 1;
    }
    found
}

/// The fields of `/proc/PID/stat` behind the name, which may itself hold spaces and brackets (proc_pid_stat(5)).
pub fn stat_fields(process: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn parent_of(process: u32) -> Option<u32> {
    stat_fields(process)?.get(1)?.parse().ok()
}

/// Ends these processes without a word.
pub fn kill(processes: &[u32]) {
    let ids = processes.iter().map(u32::to_string);
    // Some may have ended by themselves.
    let _ = Command::new("kill").arg("-KILL").args(ids).stderr(std::process::Stdio::null()).status();
}
