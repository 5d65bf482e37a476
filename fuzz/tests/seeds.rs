//! Every seed goes through its target: what once broke something stays in `seeds/` for good.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;

use visavis_fuzz::{TARGETS, Target, target};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

fn seeds(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<_> =
        fs::read_dir(folder().join(target.name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Small changes to a seed, the same in every run.
fn variants(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let step = (seed.len() / 8).max(1);
    (0..seed.len()).step_by(step).flat_map(move |at| {
        let flipped = seed.iter().enumerate().map(|(i, b)| if i == at { b ^ 0x81 } else { *b }).collect();
        let cut = seed[..at].to_vec();
        let doubled = [&seed[..at], seed].concat();
        [flipped, cut, doubled]
    })
}

#[test]
fn every_target_has_seeds_and_every_seed_a_target() {
    for target in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{} has no seed", target.name);
        for (path, seed) in seeds {
            assert!(seed.len() <= target.max_len, "{} is longer than its target reads", path.display());
        }
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(target(&name).is_some(), "no target reads seeds/{name}");
    }
}

fn replay(name: &str) {
    let target = target(name).unwrap();
    (target.run)(&[]);
    for (_, seed) in seeds(target) {
        (target.run)(&seed);
        variants(&seed).for_each(|variant| (target.run)(&variant));
    }
}

macro_rules! replays {
    ($($target:ident),* $(,)?) => {
        $(#[test]
        fn $target() {
            replay(&stringify!($target).replace('_', "-"));
        })*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$(stringify!($target).replace('_', "-")),*];
            assert!(TARGETS.iter().map(|target| target.name).eq(replayed.iter()));
        }
    };
}

replays!(
    assembler,
    assembler_vp8,
    h264,
    vp8,
    opus,
    sound,
    rtp,
    rtcp,
    repair,
    description,
    datagrams,
    congestion,
    relay,
    stun_stream,
    ice_tcp,
    rooms,
    tokens,
    client,
    bodies,
    exchange,
    code,
    control,
    session,
    settings,
    server_url,
    y4m,
    wav,
    mjpeg,
);
