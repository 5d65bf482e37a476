//! The two connections under a call, and the path that media takes.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The two connections under a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct ConnectionView {
    /// The connection to the server.
    pub signaling: SignalingState,
    /// Why the server isn't reached, in a sentence; it is tried again by itself.
    pub problem: Option<String>,
    /// The connection to the other person.
    pub peer: PeerState,
    /// The path that media takes, once there is one.
    pub path: Option<PathView>,
    /// This call goes by relay only, so that the other side isn't told this machine's addresses.
    pub relay_only: bool,
    /// This call was arranged by a server, and not by an app of the two.
    pub by_server: bool,
}

/// The connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum SignalingState {
    /// Not connected, and not trying.
    Offline,
    /// Trying.
    Connecting,
    /// Connected.
    Online,
}

/// The peer connection's own states, as the W3C names them (`RTCPeerConnectionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum PeerState {
    /// Not tried yet.
    New,
    /// Looking for a path, or shaking hands on it.
    Connecting,
    /// Media can flow.
    Connected,
    /// The path went quiet and may come back.
    Disconnected,
    /// No path was found.
    Failed,
    /// Over.
    Closed,
}

/// The candidate pair that media takes (RFC 8445).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct PathView {
    /// Whether a relay stands between the two.
    pub kind: PathKind,
    /// This side's address and port.
    pub local: String,
    /// The other side's address and port.
    pub remote: String,
    /// The transport protocol: `udp` or `tcp`.
    pub protocol: String,
}

/// Whether a relay stands between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum PathKind {
    /// From machine to machine.
    Direct,
    /// Through a TURN relay (RFC 8656).
    Relay,
}
