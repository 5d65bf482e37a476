//! What the figures were measured on.

use std::process::Command;

/// Facts for the reader of a table.
pub(crate) struct Machine {
    /// One line on processor, memory and system.
    pub(crate) hardware: String,
    /// What was compared.
    pub(crate) programs: String,
    /// How busy it was with other things: runnable processes, mean of the minute before.
    pub(crate) load: f64,
    /// When.
    pub(crate) date: String,
}

/// Reads them; what can't be had is left out.
pub(crate) fn facts() -> Machine {
    let cpu = value_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = value_of("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let system = value_of("/etc/os-release", "PRETTY_NAME").unwrap_or_default();
    let release = read("/proc/sys/kernel/osrelease");
    // What stands behind the version is whoever built it.
    let kernel = release.split('-').next().unwrap_or_default();
    let load = read("/proc/loadavg").split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default();
    let mib = memory.unwrap_or_default() / 1024;
    Machine {
        hardware: format!("{cpu}, {cores} cores, {mib} MiB; {system}, kernel {kernel}"),
        programs: format!(
            "Visavis {} ({}); {}",
            env!("CARGO_PKG_VERSION"),
            output("git", &["rev-parse", "--short", "HEAD"]),
            output("chromium", &["--version"]).split(" built").next().unwrap_or_default(),
        ),
        load,
        date: output("date", &["-u", "+%F"]),
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The value behind a key, in files that write `key : value` or `KEY="value"`.
fn value_of(path: &str, key: &str) -> Option<String> {
    let text = read(path);
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '=' | '"')).to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
