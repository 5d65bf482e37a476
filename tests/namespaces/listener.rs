//! Somebody between the peers and the server who passes everything on and writes down what the two tell one another.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::{SinkExt as _, StreamExt as _};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;
use std::os::fd::AsFd as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, client_async};

/// What was heard so far.
pub struct Listener {
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// Listens within a namespace and passes on within it. Ends with the process.
    pub fn start(namespace: PathBuf, listen: &'static str, server: &'static str) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (writes, (ready, is_ready)) = (Arc::clone(&heard), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            let namespace = std::fs::File::open(namespace).unwrap();
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind(listen).await.unwrap();
                ready.send(()).unwrap();
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(pass_on(socket, server, Arc::clone(&writes)));
                }
            });
        });
        is_ready.recv().unwrap();
        Self { heard }
    }

    /// The bodies that were relayed, as they went by.
    pub fn bodies(&self) -> Vec<String> {
        let relayed = |text: &String| -> Option<String> {
            let message: Value = serde_json::from_str(text).ok()?;
            Some(message["body"].as_str()?.to_owned())
        };
        self.heard.lock().unwrap().iter().filter_map(relayed).collect()
    }

    /// Everything that either said to the server.
    pub fn all(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn pass_on(socket: TcpStream, server: &str, heard: Arc<Mutex<Vec<String>>>) {
    let Ok(peer) = accept_async(socket).await else { return };
    let onward = TcpStream::connect(server).await.unwrap();
    let (onward, _) = client_async(format!("ws://{server}/ws"), onward).await.unwrap();
    let ((mut to_peer, mut from_peer), (mut to_server, mut from_server)) = (peer.split(), onward.split());
    let out = async {
        while let Some(Ok(message)) = from_peer.next().await {
            if let Message::Text(text) = &message {
                heard.lock().unwrap().push(text.as_str().to_owned());
            }
            if to_server.send(message).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        while let Some(Ok(message)) = from_server.next().await {
            if to_peer.send(message).await.is_err() {
                return;
            }
        }
    };
    futures::future::join(out, back).await;
}
