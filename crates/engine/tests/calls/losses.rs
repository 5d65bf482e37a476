//! The table of docs/NETWORK.md: the same picture over the same links, with forward error correction and without.
//!
//! It measures and asserts nothing; what must hold is in `protection.rs`.

use std::time::Duration;

use visavis_testkit::net::Bursts;

use super::lossy::{Lossy, Show, Watched, watch};

const MBPS: u64 = 1_000_000;

/// Name, share lost each way, one way in milliseconds.
const CASES: [(&str, f64, u64); 8] = [
    ("no loss, 50 ms", 0.0, 25),
    ("1%, 50 ms", 0.01, 25),
    ("5%, 50 ms", 0.05, 25),
    ("10%, 50 ms", 0.1, 25),
    ("20%, 50 ms", 0.2, 25),
    ("20%, 200 ms", 0.2, 100),
    ("30%, 50 ms", 0.3, 25),
    ("30%, 400 ms", 0.3, 200),
];

#[test]
#[ignore = "minutes long; docs/NETWORK.md names the command"]
fn the_table_of_losses() {
    let seconds = std::env::var("SECONDS_EACH").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    let show = if std::env::var("SIZE").is_ok_and(|size| size == "360p") { Show::NHD } else { Show::HD };
    let only = std::env::var("ONLY").unwrap_or_default();
    eprintln!(
        "| link, round trip | FEC | fps | harmonic | freezes a minute / frozen | longest gap | kb/s | height | PSNR / SSIM | \
         repairs + resends | keyframes asked for |"
    );
    let bursts = Bursts { begin: 0.03, end: 0.25 };
    let even = CASES.map(|(name, loss, one_way)| (name, loss, None, one_way));
    let cases = even.into_iter().chain([("Gilbert(3%, 25%), 200 ms", 0.0, Some(bursts), 100)]);
    for (name, loss, bursts, one_way) in cases.filter(|(name, ..)| name.contains(&only)) {
        let link = Lossy { loss, bursts, one_way: Duration::from_millis(one_way), rate_bps: 5 * MBPS };
        for protected in [false, true] {
            let watched: Watched = watch(link, show, protected, seconds, 1);
            eprintln!("| {name} | {} | {watched} |", if protected { "on" } else { "off" });
        }
    }
}
