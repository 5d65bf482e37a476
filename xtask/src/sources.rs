//! What every committed file keeps to: an opening that says why, a size one can read, one door to the webview's
//! bridge, nothing of the writer's machine, and text that still makes sense to a reader who wasn't there.

use crate::Findings;

/// Lines beyond which a file is worth a look.
const LONG_FILE: usize = 400;
/// Lines beyond which a Svelte component is worth a look.
const LONG_COMPONENT: usize = 150;

/// The one importer of the bridge to Rust.
const BRIDGE: &str = "ui/src/backend/tauri.ts";

/// Text written by tools, judged by what writes it.
const GENERATED: &[&str] = &["Cargo.lock", "ui/package-lock.json"];
const GENERATED_FOLDERS: &[&str] = &["ui/src/bindings/", "src-tauri/gen/"];

/// Folders that exist on one machine only; what follows must be a name.
const MACHINE_FOLDERS: &[&str] = &["/home/", "/Users/", "C:\\Users\\", "/root/"];

/// Phrases that speak to whoever was present when the line was written.
const OF_THE_MOMENT: &[&str] = &["as requested", "as discussed", "as instructed", "this commit", "this pull request"];

/// Checks one text file; `path` is relative to the root, with forward slashes.
pub(crate) fn check(path: &str, text: &str, findings: &mut Findings) {
    // This file has to spell what it looks for.
    if path == "xtask/src/sources.rs" {
        return;
    }
    machine_paths(path, text, findings);
    if path == "ui/package-lock.json" {
        named_registries(path, text, findings);
    }
    if GENERATED.contains(&path) || GENERATED_FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        return;
    }
    of_the_moment(path, text, findings);
    opening(path, text, findings);
    size(path, text, findings);
    bridge(path, text, findings);
}

fn opening(path: &str, text: &str, findings: &mut Findings) {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if path.ends_with(".rs") && !first.starts_with("//!") {
        findings.error(format!("{path}: opens without `//!`: say why the file exists"));
    }
}

fn size(path: &str, text: &str, findings: &mut Findings) {
    let limit = match path.rsplit_once('.') {
        Some((_, "svelte")) => LONG_COMPONENT,
        Some((_, "rs" | "ts" | "css" | "sh")) => LONG_FILE,
        _ => return,
    };
    let lines = text.lines().count();
    if lines > limit {
        findings.warn(format!("{path}: {lines} lines, more than {limit}"));
    }
}

fn bridge(path: &str, text: &str, findings: &mut Findings) {
    if path.starts_with("ui/src/") && path != BRIDGE && text.contains("@tauri-apps/") {
        findings.error(format!("{path}: only {BRIDGE} imports @tauri-apps"));
    }
}

fn machine_paths(path: &str, text: &str, findings: &mut Findings) {
    for (number, line) in text.lines().enumerate() {
        if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| names_below(line, folder)) {
            findings.error(format!("{path}:{}: names a folder of one machine, {folder}", number + 1));
        }
    }
}

/// Whether `line` has an absolute path below `folder`: not the middle of a URL or of a longer path, and not a
/// placeholder such as `<name>` or `$USER`.
fn names_below(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-*~/}".contains(c))
            && after.is_some_and(char::is_alphanumeric)
    })
}

fn of_the_moment(path: &str, text: &str, findings: &mut Findings) {
    for (number, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        if let Some(phrase) = OF_THE_MOMENT.iter().find(|phrase| line.contains(**phrase)) {
            findings.error(format!("{path}:{}: \"{phrase}\" means nothing to a later reader", number + 1));
        }
    }
}

/// A lock file made behind a mirror names the mirror's host, and then works nowhere else: ours names none (ui/.npmrc).
fn named_registries(path: &str, text: &str, findings: &mut Findings) {
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("\"resolved\": \"http") {
            findings.error(format!("{path}:{}: a lock file that names a registry's host", number + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Findings {
        let mut findings = Findings::default();
        check(path, text, &mut findings);
        findings
    }

    fn errors(path: &str, text: &str) -> usize {
        findings(path, text).errors.len()
    }

    #[test]
    fn rust_opens_with_its_reason() {
        assert_eq!(errors("crates/call/src/lib.rs", "\n//! One call.\n"), 0);
        assert_eq!(errors("crates/call/src/lib.rs", "use std::fmt;\n"), 1);
        assert_eq!(errors("crates/call/src/lib.rs", ""), 1);
        assert_eq!(errors("ui/src/main.ts", "import x from 'y';\n"), 0);
    }

    #[test]
    fn long_files_are_warnings() {
        let text = "//! Long.\n".repeat(LONG_FILE + 1);
        let found = findings("crates/call/src/lib.rs", &text);
        assert_eq!((found.errors.len(), found.warnings.len()), (0, 1));
        assert_eq!(findings("ui/src/call/Call.svelte", &"<p>\n".repeat(151)).warnings.len(), 1);
        assert_eq!(findings("docs/protocol.md", &"words\n".repeat(900)).warnings.len(), 0);
    }

    #[test]
    fn one_door_to_the_bridge() {
        let text = "import { invoke } from '@tauri-apps/api/core';\n";
        assert_eq!(errors("ui/src/call/Call.svelte", text), 1);
        assert_eq!(errors(BRIDGE, text), 0);
        assert_eq!(errors("ui/package.json", text), 0);
    }

    #[test]
    fn folders_of_one_machine_fail() {
        assert_eq!(errors("docs/a.md", "see /home/ann/visavis/target\n"), 1);
        assert_eq!(errors("dev.ps1", "C:\\Users\\ann\\visavis\n"), 1);
        assert_eq!(errors("docs/a.md", "in /home/<you>/ or https://example.org/home/page\n"), 0);
        assert_eq!(errors("docs/a.md", "./home/x and {}/home/x are relative\n"), 0);
    }

    #[test]
    fn text_reads_the_same_in_a_year() {
        assert_eq!(errors("docs/a.md", "As discussed, this is blue.\n"), 1);
        assert_eq!(errors("docs/a.md", "The session owns its data.\n"), 0);
    }

    #[test]
    fn lock_files_name_no_registry() {
        assert_eq!(errors("ui/package-lock.json", "  \"resolved\": \"https://mirror.example/a-1.0.0.tgz\",\n"), 1);
        assert_eq!(errors("ui/package-lock.json", "  \"integrity\": \"sha512-x\",\n"), 0);
    }
}
