//! What the servers' answers, and their silence, say about the network that we are in.

use std::time::Duration;

use visavis_call::Obstacle;
use visavis_stun::{Carrier, Service};

use super::ledger::{ServerReport, Standing};

/// Servers that have said nothing for so long are on the other side of something: on a good network they answer within a
/// fifth of it.
pub(super) const SUSPICIOUS: Duration = Duration::from_millis(1_500);

/// What stands in the way of a path; `None` where a relay works, or nothing is known yet.
pub(super) fn of(reports: &[ServerReport]) -> Option<Obstacle> {
    let relays = || reports.iter().filter(|report| report.server.service == Service::Turn);
    if relays().any(|relay| matches!(relay.standing, Standing::Works(_))) {
        return None;
    }
    if relays().next().is_none() {
        return Some(blocked(reports).unwrap_or(Obstacle::NoRelay));
    }
    relays().find_map(refusal).or_else(|| blocked(reports)).or_else(|| relays().find_map(silence))
}

/// Said in so many words.
fn refusal(report: &ServerReport) -> Option<Obstacle> {
    let relay = report.server.place();
    match &report.standing {
        Standing::Refused(401 | 441, _) => Some(Obstacle::RelayPassword { relay }),
        Standing::Refused(code, words) => Some(Obstacle::RelayRefused { relay, words: format!("{code} {words}") }),
        Standing::Unasked
        | Standing::Asked
        | Standing::Challenged
        | Standing::Works(_)
        | Standing::Failed(_)
        | Standing::Silent => None,
    }
}

/// All servers over UDP are silent. One alone may just be down, unless there is no other.
fn blocked(reports: &[ServerReport]) -> Option<Obstacle> {
    let (over_udp, over_streams): (Vec<_>, Vec<_>) =
        reports.iter().partition(|report| report.server.carrier == Carrier::Udp);
    if over_udp.is_empty() || !over_udp.iter().all(|report| report.standing == Standing::Silent) {
        return None;
    }
    let tried = over_streams.iter().filter(|report| matches!(report.standing, Standing::Asked | Standing::Challenged));
    let trying: Vec<_> =
        tried.map(|report| format!("{} on {}", report.server.carrier.name(), report.server.port)).collect();
    match (trying.is_empty(), over_streams.is_empty()) {
        (false, _) => Some(Obstacle::UdpBlocked { trying: Some(trying.join(" and ")) }),
        (true, true) => Some(Obstacle::UdpBlocked { trying: None }),
        // They have been tried, and have said why not.
        (true, false) => over_streams.into_iter().find_map(silence),
    }
}

/// Found out by waiting, or by the system.
fn silence(report: &ServerReport) -> Option<Obstacle> {
    let relay = report.server.place();
    match &report.standing {
        Standing::Silent => Some(Obstacle::RelaySilent { relay }),
        Standing::Failed(reason) => Some(Obstacle::RelayUnreachable { relay, reason: reason.clone() }),
        Standing::Unasked | Standing::Asked | Standing::Challenged | Standing::Works(_) | Standing::Refused(..) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn reports(list: &[(&str, Standing)]) -> Vec<ServerReport> {
        let report = |(url, standing): &(&str, Standing)| ServerReport {
            server: url.parse().unwrap(),
            standing: standing.clone(),
        };
        list.iter().map(report).collect()
    }

    fn code(list: &[(&str, Standing)]) -> Option<&'static str> {
        of(&reports(list)).map(|obstacle| obstacle.code())
    }

    fn works() -> Standing {
        Standing::Works("192.0.2.1:1".parse().unwrap())
    }

    #[test]
    fn the_cause_is_named() {
        use Standing::{Asked, Silent};
        let failed = Standing::Failed("nothing listens there".to_owned());
        let refused = |code| Standing::Refused(code, "No".to_owned());
        for (list, expected) in [
            (&[("stun:h", works())][..], Some("no-relay")),
            (&[("stun:h", Silent)], Some("udp-blocked")),
            (&[("turn:h", works()), ("turns:h", failed.clone())], None),
            (&[("turn:h", Asked)], None),
            (&[("turn:h", refused(401))], Some("relay-password")),
            (&[("turn:h", refused(486))], Some("relay-refused")),
            (&[("stun:h", works()), ("turn:h", Silent)], Some("relay-silent")),
            (&[("stun:h", Silent), ("turn:h", Silent), ("turns:h:443", Asked)], Some("udp-blocked")),
            (&[("turn:h", Silent), ("turns:h", failed.clone())], Some("relay-unreachable")),
            (&[("turns:h", failed)], Some("relay-unreachable")),
        ] {
            assert_eq!(code(list), expected, "{list:?}");
        }
    }

    #[test]
    fn a_person_reads_what_is_being_tried() {
        let list = [("turn:h", Standing::Silent), ("turns:h:443", Standing::Asked)];
        let said = of(&reports(&list)).unwrap().to_string();
        assert_eq!(said, "This network blocks UDP; trying TLS on 443…");
    }
}
