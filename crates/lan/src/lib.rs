//! Calls on the local network, with no server anybody would have to name: who starts one says by multicast DNS (RFC 6762,
//! RFC 6763) that there is a call to be joined, and who types a code asks everybody who says so.
//!
//! What is said is a name of random digits, a port and the addresses of this machine in this network: nothing of the code,
//! of the person, or of when they last called. Whatever is heard may be a lie, so that only a few are heard, only addresses
//! of a local network count, and none of them is believed anything but that somebody might be asked there.
//!
//! Beside that, names that stand for addresses of a local network within a call, ours and the other side's ([`Names`]).
//!
//! This is the only crate that knows how multicast DNS is done.

mod address;
mod announce;
mod found;
mod names;
mod search;

pub use address::{is_local_source, may_be_asked, own_addresses};
pub use announce::{AnnounceError, Announcement};
pub use found::{Found, MOST_ADDRESSES, MOST_INSTANCES};
pub use names::{Names, is_name, is_of_local_network};
pub use search::{Search, SearchError};

/// The service, as RFC 6763, section 7 names services: one embedded server with one room.
const SERVICE: &str = "_visavis._tcp.local.";
