//! What each way of a call has of the outside world: a socket to a server and a peer connection.

use futures::channel::mpsc;
use visavis_call::Way;
use visavis_transport::{MediaSender, MediaSources};

use crate::peer_link::LinkCommand;
use crate::socket::SocketSender;

/// One way's part.
#[derive(Default)]
pub(super) struct End {
    pub(super) socket: Option<SocketSender>,
    /// The number of the socket, so that the last words of an old one aren't taken for those of the new one.
    pub(super) number: u64,
    pub(super) link: Option<mpsc::UnboundedSender<LinkCommand>>,
    /// The generation of `link`: what an older one still says isn't taken for its words.
    pub(super) generation: u32,
    /// The media of `link`, until the call goes this way.
    pub(super) media: Option<(MediaSender, MediaSources)>,
    /// `link` carries no video, which is told once the call goes this way.
    pub(super) video_refused: bool,
}

/// Those of all ways.
#[derive(Default)]
pub(super) struct Ends {
    server: End,
    nearby: End,
}

impl Ends {
    pub(super) const fn of(&mut self, way: Way) -> &mut End {
        match way {
            Way::Server => &mut self.server,
            Way::Nearby => &mut self.nearby,
        }
    }

    pub(super) const fn get(&self, way: Way) -> &End {
        match way {
            Way::Server => &self.server,
            Way::Nearby => &self.nearby,
        }
    }
}
