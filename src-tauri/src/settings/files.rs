//! The settings file and its spare copy.
//!
//! The store writes its file in place, so a crash or a power cut can leave it torn or full of zeros. Before each such
//! write the same content goes into a spare copy, which is replaced whole (written beside, flushed to disk, renamed).
//! A file that turns out to be damaged is set aside under another name, never thrown away.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Problem, VERSION, from_map, to_map};
use crate::view::SettingsView;

/// Damaged files kept at most; the oldest make room.
const MAX_ASIDE: usize = 5;

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub settings: SettingsView,
    /// What the store is to hold, with what this version doesn't know.
    pub map: Map<String, Value>,
    /// What the user should know.
    pub problem: Option<Problem>,
}

/// Where the settings of one profile are.
#[derive(Clone, Debug)]
pub struct SettingsFiles {
    main: PathBuf,
    spare: PathBuf,
}

enum Content {
    Missing,
    Damaged,
    Good(Map<String, Value>),
}

impl SettingsFiles {
    /// The files in this folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { main: folder.join("settings.json"), spare: folder.join("settings.spare.json") }
    }

    /// The file that the store reads and writes.
    #[must_use]
    pub fn main(&self) -> &Path {
        &self.main
    }

    /// Reads the settings. Damaged files are set aside first, so that the store finds none.
    #[must_use]
    pub fn load(&self) -> Loaded {
        let (map, mut problem) = match (read(&self.main), read(&self.spare)) {
            (Content::Good(map), _) => (map, None),
            (Content::Missing, Content::Missing) => (Map::new(), None),
            // The store creates its file late: a crash in between leaves the spare copy alone.
            (Content::Missing, Content::Good(spare)) => (spare, None),
            (Content::Damaged, Content::Good(spare)) => (spare, Some(Problem::SpareUsed)),
            (Content::Damaged | Content::Missing, Content::Damaged) | (Content::Damaged, Content::Missing) => {
                (Map::new(), Some(Problem::Lost))
            }
        };
        if problem.is_some() {
            self.set_aside();
        }
        let (settings, wrong) = from_map(&map);
        if !wrong.is_empty() {
            self.set_aside();
            problem = problem.or(Some(Problem::Fields(wrong)));
        }
        if version(&map) > VERSION {
            problem = problem.or(Some(Problem::Future));
        }
        let map = merged(map, &settings);
        Loaded { settings, map, problem }
    }

    /// What the store is to hold for `settings`, given what it holds now.
    #[must_use]
    pub fn next_map(&self, now: Map<String, Value>, settings: &SettingsView) -> Map<String, Value> {
        merged(now, settings)
    }

    /// Writes the spare copy; done before the store writes its own file.
    ///
    /// # Errors
    /// When the disk refuses. The old copy stays then.
    pub fn write_spare(&self, map: &Map<String, Value>) -> io::Result<()> {
        if let Some(folder) = self.spare.parent() {
            fs::create_dir_all(folder)?;
        }
        write_whole(&self.spare, map)
    }

    /// Creates the store's file, if there is none, as one that only its owner reads: it may hold TURN passwords, and
    /// the store would leave it open to everybody.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn create_main(&self, map: &Map<String, Value>) -> io::Result<()> {
        if self.main.exists() { Ok(()) } else { write_whole(&self.main, map) }
    }

    /// Writes both copies again after the store has failed, which may have left its own half written.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put_back(&self, map: &Map<String, Value>) -> io::Result<()> {
        let main = write_whole(&self.main, map);
        write_whole(&self.spare, map).and(main)
    }

    /// Removes what a crash has left half written, and what may hold a password that is kept elsewhere by now.
    pub fn remove_unfinished(&self) {
        for path in [&self.main, &self.spare] {
            let beside = path.with_extension("new");
            if let Err(error) = fs::remove_file(&beside)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "an unfinished settings file couldn't be removed");
            }
        }
    }

    /// Makes the folder, and closes it and what is in it to other users of the machine.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn close_to_others(&self) -> io::Result<()> {
        if let Some(folder) = self.main.parent() {
            fs::create_dir_all(folder)?;
            restrict(folder, 0o700)?;
        }
        for path in [&self.main, &self.spare] {
            if path.exists() {
                restrict(path, 0o600)?;
            }
        }
        Ok(())
    }

    /// Moves what can't be used out of the way, under a name that says what it is.
    fn set_aside(&self) {
        for path in [&self.main, &self.spare] {
            if !matches!(read(path), Content::Missing)
                && let Err(error) = aside(path)
            {
                tracing::warn!(%error, "a damaged settings file couldn't be set aside");
            }
        }
    }
}

fn aside(path: &Path) -> io::Result<()> {
    let name = |n: usize| path.with_extension(format!("damaged-{n}.json"));
    let free = (1..=MAX_ASIDE).find(|n| !name(*n).exists());
    let n = match free {
        Some(n) => n,
        None => {
            for n in 1..MAX_ASIDE {
                fs::rename(name(n + 1), name(n))?;
            }
            MAX_ASIDE
        }
    };
    // A copy, because one good half of the pair must stay where it is.
    fs::copy(path, name(n)).map(drop)
}

