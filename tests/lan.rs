//! Calls with no server and no internet, in network namespaces: machines on one bridge that find each other by multicast DNS.
//! Needs root and nftables; where they are missing the tests say so and pass.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test: a failed unwrap is a failure, and nobody links to it"
)]

mod bridge;
mod programs;

use bridge::{Addresses, Bridge, Machine};
use programs::Process;
use serde_json::Value;

fn state(process: &Process, wanted: &str) -> Value {
    process.event("call-state", |event| event["state"] == wanted)
}

fn see_pictures(peer: &Process) {
    state(peer, "connected");
    let stats = peer.event("stats", |event| event["stats"]["inbound"]["framesDecoded"].as_u64() > Some(15));
    let path = &stats["stats"]["path"];
    let kinds =
        [&path["local"], &path["remote"]].map(|end| end["candidateType"].as_str().unwrap_or_default().to_owned());
    assert!(kinds.iter().all(|kind| kind == "host" || kind == "prflx"), "{kinds:?}");
}

/// A call from Ann to Bob with pictures both ways.
fn call(bridge: &Bridge) {
    let ann = bridge.cli(Machine::Ann, &["create"], &[]);
    let code = state(&ann, "waiting")["code"].as_str().unwrap().to_owned();
    let bob = bridge.cli(Machine::Bob, &["join", &code], &[]);
    see_pictures(&ann);
    see_pictures(&bob);
}

#[test]
fn two_machines_find_each_other() {
    let Some(bridge) = Bridge::build("f", Addresses::Both) else { return };
    call(&bridge);
}

#[test]
fn ipv6_is_enough() {
    let Some(bridge) = Bridge::build("s", Addresses::V6) else { return };
    call(&bridge);
}

#[test]
fn ipv4_is_enough() {
    let Some(bridge) = Bridge::build("v", Addresses::V4) else { return };
    call(&bridge);
}

/// A network that keeps its guests apart from what is meant for many: nobody is found, and the longer code says where.
#[test]
fn where_nobody_is_found_the_code_says_where() {
    for (tag, addresses) in [("m", Addresses::V4), ("n", Addresses::V6)] {
        let Some(bridge) = Bridge::build(tag, addresses) else { return };
        bridge.drop_multicast();
        let ann = bridge.cli(Machine::Ann, &["create"], &[]);
        let waiting = state(&ann, "waiting");
        let code = waiting["code"].as_str().unwrap();
        let mut lost = bridge.cli(Machine::Bob, &["join", code], &[]);
        assert_eq!(state(&lost, "closed")["reason"], "nobody-near");
        assert_eq!(lost.wait().code(), Some(4));
        let longer = waiting["withAddress"].as_str().unwrap();
        let bob = bridge.cli(Machine::Bob, &["join", longer], &[]);
        see_pictures(&ann);
        see_pictures(&bob);
    }
}

/// Nobody is told an address: the two look one another's names up.
#[test]
fn names_in_place_of_addresses_are_enough() {
    for (tag, addresses) in [("i", Addresses::V4), ("j", Addresses::V6)] {
        let Some(bridge) = Bridge::build(tag, addresses) else { return };
        let ann = bridge.cli(Machine::Ann, &["create"], &["--name-local"]);
        let code = state(&ann, "waiting")["code"].as_str().unwrap().to_owned();
        let bob = bridge.cli(Machine::Bob, &["join", &code], &["--name-local"]);
        see_pictures(&ann);
        see_pictures(&bob);
    }
}

/// Neither datagrams nor a relay: the two speak over a stream (RFC 6544), which either of them may open.
#[test]
fn where_no_datagram_passes_a_stream_does() {
    for (tag, addresses, shut) in
        [("t", Addresses::V4, false), ("u", Addresses::V6, false), ("w", Addresses::Both, true)]
    {
        let Some(bridge) = Bridge::build(tag, addresses) else { return };
        bridge.drop_datagrams();
        if shut {
            bridge.take_no_streams(Machine::Bob);
        }
        let ann = bridge.cli(Machine::Ann, &["create"], &[]);
        let code = state(&ann, "waiting")["code"].as_str().unwrap().to_owned();
        let bob = bridge.cli(Machine::Bob, &["join", &code], &[]);
        for peer in [&ann, &bob] {
            state(peer, "connected");
            let stats = peer.event("stats", |event| event["stats"]["inbound"]["framesDecoded"].as_u64() > Some(15));
            let path = &stats["stats"]["path"];
            assert_eq!(
                (&path["local"]["protocol"], &path["remote"]["protocol"]),
                (&"tcp".into(), &"tcp".into()),
                "{path}"
            );
        }
    }
}

/// Somebody announces calls at ports where nobody listens. The call comes about all the same.
#[test]
fn lies_cost_time_and_nothing_else() {
    let Some(bridge) = Bridge::build("l", Addresses::V4) else { return };
    let lies =
        bridge.within(Machine::Eve, || [1_u16, 2, 3].map(|port| visavis_lan::Announcement::publish(port).unwrap()));
    let ann = bridge.cli(Machine::Ann, &["create"], &[]);
    let code = state(&ann, "waiting")["code"].as_str().unwrap().to_owned();
    let bob = bridge.cli(Machine::Bob, &["join", &code], &[]);
    see_pictures(&ann);
    see_pictures(&bob);
    drop(lies);
}

/// With a server set that isn't there any more, the local network is a way all the same; and where nobody waits there either, it is
/// the missing server that is named.
#[test]
fn a_joiner_with_a_server_goes_both_ways() {
    let Some(bridge) = Bridge::build("b", Addresses::Both) else { return };
    let ann = bridge.cli(Machine::Ann, &["create"], &[]);
    let code = state(&ann, "waiting")["code"].as_str().unwrap().to_owned();
    let server = ["--server", "ws://192.168.7.3:7880"];
    let bob = bridge.cli(Machine::Bob, &["join", &code], &server);
    see_pictures(&ann);
    see_pictures(&bob);
    let alone = bridge.cli(Machine::Bob, &["join", "0000-tulip-orbit"], &server);
    assert_eq!(state(&alone, "closed")["reason"], "server-unreachable");
}

/// Nothing of a call that stays on its machine is heard or found elsewhere.
#[test]
fn what_is_off_is_not_found() {
    let Some(bridge) = Bridge::build("o", Addresses::Both) else { return };
    for hidden in [&["--lan", "off"][..], &["--relay-only"][..]] {
        let ann = bridge.cli(Machine::Ann, &["create"], hidden);
        let waiting = state(&ann, "waiting");
        assert!(waiting["withAddress"].is_null(), "{waiting}");
        let bob = bridge.cli(Machine::Bob, &["join", waiting["code"].as_str().unwrap()], &[]);
        assert_eq!(state(&bob, "closed")["reason"], "nobody-near");
    }
}
