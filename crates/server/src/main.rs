//! `visavis-server`: reads its settings, serves, and goes down cleanly when told to.

mod options;

use anyhow::Context as _;
use clap::Parser as _;
use tracing_subscriber::EnvFilter;
use visavis_server::Server;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = options::Flags::parse().resolve()?;
    start_log(&options.log, options.log_json)?;
    let server = Server::bind(options.config).await?;
    server.run(told_to_stop()).await?;
    Ok(())
}

fn start_log(filter: &str, json: bool) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("the log filter `{filter}` can't be read"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        log.json().init()
    } else {
        log.init()
    }
    Ok(())
}

/// Done at Ctrl-C, and at the signal by which service managers stop a service.
async fn told_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
