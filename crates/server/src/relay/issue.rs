//! Hands out servers and credentials to two who have met. The rooms say who has; here are the addresses and the secret.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use visavis_signaling::Role;
use visavis_signaling::message::IceServer;
use visavis_signaling::server::{Granted, Introductions};

use super::credential::{Grant, MeetingId, Secret};
use super::table::Meetings;

/// The servers that are handed out, besides our own relay.
#[derive(Debug, Clone)]
pub struct IceConfig {
    /// `stun:` and `turn:` URLs (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// Shared with all TURN servers among them. Without it one is made at each start, which only our own relay knows.
    pub secret: Option<Secret>,
    /// How long a credential is good. Renewed ones follow at half of it.
    pub lifetime: Duration,
}

impl Default for IceConfig {
    fn default() -> Self {
        Self { urls: Vec::new(), secret: None, lifetime: Duration::from_secs(3600) }
    }
}

/// The meetings that go on: those who have met there may ask our relay for allocations.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveMeetings(Arc<Mutex<HashSet<MeetingId>>>);

impl LiveMeetings {
    fn lock(&self) -> MutexGuard<'_, HashSet<MeetingId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meetings for LiveMeetings {
    fn is_live(&self, meeting: MeetingId) -> bool {
        self.lock().contains(&meeting)
    }
}

/// Makes credentials.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) urls: Vec<String>,
    pub(crate) secret: Secret,
    pub(crate) lifetime: Duration,
    pub(crate) live: LiveMeetings,
}

impl Introductions for Issuer {
    fn grant(&mut self, meeting: MeetingId, role: Role, unix_seconds: u64) -> Option<Granted> {
        self.live.lock().insert(meeting);
        let username = Grant { expires: unix_seconds + self.lifetime.as_secs(), meeting, role }.username();
        let credential = self.secret.password(&username);
        let (turn, stun): (Vec<_>, Vec<_>) = self.urls.iter().cloned().partition(|url| url.starts_with("turn"));
        let mut servers = Vec::new();
        if !stun.is_empty() {
            servers.push(IceServer { urls: stun, username: String::new(), credential: String::new() });
        }
        if !turn.is_empty() {
            servers.push(IceServer { urls: turn, username, credential });
        }
        Some(Granted { servers, lifetime: self.lifetime })
    }

    fn withdraw(&mut self, meeting: MeetingId) {
        self.live.lock().remove(&meeting);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_grant_is_for_one_meeting_and_its_time() {
        let live = LiveMeetings::default();
        let urls = ["stun:192.0.2.1:3478", "turn:192.0.2.1:3478"].map(str::to_owned).to_vec();
        let secret = Secret::new("secret");
        let lifetime = Duration::from_secs(60);
        let mut issuer = Issuer { urls, secret: secret.clone(), lifetime, live: live.clone() };
        assert!(!live.is_live([1; 16]));
        let granted = issuer.grant([1; 16], Role::Joiner, 1000).unwrap();
        let [stun, turn] = granted.servers.as_slice() else { panic!("{granted:?}") };
        assert!(stun.urls[0].starts_with("stun:") && stun.credential.is_empty());
        let expected = Grant { expires: 1060, meeting: [1; 16], role: Role::Joiner };
        assert_eq!(Grant::parse(&turn.username), Some(expected));
        assert_eq!(turn.credential, secret.password(&turn.username));
        assert!(live.is_live([1; 16]));
        issuer.withdraw([1; 16]);
        assert!(!live.is_live([1; 16]));
    }
}
