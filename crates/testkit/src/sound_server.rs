//! A PulseAudio server of a test's own, with devices that exist in memory only: what is fed to a sink is heard by the
//! microphone behind it, and what a speaker plays can be recorded. Devices come and go by command, and so does the server.
//!
//! The server has its own folder for socket and settings, so the machine's sound is neither used nor changed. Clients
//! find it by environment, which a running program can't safely change: give [`SoundServer::environment`] to a child
//! process, or run a test's body in one with [`inside`].

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test's rig: what can't be set up fails the test")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The rate of everything fed and recorded, hertz.
pub const RATE_HZ: u32 = 48_000;
/// How long the server may take to do what it is told.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where [`inside`] puts the server's files.
const FOLDER: &str = "VISAVIS_TEST_SOUND";

/// A speaker `spk`, a sink `micfeed`, and a microphone `mic` that hears what is played there.
pub const TWO_DEVICES: &str = "\
load-module module-null-sink sink_name=spk rate=48000 channels=2
load-module module-null-sink sink_name=micfeed rate=48000 channels=2
load-module module-remap-source source_name=mic master=micfeed.monitor
set-default-sink spk
set-default-source mic
";

/// The same on one clock, so that a recording of `rig.monitor` in two channels holds what `mic` heard (left) beside what
/// `spk` played (right), aligned to the sample.
pub const ONE_CLOCK: &str = "\
load-module module-null-sink sink_name=rig rate=48000 channels=2 channel_map=left,right
load-module module-remap-sink sink_name=micfeed master=rig channels=1 channel_map=mono master_channel_map=left remix=no
load-module module-remap-sink sink_name=spk master=rig channels=1 channel_map=mono master_channel_map=right remix=no
load-module module-remap-source source_name=mic master=rig.monitor channels=1 channel_map=mono master_channel_map=left remix=no
set-default-sink spk
set-default-source mic
";

/// Runs an ignored test of the calling file in a process of its own that sees a fresh server's folder and no other sound.
/// Where PulseAudio isn't installed it says so and does nothing.
///
/// # Panics
/// When that test fails.
pub fn inside(test: &str) {
    if Command::new("pulseaudio").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("skipped: pulseaudio isn't installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .envs(environment(folder.path()))
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed, see above");
}

fn environment(folder: &Path) -> [(&'static str, String); 3] {
    let shown = folder.display().to_string();
    [("PULSE_SERVER", format!("unix:{shown}/pulse.sock")), ("XDG_RUNTIME_DIR", shown.clone()), ("HOME", shown)]
}

/// A running server, ended with the value.
#[derive(Debug)]
pub struct SoundServer {
    folder: PathBuf,
    /// The folder's owner, where that isn't whoever called [`inside`].
    _owned: Option<tempfile::TempDir>,
    process: Option<Child>,
}

impl SoundServer {
    /// Starts a server with `devices`, a PulseAudio script. In a test that runs [`inside`], this program is its client;
    /// elsewhere its clients are those that get its environment.
    ///
    /// # Panics
    /// When it doesn't start.
    #[must_use]
    pub fn start(devices: &str) -> Self {
        let (folder, owned) = if let Some(folder) = std::env::var_os(FOLDER) {
            (PathBuf::from(folder), None)
        } else {
            let folder = tempfile::tempdir().unwrap();
            (folder.path().to_owned(), Some(folder))
        };
        let socket = format!(
            "load-module module-native-protocol-unix auth-anonymous=1 socket={}/pulse.sock\n",
            folder.display()
        );
        std::fs::write(folder.join("devices.pa"), socket + devices).unwrap();
        let mut server = Self { folder, _owned: owned, process: None };
        server.run();
        server
    }

    /// What a client's environment must hold.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 3] {
        environment(&self.folder)
    }

    /// Starts it again after [`SoundServer::kill`], with the devices that it had at first.
    ///
    /// # Panics
    /// When it doesn't start.
    pub fn run(&mut self) {
        self.kill();
        let child = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=0", "-F"])
            .arg(self.folder.join("devices.pa"))
            .envs(self.environment())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(child);
        let start = Instant::now();
        while !self.client("pactl").arg("info").status().unwrap().success() {
            assert!(start.elapsed() < PATIENCE, "pulseaudio didn't start");
            sleep(Duration::from_millis(20));
        }
    }

    /// Ends it without a word, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Runs `pactl` and gives what it says.
    ///
    /// # Panics
    /// When it fails.
    pub fn command(&self, words: &[&str]) -> String {
        let output = self.client("pactl").args(words).stdout(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "pactl {words:?} failed");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Plugs something in; gives the number to [`SoundServer::unplug`] it by.
    pub fn plug(&self, module: &[&str]) -> String {
        self.command(&[&["load-module"], module].concat())
    }

    /// Takes out what was plugged in.
    pub fn unplug(&self, number: &str) {
        self.command(&["unload-module", number]);
    }

    /// Takes out all modules of a kind.
    pub fn unplug_all(&self, module: &str) {
        self.command(&["unload-module", module]);
    }

    /// Plays what `next` makes into a sink, mono, until the value is dropped.
    ///
    /// # Panics
    /// When the player can't be started.
    #[must_use]
    pub fn feed(&self, sink: &str, mut next: impl FnMut() -> f32 + Send + 'static) -> Stream {
        let mut child = self.stream("--playback", sink, 1).stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        std::thread::spawn(move || {
            let block = || (0..240).flat_map(|_| next().to_le_bytes()).collect::<Vec<u8>>();
            // Ends when the player does.
            let _ = std::iter::repeat_with(block).try_for_each(|block| pipe.write_all(&block));
        });
        Stream { child, heard: Arc::default(), channels: 1 }
    }

    /// Records a source in so many channels until the value is dropped.
    ///
    /// # Panics
    /// When the recorder can't be started.
    #[must_use]
    pub fn record(&self, source: &str, channels: usize) -> Stream {
        let mut child = self.stream("--record", source, channels).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdout.take().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                bytes.extend_from_slice(&chunk[..count]);
                let whole = bytes.len() / 4 * 4;
                let samples = bytes[..whole].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                into.lock().unwrap().extend(samples);
                bytes.drain(..whole);
            }
        });
        Stream { child, heard, channels }
    }

    fn stream(&self, direction: &str, device: &str, channels: usize) -> Command {
        let mut command = self.client("pacat");
        command.args([direction, "--raw", "--format=float32le", "--rate=48000", "--latency-msec=20"]);
        command.args([format!("--channels={channels}"), format!("--device={device}")]);
        command
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A player or a recorder, ended with the value.
#[derive(Debug)]
pub struct Stream {
    child: Child,
    heard: Arc<Mutex<Vec<f32>>>,
    channels: usize,
}

impl Stream {
    /// How much was recorded so far, samples of one channel.
    ///
    /// # Panics
    /// When the recording thread panicked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heard.lock().unwrap().len() / self.channels
    }

    /// Nothing was recorded yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One channel of what was recorded since sample `from`.
    ///
    /// # Panics
    /// When the recording thread panicked.
    #[must_use]
    pub fn since(&self, from: usize, channel: usize) -> Vec<f32> {
        let heard = self.heard.lock().unwrap();
        heard.chunks_exact(self.channels).skip(from).map(|frame| frame[channel]).collect()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // It ends by itself with the server.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
