//! Passwords on their way between the file and the keychain, with everything that may go wrong on it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::*;
use crate::controller::tests::{App, synthetic};
use crate::settings::keychain::fake::{Fake, Fault};
use crate::settings::to_map;
use crate::view::{IceServerView, PasswordPlace, PasswordView, SettingsView};

const PASSWORD: &str = "correct horse";

fn relay(credential: &str, kept: Option<&str>) -> IceServerView {
    IceServerView {
        urls: vec!["turn:relay.example.org".into()],
        username: "me".into(),
        credential: credential.into(),
        kept: kept.map(str::to_owned),
    }
}

fn with(servers: &[IceServerView]) -> SettingsView {
    SettingsView { ice_servers: servers.to_vec(), ..synthetic() }
}

/// A settings file of before, with a password in it.
fn old_file() -> Value {
    let mut map = to_map(&with(&[relay(PASSWORD, None)]));
    map["iceServers"][0].as_object_mut().unwrap().remove("kept");
    Value::Object(map)
}

/// A settings file with this name of a password.
fn named(name: &str) -> Value {
    Value::Object(to_map(&with(&[relay("", Some(name))])))
}

impl App {
    async fn until_state(&self, wanted: KeychainState) -> KeychainView {
        // Also what follows an answer has been done then.
        loop {
            let view = self.controller.view().keychain;
            if view.state == wanted && self.controller.saving.try_lock().is_ok() {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn until_settled(&self, wanted: impl Fn(&Self) -> bool) {
        while !wanted(self) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What a call would be given.
    fn password(&self) -> String {
        let inner = self.controller.lock();
        inner.passwords.of(&inner.settings.ice_servers[0])
    }

    fn place(&self) -> PasswordPlace {
        let [PasswordView { place, .. }] = self.controller.view().keychain.passwords[..] else { panic!("not one") };
        place
    }

    fn notice(&self) -> String {
        self.call()
            .notices
            .iter()
            .find(|notice| notice.code == NOTICE)
            .map_or(String::new(), |found| found.text.clone())
    }

    /// Whether a password is anywhere in the folder, in whatever file.
    fn on_disk(&self) -> bool {
        let files =
            fs::read_dir(self.folder()).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        files.into_iter().any(|text| text.contains(PASSWORD))
    }

    async fn save(&self, servers: &[IceServerView]) {
        self.controller.save_settings(with(servers)).await.unwrap();
    }

    fn servers(&self) -> Vec<IceServerView> {
        self.controller.settings().ice_servers
    }
}

fn entries(fake: &Fake) -> Vec<String> {
    fake.kept().into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_password_is_asked_nothing() {
    let fake = Fake::default();
    let stun = IceServerView { urls: vec!["stun:x".into()], ..relay("", None) };
    let ann = App::with_keychain(&Value::Object(to_map(&with(&[stun]))), &fake).await;
    ann.save(&[]).await;
    assert_eq!((fake.log().len(), ann.controller.view().keychain.state), (0, KeychainState::Unasked));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_leaves_the_file_once_the_keychain_has_it() {
    let fake = Fake::default();
    let ann = App::with_keychain(&old_file(), &fake).await;
    // What a crash left beside the file.
    fs::write(ann.folder().join("settings.spare.new"), PASSWORD).unwrap();
    ann.until_settled(|ann| ann.place() == PasswordPlace::Keychain).await;
    assert_eq!((entries(&fake), ann.password().as_str()), (vec![PASSWORD.to_owned()], PASSWORD));
    assert!(!ann.on_disk());
    assert_eq!(ann.main(), ann.spare());
    // The window isn't told it.
    assert!(!serde_json::to_string(&ann.controller.view()).unwrap().contains(PASSWORD));

    let ann = ann.restarted(&fake).await;
    ann.until_state(KeychainState::Usable).await;
    assert_eq!((ann.password().as_str(), ann.notice().as_str()), (PASSWORD, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_keychain_fails_the_file_keeps_it() {
    for fault in [Fault::Missing, Fault::WriteRefused, Fault::ReadRefused, Fault::ReadDiffers, Fault::DeleteFails] {
        let fake = Fake::with(fault);
        let ann = App::with_keychain(&old_file(), &fake).await;
        let view = ann.until_state(KeychainState::Unusable).await;
        assert_eq!(ann.place(), PasswordPlace::File, "{fault:?}");
        assert!(view.problem.is_some_and(|problem| problem.ends_with('.')), "{fault:?}");
        assert_eq!(ann.main()["iceServers"][0]["credential"], PASSWORD, "{fault:?}");
        assert_eq!(ann.password(), PASSWORD);

        // It is tried anew with the next start.
        fake.set(Fault::None);
        let ann = ann.restarted(&fake).await;
        ann.until_settled(|ann| ann.place() == PasswordPlace::Keychain).await;
        assert!(!ann.on_disk() && entries(&fake).contains(&PASSWORD.to_owned()), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_refuses_keeps_the_password_in_both() {
    let fake = Fake::with(Fault::Hangs);
    let ann = App::with_keychain(&old_file(), &fake).await;
    ann.until_settled(|_| !fake.log().is_empty()).await;
    ann.controller.shell().refuses.store(true, Ordering::Relaxed);
    fake.set(Fault::None);
    ann.until_state(KeychainState::Usable).await;
    ann.until_settled(|_| !entries(&fake).is_empty()).await;
    assert_eq!(ann.place(), PasswordPlace::File);
    assert_eq!(ann.main()["iceServers"][0]["credential"], PASSWORD);

    // The same name is used again: nothing is there twice.
    let ann = ann.restarted(&fake).await;
    ann.until_settled(|ann| ann.place() == PasswordPlace::Keychain).await;
    assert_eq!(entries(&fake), [PASSWORD]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_a_crash_cut_short_is_finished() {
    let fake = Fake::default();
    // Kept by the keychain, not yet out of the file; or out of the file, which the crash tore, and its spare copy.
    fake.put("turn:a", PASSWORD);
    let half = Value::Object(to_map(&with(&[relay(PASSWORD, Some("a"))])));
    let ann = App::with_keychain(&half, &fake).await;
    ann.until_settled(|ann| ann.place() == PasswordPlace::Keychain).await;
    assert_eq!(entries(&fake), [PASSWORD]);

    fs::write(ann.folder().join("settings.json"), "{\"iceSer").unwrap();
    let ann = ann.restarted(&fake).await;
    ann.until_state(KeychainState::Usable).await;
    assert_eq!((ann.password().as_str(), ann.place()), (PASSWORD, PasswordPlace::Keychain));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_password_goes_to_the_keychain_alone() {
    let fake = Fake::default();
    let ann = App::with_keychain(&Value::Object(to_map(&synthetic())), &fake).await;
    ann.save(&[relay(PASSWORD, None)]).await;
    assert_eq!((ann.place(), ann.password().as_str()), (PasswordPlace::Keychain, PASSWORD));
    assert!(!ann.on_disk());
    assert_eq!(ann.servers()[0].credential, "");

    // Saved again with nothing typed, it stays; with another, the first is forgotten.
    ann.save(&ann.servers()).await;
    assert_eq!(ann.password(), PASSWORD);
    let typed = IceServerView { credential: "another".into(), ..ann.servers()[0].clone() };
    ann.save(&[typed]).await;
    ann.until_settled(|_| entries(&fake) == ["another"]).await;
    assert_eq!(ann.password(), "another");

    // So is that of a server that is removed.
    ann.save(&[]).await;
    ann.until_settled(|ann| entries(&fake).is_empty() && ann.main()["passwordsToForget"] == json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_password_stays_in_the_file_where_there_is_no_keychain() {
    let fake = Fake::with(Fault::Missing);
    let ann = App::with_keychain(&Value::Object(to_map(&synthetic())), &fake).await;
    ann.save(&[relay(PASSWORD, None)]).await;
    assert_eq!((ann.place(), ann.password().as_str()), (PasswordPlace::File, PASSWORD));
    assert_eq!(ann.main()["iceServers"][0]["credential"], PASSWORD);
    assert_eq!((&ann.main(), &ann.main()["passwordsToForget"]), (&ann.spare(), &json!([])));
    ann.save(&[]).await;
    assert!(!ann.on_disk());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_forgotten_is_forgotten_later() {
    let fake = Fake::default();
    fake.put("turn:a", PASSWORD);
    let ann = App::with_keychain(&named("a"), &fake).await;
    ann.until_state(KeychainState::Usable).await;
    fake.set(Fault::DeleteFails);
    ann.save(&[]).await;
    ann.until_state(KeychainState::Unusable).await;
    assert_eq!(ann.main()["passwordsToForget"], json!(["a"]));
    fake.set(Fault::None);
    let ann = ann.restarted(&fake).await;
    ann.until_settled(|ann| entries(&fake).is_empty() && ann.main()["passwordsToForget"] == json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_in_the_keychain_is_forgotten_and_nothing_else() {
    let fake = Fake::default();
    fake.put("turn:a", PASSWORD);
    fake.put("turn:b", "typed, and never saved");
    let mut file = named("a");
    file["passwordsToForget"] = json!(["a", "b"]);
    let ann = App::with_keychain(&file, &fake).await;
    ann.until_settled(|ann| entries(&fake) == [PASSWORD] && ann.password() == PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_the_disk_refuses_changes_nothing_in_the_keychain() {
    let fake = Fake::default();
    fake.put("turn:a", PASSWORD);
    let ann = App::with_keychain(&named("a"), &fake).await;
    ann.until_state(KeychainState::Usable).await;
    ann.controller.shell().refuses.store(true, Ordering::Relaxed);
    let typed = IceServerView { credential: "another".into(), ..ann.servers()[0].clone() };
    let refused = ann.controller.save_settings(with(&[typed])).await.unwrap_err();
    assert_eq!(refused.code, "not-saved");
    assert_eq!((ann.password().as_str(), entries(&fake)), (PASSWORD, vec![PASSWORD.to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_from_another_machine_have_no_password_and_say_so() {
    let fake = Fake::default();
    let ann = App::with_keychain(&named("a"), &fake).await;
    ann.until_settled(|ann| ann.place() == PasswordPlace::Missing).await;
    assert!(ann.notice().contains("turn:relay.example.org"), "{}", ann.notice());
    assert_eq!(ann.password(), "");
    // Everything else can be saved, and the password be entered again.
    ann.save(&ann.servers()).await;
    let typed = IceServerView { credential: PASSWORD.into(), ..ann.servers()[0].clone() };
    ann.save(&[typed]).await;
    assert_eq!((ann.place(), ann.password().as_str(), ann.notice().as_str()), (PasswordPlace::Keychain, PASSWORD, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_keychain_takes_nothing_and_is_asked_again() {
    let fake = Fake::with(Fault::ReadRefused);
    fake.put("turn:a", PASSWORD);
    let ann = App::with_keychain(&named("a"), &fake).await;
    ann.until_state(KeychainState::Unusable).await;
    assert_eq!(ann.place(), PasswordPlace::Unread);
    assert!(ann.notice().contains("locked") && ann.notice().contains("turn:relay.example.org"), "{}", ann.notice());
    // Settings that are saved meanwhile don't lose it.
    ann.save(&ann.servers()).await;
    fake.set(Fault::None);
    ann.controller.ask_keychain();
    ann.until_settled(|ann| ann.place() == PasswordPlace::Keychain).await;
    assert_eq!((ann.password().as_str(), ann.notice().as_str()), (PASSWORD, ""));
}

// Time that nobody waits through: it passes when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_said_to_and_is_served_when_it_answers() {
    let fake = Fake::with(Fault::Hangs);
    fake.put("turn:a", PASSWORD);
    let ann = App::with_keychain(&named("a"), &fake).await;
    assert!(ann.controller.awaits_passwords());
    ann.until_state(KeychainState::Waiting).await;
    assert!(ann.notice().contains("unlock"), "{}", ann.notice());
    // A call doesn't wait for ever, and neither does a save.
    ann.controller.until_answered().await;
    assert_eq!(ann.controller.view().keychain.state, KeychainState::Unusable);
    assert!(ann.notice().contains("doesn't answer"), "{}", ann.notice());
    let typed = relay("another", None);
    ann.save(&[ann.servers()[0].clone(), typed]).await;
    assert_eq!(ann.main()["iceServers"][1]["credential"], "another");
    // Asking once more would only add to what it hasn't answered.
    ann.controller.ask_keychain();
    assert_eq!(fake.log().len(), 1);

    fake.set(Fault::None);
    ann.until_settled(|ann| ann.password() == PASSWORD).await;
    assert_eq!(ann.notice(), "");
}

#[tokio::test(start_paused = true)]
async fn a_typed_password_that_the_keychain_takes_too_late_is_in_one_place() {
    let fake = Fake::with(Fault::Hangs);
    let ann = App::with_keychain(&Value::Object(to_map(&synthetic())), &fake).await;
    ann.save(&[relay(PASSWORD, None)]).await;
    assert_eq!((ann.place(), ann.on_disk()), (PasswordPlace::File, true));
    fake.set(Fault::None);
    ann.until_settled(|ann| ann.place() == PasswordPlace::Keychain).await;
    assert!(!ann.on_disk());
    assert_eq!((entries(&fake), ann.password().as_str()), (vec![PASSWORD.to_owned()], PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_brings_no_names_of_its_own() {
    let fake = Fake::default();
    fake.put("turn:b", "somebody else's");
    let ann = App::with_keychain(&Value::Object(to_map(&synthetic())), &fake).await;
    let refused = ann.controller.save_settings(with(&[relay("", Some("b"))])).await.unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("iceServers.0.credential"));
    let refused = ann.controller.check_servers(&with(&[relay("", Some("b"))])).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("iceServers.0.credential"));
}
