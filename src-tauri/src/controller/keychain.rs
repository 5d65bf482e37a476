//! When the keychain is asked, how long that may take, and what becomes of the passwords.
//!
//! It is asked when the settings name a password or somebody is about to type one, and never otherwise: it may ask the
//! person to unlock it. It answers on a thread of its own, as nothing ends a call into it that hangs. Whoever waits is
//! told after a second; after half a minute the app goes on without, and takes the answer whenever it comes.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Controller, Inner, Shell, Stored};
use crate::settings::keychain::{Errand, KeychainError, OfProfile, Outcome, Secrets, run};
use crate::settings::passwords::{Kept, Passwords, Secret, random_name};
use crate::settings::{to_forget, with_to_forget};
use crate::view::{KeychainState, KeychainView, NoticeAction};

/// The notice about the keychain.
const NOTICE: &str = "keychain";
/// A keychain that isn't locked has answered by then.
const SOON: Duration = Duration::from_secs(1);
/// As long as a person may need to see the prompt and to type a password.
const PATIENCE: Duration = Duration::from_secs(30);

/// An errand, and where its outcome goes.
type Job = (Errand, oneshot::Sender<Outcome>);

/// The thread that the keychain is asked on. It ends with the value, or with the program if the keychain hangs.
pub(super) struct Vault {
    jobs: mpsc::Sender<Job>,
}

impl Vault {
    pub(super) fn start(secrets: impl Secrets, profile: Option<&str>) -> io::Result<Self> {
        let secrets = OfProfile::new(secrets, profile);
        let (jobs, waiting) = mpsc::channel::<Job>();
        let work = move || {
            for (errand, answer) in waiting {
                // Nobody may be waiting any more; what was done is done.
                let _ = answer.send(run(&secrets, &errand));
            }
        };
        std::thread::Builder::new().name("keychain".to_owned()).spawn(work)?;
        Ok(Self { jobs })
    }

    fn run(&self, errand: Errand) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        // A thread that is gone drops the sender, which the receiver sees.
        let _ = self.jobs.send((errand, sender));
        receiver
    }
}

/// What is known of the keychain.
pub(super) struct Keychain {
    state: KeychainState,
    problem: Option<KeychainError>,
    /// How many errands it has.
    under_way: usize,
}

impl Keychain {
    pub(super) const fn unasked() -> Self {
        Self { state: KeychainState::Unasked, problem: None, under_way: 0 }
    }

    fn begin(&mut self) {
        self.under_way += 1;
        if self.state != KeychainState::Usable {
            self.state = KeychainState::Asking;
        }
    }

    fn end(&mut self, usable: &Result<(), KeychainError>) {
        self.under_way = self.under_way.saturating_sub(1);
        self.judge(usable);
    }

    fn judge(&mut self, usable: &Result<(), KeychainError>) {
        self.state = if usable.is_ok() { KeychainState::Usable } else { KeychainState::Unusable };
        self.problem = usable.clone().err();
    }

    const fn is_asked(&self) -> bool {
        matches!(self.state, KeychainState::Asking | KeychainState::Waiting)
    }

    /// It has let somebody wait in vain, and hasn't answered since.
    fn hangs(&self) -> bool {
        self.under_way > 0 && self.problem == Some(KeychainError::Silent)
    }

    pub(super) fn view(&self, passwords: &Passwords) -> KeychainView {
        let problem = self.problem.as_ref().filter(|_| self.state == KeychainState::Unusable);
        KeychainView { state: self.state, problem: problem.map(ToString::to_string), passwords: passwords.views() }
    }
}

impl<S: Shell> Controller<S> {
    /// Asks the keychain for the passwords that it has, tries whether it can be used, and moves those into it that are in
    /// the settings file. Does nothing where that is under way or done.
    pub fn ask_keychain(self: &Arc<Self>) {
        let begun = self.change_keychain(|inner| {
            let usable = inner.keychain.state == KeychainState::Usable;
            let done = usable && errand(inner).is_none();
            let begins = inner.keychain.under_way == 0 && !done;
            if begins {
                inner.keychain.begin();
            }
            begins
        });
        if begun {
            tokio::spawn(Arc::clone(self).settle());
        }
    }

