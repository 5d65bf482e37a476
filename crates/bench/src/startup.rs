//! From the program's start until it shows a code.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::clip::Clip;
use crate::median;
use crate::programs::{Process, ServerProcess, program};

/// The middle of several starts.
pub(crate) fn measure(server: &ServerProcess, clip: &Clip, times: usize) -> Duration {
    let start = |_| {
        let begin = Instant::now();
        let mut command = Command::new(program("visavis-cli"));
        command.args(["create", "--server", &server.address, "--json"]).args(clip.cli_arguments());
        let process = Process::start(&mut command);
        process.event("call-state", |event| event["state"] == "waiting");
        begin.elapsed()
    };
    median((0..times).map(start).collect())
}
