//! The system's keychain: Keychain Services on macOS, Credential Manager on Windows, elsewhere the Secret Service
//! (freedesktop.org's draft 0.2), which GNOME Keyring, KWallet and KeePassXC offer over D-Bus.

use keyring::{Entry, Error};

use crate::settings::keychain::{KeychainError, Secrets};

/// What all our entries have in common: the app's identifier, as in `tauri.conf.json`.
const SERVICE: &str = "org.visavis.desktop";

/// The keychain of whoever is logged in. Every call may block for as long as a person looks at a prompt.
#[derive(Clone, Copy, Debug)]
pub struct Keychain;

impl Secrets for Keychain {
    fn write(&self, name: &str, secret: &str) -> Result<(), KeychainError> {
        entry(name)?.set_password(secret).map_err(|error| reason(&error))
    }

    fn read(&self, name: &str) -> Result<Option<String>, KeychainError> {
        match entry(name)?.get_password() {
            Ok(secret) => Ok(Some(secret)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(reason(&error)),
        }
    }

    fn delete(&self, name: &str) -> Result<(), KeychainError> {
        match entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(reason(&error)),
        }
    }
}

fn entry(name: &str) -> Result<Entry, KeychainError> {
    if let Err(error) = Entry::store_status() {
        tracing::debug!(%error, "no keychain");
        return Err(KeychainError::Missing);
    }
    Entry::new(SERVICE, name).map_err(|error| reason(&error))
}

/// What is in such an error besides words may be the secret: it goes no further.
fn reason(error: &Error) -> KeychainError {
    if matches!(error, Error::NoStorageAccess(_)) {
        return KeychainError::Refused;
    }
    if matches!(error, Error::BadEncoding(_) | Error::BadDataFormat(..)) {
        return KeychainError::Differs;
    }
    KeychainError::Failed(error.to_string())
}