    /// Whether a call has to wait for passwords.
    pub(super) fn awaits_passwords(&self) -> bool {
        let inner = self.lock();
        inner.keychain.is_asked() && !inner.passwords.unread().is_empty()
    }

    /// Waits until the keychain has answered, or as long as one waits for it.
    pub(super) async fn until_answered(&self) {
        // The sender is ours: it is there.
        let _ = self.asked.subscribe().wait_for(|asked| !asked).await;
    }

    async fn settle(self: Arc<Self>) {
        let mut todo = errand(&self.lock()).unwrap_or_default();
        // A password goes nowhere under a name that the file doesn't have yet: a crash would leave it there for ever.
        if !todo.keep.is_empty() && !self.write_names().await {
            todo.keep = BTreeMap::new();
        }
        match self.ask(todo).await {
            Ok(outcome) => self.settled(outcome).await,
            // Whoever unlocks it in an hour is served all the same.
            Err(answer) => self.answered_late(answer).await,
        }
    }

    async fn answered_late(&self, answer: oneshot::Receiver<Outcome>) {
        let outcome = outcome_of(answer.await);
        self.change_keychain(|inner| inner.keychain.end(&outcome.usable));
        self.settled(outcome).await;
    }

    /// Keeps what was typed; answers with what the keychain has now. The rest is for the settings file.
    ///
    /// # Errors
    /// When the names can't be written down first.
    pub(super) async fn keep_typed(
        self: &Arc<Self>,
        typed: &BTreeMap<String, Secret>,
    ) -> Result<BTreeMap<String, Secret>, String> {
        if typed.is_empty() || self.lock().keychain.hangs() {
            return Ok(BTreeMap::new());
        }
        // Until the settings are saved these belong to nobody, and the next start forgets them.
        let before = self.lock().map.clone();
        let names: Vec<String> = to_forget(&before).into_iter().chain(typed.keys().cloned()).collect();
        let map = with_to_forget(before.clone(), &names);
        self.keep(&before, &map)?;
        self.lock().map = map;
        self.change_keychain(|inner| inner.keychain.begin());
        let errand = Errand { keep: typed.clone(), trial: trial(), ..Errand::default() };
        match self.ask(errand).await {
            Ok(outcome) => Ok(outcome.kept),
            Err(answer) => {
                let app = Arc::clone(self);
                tokio::spawn(async move { app.answered_late(answer).await });
                Ok(BTreeMap::new())
            }
        }
    }

    /// Runs an errand that was begun, and says how it goes. What comes too late is to be had from the receiver.
    async fn ask(&self, errand: Errand) -> Result<Outcome, oneshot::Receiver<Outcome>> {
        let mut answer = self.vault.run(errand);
        let mut answered = timeout(SOON, &mut answer).await;
        if answered.is_err() {
            self.change_keychain(|inner| inner.keychain.state = KeychainState::Waiting);
            answered = timeout(PATIENCE.saturating_sub(SOON), &mut answer).await;
        }
        let Ok(answered) = answered else {
            self.change_keychain(|inner| inner.keychain.judge(&Err(KeychainError::Silent)));
            return Err(answer);
        };
        let outcome = outcome_of(answered);
        if let Err(error) = &outcome.usable {
            tracing::warn!(%error, "the keychain can't be used");
        }
        self.change_keychain(|inner| inner.keychain.end(&outcome.usable));
        Ok(outcome)
    }

    /// Writes the settings file with a name for each password in it.
    async fn write_names(&self) -> bool {
        let _one_at_a_time = self.saving.lock().await;
        let (before, map) = {
            let inner = self.lock();
            (inner.map.clone(), self.files.next_map(inner.map.clone(), &inner.passwords.written(&inner.settings)))
        };
        self.rewrite(&before, map)
    }

