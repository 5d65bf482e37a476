//! Firefox without a window, by Marionette, the protocol that geckodriver itself speaks to it: JSON behind its length, over
//! one TCP connection. Debian ships the browser without geckodriver.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use super::driver::find;
use super::processes::{family, kill};

/// How long Firefox may take until it listens; a new profile is filled meanwhile.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long one command may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// No answer of a test is longer.
const LONGEST: usize = 64 << 20;

/// What a browser needs to be called by a program: stand-ins for devices and for the person who allows them, addresses instead
/// of mDNS names, loopback among them, and no errands of its own over the network. `remote.prefs.recommended`, which is on,
/// does most of the last.
const PREFERENCES: [(&str, &str); 12] = [
    ("marionette.port", "0"),
    ("media.navigator.streams.fake", "true"),
    ("media.navigator.permission.disabled", "true"),
    ("media.autoplay.default", "0"),
    ("media.autoplay.blocking_policy", "0"),
    ("media.peerconnection.ice.loopback", "true"),
    ("media.peerconnection.ice.obfuscate_host_addresses", "false"),
    ("media.gmp-manager.updateEnabled", "false"),
    ("media.gmp-gmpopenh264.enabled", "false"),
    ("network.captive-portal-service.enabled", "false"),
    ("network.connectivity-service.enabled", "false"),
    ("browser.shell.checkDefaultBrowser", "false"),
];

/// A running Firefox. Dropping it ends it.
pub struct Firefox {
    process: Child,
    wire: Mutex<Wire>,
    _profile: TempDir,
}

impl Firefox {
    /// Starts one, with a profile of its own.
    ///
    /// # Errors
    /// When it is missing or doesn't start.
    pub async fn start() -> Result<Self> {
        let program = find(&["firefox-esr", "firefox"], "apt-get install firefox-esr")?;
        let profile = tempfile::tempdir()?;
        let preferences = PREFERENCES.map(|(name, value)| format!("user_pref(\"{name}\", {value});\n")).concat();
        std::fs::write(profile.path().join("user.js"), preferences)?;
        let process = Command::new(program)
            .args(["--headless", "--no-remote", "--marionette", "--profile"])
            .arg(profile.path())
            .env("HOME", profile.path())
            .env("MOZ_CRASHREPORTER_DISABLE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // Ended from here on, whatever happens.
        let mut firefox = Starting(Some(process));
        let port = port(profile.path()).await?;
        let mut wire = Wire::connect(port).await?;
        wire.call("WebDriver:NewSession", json!({ "acceptInsecureCerts": false })).await?;
        wire.call("WebDriver:SetTimeouts", json!({ "script": PATIENCE.as_millis() as u64 })).await?;
        let process = firefox.0.take().context("no process")?;
        Ok(Self { process, wire: Mutex::new(wire), _profile: profile })
    }

    /// Opens a page.
    ///
    /// # Errors
    /// When it can't be had.
    pub async fn goto(&self, url: &str) -> Result<()> {
        self.wire.lock().await.call("WebDriver:Navigate", json!({ "url": url })).await?;
        Ok(())
    }

    /// Runs a script in the page and gives what it returns; one that is `asynchronous` calls its last argument with it.
    ///
    /// # Errors
    /// When the script fails.
    pub async fn execute(&self, script: &str, args: &[Value], asynchronous: bool) -> Result<Value> {
        let command = if asynchronous { "WebDriver:ExecuteAsyncScript" } else { "WebDriver:ExecuteScript" };
        let answer = self.wire.lock().await.call(command, json!({ "script": script, "args": args })).await?;
        Ok(answer["value"].clone())
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        end(&self.process);
    }
}

/// One whose start may fail yet.
struct Starting(Option<Child>);

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.iter().for_each(end);
    }
}

/// Its processes for pages and media are its descendants.
fn end(process: &Child) {
    if let Some(root) = process.id() {
        kill(&family(root));
    }
}

/// Firefox writes the port that it chose into its profile.
async fn port(profile: &Path) -> Result<u16> {
    let (file, begin) = (profile.join("MarionetteActivePort"), Instant::now());
    loop {
        if let Some(port) = std::fs::read_to_string(&file).ok().and_then(|port| port.trim().parse().ok()) {
            return Ok(port);
        }
        ensure!(begin.elapsed() < START_TIMEOUT, "Firefox doesn't listen");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The connection: `LENGTH:[0, id, command, parameters]` there, `LENGTH:[1, id, error, result]` back.
struct Wire {
    socket: TcpStream,
    id: u64,
}

impl Wire {
    async fn connect(port: u16) -> Result<Self> {
        let mut wire = Self { socket: TcpStream::connect(("127.0.0.1", port)).await?, id: 0 };
        let greeting = wire.read().await?;
        ensure!(greeting["marionetteProtocol"] == 3, "Firefox greets with {greeting}");
        Ok(wire)
    }

    async fn call(&mut self, command: &str, parameters: Value) -> Result<Value> {
        self.id += 1;
        let text = json!([0, self.id, command, parameters]).to_string();
        self.socket.write_all(format!("{}:{text}", text.len()).as_bytes()).await?;
        let answer =
            tokio::time::timeout(PATIENCE, self.read()).await.with_context(|| format!("{command}: no answer"))??;
        ensure!(answer[2].is_null(), "{command}: {}", answer[2]);
        Ok(answer[3].clone())
    }

    async fn read(&mut self) -> Result<Value> {
        let mut length = 0;
        loop {
            match self.socket.read_u8().await? {
                b':' => break,
                digit @ b'0'..=b'9' => length = length * 10 + usize::from(digit - b'0'),
                other => bail!("byte {other} in a length"),
            }
            ensure!(length < LONGEST, "an answer of {length} bytes");
        }
        let mut text = vec![0; length];
        self.socket.read_exact(&mut text).await?;
        Ok(serde_json::from_slice(&text)?)
    }
}
