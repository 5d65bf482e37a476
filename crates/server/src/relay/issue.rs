//! Hands out servers and credentials to two who have met. The rooms say who has; here are the addresses and the secrets.
//!
//! Our own relay knows the meetings: its credentials are alike for all who have met, and it carries packets for pairs alone. Others
//! know a secret and nothing else, and would relay for whoever is given a good password.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use visavis_signaling::Role;
use visavis_signaling::message::IceServer;
use visavis_signaling::server::{Granted, Introductions};

use super::credential::{Grant, MeetingId, Secret};
use super::meeting::Meeting;
use super::table::Meetings;

/// The servers that are handed out, besides our own relay.
#[derive(Debug, Clone)]
pub struct IceConfig {
    /// `stun:` and `turn:` URLs (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// Shared with all TURN servers among them. Our own relay has another one.
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
pub(crate) struct LiveMeetings(Arc<Mutex<HashMap<MeetingId, Meeting>>>);

impl LiveMeetings {
    fn lock(&self) -> MutexGuard<'_, HashMap<MeetingId, Meeting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meetings for LiveMeetings {
    fn find(&self, meeting: MeetingId) -> Option<Meeting> {
        self.lock().get(&meeting).cloned()
    }
}

/// Servers with one secret.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) urls: Vec<String>,
    pub(crate) secret: Secret,
}

impl Servers {
    fn urls(&self, is_turn: bool) -> Vec<String> {
        self.urls.iter().filter(|url| url.starts_with("turn") == is_turn).cloned().collect()
    }
}

/// Makes credentials.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) own: Servers,
    pub(crate) others: Servers,
    pub(crate) lifetime: Duration,
    pub(crate) live: LiveMeetings,
}

impl Introductions for Issuer {
    fn grant(&mut self, meeting: MeetingId, role: Role, unix_seconds: u64) -> Option<Granted> {
        let username = self.meet(meeting, role, unix_seconds);
        let password = self.others.secret.password(&username);
        Some(self.granted(username, password))
    }

    fn pretend(&mut self, meeting: MeetingId, role: Role, unix_seconds: u64) -> Option<Granted> {
        let username = self.meet(meeting, role, unix_seconds);
        // Of the same form, and the password of another name: no relay that has the secret takes it for this one.
        let password = self.others.secret.password(&format!("{username}:nobody"));
        Some(self.granted(username, password))
    }

    fn pair(&mut self, meeting: MeetingId) {
        self.live.lock().entry(meeting).or_default().pair();
    }

    fn withdraw(&mut self, meeting: MeetingId) {
        if let Some(meeting) = self.live.lock().remove(&meeting) {
            meeting.end();
        }
    }
}

impl Issuer {
    fn meet(&self, meeting: MeetingId, role: Role, unix_seconds: u64) -> String {
        self.live.lock().entry(meeting).or_default();
        Grant { expires: unix_seconds + self.lifetime.as_secs(), meeting, role }.username()
    }

    /// With that password for the others.
    fn granted(&self, username: String, password: String) -> Granted {
        let own_password = self.own.secret.password(&username);
        let stun = [self.own.urls(false), self.others.urls(false)].concat();
        let all = [
            (stun, String::new(), String::new()),
            (self.own.urls(true), username.clone(), own_password),
            (self.others.urls(true), username, password),
        ];
        let servers = all.into_iter().filter(|(urls, ..)| !urls.is_empty());
        let servers = servers.map(|(urls, username, credential)| IceServer { urls, username, credential });
        Granted { servers: servers.collect(), lifetime: self.lifetime }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn issuer(live: &LiveMeetings) -> Issuer {
        let servers = |urls: [&str; 2], secret: &str| Servers {
            urls: urls.map(str::to_owned).to_vec(),
            secret: Secret::new(secret),
        };
        Issuer {
            own: servers(["stun:192.0.2.1:3478", "turn:192.0.2.1:3478"], "own"),
            others: servers(["turn:192.0.2.2:3478", "stun:192.0.2.2:3478"], "shared"),
            lifetime: Duration::from_secs(60),
            live: live.clone(),
        }
    }

    #[test]
    fn a_grant_is_for_one_meeting_and_its_time() {
        let live = LiveMeetings::default();
        let mut issuer = issuer(&live);
        assert!(live.find([1; 16]).is_none());
        let granted = issuer.grant([1; 16], Role::Joiner, 1000).unwrap();
        let [stun, own, other] = granted.servers.as_slice() else { panic!("{granted:?}") };
        assert_eq!(stun.urls, ["stun:192.0.2.1:3478", "stun:192.0.2.2:3478"]);
        assert!(stun.username.is_empty() && stun.credential.is_empty());
        let expected = Grant { expires: 1060, meeting: [1; 16], role: Role::Joiner };
        for (turn, url, secret) in [(own, "turn:192.0.2.1:3478", "own"), (other, "turn:192.0.2.2:3478", "shared")] {
            assert_eq!(turn.urls, [url]);
            assert_eq!(Grant::parse(&turn.username), Some(expected));
            assert_eq!(turn.credential, Secret::new(secret).password(&turn.username));
        }
        let meeting = live.find([1; 16]).unwrap();
        assert!(!meeting.is_pair(), "they have only met");
        issuer.pair([1; 16]);
        issuer.grant([1; 16], Role::Joiner, 1030).unwrap();
        issuer.withdraw([1; 16]);
        assert!(live.find([1; 16]).is_none() && meeting.is_pair());
    }

    /// With our own relay it is like any other, for that one asks who is a pair. With others it is of no use at all, not even the
    /// password for ours.
    #[test]
    fn what_looks_like_a_grant_is_good_for_nothing_elsewhere() {
        let live = LiveMeetings::default();
        let mut issuer = issuer(&live);
        let [_, own, other] = issuer.pretend([1; 16], Role::Joiner, 1000).unwrap().servers.try_into().unwrap();
        let [_, _, real] = issuer.grant([2; 16], Role::Joiner, 1000).unwrap().servers.try_into().unwrap();
        assert_eq!((other.username.len(), other.credential.len()), (real.username.len(), real.credential.len()));
        assert_eq!(Grant::parse(&own.username), Some(Grant { expires: 1060, meeting: [1; 16], role: Role::Joiner }));
        assert_eq!(own.credential, Secret::new("own").password(&own.username));
        let good = Secret::new("shared").password(&other.username);
        assert!(own.credential != good && other.credential != good && own.username == other.username);
        assert!(live.find([1; 16]).is_some_and(|meeting| !meeting.is_pair()));
    }
}