    /// Takes what the keychain has read, kept and forgotten. What it keeps leaves the file only now.
    async fn settled(&self, outcome: Outcome) {
        let _one_at_a_time = self.saving.lock().await;
        let (mut passwords, settings, before) = {
            let inner = self.lock();
            (inner.passwords.clone(), inner.settings.clone(), inner.map.clone())
        };
        for (name, found) in outcome.read {
            let awaited = matches!(passwords.get(&name), Some(Kept::Unread | Kept::Missing));
            if awaited {
                passwords.set(name, found.map_or(Kept::Missing, Kept::Keychain));
            }
        }
        self.lock().passwords = passwords.clone();
        for (name, secret) in outcome.kept {
            // Changed or removed in the meantime, perhaps.
            if passwords.get(&name) == Some(&Kept::File(secret.clone())) {
                passwords.set(name, Kept::Keychain(secret));
            }
        }
        let left: Vec<String> =
            to_forget(&before).into_iter().filter(|name| !outcome.forgotten.contains(name)).collect();
        let map = with_to_forget(self.files.next_map(before.clone(), &passwords.written(&settings)), &left);
        if self.rewrite(&before, map) {
            self.lock().passwords = passwords;
        }
        self.change_keychain(|_| ());
    }

    /// The file holds `map` then, or what it held `before`; answers which.
    fn rewrite(&self, before: &Stored, map: Stored) -> bool {
        if *before == map {
            return true;
        }
        if let Err(error) = self.keep(before, &map) {
            tracing::warn!(%error, "the settings couldn't be written; passwords stay where they are");
            return false;
        }
        self.files.remove_unfinished();
        self.lock().map = map;
        true
    }

    /// Changes what is known of the keychain and shows it.
    pub(super) fn change_keychain<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let _in_order = self.showing.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, view, call) = {
            let mut inner = self.lock();
            let result = change(&mut inner);
            tell(&mut inner);
            self.asked.send_replace(inner.keychain.is_asked());
            (result, inner.keychain.view(&inner.passwords), inner.model.call(Instant::now()))
        };
        self.shell.show_keychain(view);
        self.shell.show_call(call);
        result
    }
}

/// What the keychain is to do, if anything.
pub(super) fn errand(inner: &Inner) -> Option<Errand> {
    let used = inner.passwords.views();
    let forget = to_forget(&inner.map).into_iter().filter(|name| used.iter().all(|view| view.name != *name)).collect();
    let errand =
        Errand { read: inner.passwords.unread(), keep: inner.passwords.in_file(), forget, trial: String::new() };
    let nothing = errand.read.is_empty() && errand.keep.is_empty() && errand.forget.is_empty();
    (!nothing).then(|| Errand { trial: trial(), ..errand })
}

/// What the keychain is tried with. Without random numbers any text serves; nobody is to guess it.
fn trial() -> String {
    random_name().unwrap_or_else(|_| "trial".to_owned())
}

fn outcome_of(answer: Result<Outcome, oneshot::error::RecvError>) -> Outcome {
    answer.unwrap_or_else(|_| Outcome {
        usable: Err(KeychainError::Failed("it crashed".to_owned())),
        read: BTreeMap::new(),
        kept: BTreeMap::new(),
        forgotten: Vec::new(),
    })
}

/// What a person should know of the keychain outside the settings, too.
fn tell(inner: &mut Inner) {
    let is = |wanted: &Kept| {
        let kept = |name: &String| inner.passwords.get(name) == Some(wanted);
        let servers = inner.settings.ice_servers.iter().filter(|server| server.kept.as_ref().is_some_and(kept));
        servers.flat_map(|server| server.urls.first().cloned()).collect::<Vec<_>>()
    };
    let (unread, missing) = (is(&Kept::Unread), is(&Kept::Missing));
    let (text, action) = match (inner.keychain.state, &inner.keychain.problem) {
        (KeychainState::Waiting, _) => {
            ("Waiting for this computer's keychain. It may be asking you to unlock it.".to_owned(), None)
        }
        (KeychainState::Unusable, Some(problem)) if !unread.is_empty() => {
            let text = format!("{problem} Until it gives their passwords, calls do without {}.", unread.join(", "));
            (text, Some(NoticeAction::OpenSettings))
        }
        (KeychainState::Unasked | KeychainState::Asking | KeychainState::Usable | KeychainState::Unusable, _)
            if !missing.is_empty() =>
        {
            let text = format!(
                "This computer's keychain doesn't have the password of {}. Enter it again in the settings.",
                missing.join(", ")
            );
            (text, Some(NoticeAction::OpenSettings))
        }
        (KeychainState::Unasked | KeychainState::Asking | KeychainState::Usable | KeychainState::Unusable, _) => {
            return inner.model.withdraw(NOTICE);
        }
    };
    inner.model.notice(NOTICE, text, action);
}

#[cfg(test)]
mod tests;
