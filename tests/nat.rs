//! Calls between two homes behind routers, in network namespaces: routers that keep a port for all peers let the two meet
//! directly, routers that take another port for each peer don't, and the server relays. And relay-only, with every packet
//! that leaves looked at. Needs root and nftables; where they are missing the tests say so and pass.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test: a failed unwrap is a failure, and nobody links to it"
)]

mod namespaces;
mod programs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use namespaces::{Home, Nat, SERVER, World};
use programs::Process;
use serde_json::Value;

fn state(process: &Process, wanted: &str) -> Value {
    process.event("call-state", |event| event["state"] == wanted)
}

/// A call from home to home with pictures both ways; the kinds of the ends of both paths.
fn call(world: &World, more: &[&str]) -> Vec<String> {
    let ann = world.cli(Home::Ann, &["create"], more);
    let code = state(&ann, "waiting")["code"].as_str().unwrap().to_owned();
    let bob = world.cli(Home::Bob, &["join", &code], more);
    let kinds = |peer: &Process| {
        state(peer, "connected");
        let stats = peer.event("stats", |event| event["stats"]["inbound"]["framesDecoded"].as_u64() > Some(15));
        let path = &stats["stats"]["path"];
        [&path["local"], &path["remote"]].map(|end| end["candidateType"].as_str().unwrap_or_default().to_owned())
    };
    [kinds(&ann), kinds(&bob)].concat()
}

#[test]
fn two_behind_cones_meet_directly() {
    let Some(world) = World::build("c", Nat::Cone) else { return };
    let kinds = call(&world, &[]);
    assert!(kinds.iter().all(|kind| kind != "relay"), "{kinds:?}");
    assert!(kinds.iter().any(|kind| kind == "srflx" || kind == "prflx"), "{kinds:?}");
}

#[test]
fn two_behind_symmetric_routers_meet_by_relay() {
    let Some(world) = World::build("s", Nat::Symmetric) else { return };
    let kinds = call(&world, &[]);
    assert!(kinds.iter().any(|kind| kind == "relay"), "{kinds:?}");
}

/// What Ann's machine sends: media and checks to the server's relay and to nobody else; and in what she tells there is
/// no address of hers, be it her machine's or her router's.
#[test]
fn relay_only_shows_no_address() {
    let Some(world) = World::build("r", Nat::Cone) else { return };
    let heard = world.listen_in();
    world.count_packets(Home::Ann);
    let kinds = call(&world, &["--relay-only"]);
    assert!(kinds.iter().all(|kind| kind == "relay"), "{kinds:?}");
    let (to_relay, elsewhere) = world.counted(Home::Ann);
    assert!(to_relay > 100, "{to_relay} packets to the relay");
    assert_eq!(elsewhere, 0, "packets to anywhere else");

    // The two have told one another their descriptions, and nobody in between can read a word of them. What stands in them is
    // looked at where they are made (transport/src/privacy.rs).
    let told = heard.bodies();
    assert!(told.len() >= 3, "{told:?}");
    let opened = |body: &String| serde_json::from_str::<Value>(body).ok();
    let sealed = |body: &String| opened(body)?["sealed"].as_str().and_then(|text| STANDARD.decode(text).ok());
    let sealed: Vec<Vec<u8>> = told.iter().filter_map(sealed).collect();
    assert!(sealed.len() >= 2, "an offer and an answer, sealed: {told:?}");
    let read = sealed.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).chain(heard.all());
    for text in read {
        let addresses =
            [Home::Ann.address(), Home::Bob.address(), Home::Ann.router(), Home::Bob.router(), SERVER, "127.0.0.1"];
        for hidden in addresses.into_iter().chain(["candidate", "typ relay", "ice-ufrag"]) {
            assert!(!text.contains(hidden), "{hidden} is in {text}");
        }
    }
}
