//! libFuzzer's entry: runs the target that `FUZZ_TARGET` names. One program for all targets, so that it is linked once.
#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the entry by its C name")]

use std::sync::OnceLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use visavis_fuzz::{TARGETS, Target, target};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fn chosen() -> &'static Target {
    CHOSEN.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        target(&name).unwrap_or_else(|| {
            for target in TARGETS {
                eprintln!("{} {}", target.name, target.max_len);
            }
            std::process::exit(2)
        })
    })
}

fuzz_target!(
    init: {
        chosen();
    },
    |data: &[u8]| -> Corpus {
        (chosen().run)(data);
        Corpus::Keep
    }
);
