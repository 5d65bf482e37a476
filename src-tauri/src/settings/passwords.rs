//! The passwords of TURN servers, which the settings name and don't hold.
//!
//! A server's password has a random name that it keeps for life: another password gets another name, so that one name is
//! never two passwords and whatever is written half-way leaves the old one whole. The name alone stands in the settings
//! file where the keychain has the password; name and password do where there is no keychain to be used.

use std::collections::{BTreeMap, BTreeSet};

use crate::view::{IceServerView, PasswordPlace, PasswordView, SettingsView};

use super::validate::is_relay;

/// The longest name that is believed, bytes; ours have 32.
const MAX_NAME: usize = 64;

/// A password. Its text is in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// This text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one who needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Where one password is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In the keychain, which has given it.
    Keychain(Secret),
    /// In the settings file.
    File(Secret),
    /// In the keychain, which hasn't given it yet.
    Unread,
    /// In none: the keychain doesn't have it.
    Missing,
}

/// The passwords that settings name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passwords(BTreeMap<String, Kept>);

impl Passwords {
    /// Takes the passwords out of settings that were read from a file, and gives those a name that have none.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn take(settings: &mut SettingsView) -> std::io::Result<Self> {
        let mut passwords = Self::default();
        for server in &mut settings.ice_servers {
            let credential = std::mem::take(&mut server.credential);
            server.kept = server.kept.take().filter(|name| is_name(name));
            if !credential.is_empty() {
                let name = match server.kept.take().filter(|name| !passwords.0.contains_key(name)) {
                    Some(name) => name,
                    None => random_name()?,
                };
                passwords.0.insert(name.clone(), Kept::File(Secret::new(credential)));
                server.kept = Some(name);
            } else if let Some(name) = &server.kept {
                passwords.0.entry(name.clone()).or_insert(Kept::Unread);
            }
        }
        Ok(passwords)
    }

    /// The settings as the file holds them: with those passwords in them that no keychain keeps.
    #[must_use]
    pub fn written(&self, settings: &SettingsView) -> SettingsView {
        let mut settings = settings.clone();
        for server in &mut settings.ice_servers {
            server.credential = match server.kept.as_ref().and_then(|name| self.0.get(name)) {
                Some(Kept::File(secret)) => secret.reveal().to_owned(),
                Some(Kept::Keychain(_) | Kept::Unread | Kept::Missing) | None => String::new(),
            };
        }
        settings
    }

    /// The settings without names that the window can't have from here, and without those that nothing asks for any
    /// more: a server that is no relay and has no user needs no password.
    #[must_use]
    pub fn known(&self, mut settings: SettingsView) -> SettingsView {
        for server in &mut settings.ice_servers {
            let asked = !server.username.is_empty() || server.urls.iter().any(|url| is_relay(url));
            server.kept = server.kept.take().filter(|name| asked && self.0.contains_key(name));
        }
        settings
    }

    /// A server's password: the one that was just typed, or the one that is kept; empty where there is none.
    #[must_use]
    pub fn of(&self, server: &IceServerView) -> String {
        if !server.credential.is_empty() {
            return server.credential.clone();
        }
        match server.kept.as_ref().and_then(|name| self.0.get(name)) {
            Some(Kept::Keychain(secret) | Kept::File(secret)) => secret.reveal().to_owned(),
            Some(Kept::Unread | Kept::Missing) | None => String::new(),
        }
    }

    /// The same settings with a name for each password that was typed, and those passwords.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn take_typed(settings: &mut SettingsView) -> std::io::Result<BTreeMap<String, Secret>> {
        let mut typed = BTreeMap::new();
        for server in settings.ice_servers.iter_mut().filter(|server| !server.credential.is_empty()) {
            let name = random_name()?;
            typed.insert(name.clone(), Secret::new(std::mem::take(&mut server.credential)));
            server.kept = Some(name);
        }
        Ok(typed)
    }

    /// Says where a password is from now on.
    pub fn set(&mut self, name: String, kept: Kept) {
        self.0.insert(name, kept);
    }

    /// Where a password is.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Kept> {
        self.0.get(name)
    }

    /// Drops the passwords that these settings don't name; answers which of them the keychain may have.
    pub fn drop_unused(&mut self, settings: &SettingsView) -> Vec<String> {
        let used: BTreeSet<&String> = settings.ice_servers.iter().filter_map(|server| server.kept.as_ref()).collect();
        let is_used = |name: &String| used.contains(name);
        let there = |(name, kept): &(&String, &Kept)| !is_used(name) && !matches!(kept, Kept::File(_));
        let dropped = self.0.iter().filter(there).map(|(name, _)| name.clone()).collect();
        self.0.retain(|name, _| is_used(name));
        dropped
    }

    /// The names of those that the keychain is to give.
    #[must_use]
    pub fn unread(&self) -> Vec<String> {
        let wanted = |kept: &Kept| matches!(kept, Kept::Unread | Kept::Missing);
        self.0.iter().filter(|(_, kept)| wanted(kept)).map(|(name, _)| name.clone()).collect()
    }

    /// Those in the settings file.
    #[must_use]
    pub fn in_file(&self) -> BTreeMap<String, Secret> {
        let found = |(name, kept): (&String, &Kept)| match kept {
            Kept::File(secret) => Some((name.clone(), secret.clone())),
            Kept::Keychain(_) | Kept::Unread | Kept::Missing => None,
        };
        self.0.iter().filter_map(found).collect()
    }

    /// What the window may know of them.
    #[must_use]
    pub fn views(&self) -> Vec<PasswordView> {
        let view = |(name, kept): (&String, &Kept)| PasswordView {
            name: name.clone(),
            place: match kept {
                Kept::Keychain(_) => PasswordPlace::Keychain,
                Kept::File(_) => PasswordPlace::File,
                Kept::Unread => PasswordPlace::Unread,
                Kept::Missing => PasswordPlace::Missing,
            },
        };
        self.0.iter().map(view).collect()
    }
}

