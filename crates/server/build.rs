//! Builds the server anew when the page for guests has changed, which a release carries inside.

// Cargo is spoken to on standard output.
#![allow(clippy::print_stdout, reason = "that is how a build script answers")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A debug build reads the page where it lies, and a folder that isn't there would count as changed each time.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed=../../ui/dist-guest");
    }
}
