//! Calls between two homes behind routers, in network namespaces, as docs/CONNECTING.md has them: routers that keep a port for
//! all peers and routers that don't, networks without UDP, with HTTPS alone, with IPv6 alone; a machine in two networks. And relay-only, with every packet
//! that leaves looked at, of a peer and of a guest in a browser. Needs root and nftables; where they are missing the tests say so and pass.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test: a failed unwrap is a failure, and nobody links to it"
)]

mod browser;
mod guests;
mod namespaces;
mod programs;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guests::Guest;
use namespaces::{Home, Net, SERVER, SIGNALING, Way, World};
use programs::Process;
use serde_json::Value;

/// Where the table of all cases stands.
const TABLE: &str = "docs/CONNECTING.md";
const BEGIN: &str = "| networks | how they reach one another |\n| --- | --- |\n";

fn state(process: &Process, wanted: &str) -> Value {
    process.event("call-state", |event| event["state"] == wanted)
}

/// A call from home to home with pictures both ways; both ends of the path as each of them sees it.
fn call(world: &World, more: &[&str]) -> [Value; 2] {
    let ann = world.cli(Home::Ann, &["create"], more);
    let code = state(&ann, "waiting")["code"].as_str().unwrap().to_owned();
    let bob = world.cli(Home::Bob, &["join", &code], more);
    [&ann, &bob].map(|peer| {
        state(peer, "connected");
        let stats = peer.event("stats", |event| event["stats"]["inbound"]["framesDecoded"].as_u64() > Some(15));
        stats["stats"]["path"].clone()
    })
}

