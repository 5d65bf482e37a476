//! The signing key of the resume tokens: made once, kept in a file that only its owner can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use visavis_signaling::token::TokenKey;

use crate::ServerError;

const FILE_NAME: &str = "signing.key";

/// The key in `file`, which has to be there; without one, that kept in `state_dir`, made there if there is none; without a folder, a
/// key for this process alone.
pub(crate) fn load(file: Option<&Path>, state_dir: Option<&Path>) -> Result<TokenKey, ServerError> {
    if let Some(path) = file {
        let bytes = fs::read(path).map_err(|source| ServerError::State { path: path.to_owned(), source })?;
        return bytes.try_into().map(TokenKey::new).map_err(|_| ServerError::BadKey(path.to_owned()));
    }
    let Some(folder) = state_dir else { return Ok(TokenKey::new(random()?)) };
    let path = folder.join(FILE_NAME);
    let state_error = |source| ServerError::State { path: path.clone(), source };
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map(TokenKey::new).map_err(|_| ServerError::BadKey(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = random()?;
            fs::create_dir_all(folder).and_then(|()| write_private(&path, &key)).map_err(state_error)?;
            Ok(TokenKey::new(key))
        }
        Err(error) => Err(state_error(error)),
    }
}

/// A new key.
pub(crate) fn random() -> Result<[u8; TokenKey::BYTES], ServerError> {
    let mut key = [0; TokenKey::BYTES];
    getrandom::fill(&mut key).map_err(ServerError::Random)?;
    Ok(key)
}

/// Writes a file whole or not at all, readable by its owner alone.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let _ = fs::remove_file(&unfinished);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}
