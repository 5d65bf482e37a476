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
        let username = self.username(meeting, role, unix_seconds);
        let credential = self.secret.password(&username);
        Some(self.granted(username, credential))
    }

    fn pretend(&mut self, meeting: MeetingId, role: Role, unix_seconds: u64) -> Option<Granted> {
        let username = self.username(meeting, role, unix_seconds);
        // Of the same form, and the password of another name: no relay that has the secret takes it for this one.
        let credential = self.secret.password(&format!("{username}:nobody"));
        Some(self.granted(username, credential))
    }

    fn withdraw(&mut self, meeting: MeetingId) {
        self.live.lock().remove(&meeting);
    }
}

impl Issuer {
    fn username(&self, meeting: MeetingId, role: Role, unix_seconds: u64) -> String {
        Grant { expires: unix_seconds + self.lifetime.as_secs(), meeting, role }.username()
    }

    fn granted(&self, username: String, credential: String) -> Granted {
        let (turn, stun): (Vec<_>, Vec<_>) = self.urls.iter().cloned().partition(|url| url.starts_with("turn"));
        let mut servers = Vec::new();
        if !stun.is_empty() {
            servers.push(IceServer { urls: stun, username: String::new(), credential: String::new() });
        }
        if !turn.is_empty() {
            servers.push(IceServer { urls: turn, username, credential });
        }
        Granted { servers, lifetime: self.lifetime }
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

    #[test]
    fn what_looks_like_a_grant_is_good_for_nothing() {
        let (live, secret) = (LiveMeetings::default(), Secret::new("secret"));
        let urls = vec!["turn:192.0.2.1:3478".to_owned()];
        let mut issuer = Issuer { urls, secret: secret.clone(), lifetime: Duration::from_secs(60), live: live.clone() };
        let turn = issuer.pretend([1; 16], Role::Joiner, 1000).unwrap().servers.remove(0);
        let real = issuer.grant([2; 16], Role::Joiner, 1000).unwrap().servers.remove(0);
        assert_eq!((turn.username.len(), turn.credential.len()), (real.username.len(), real.credential.len()));
        assert_eq!(Grant::parse(&turn.username), Some(Grant { expires: 1060, meeting: [1; 16], role: Role::Joiner }));
        assert_ne!(turn.credential, secret.password(&turn.username));
        assert!(!live.is_live([1; 16]));
    }
}