fn kinds(paths: &[Value; 2]) -> Vec<String> {
    let ends = paths.iter().flat_map(|path| [&path["local"], &path["remote"]]);
    ends.map(|end| end["candidateType"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What somebody meets who looks from outside: whether a relay stands between, and who needs a stream to reach it. Which of the two ends
/// has the relay's address, where either could, is settled by chance.
fn described(paths: &[Value; 2]) -> String {
    if !kinds(paths).iter().any(|kind| kind == "relay") {
        return "directly".to_owned();
    }
    let protocols = paths.iter().filter_map(|path| path["local"]["relayProtocol"].as_str());
    let streams: Vec<String> = protocols.filter(|protocol| *protocol != "udp").map(str::to_uppercase).collect();
    match &streams[..] {
        [] => "by the relay, over UDP".to_owned(),
        [one] => format!("by the relay, over {one} at one end"),
        [first, ..] => format!("by the relay, over {first} at both ends"),
    }
}

/// A call from a machine in two networks, which loses the one that the call goes by: both ends of the path on which it goes on.
fn call_that_moves(world: &World) -> [Value; 2] {
    let ann = world.cli(Home::Ann, &["create"], &[]);
    let code = state(&ann, "waiting")["code"].as_str().unwrap().to_owned();
    let bob = world.cli(Home::Bob, &["join", &code], &[]);
    let frames = |event: &Value| event["stats"]["inbound"]["framesDecoded"].as_u64().unwrap_or_default();
    let way = |event: &Value| Way::of(event["stats"]["path"]["local"]["address"].as_str()?);
    let before = ann.event("stats", |event| frames(event) > 15 && way(event).is_some());
    bob.event("stats", |event| frames(event) > 15);
    let used = way(&before).unwrap();
    world.pull_out(used);
    let pulled = Instant::now();
    let moved = ann.event("stats", |event| way(event) == Some(used.other()));
    // Pictures on the new path, in both directions.
    let after = ann.event("stats", |event| frames(event) > frames(&moved) + 15);
    eprintln!("{used:?} went; pictures by the other within {:?}", pulled.elapsed());
    let seen = frames(&bob.event("stats", |_| true));
    let theirs = bob.event("stats", |event| frames(event) > seen + 15);
    [after, theirs].map(|event| event["stats"]["path"].clone())
}

/// A machine in two networks: the one that its system prefers drops UDP, or goes in mid-call.
fn in_two_networks() -> Option<[(&'static str, String); 2]> {
    let deaf = World::build_homes("2", [Net::NoUdp, Net::Cone])?;
    deaf.join_second(Net::Cone);
    let found = described(&call(&deaf, &[]));
    let moving = World::build("m", Net::Cone)?;
    moving.join_second(Net::Cone);
    let moved = described(&call_that_moves(&moving));
    Some([
        ("one machine is in two networks, and the one that its system prefers drops UDP", found),
        ("one machine is in two networks, and loses the one that the call goes by", format!("{moved}, by the other")),
    ])
}

/// Every network of the table, and the table: it has to say what comes up.
#[test]
fn every_network_connects_as_the_table_says() {
    let cases = [
        ("c", [Net::Cone, Net::Cone], "two routers that keep a port for all peers"),
        ("s", [Net::Symmetric, Net::Symmetric], "two routers that take another port for each peer"),
        ("u", [Net::NoUdp, Net::Cone], "one network drops UDP"),
        ("uu", [Net::NoUdp, Net::NoUdp], "both networks drop UDP"),
        ("h", [Net::OnlyHttps, Net::Cone], "one network lets nothing out but TCP to port 443"),
        ("hh", [Net::OnlyHttps, Net::OnlyHttps], "both networks let nothing out but TCP to port 443"),
        ("v", [Net::V6, Net::V6], "two networks with IPv6 alone, behind firewalls"),
    ];
    let mut table = BEGIN.to_owned();
    for (tag, homes, name) in cases {
        let Some(world) = World::build_homes(tag, homes) else { return };
        let path = described(&call(&world, &[]));
        eprintln!("{name}: {path}");
        writeln!(table, "| {name} | {path} |").unwrap();
    }
    let Some(rows) = in_two_networks() else { return };
    for (name, path) in rows {
        eprintln!("{name}: {path}");
        writeln!(table, "| {name} | {path} |").unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the table isn't there");
    let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
    let wanted = format!("{before}{table}\n{after}");
    if std::env::var_os("VISAVIS_WRITE_TABLES").is_some() {
        return std::fs::write(&file, wanted).unwrap();
    }
    assert_eq!(page, wanted, "{TABLE} says otherwise; VISAVIS_WRITE_TABLES=1 writes what came up");
}

/// What Ann's machine sends: media and checks to the server's relay and to nobody else; and in what she tells there is
/// no address of hers, be it her machine's or her router's.
#[test]
fn relay_only_shows_no_address() {
    let Some(world) = World::build("r", Net::Cone) else { return };
    let heard = world.listen_in();
    world.count_packets(Home::Ann);
    let kinds = kinds(&call(&world, &["--relay-only"]));
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

/// A guest in a browser that hides joins one who doesn't: the same.
#[test]
fn a_guest_who_hides_sends_to_the_relay_alone() {
    let Some(world) = World::build("g", Net::Cone) else { return };
    world.count_packets(Home::Ann);
    let bob = world.cli(Home::Bob, &["create"], &[]);
    let code = state(&bob, "waiting")["code"].as_str().unwrap().to_owned();
    world.within(Home::Ann, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // Browsers open devices on secure pages, of which this one is to be.
            let secure = format!("--unsafely-treat-insecure-origin-as-secure=http://{SIGNALING}");
            // The browser's makers have addresses that it looks up on its own account.
            let errands = format!("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {SERVER}, EXCLUDE localhost");
            let page = format!("http://{SIGNALING}/#{code}");
            let guest = Guest::open_with(&[secure, errands], &page).await.unwrap();
            guest.turn("Hide my address").await.unwrap();
            guest.click("Join").await.unwrap();
            guest.reaches("connected").await.unwrap();
            guest.sees_pictures().await.unwrap();
        });
    });
    let stats = bob.event("stats", |event| event["stats"]["inbound"]["framesDecoded"].as_u64() > Some(15));
    assert_eq!(stats["stats"]["path"]["remote"]["candidateType"], "relay", "{stats}");
    let (to_relay, elsewhere) = world.counted(Home::Ann);
    // It may speak with the relay over TCP, in fewer and larger packets.
    assert!(to_relay > 20, "{to_relay} packets to the relay");
    assert_eq!(elsewhere, 0, "packets to anywhere else");
}
