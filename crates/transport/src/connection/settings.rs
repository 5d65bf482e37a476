//! How patient the connection is: ICE's timers (RFC 8445, RFC 7675) and which addresses it takes first.

use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use webrtc::peer_connection::{SettingEngine, SettingEngineBuilder};

/// Silence after which the connection counts as disconnected.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(4);
/// Failing would throw all candidates away; how long to hope is the session's to decide, so it never fails by itself.
const NEVER_FAILS: Duration = Duration::ZERO;
/// How often the path is checked (RFC 7675 asks for at least every five seconds). Nothing is sent on a path that is
/// silent, so that a network that was dark is noticed only by the next check: this is most of what a call takes to be back.
const KEEPALIVE: Duration = Duration::from_millis(150);
/// The pace of connectivity checks (RFC 8445, section 14.2).
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Checks per pair: half a minute, for a path that opens late.
const CHECKS_PER_PAIR: u16 = 600;
/// How long a worse kind of path waits for a better one to be found first.
const WAIT_BEFORE_REFLEXIVE: Duration = Duration::from_millis(200);
const WAIT_BEFORE_RELAY: Duration = Duration::from_millis(600);

pub(super) fn settings() -> SettingEngine {
    SettingEngineBuilder::new()
        .with_ice_timeouts(Some(DISCONNECTED_AFTER), Some(NEVER_FAILS), Some(KEEPALIVE))
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS_PER_PAIR))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(WAIT_BEFORE_REFLEXIVE))
        .with_prflx_acceptance_min_wait(Some(WAIT_BEFORE_REFLEXIVE))
        .with_relay_acceptance_min_wait(Some(WAIT_BEFORE_RELAY))
        .with_include_loopback_candidate(true)
        // A restart is for a changed network: new sockets on the addresses that there are then.
        .with_discard_local_candidates_during_ice_restart(true)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(64 * 1024))
        .build()
}
