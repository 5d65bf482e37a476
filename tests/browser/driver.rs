//! Chromium without a window, by its WebDriver (W3C WebDriver, "New Session").

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::processes::{family, kill};

const INSTALL: &str = "apt-get install chromium chromium-driver";
/// How long chromedriver may take until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// What a browser needs to be called by a program: stand-ins for devices and for the person who allows them, addresses
/// instead of mDNS names, and no errands of its own over the network.
const FLAGS: [&str; 14] = [
    "--headless",
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=30",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns,OptimizationHints,MediaRouter,Translate",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
];

/// A running chromedriver and the browser that it started. Dropping it ends both.
pub struct Driver {
    process: Child,
    client: Client,
}

impl Driver {
    /// Starts a browser. `flags` are added to those that every test needs.
    ///
    /// # Errors
    /// When chromedriver or Chromium is missing, or doesn't start.
    pub async fn chromium(flags: &[String]) -> Result<Self> {
        let program = find(&["chromedriver"], INSTALL)?;
        let browser = find(&["chromium", "chromium-browser", "google-chrome"], INSTALL)?;
        let mut process = Command::new(program)
            .args(["--port=0", "--allowed-ips=127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = process.stdout.take().context("no standard output")?;
        let listening = tokio::time::timeout(START_TIMEOUT, port(output)).await;
        let port = listening.context("chromedriver doesn't listen")??;
        let args: Vec<&str> = FLAGS.into_iter().chain(flags.iter().map(String::as_str)).collect();
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": browser, "args": args },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .context("Chromium doesn't start")?;
        Ok(Self { process, client })
    }

    /// The session in the browser.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// chromedriver's process; the browser's are its descendants.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Ends the browser in good order.
    ///
    /// # Errors
    /// When the browser no longer answers.
    pub async fn close(self) -> Result<()> {
        self.client.clone().close().await?;
        Ok(())
    }
}

/// chromedriver alone would leave its browser behind.
impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(root) = self.process.id() {
            kill(&family(root));
        }
    }
}

/// Reads chromedriver's output until it names its port, and lets the rest go by: a full pipe would stop it.
async fn port(output: ChildStdout) -> Result<u16> {
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        let port = line.split_once("successfully on port ").map(|(_, port)| port.trim_end_matches('.'));
        if let Some(port) = port.and_then(|port| port.parse().ok()) {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(port);
        }
    }
    bail!("chromedriver ended without naming its port")
}

/// The first of these programs on the path. `install`: how Debian and Ubuntu get it.
pub(super) fn find(names: &[&str], install: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .find_map(|folder| names.iter().map(|name| folder.join(name)).find(|file| file.is_file()));
    found.with_context(|| {
        format!("{} isn't installed. Debian and Ubuntu: {install} (./dev test does so by itself)", names[0])
    })
}