fn read(path: &Path) -> Content {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Content::Missing,
        Err(_) => return Content::Damaged,
    };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(map)) => Content::Good(map),
        Ok(_) | Err(_) => Content::Damaged,
    }
}

fn version(map: &Map<String, Value>) -> u64 {
    map.get("version").and_then(Value::as_u64).unwrap_or(VERSION)
}

fn merged(mut map: Map<String, Value>, settings: &SettingsView) -> Map<String, Value> {
    let version = version(&map).max(VERSION);
    map.extend(to_map(settings));
    map.insert("version".to_owned(), Value::from(version));
    map
}

/// Writes a file so that there is all of it or what was there before, for nobody's eyes but the owner's.
fn write_whole(path: &Path, map: &Map<String, Value>) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    // One that a crash left behind has the mode it had.
    restrict(&beside, 0o600)?;
    file.write_all(&serde_json::to_vec_pretty(map)?)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// On Windows the user's own folder is closed to others already.
#[cfg(not(unix))]
fn restrict(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::defaults;
    use super::*;

    fn folder() -> (tempfile::TempDir, SettingsFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = SettingsFiles::new(folder.path());
        (folder, files)
    }

    fn saved(files: &SettingsFiles) -> SettingsView {
        let settings = SettingsView { server: "calls.example.org".into(), ..defaults() };
        let map = files.next_map(Map::new(), &settings);
        files.write_spare(&map).unwrap();
        fs::write(files.main(), serde_json::to_vec(&map).unwrap()).unwrap();
        settings
    }

    #[test]
    fn a_first_start_has_defaults_and_no_problem() {
        let (_folder, files) = folder();
        let loaded = files.load();
        assert_eq!((loaded.settings, loaded.problem), (defaults(), None));
    }

    type Damage = fn(&[u8]) -> Vec<u8>;

    #[test]
    fn a_file_that_cannot_be_read_loses_nothing() {
        let ways: [Damage; 4] =
            [|bytes| bytes[..20].to_vec(), |_| Vec::new(), |bytes| vec![0; bytes.len()], |_| b"[1, 2]".to_vec()];
        for damage in ways {
            let (folder, files) = folder();
            let settings = saved(&files);
            let damaged = damage(&fs::read(files.main()).unwrap());
            fs::write(files.main(), &damaged).unwrap();
            let loaded = files.load();
            assert_eq!((loaded.settings, loaded.problem), (settings, Some(Problem::SpareUsed)));
            let kept = fs::read(folder.path().join("settings.damaged-1.json")).unwrap();
            assert_eq!(kept, damaged);
        }
    }

    #[test]
    fn both_damaged_are_both_kept() {
        let (folder, files) = folder();
        fs::write(folder.path().join("settings.json"), "{").unwrap();
        fs::write(folder.path().join("settings.spare.json"), "").unwrap();
        let loaded = files.load();
        assert_eq!((loaded.settings, loaded.problem), (defaults(), Some(Problem::Lost)));
        assert!(folder.path().join("settings.damaged-1.json").exists());
        assert!(folder.path().join("settings.spare.damaged-1.json").exists());
    }

    #[test]
    fn a_later_version_keeps_what_we_do_not_know() {
        let (_folder, files) = folder();
        fs::write(files.main(), r#"{"version": 9, "server": "calls.example.org", "hologram": {"depth": 3}}"#).unwrap();
        let loaded = files.load();
        assert_eq!(loaded.problem, Some(Problem::Future));
        assert_eq!(loaded.settings.server, "calls.example.org");
        let next = files.next_map(loaded.map, &SettingsView { relay_only: true, ..loaded.settings });
        assert_eq!(next["hologram"]["depth"], 3);
        assert_eq!(next["version"], 9);
        assert_eq!(next["relayOnly"], true);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_them() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (folder, files) = folder();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(files.main(), "{}").unwrap();
        fs::set_permissions(files.main(), fs::Permissions::from_mode(0o644)).unwrap();
        files.close_to_others().unwrap();
        assert_eq!((mode(folder.path()), mode(files.main())), (0o700, 0o600));

        fs::remove_file(files.main()).unwrap();
        let map = to_map(&defaults());
        files.create_main(&map).unwrap();
        files.write_spare(&map).unwrap();
        assert_eq!((mode(files.main()), mode(&files.spare)), (0o600, 0o600));
        assert_eq!(files.load().problem, None);
    }

    #[test]
    fn the_number_of_kept_files_is_bounded() {
        let (folder, files) = folder();
        for round in 0..9 {
            fs::write(files.main(), format!("torn {round}")).unwrap();
            assert_eq!(files.load().problem, Some(Problem::Lost));
        }
        let newest = fs::read_to_string(folder.path().join("settings.damaged-5.json")).unwrap();
        assert_eq!(newest, "torn 8");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6);
    }
}
