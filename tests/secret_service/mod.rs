//! A message bus with GNOME Keyring on it, or nothing. The keychain is looked for on the bus that a process was started
//! with, so that a test starts itself again on this one.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Set in the process that is on the bus.
const INSIDE: &str = "VISAVIS_TEST_SECRET_SERVICE";
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether this process is the one on the bus.
pub(crate) fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// A bus of its own, which starts nothing by itself, and folders for what a keyring would put into the user's home.
pub(crate) struct Bus {
    // In the order in which they end.
    keyring: Option<Running>,
    _daemon: Running,
    home: tempfile::TempDir,
}

impl Bus {
    /// `None` where the programs aren't installed.
    pub(crate) fn start() -> Option<Self> {
        let installed = ["dbus-daemon", "dbus-send", "gnome-keyring-daemon"].iter().all(|program| {
            let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            found.is_ok()
        });
        if !installed {
            eprintln!("SKIPPED: dbus-daemon or gnome-keyring isn't installed");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("bus.conf"), rules(&home.path().join("bus"))).unwrap();
        let mut daemon = Command::new("dbus-daemon");
        daemon.arg("--nofork").arg("--config-file").arg(home.path().join("bus.conf")).stderr(Stdio::null());
        let daemon = Running(daemon.stdin(Stdio::null()).spawn().unwrap());
        let bus = Self { keyring: None, _daemon: daemon, home };
        bus.until_owned("org.freedesktop.DBus");
        Some(bus)
    }

    /// A keyring that anybody on the bus may read and write.
    pub(crate) fn unlocked_keyring(&mut self) {
        self.keyring(&["--unlock"], "any password");
    }

    /// The same keyring as after a restart of the machine: nobody has typed its password, and there is nobody to ask.
    pub(crate) fn locked_keyring(&mut self) {
        self.keyring(&[], "");
    }

    fn keyring(&mut self, arguments: &[&str], password: &str) {
        self.keyring = None;
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]).args(arguments);
        self.environment(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        self.keyring = Some(Running(child));
        self.until_owned("org.freedesktop.secrets");
    }

    /// Runs this test once more, on the bus.
    pub(crate) fn run(&self, test: &str) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
        self.environment(&mut command);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{test} failed on the bus:\n{text}");
    }

    fn environment(&self, command: &mut Command) {
        let home = self.home.path();
        command
            .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", home.join("bus").display()))
            .env("HOME", home)
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_RUNTIME_DIR", home)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
    }

    /// Waits until somebody on the bus answers to a name.
    fn until_owned(&self, name: &str) {
        let start = Instant::now();
        loop {
            let mut command = Command::new("dbus-send");
            command.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"]);
            command.args(["org.freedesktop.DBus.NameHasOwner", &format!("string:{name}")]);
            self.environment(&mut command);
            let answer = command.stderr(Stdio::null()).output().unwrap();
            if String::from_utf8_lossy(&answer.stdout).contains("boolean true") {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "nobody on the bus is {name}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// No service files: nothing but what the test starts is ever on the bus.
fn rules(socket: &Path) -> String {
    format!(
        "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\"><allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>",
        socket.display()
    )
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
