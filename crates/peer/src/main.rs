//! `visavis-cli`: the same engine as the app, without a window. For scripts, bots, kiosks, doorbells and tests.

mod args;
mod check;
mod demo;
mod devices;
mod exit;
mod ivf;
mod meeting;
mod picture;
mod record;
mod report;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Action, Args};
use crate::exit::Exit;

fn main() -> ExitCode {
    let args = Args::parse();
    init_log(args.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Exit::Failed.because(&format!("no runtime: {error}")),
    };
    let result = runtime.block_on(async {
        match args.action {
            Action::Create(call) => meeting::create(&call).await,
            Action::Join { code, call } => meeting::join(&code, &call).await,
            Action::Demo(demo) => demo::run(&demo).await,
            Action::Check(check) => check::run(&check).await,
            Action::Devices { json } => devices::list(json),
        }
    });
    // Threads that hang in a device driver must not keep the program from ending.
    runtime.shutdown_background();
    match result {
        Ok(exit) => exit.into(),
        Err(error) => Exit::Failed.because(&format!("{error:#}")),
    }
}

fn init_log(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let level = match verbose {
        0 => "error",
        1 => "visavis=info,warn",
        _ => "visavis=debug,info",
    };
    let filter = EnvFilter::try_from_env("VISAVIS_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
