//! What must outlive the process beside the signing key: the rooms that are gone and the tokens that are used up, as
//! records of one size in a file that only grows until it is written anew.
//!
//! A record is in the system's hands before the client hears of what it is about, so a crash of the server loses none; a
//! crash of the machine may lose those of the last seconds. A torn end is ignored.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::warn;
use visavis_signaling::Nameplate;
use visavis_signaling::server::{Record, Records};

use crate::ServerError;
use crate::key::write_private;

const FILE_NAME: &str = "rooms.journal";
const LOCK_NAME: &str = "lock";
/// After so many records the file is written anew without those that are over: some megabytes.
const REWRITE_AFTER: usize = 200_000;

/// The file, open for more.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    records: usize,
    failed: bool,
    /// Keeps a second server out of the folder.
    _lock: File,
}

impl Journal {
    /// Opens the journal in this folder, made if there is none, and tells what it holds.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Vec<Record>), ServerError> {
        let path = folder.join(FILE_NAME);
        let state_error = |source| ServerError::State { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(state_error)?;
        let lock = private().open(folder.join(LOCK_NAME)).map_err(state_error)?;
        lock.try_lock().map_err(|_| ServerError::StateInUse(folder.to_owned()))?;
        let records = read(&path).map_err(state_error)?;
        let file = write_anew(&path, &records).map_err(state_error)?;
        let journal = Self { path: path.clone(), file, records: records.len(), failed: false, _lock: lock };
        Ok((journal, records))
    }

    fn append(&mut self, record: &Record) -> io::Result<()> {
        self.file.write_all(&record.to_bytes())?;
        self.records += 1;
        if self.records >= REWRITE_AFTER {
            let kept = read(&self.path)?;
            self.file = write_anew(&self.path, &kept)?;
            // Where nothing was over yet it may grow on.
            self.records = kept.len().min(REWRITE_AFTER / 2);
        }
        Ok(())
    }
}

impl Records for Journal {
    fn keep(&mut self, record: &Record, _: &Nameplate) {
        if let Err(error) = self.append(record)
            && !std::mem::replace(&mut self.failed, true)
        {
            warn!(%error, "can't remember closed rooms; after a restart an old token may open an empty one");
        }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The records in a file that aren't over. No file, no records.
fn read(path: &Path) -> io::Result<Vec<Record>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (records, _torn) = bytes.as_chunks::<{ Record::BYTES }>();
    Ok(records.iter().filter_map(Record::from_bytes).filter(|record| !record.is_over(now)).collect())
}

fn write_anew(path: &Path, records: &[Record]) -> io::Result<File> {
    let bytes: Vec<u8> = records.iter().flat_map(Record::to_bytes).collect();
    write_private(path, &bytes)?;
    private().open(path)
}