/// Whether it may be one of ours: the file may be edited, and the name goes to the keychain.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// 128 random bits in hexadecimal: a settings file that came from elsewhere names nothing that is here.
pub(crate) fn random_name() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::defaults;
    use super::*;

    fn relay(credential: &str, kept: Option<&str>) -> IceServerView {
        IceServerView {
            urls: vec!["turn:relay.example.org".into()],
            username: "me".into(),
            credential: credential.into(),
            kept: kept.map(str::to_owned),
        }
    }

    fn with(ice_servers: Vec<IceServerView>) -> SettingsView {
        SettingsView { ice_servers, ..defaults() }
    }

    fn named(settings: &SettingsView, index: usize) -> &str {
        settings.ice_servers[index].kept.as_deref().unwrap()
    }

    #[test]
    fn what_is_taken_out_is_written_as_it_was() {
        let read = with(vec![relay("first", None), relay("second", Some("b")), relay("", Some("c")), relay("", None)]);
        let mut settings = read.clone();
        let passwords = Passwords::take(&mut settings).unwrap();
        assert!(settings.ice_servers.iter().all(|server| server.credential.is_empty()));
        assert_eq!((named(&settings, 1), named(&settings, 2)), ("b", "c"));
        assert_eq!(settings.ice_servers[3].kept, None);
        assert_eq!((passwords.unread(), passwords.in_file().len()), (vec!["c".to_owned()], 2));
        let texts: Vec<String> = settings.ice_servers.iter().map(|server| passwords.of(server)).collect();
        assert_eq!(texts, ["first", "second", "", ""]);
        let mut written = passwords.written(&settings);
        assert!(is_name(named(&written, 0)));
        written.ice_servers[0].kept = None;
        assert_eq!(written, read);
    }

    #[test]
    fn one_name_is_one_password() {
        let mut settings = with(vec![relay("first", Some("a")), relay("second", Some("a"))]);
        let passwords = Passwords::take(&mut settings).unwrap();
        assert_eq!(named(&settings, 0), "a");
        let texts: Vec<String> = settings.ice_servers.iter().map(|server| passwords.of(server)).collect();
        assert_eq!(texts, ["first", "second"]);
    }

    #[test]
    fn names_that_nobody_gave_are_not_believed() {
        let long = "a".repeat(65);
        for name in ["", "turn@bob:a", "a b", &long] {
            let mut settings = with(vec![relay("", Some(name)), relay("typed", Some(name))]);
            let passwords = Passwords::take(&mut settings).unwrap();
            assert_eq!(settings.ice_servers[0].kept, None, "{name}");
            assert_eq!(passwords.of(&settings.ice_servers[1]), "typed", "{name}");
            assert!(is_name(named(&settings, 1)));
        }
        let none = Passwords::default();
        assert_eq!(none.known(with(vec![relay("", Some("a"))])).ice_servers[0].kept, None);
    }

    #[test]
    fn a_typed_password_has_a_new_name() {
        let mut read = with(vec![relay("old", Some("a"))]);
        let mut passwords = Passwords::take(&mut read).unwrap();
        let mut settings = with(vec![relay("new", Some("a"))]);
        let typed = Passwords::take_typed(&mut settings).unwrap();
        assert_ne!(named(&settings, 0), "a");
        assert_eq!(typed[named(&settings, 0)].reveal(), "new");
        assert_eq!(passwords.drop_unused(&settings), [""; 0]);
        passwords.set("a".into(), Kept::Unread);
        assert_eq!(passwords.drop_unused(&settings), ["a"]);
        assert_eq!(passwords, Passwords::default());
    }

    #[test]
    fn a_server_that_asks_nobody_keeps_no_password() {
        let mut read = with(vec![relay("old", Some("a"))]);
        let passwords = Passwords::take(&mut read).unwrap();
        let stun =
            IceServerView { urls: vec!["stun:x".into()], username: String::new(), ..read.ice_servers[0].clone() };
        assert_eq!(passwords.known(read.clone()).ice_servers[0].kept.as_deref(), Some("a"));
        assert_eq!(passwords.known(with(vec![stun])).ice_servers[0].kept, None);
    }

    #[test]
    fn a_log_shows_no_password() {
        let mut settings = with(vec![relay("visible?", None)]);
        let passwords = Passwords::take(&mut settings).unwrap();
        assert!(!format!("{passwords:?}{settings:?}").contains("visible"));
    }
}
