//! The servers that a Visavis server hands out. It hands them to two who have met and to nobody else, so the one who wants to
//! know plays both: creates a room, knocks at it, and leaves again (docs/protocol.md).

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use visavis_signaling::message::ICE_SERVERS;
use visavis_signaling::{ClientMessage, Nameplate, PROTOCOL_VERSION, ServerMessage};
use visavis_transport::IceServer;

use crate::socket::{Failure, Socket, open};
use crate::tls;

/// Signing in and meeting take two round trips.
const MEETING: Duration = Duration::from_secs(10);
/// What a server may say before what is waited for.
const MOST_MESSAGES: usize = 16;

/// Somebody who has met themselves, for as long as the servers are being asked: credentials are good only so long.
pub struct SelfMeeting {
    /// The servers that the two were given.
    pub servers: Vec<IceServer>,
    sides: [Socket; 2],
}

impl SelfMeeting {
    /// Meets at the server with this WebSocket address.
    ///
    /// # Errors
    /// Why it didn't come about, in plain words.
    pub async fn at(url: &str) -> Result<Self, String> {
        timeout(MEETING, meet(url)).await.unwrap_or_else(|_| Err("it didn't answer".to_owned()))
    }

    /// Leaves the room. Whoever only hangs up is waited for by the server.
    pub async fn leave(mut self) {
        for side in &mut self.sides {
            // The server may be gone.
            let _ = say(side, &ClientMessage::Leave { reason: String::new() }).await;
            let _ = side.close(None).await;
        }
    }
}

impl std::fmt::Debug for SelfMeeting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SelfMeeting").field("servers", &self.servers.len()).finish_non_exhaustive()
    }
}

async fn meet(url: &str) -> Result<SelfMeeting, String> {
    let (mut creator, mut joiner) = (greeted(url).await?, greeted(url).await?);
    say(&mut creator, &ClientMessage::Create).await?;
    let nameplate = hear(&mut creator, created).await?;
    say(&mut joiner, &ClientMessage::Knock { nameplate }).await?;
    hear(&mut joiner, |message| matches!(message, ServerMessage::Knocked { .. }).then_some(())).await?;
    // The servers come right behind; where there are none, the next to come is the answer to this.
    say(&mut joiner, &ClientMessage::Ping).await?;
    let given = hear(&mut joiner, |message| {
        if let ServerMessage::IceServers { servers, .. } = message {
            return Some(servers);
        }
        matches!(message, ServerMessage::Pong).then(Vec::new)
    });
    Ok(SelfMeeting { servers: given.await?, sides: [creator, joiner] })
}

fn created(message: ServerMessage) -> Option<Nameplate> {
    if let ServerMessage::Created { nameplate } = message { Some(nameplate) } else { None }
}

async fn greeted(url: &str) -> Result<Socket, String> {
    let mut socket = open(url, tls::system_trust).await.map_err(Failure::into_reason)?;
    let features = vec![ICE_SERVERS.to_owned()];
    say(&mut socket, &ClientMessage::Hello { version: PROTOCOL_VERSION, features, resume: None }).await?;
    hear(&mut socket, |message| matches!(message, ServerMessage::Welcome { .. }).then_some(())).await?;
    Ok(socket)
}

async fn say(socket: &mut Socket, message: &ClientMessage) -> Result<(), String> {
    socket.send(Message::text(message.to_json())).await.map_err(|error| error.to_string())
}

/// Reads on until `wanted` finds what it wants.
async fn hear<T>(socket: &mut Socket, wanted: impl Fn(ServerMessage) -> Option<T>) -> Result<T, String> {
    for _ in 0..MOST_MESSAGES {
        let Some(Ok(message)) = socket.next().await else { return Err("it closed the connection".to_owned()) };
        let Message::Text(text) = message else { continue };
        let message = ServerMessage::parse(text.as_str()).map_err(|_| "it isn't a Visavis server".to_owned())?;
        if let ServerMessage::Error { text, fatal: true, .. } = &message {
            return Err(text.clone());
        }
        if let Some(found) = wanted(message) {
            return Ok(found);
        }
    }
    Err("it isn't a Visavis server".to_owned())
}
