//! One WebSocket (RFC 6455): text frames to the hub, the hub's messages out, each side bounded in size and time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::HeaderMap;
use axum::response::Response;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::sync::oneshot;
use tracing::{debug, info};
use visavis_signaling::ErrorCode;
use visavis_signaling::message::MAX_MESSAGE_BYTES;
use visavis_signaling::server::{ConnectionId, RoomsInput};

use crate::AppState;
use crate::client_address::{Peer, client_address};
use crate::gate::Pass;
use crate::hub::{HubHandle, Outgoing, Queue};

/// The largest frame that is read at all. A message may have [`MAX_MESSAGE_BYTES`]; what is a little larger is read to
/// the end, so that its sender can be told.
const MAX_FRAME_BYTES: usize = 4 * MAX_MESSAGE_BYTES;
/// The read buffer of each socket. The library's own default of 128 KiB would be most of an idle connection's memory, and
/// with 4 KiB it was 10.5 kB instead of 7.5 kB.
const READ_BUFFER_BYTES: usize = 1024;
/// How long a socket may take to accept one message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the other side may take to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) async fn upgrade(
    State(state): State<AppState>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(pass): Extension<Arc<Pass>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    // To a server inside an app its own machine is no source: whoever is there may make the room.
    let is_own = state.audience.is_embedded() && peer.ip().to_canonical().is_loopback();
    let from = (!is_own).then(|| client_address(peer.ip(), &headers, &state.gate));
    if let Some(from) = from.filter(|_| state.log_addresses) {
        info!(%from, "a client connects");
    }
    upgrade
        .max_message_size(MAX_FRAME_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .on_failed_upgrade(|error| debug!(%error, "a connection didn't become a WebSocket"))
        .on_upgrade(move |socket| serve(socket, state.hub, from, pass))
}

/// Serves a client to its end. The pass is its place, given back with it.
async fn serve(socket: WebSocket, hub: HubHandle, from: Option<IpAddr>, _pass: Arc<Pass>) {
    let Some((id, queue)) = hub.open(from).await else { return };
    debug!(connection = id.0, "opened");
    let (sink, mut stream) = socket.split();
    let said_goodbye = {
        let reading = std::pin::pin!(read(&mut stream, &hub, id));
        let writing = std::pin::pin!(write(sink, queue));
        match futures::future::select(reading, writing).await {
            futures::future::Either::Left(((), writing)) => {
                // The hub may have more to say about what came last.
                hub.tell(RoomsInput::Closed(id)).await;
                writing.await;
                false
            }
            futures::future::Either::Right((said_goodbye, _)) => said_goodbye,
        }
    };
    hub.tell(RoomsInput::Closed(id)).await;
    if said_goodbye {
        // A socket that closes with unread input is reset, and its last words may be lost with it.
        let drain = async { while let Some(Ok(_)) = stream.next().await {} };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, drain).await;
    }
    debug!(connection = id.0, "closed");
}

/// Reads until the socket or the hub ends.
async fn read(stream: &mut SplitStream<WebSocket>, hub: &HubHandle, id: ConnectionId) {
    while let Some(message) = stream.next().await {
        let input = match message {
            Ok(Message::Text(text)) => RoomsInput::Text(id, text.as_str().to_owned()),
            Ok(Message::Binary(_)) => RoomsInput::Unreadable(id, ErrorCode::BadMessage),
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(Message::Close(_)) | Err(_) => return,
        };
        if !hub.tell(input).await {
            return;
        }
    }
}

/// Writes until the hub ends the queue or cuts it off, or the socket fails. Tells whether a close was sent.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut queue: Queue) -> bool {
    // A hub that only lets go of the queue hasn't cut it off.
    let (_, unused) = oneshot::channel();
    let cut_off = std::mem::replace(&mut queue.cut_off, unused);
    let mut cut_off = std::pin::pin!(async {
        if cut_off.await.is_err() {
            std::future::pending().await
        }
    });
    while let Some(message) = queue.next().await {
        let (message, last) = match message {
            Outgoing::Text(text) => (Message::Text(text.into()), false),
            Outgoing::Close(code) => (Message::Close(Some(close_frame(code))), true),
        };
        let sent = tokio::select! {
            sent = tokio::time::timeout(WRITE_TIMEOUT, sink.send(message)) => matches!(sent, Ok(Ok(()))),
            () = &mut cut_off => false,
        };
        if !sent || last {
            return sent;
        }
    }
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, sink.close()).await;
    false
}

fn close_frame(code: ErrorCode) -> CloseFrame {
    let number = if code == ErrorCode::ShuttingDown { close_code::AWAY } else { close_code::POLICY };
    CloseFrame { code: number, reason: code.as_str().into() }
}
