//! A real window under Xvfb, driven by WebDriver: what a person would see and press.
#![allow(dead_code, unreachable_pub, reason = "each test uses the part that it needs")]

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

/// How long anything may take that a person waits for.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// A program that is ended with the value.
pub struct Running(Child);

impl Running {
    /// Starts it, or says what must be installed.
    pub fn start(command: &mut Command, package: &str) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        match command.stdin(Stdio::null()).spawn() {
            Ok(child) => Self(child),
            Err(error) => panic!("{name} doesn't start ({error}); it comes with the package {package}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A display that nobody sees, and folders of its own for everything that an app would put into the user's home.
pub struct Desk {
    display: String,
    home: tempfile::TempDir,
    _server: Running,
}

impl Desk {
    /// Sets one up.
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let number = home.path().join("display");
        let mut command = Command::new("sh");
        // Xvfb writes the number of the display that it took to the given descriptor.
        command
            .arg("-c")
            .arg("exec Xvfb -displayfd 3 -screen 0 1280x900x24 -nolisten tcp 3>\"$0\" 2>/dev/null")
            .arg(&number);
        let server = Running::start(&mut command, "xvfb");
        let display = wait_for("a display", || {
            let text = std::fs::read_to_string(&number).ok()?;
            text.ends_with('\n').then(|| format!(":{}", text.trim()))
        });
        std::fs::create_dir(home.path().join("run")).unwrap();
        Self { display, home, _server: server }
    }

    /// Where a profile keeps its settings.
    pub fn settings(&self, profile: &str) -> PathBuf {
        self.home.path().join("config/org.visavis.desktop/profiles").join(profile).join("settings.json")
    }

    /// Writes a profile's settings as if it had been used before.
    pub fn write_settings(&self, profile: &str, content: &[u8]) {
        let path = self.settings(profile);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Settings with devices that need no hardware.
    pub fn write_synthetic(&self, profile: &str, look: u32) {
        let settings = json!({
            "version": 1, "localNetwork": false, "camera": format!("test:{look}"), "microphone": "test", "speaker": "silence",
        });
        self.write_settings(profile, settings.to_string().as_bytes());
    }

    fn environment(&self, command: &mut Command) {
        let home = self.home.path();
        command
            .env("DISPLAY", &self.display)
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env("GDK_BACKEND", "x11")
            .env("NO_AT_BRIDGE", "1")
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("VISAVIS_SERVER");
    }

    /// Opens the app's window.
    pub async fn open(&self, app: &Path, profile: &str) -> Window {
        let port = free_port();
        let log = self.home.path().join(format!("{profile}.log"));
        let mut command = Command::new("WebKitWebDriver");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command.arg(format!("--port={port}")).stdout(file.try_clone().unwrap()).stderr(file);
        self.environment(&mut command);
        let driver = Running::start(&mut command, "webkit2gtk-driver");
        wait_for("WebKitWebDriver", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let options = json!({"binary": app, "args": ["--profile", profile]});
        let capabilities = json!({"webkitgtk:browserOptions": options}).as_object().unwrap().clone();
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap_or_else(|error| {
                panic!("{profile}'s window didn't open: {error}\n{}", std::fs::read_to_string(&log).unwrap_or_default())
            });
        Window { client, profile: profile.to_owned(), _driver: driver }
    }

    /// Keeps a picture of the whole screen.
    pub fn screenshot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let taken = Command::new("import")
            .env("DISPLAY", &self.display)
            .args(["-silent", "-window", "root"])
            .arg(folder.join(name))
            .status();
        assert!(taken.is_ok_and(|status| status.success()), "import comes with the package imagemagick");
    }
}

/// One window of the app.
pub struct Window {
    client: Client,
    profile: String,
    _driver: Running,
}

impl Window {
    /// Waits until something is there.
    pub async fn wait(&self, css: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        if found.is_err() {
            let page = self.client.source().await.unwrap_or_default();
            let body = page.split("<body>").nth(1).unwrap_or(&page);
            panic!("{}'s window shows no {css}:\n{body}", self.profile);
        }
    }

    /// Presses what has this selector.
    pub async fn press(&self, css: &str) {
        self.wait(css).await;
        self.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    /// Presses the button that says this.
    pub async fn press_button(&self, label: &str) {
        let path = format!("//button[normalize-space(.)='{label}' or @aria-label='{label}']");
        let button = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        let Ok(button) = button else {
            let page = self.client.source().await.unwrap_or_default();
            panic!("{}'s window has no button {label:?}:\n{page}", self.profile);
        };
        button.click().await.unwrap();
    }

    /// Types into a field, in place of what is there.
    pub async fn type_into(&self, css: &str, text: &str) {
        self.wait(css).await;
        let field = self.client.find(Locator::Css(css)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// What a script in the page gives.
    pub async fn script(&self, body: &str) -> Value {
        self.client.execute(body, vec![]).await.unwrap()
    }

    /// An attribute of the first element with this selector.
    pub async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let value =
            self.script(&format!("return document.querySelector({css:?})?.getAttribute({name:?}) ?? null")).await;
        value.as_str().map(str::to_owned)
    }

    /// What a field holds.
    pub async fn value(&self, css: &str) -> String {
        self.wait(css).await;
        let value = self.script(&format!("return document.querySelector({css:?}).value")).await;
        value.as_str().unwrap_or_default().to_owned()
    }

    /// All text that a person can read.
    pub async fn text(&self) -> String {
        self.script("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the text says something.
    pub async fn wait_for_text(&self, wanted: &str) {
        let start = Instant::now();
        while !self.text().await.contains(wanted) {
            assert!(
                start.elapsed() < PATIENCE,
                "{}'s window doesn't say {wanted:?}: {}",
                self.profile,
                self.text().await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until a canvas has drawn so many pictures more than it has now; returns width × height.
    pub async fn watch_picture(&self, css: &str, pictures: u64) -> (u64, u64) {
        self.wait(css).await;
        let start = Instant::now();
        let mut first = None;
        loop {
            let drawn = self.number(css, "data-frames").await;
            let first = *first.get_or_insert(drawn);
            if drawn >= first + pictures {
                return (self.number(css, "data-width").await, self.number(css, "data-height").await);
            }
            assert!(start.elapsed() < PATIENCE, "{}'s {css} stands still at {drawn} pictures", self.profile);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the other's picture has this size: while windows start, the machine is too busy for the whole of it.
    pub async fn watch_until_whole(&self, css: &str, size: (u64, u64)) {
        let start = Instant::now();
        loop {
            let seen = self.watch_picture(css, 10).await;
            if seen == size {
                return;
            }
            assert!(start.elapsed() < 4 * PATIENCE, "{}'s {css} is {seen:?} and not {size:?}", self.profile);
        }
    }

    async fn number(&self, css: &str, name: &str) -> u64 {
        self.attribute(css, name).await.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Closes the window as a person would.
    pub async fn close(self) {
        self.client.close().await.unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} didn't come up");
        std::thread::sleep(Duration::from_millis(50));
    }
}
