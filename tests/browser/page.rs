//! The page, the little server that gives it to the browser, and its calls.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine as _;
use fantoccini::Client;
use fantoccini::wd::TimeoutConfiguration;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long anything on the page may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Serves the page on loopback, which browsers take for a secure context.
pub struct PageServer {
    url: String,
    task: JoinHandle<()>,
}

impl PageServer {
    /// Serves until it is dropped.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self> {
        let files = Router::new()
            .route("/", get(|| async { file("text/html", include_str!("page.html")) }))
            .route("/exchange.js", get(|| async { file("text/javascript", include_str!("exchange.js")) }))
            .route("/client.js", get(|| async { file("text/javascript", include_str!("client.js")) }));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let task = tokio::spawn(async move {
            // Ends with the test; a page that can't be had shows in the browser.
            let _ = axum::serve(listener, files).await;
        });
        Ok(Self { url, task })
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind)], content)
}

/// What the browser shows of the other side.
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// The W3C's name of the layout, `I420` for three planes.
    pub format: String,
    /// The planes, one after the other.
    pub planes: Vec<u8>,
}

/// The page in an open browser.
pub struct Page(Client);

impl Page {
    /// Opens the page and its devices.
    ///
    /// # Errors
    /// When the page fails, or has no camera or microphone.
    pub async fn open(browser: &Client, server: &PageServer) -> Result<Self> {
        browser.update_timeouts(TimeoutConfiguration::new(Some(PATIENCE), None, None)).await?;
        browser.goto(&server.url).await?;
        let page = Self(browser.clone());
        page.run("await prepare()", json!([])).await.context("the page can't open its devices")?;
        Ok(page)
    }

    /// Begins a call named `name` in the page; it joins `code`, or makes a room without one. `codecs`: the MIME types of
    /// the only video codecs that the page is to take.
    ///
    /// # Errors
    /// When the page fails.
    pub async fn start(&self, name: &str, server: &str, code: Option<&str>, codecs: Option<&[&str]>) -> Result<()> {
        let options = json!({ "server": server, "code": code, "codecs": codecs });
        self.run("start(args[0], args[1])", json!([name, options])).await?;
        Ok(())
    }

    /// Waits until `what` has happened in a call, and tells when: milliseconds on the page's clock.
    ///
    /// # Errors
    /// When the call closes first or nothing happens in time.
    pub async fn when(&self, name: &str, what: &str) -> Result<f64> {
        let at = self.run("return await peers[args[0]].when(args[1])", json!([name, what])).await?;
        at.as_f64().context("no time")
    }

    /// Waits for the call to be over; gives the reason.
    ///
    /// # Errors
    /// When it doesn't end in time.
    pub async fn closed(&self, name: &str) -> Result<String> {
        let script = "await peers[args[0]].when('closed'); return peers[args[0]].closed";
        self.run(script, json!([name])).await?.as_str().map(str::to_owned).context("no reason")
    }

    /// All that the other side has told so far through the server, opened.
    ///
    /// # Errors
    /// When the page fails.
    pub async fn told(&self, name: &str) -> Result<Vec<Value>> {
        let told = self.run("return peers[args[0]].told", json!([name])).await?;
        told.as_array().cloned().context("no list")
    }

    /// Waits until the other side says that it sends this.
    ///
    /// # Errors
    /// When the call closes first or nothing is said in time.
    pub async fn remote_sends(&self, name: &str, microphone: bool, camera: bool) -> Result<()> {
        let args = json!([name, { "microphone": microphone, "camera": camera }]);
        self.run("await peers[args[0]].remoteSends(args[1])", args).await?;
        Ok(())
    }

    /// Says what the page sends from now on.
    ///
    /// # Errors
    /// When the page fails.
    pub async fn set_media(&self, name: &str, microphone: bool, camera: bool) -> Result<()> {
        let args = json!([name, { "microphone": microphone, "camera": camera }]);
        self.run("peers[args[0]].setMedia(args[1])", args).await?;
        Ok(())
    }

    /// Hangs up.
    ///
    /// # Errors
    /// When the page fails.
    pub async fn hang_up(&self, name: &str) -> Result<()> {
        self.run("peers[args[0]].hangUp()", json!([name])).await?;
        Ok(())
    }

    /// The code of a call that made a room.
    ///
    /// # Errors
    /// When none is made in time.
    pub async fn code(&self, name: &str) -> Result<String> {
        let script = "await peers[args[0]].when('created'); return peers[args[0]].code";
        self.run(script, json!([name])).await?.as_str().map(str::to_owned).context("no code")
    }

    /// The browser's statistics of one stream: `direction` is `inbound-rtp` or `outbound-rtp`, `kind` `video` or
    /// `audio`. Null when there is no such stream.
    ///
    /// # Errors
    /// When the page fails.
    pub async fn stats(&self, name: &str, direction: &str, kind: &str) -> Result<Value> {
        let streams = self.run("return await peers[args[0]].stats()", json!([name])).await?;
        let found = streams.as_array().and_then(|all| all.iter().find(|s| s["type"] == direction && s["kind"] == kind));
        Ok(found.cloned().unwrap_or(Value::Null))
    }

    /// How long pictures take from one call's camera until another's decoder gives them, for so long; the camera's pictures
    /// carry the test pattern's numbers.
    ///
    /// # Errors
    /// When the page fails.
    pub async fn picture_delays(&self, from: &str, to: &str, span: Duration) -> Result<Vec<Duration>> {
        let script = "return await pictureDelays(args[0], args[1], args[2])";
        let delays = self.run(script, json!([from, to, span.as_secs_f64()])).await?;
        let milliseconds = delays.as_array().into_iter().flatten().filter_map(Value::as_f64);
        Ok(milliseconds.map(|ms| Duration::from_secs_f64(ms.max(0.0) / 1000.0)).collect())
    }

    /// The picture on the page right now.
    ///
    /// # Errors
    /// When there is none.
    pub async fn picture(&self, name: &str) -> Result<Picture> {
        let value = self.run("return await peers[args[0]].picture()", json!([name])).await?;
        let side = |name: &str| value[name].as_u64().and_then(|side| u32::try_from(side).ok()).context("no size");
        let planes = value["planes"].as_str().context("no planes")?;
        Ok(Picture {
            width: side("width")?,
            height: side("height")?,
            format: value["format"].as_str().unwrap_or_default().to_owned(),
            planes: base64::engine::general_purpose::STANDARD.decode(planes)?,
        })
    }

    /// Runs a script's `return` or failure; `args` stands in it under that name.
    async fn run(&self, script: &str, args: Value) -> Result<Value> {
        let whole = format!(
            "const [args, done] = arguments; \
             (async () => {{ {script} }})().then((value) => done({{ value }}), (error) => done({{ error: String(error) }}));"
        );
        let answer = self.0.execute_async(&whole, vec![args]).await.with_context(|| script.to_owned())?;
        match answer["error"].as_str() {
            Some(error) => Err(anyhow!("{error} (in: {script})")),
            None => Ok(answer["value"].clone()),
        }
    }
}
