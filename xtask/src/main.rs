//! Repository checks that no standard tool makes: `cargo xtask tidy`.
//!
//! They hold the architecture in place: which crate may know which (ARCHITECTURE.md, "The crates"), that every file
//! opens by saying why it exists, that nothing of one developer's machine is committed, and that what other systems want
//! of the app is there.

mod arrows;
mod sources;
mod systems;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What a check found: `errors` fail the run, `warnings` are places to look at.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn error(&mut self, text: String) {
        self.errors.push(text);
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => match tidy() {
            Ok(findings) => report(&findings),
            Err(error) => {
                eprintln!("tidy could not run: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: cargo xtask tidy");
            ExitCode::from(2)
        }
    }
}

fn tidy() -> Result<Findings, String> {
    let root = root()?;
    let mut findings = Findings::default();
    arrows::check(&cargo_metadata(&root)?, &mut findings)?;
    systems::check(&root, &mut findings);
    for path in files(&root)? {
        // Pictures and sounds are no text, and a file deleted but not yet committed is still listed.
        if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
            sources::check(&path, &text, &mut findings);
        }
    }
    Ok(findings)
}

fn report(findings: &Findings) -> ExitCode {
    for warning in &findings.warnings {
        eprintln!("warning: {warning}");
    }
    for error in &findings.errors {
        eprintln!("error: {error}");
    }
    eprintln!("tidy: {} errors, {} warnings", findings.errors.len(), findings.warnings.len());
    if findings.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The repository's root: the folder above this package.
fn root() -> Result<PathBuf, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_path_buf).ok_or_else(|| format!("{} has no parent", here.display()))
}

fn cargo_metadata(root: &Path) -> Result<serde_json::Value, String> {
    let text =
        stdout(Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(root))?;
    serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
}

/// Every file that is committed or about to be, by its path from the root, with forward slashes.
fn files(root: &Path) -> Result<Vec<String>, String> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let text = stdout(Command::new("git").args(list).current_dir(root))?;
    Ok(text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

fn stdout(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{name}: {error}"))
}
