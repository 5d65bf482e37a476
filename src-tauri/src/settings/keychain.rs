//! What the app asks of the system's keychain, behind the trait that the real one and the tests' stand for.
//!
//! A keychain is believed only after it has kept, given back and forgotten something: some systems have none, some have
//! one that is locked, and some answer and keep nothing. All of it blocks, perhaps until a person has typed a password,
//! and belongs on a thread of its own.

use std::collections::BTreeMap;

use super::passwords::Secret;

/// A keychain. Names are made of letters, digits and `-_:@`.
pub trait Secrets: Send + 'static {
    /// Keeps a secret under a name, in place of what was there.
    ///
    /// # Errors
    /// When the keychain is missing, locked or fails.
    fn write(&self, name: &str, secret: &str) -> Result<(), KeychainError>;
    /// What is kept under a name, if anything.
    ///
    /// # Errors
    /// When the keychain is missing, locked or fails.
    fn read(&self, name: &str) -> Result<Option<String>, KeychainError>;
    /// Forgets what is kept under a name. That there is nothing is no error.
    ///
    /// # Errors
    /// When the keychain is missing, locked or fails.
    fn delete(&self, name: &str) -> Result<(), KeychainError>;
}

/// Why the keychain can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeychainError {
    /// There is none.
    Missing,
    /// It is locked and stays so, or refuses.
    Refused,
    /// It gave back something else than it was given.
    Differs,
    /// It hasn't answered in time.
    Silent,
    /// Something else, in the system's words.
    Failed(String),
}

impl std::fmt::Display for KeychainError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => write!(f, "There is no keychain here."),
            Self::Refused => write!(f, "This computer's keychain is locked, or refused."),
            Self::Differs => write!(f, "This computer's keychain doesn't keep what it is given."),
            Self::Silent => write!(f, "This computer's keychain doesn't answer."),
            Self::Failed(words) => write!(f, "This computer's keychain failed ({}).", words.trim_end_matches('.')),
        }
    }
}

impl std::error::Error for KeychainError {}

/// One profile's part of a keychain, so that a profile that was copied from another doesn't touch the other's.
pub struct OfProfile<S> {
    secrets: S,
    prefix: String,
}

impl<S: Secrets> OfProfile<S> {
    /// The part of this profile; `None` is the usual one.
    pub fn new(secrets: S, profile: Option<&str>) -> Self {
        Self { secrets, prefix: profile.map_or_else(|| "turn:".to_owned(), |name| format!("turn@{name}:")) }
    }
}

impl<S: Secrets> Secrets for OfProfile<S> {
    fn write(&self, name: &str, secret: &str) -> Result<(), KeychainError> {
        self.secrets.write(&format!("{}{name}", self.prefix), secret)
    }

    fn read(&self, name: &str) -> Result<Option<String>, KeychainError> {
        self.secrets.read(&format!("{}{name}", self.prefix))
    }

    fn delete(&self, name: &str) -> Result<(), KeychainError> {
        self.secrets.delete(&format!("{}{name}", self.prefix))
    }
}

/// What is to be done once the keychain answers.
#[derive(Clone, Debug, Default)]
pub struct Errand {
    /// Names to be read.
    pub read: Vec<String>,
    /// Passwords to be kept there from now on.
    pub keep: BTreeMap<String, Secret>,
    /// Names that nobody uses any more.
    pub forget: Vec<String>,
    /// What the keychain is tried with, never used before.
    pub trial: String,
}

/// What became of an [`Errand`].
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether the keychain can be used. What wasn't done before it failed is in none of the lists.
    pub usable: Result<(), KeychainError>,
    /// What was read; `None` for what isn't there.
    pub read: BTreeMap<String, Option<Secret>>,
    /// What is kept now, and was read back.
    pub kept: BTreeMap<String, Secret>,
    /// What is forgotten.
    pub forgotten: Vec<String>,
}

