//! How instances of the app on one machine find one another: each that serves a room writes its port into a folder
//! that only the same person can read. The file says nothing of the code. All functions here block for a moment.

use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::key::write_private;

/// How long a listed instance may take to accept a connection.
const PROBE_TIMEOUT: Duration = Duration::from_millis(250);
/// More than any announcement has, bytes.
const MAX_FILE_BYTES: u64 = 1024;
const FOLDER: &str = "visavis";
const EXTENSION: &str = "instance";

/// Why an instance can't be announced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The folder or the file in it can't be made.
    #[error("can't write into {path}: {source}")]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others could read or change what is in the folder.
    #[error("{0} isn't private to this user")]
    NotPrivate(PathBuf),
    /// The system gives no randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    port: u16,
}

/// "Here is a room", for as long as this value lives.
#[derive(Debug)]
pub struct Announcement {
    file: PathBuf,
}

impl Announcement {
    /// Announces an embedded server's port to the same user's other instances.
    ///
    /// # Errors
    /// Every [`LocalError`].
    pub fn publish(port: u16) -> Result<Self, LocalError> {
        Self::publish_in(&runtime_folder(), port)
    }

    /// The same in a folder of one's own, which is made if there is none.
    ///
    /// # Errors
    /// Every [`LocalError`].
    pub fn publish_in(folder: &Path, port: u16) -> Result<Self, LocalError> {
        let write_error = |source| LocalError::Write { path: folder.to_owned(), source };
        make_private_folder(folder).map_err(write_error)?;
        if !is_private(folder) {
            return Err(LocalError::NotPrivate(folder.to_owned()));
        }
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(LocalError::Random)?;
        let file = folder.join(format!("{:016x}.{EXTENSION}", u64::from_le_bytes(name)));
        let content = serde_json::to_vec(&Content { port }).map_err(|error| write_error(error.into()))?;
        write_private(&file, &content).map_err(|source| LocalError::Write { path: file.clone(), source })?;
        Ok(Self { file })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // What stays behind is found stale by whoever looks next.
        let _ = fs::remove_file(&self.file);
    }
}

/// The servers of this user's instances that accept connections now. What is left of others is removed.
#[must_use]
pub fn find() -> Vec<SocketAddr> {
    find_in(&runtime_folder())
}

/// The same in a folder of one's own.
#[must_use]
pub fn find_in(folder: &Path) -> Vec<SocketAddr> {
    if !is_private(folder) {
        return Vec::new();
    }
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION)).filter_map(probe).collect()
}

/// The address in a file if somebody listens there. The file goes when it is certain that nobody does.
fn probe(file: PathBuf) -> Option<SocketAddr> {
    let Some(port) = read_port(&file) else {
        let _ = fs::remove_file(file);
        return None;
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpStream::connect_timeout(&address, PROBE_TIMEOUT) {
        Ok(_) => Some(address),
        Err(error) => {
            if error.kind() == io::ErrorKind::ConnectionRefused {
                let _ = fs::remove_file(file);
            }
            None
        }
    }
}

fn read_port(file: &Path) -> Option<u16> {
    let plain = fs::symlink_metadata(file).ok().filter(|data| data.is_file() && data.len() <= MAX_FILE_BYTES);
    let content: Content = serde_json::from_slice(&fs::read(plain.map(|_| file)?).ok()?).ok()?;
    Some(content.port).filter(|port| *port != 0)
}

/// The user's own folder for things of this session: `XDG_RUNTIME_DIR`, on macOS the per-user `TMPDIR`, on Windows the
/// local application data; where none is set, a private folder among the temporary files.
fn runtime_folder() -> PathBuf {
    let named = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_RUNTIME_DIR" };
    let folder = env::var_os(named).map(PathBuf::from).filter(|folder| folder.is_absolute());
    match folder {
        Some(folder) => folder.join(FOLDER),
        None if cfg!(target_os = "macos") => env::temp_dir().join(FOLDER),
        None => {
            let user = env::var("USER").or_else(|_| env::var("USERNAME")).unwrap_or_default();
            let user: String = user.chars().filter(char::is_ascii_alphanumeric).collect();
            env::temp_dir().join(format!("{FOLDER}-{user}"))
        }
    }
}

/// Makes a folder that only its owner can look into; one that is there already stays as it is.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Whether only its owner can look into a folder. A folder of somebody else is closed to us by the same token.
#[cfg(unix)]
fn is_private(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::symlink_metadata(folder).is_ok_and(|data| data.is_dir() && data.permissions().mode() & 0o077 == 0)
}

/// Windows keeps the local application data private to its user.
#[cfg(not(unix))]
fn is_private(folder: &Path) -> bool {
    folder.is_dir()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_announcement_is_found_while_it_lives_and_somebody_listens() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(FOLDER);
        assert!(find_in(&folder).is_empty());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let announcement = Announcement::publish_in(&folder, address.port()).unwrap();
        assert_eq!(find_in(&folder), [address]);
        drop(announcement);
        assert!(find_in(&folder).is_empty());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn what_is_stale_or_torn_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(FOLDER);
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let left_behind = Announcement::publish_in(&folder, port).unwrap();
        fs::write(folder.join("torn.instance"), b"{\"por").unwrap();
        fs::write(folder.join("zero.instance"), b"{\"port\":0}").unwrap();
        fs::write(folder.join("somebody-else's.txt"), b"kept").unwrap();
        assert!(find_in(&folder).is_empty());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        drop(left_behind);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_can_read_it_and_an_open_folder_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(FOLDER);
        let announcement = Announcement::publish_in(&folder, 1).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&announcement.file)), (0o700, 0o600));
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(Announcement::publish_in(&folder, 1), Err(LocalError::NotPrivate(_))));
        assert!(find_in(&folder).is_empty());
    }
}
