//! Clients whose room is here and whose socket is another server's.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use visavis_signaling::ErrorCode;
use visavis_signaling::server::{ConnectionId, RoomsInput};

use super::frame::{Link, Said};
use super::table::ServerId;
use super::{Cluster, Deed, is_welcome};

/// A client whose socket is elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inward {
    pub(super) server: ServerId,
    pub(super) link: Link,
    /// Whether the welcome of the rooms here is to be kept from it.
    pub(super) greeted: bool,
    /// Whether its way was lost while no server could hear another: it gets the time to come back once they can.
    pub(super) adrift: bool,
}

impl Cluster {
    /// What the rooms say to a connection, if that one came from elsewhere; otherwise it is given back.
    pub(crate) fn give_to_client(&mut self, id: ConnectionId, text: String) -> Option<String> {
        let Some(client) = self.inward.get_mut(&id) else { return Some(text) };
        // The first word to it is either its welcome or why there is none.
        if std::mem::take(&mut client.greeted) && is_welcome(&text) {
            return None;
        }
        let Inward { server, link, adrift, .. } = *client;
        if !adrift {
            self.tell(server, Said::Text { link }, text);
        }
        None
    }

    /// The rooms close a connection. Whether it came from elsewhere.
    pub(crate) fn close_inward(&mut self, id: ConnectionId, code: ErrorCode) -> bool {
        let Some(client) = self.unlink(id) else { return false };
        self.tell_edge(client, Said::Close { link: client.link, code });
        true
    }

    pub(super) fn linked(&self, server: ServerId, link: Link) -> Option<ConnectionId> {
        self.links.get(&(server, link)).copied()
    }

    pub(super) fn open_inward(
        &mut self,
        server: ServerId,
        link: Link,
        from: Option<IpAddr>,
        greeted: bool,
        say: Vec<String>,
    ) {
        if self.links.contains_key(&(server, link)) {
            return;
        }
        let id = ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed));
        self.links.insert((server, link), id);
        self.inward.insert(id, Inward { server, link, greeted, adrift: false });
        let opened = from.map_or(RoomsInput::Opened(id), |from| RoomsInput::OpenedFrom(id, from));
        self.deeds.push_back(Deed::Rooms(opened));
        self.deeds.extend(say.into_iter().map(|text| Deed::Rooms(RoomsInput::Text(id, text))));
    }

    /// The client elsewhere is gone, or can't be reached.
    pub(super) fn drop_inward(&mut self, id: ConnectionId) {
        if self.unlink(id).is_some() {
            self.deeds.push_back(Deed::Rooms(RoomsInput::Closed(id)));
        }
    }

    pub(super) fn unlink(&mut self, id: ConnectionId) -> Option<Inward> {
        let client = self.inward.remove(&id)?;
        if self.links.get(&(client.server, client.link)) == Some(&id) {
            self.links.remove(&(client.server, client.link));
        }
        Some(client)
    }

    pub(super) fn tell_edge(&mut self, client: Inward, said: Said) {
        if !client.adrift {
            self.tell(client.server, said, String::new());
        }
    }
}