/// Reads, tries the keychain, keeps and forgets, in this order and up to the first failure: one that is locked asks a
/// person once, not once for each password.
pub fn run(secrets: &impl Secrets, errand: &Errand) -> Outcome {
    let mut outcome = Outcome { usable: Ok(()), read: BTreeMap::new(), kept: BTreeMap::new(), forgotten: Vec::new() };
    outcome.usable = run_into(secrets, errand, &mut outcome);
    outcome
}

fn run_into(secrets: &impl Secrets, errand: &Errand, outcome: &mut Outcome) -> Result<(), KeychainError> {
    for name in &errand.read {
        let found = secrets.read(name)?.map(Secret::new);
        outcome.read.insert(name.clone(), found);
    }
    probe(secrets, &errand.trial)?;
    for (name, secret) in &errand.keep {
        write_surely(secrets, name, secret.reveal())?;
        outcome.kept.insert(name.clone(), secret.clone());
    }
    for name in &errand.forget {
        secrets.delete(name)?;
        outcome.forgotten.push(name.clone());
    }
    Ok(())
}

/// Whether the keychain really keeps things and forgets them again.
fn probe(secrets: &impl Secrets, trial: &str) -> Result<(), KeychainError> {
    // Of two apps that try at once each has a name of its own, and what a crash leaves is overwritten some day.
    let name = format!("trial-{}", std::process::id());
    write_surely(secrets, &name, trial)?;
    secrets.delete(&name)?;
    if secrets.read(&name)?.is_some() { Err(KeychainError::Differs) } else { Ok(()) }
}

fn write_surely(secrets: &impl Secrets, name: &str, secret: &str) -> Result<(), KeychainError> {
    secrets.write(name, secret)?;
    let found = secrets.read(name)?;
    if found.as_deref() == Some(secret) {
        return Ok(());
    }
    // It stays where it was, so that a half of it here is of no use. That it can't be taken back changes nothing.
    let _ = secrets.delete(name);
    Err(KeychainError::Differs)
}

#[cfg(test)]
pub(crate) mod fake {
    //! A keychain that does what a test wants.
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::sync::{Arc, Condvar, Mutex};

    use super::*;

    /// What goes wrong, and where.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Fault {
        #[default]
        None,
        Missing,
        WriteRefused,
        ReadDiffers,
        ReadRefused,
        DeleteFails,
        Hangs,
    }

    #[derive(Default)]
    struct State {
        fault: Fault,
        kept: BTreeMap<String, String>,
        log: Vec<String>,
    }

    /// All clones are one keychain.
    #[derive(Clone, Default)]
    pub(crate) struct Fake(Arc<(Mutex<State>, Condvar)>);

    impl Fake {
        pub(crate) fn with(fault: Fault) -> Self {
            let fake = Self::default();
            fake.set(fault);
            fake
        }

        /// From now on this goes wrong; whoever hangs goes on.
        pub(crate) fn set(&self, fault: Fault) {
            self.0.0.lock().unwrap().fault = fault;
            self.0.1.notify_all();
        }

        pub(crate) fn put(&self, name: &str, secret: &str) {
            self.0.0.lock().unwrap().kept.insert(name.to_owned(), secret.to_owned());
        }

        /// Everything that is kept.
        pub(crate) fn kept(&self) -> BTreeMap<String, String> {
            self.0.0.lock().unwrap().kept.clone()
        }

        /// What was asked, in order, by its first word and name.
        pub(crate) fn log(&self) -> Vec<String> {
            self.0.0.lock().unwrap().log.clone()
        }

        fn enter<T>(&self, word: &str, name: &str, act: impl FnOnce(&mut State) -> T) -> Result<T, KeychainError> {
            let mut state = self.0.0.lock().unwrap();
            state.log.push(format!("{word} {name}"));
            while state.fault == Fault::Hangs {
                state = self.0.1.wait(state).unwrap();
            }
            match (state.fault, word) {
                (Fault::Missing, _) => Err(KeychainError::Missing),
                (Fault::WriteRefused, "write") | (Fault::ReadRefused, "read") => Err(KeychainError::Refused),
                (Fault::DeleteFails, "delete") => Err(KeychainError::Failed("the disk is full.".to_owned())),
                _ => Ok(act(&mut state)),
            }
        }
    }

    impl Secrets for Fake {
        fn write(&self, name: &str, secret: &str) -> Result<(), KeychainError> {
            self.enter("write", name, |state| state.kept.insert(name.to_owned(), secret.to_owned())).map(drop)
        }

        fn read(&self, name: &str) -> Result<Option<String>, KeychainError> {
            self.enter("read", name, |state| {
                let found = state.kept.get(name).cloned();
                if state.fault == Fault::ReadDiffers { found.map(|text| text[1..].to_owned()) } else { found }
            })
        }

        fn delete(&self, name: &str) -> Result<(), KeychainError> {
            self.enter("delete", name, |state| state.kept.remove(name)).map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::fake::{Fake, Fault};
    use super::*;

    fn errand() -> Errand {
        Errand {
            read: vec!["old".into(), "gone".into()],
            keep: BTreeMap::from([("new".into(), Secret::new("typed".into()))]),
            forget: vec!["unused".into(), "never-was".into()],
            trial: "a trial".into(),
        }
    }

    fn keychain(fault: Fault) -> Fake {
        let fake = Fake::with(fault);
        fake.put("old", "kept");
        fake.put("unused", "of a server that was removed");
        fake
    }

    #[test]
    fn an_errand_is_done_and_leaves_no_trial_behind() {
        let fake = keychain(Fault::None);
        let outcome = run(&fake, &errand());
        assert_eq!(outcome.usable, Ok(()));
        assert_eq!(
            outcome.read,
            BTreeMap::from([("old".into(), Some(Secret::new("kept".into()))), ("gone".into(), None),])
        );
        assert_eq!(outcome.kept, errand().keep);
        assert_eq!(outcome.forgotten, errand().forget);
        let kept = BTreeMap::from([("new".into(), "typed".into()), ("old".into(), "kept".into())]);
        assert_eq!(fake.kept(), kept);
    }

    #[test]
    fn one_that_fails_anywhere_is_given_nothing() {
        for (fault, why) in [
            (Fault::Missing, KeychainError::Missing),
            (Fault::WriteRefused, KeychainError::Refused),
            (Fault::ReadRefused, KeychainError::Refused),
            (Fault::ReadDiffers, KeychainError::Differs),
            (Fault::DeleteFails, KeychainError::Failed("the disk is full.".to_owned())),
        ] {
            let fake = keychain(fault);
            let outcome = run(&fake, &errand());
            assert_eq!(outcome.usable, Err(why), "{fault:?}");
            assert_eq!((outcome.kept.len(), outcome.forgotten.len()), (0, 0), "{fault:?}");
            assert!(!fake.kept().contains_key("new") && fake.kept().contains_key("unused"), "{fault:?}");
        }
    }

    #[test]
    fn what_was_read_before_a_failure_counts() {
        let outcome = run(&keychain(Fault::WriteRefused), &errand());
        assert_eq!(outcome.read["old"], Some(Secret::new("kept".into())));
    }

    #[test]
    fn a_locked_one_is_asked_once() {
        let fake = keychain(Fault::ReadRefused);
        run(&fake, &errand());
        assert_eq!(fake.log(), ["read old"]);
    }

    #[test]
    fn profiles_keep_theirs_apart() {
        let fake = Fake::default();
        for (profile, secret) in [(None, "usual"), (Some("ann"), "ann's"), (Some("bob"), "bob's")] {
            OfProfile::new(fake.clone(), profile).write("one", secret).unwrap();
        }
        let of_ann = OfProfile::new(fake.clone(), Some("ann"));
        assert_eq!(of_ann.read("one").unwrap().as_deref(), Some("ann's"));
        of_ann.delete("one").unwrap();
        assert_eq!(of_ann.read("one"), Ok(None));
        assert_eq!(OfProfile::new(fake.clone(), Some("bob")).read("one").unwrap().as_deref(), Some("bob's"));
        assert_eq!(OfProfile::new(fake, None).read("one").unwrap().as_deref(), Some("usual"));
    }
}
