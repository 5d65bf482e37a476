//! *Test my servers*: asks the STUN and TURN servers of the settings, saved or not, and those that the server hands out, what a
//! call would ask of them, and shows each answer as it comes.

use std::sync::{Arc, PoisonError};

use futures::StreamExt;
use futures::channel::mpsc::{self, UnboundedReceiver};
use tokio::task::AbortHandle;
use visavis_engine::check::{CheckEvent, SelfMeeting, ServerCheck, check_servers};
use visavis_engine::server_url;
use visavis_engine::transport::IceServer;

use super::{Controller, Shell, calls::ice_servers};
use crate::settings::validate;
use crate::view::{ErrorView, ServerCheckView, ServersCheckView, SettingsView};

impl<S: Shell> Controller<S> {
    /// Asks the servers in `settings`, which need not be saved. What was being asked before is forgotten.
    ///
    /// # Errors
    /// When something in the settings isn't valid; nothing is asked then.
    pub fn check_servers(self: &Arc<Self>, settings: &SettingsView) -> Result<(), ErrorView> {
        let (settings, own) = {
            let passwords = &self.lock().passwords;
            let settings = passwords.known(settings.clone());
            (settings.clone(), ice_servers(&settings, passwords))
        };
        validate(&settings)?;
        let server = settings.server.trim().to_owned();
        let app = Arc::clone(self);
        // Held until the new one is known, so that of two that begin at once one ends the other.
        let mut checking = self.checking.lock().unwrap_or_else(PoisonError::into_inner);
        checking.as_ref().map(AbortHandle::abort);
        *checking = Some(tokio::spawn(async move { app.check(own, &server).await }).abort_handle());
        Ok(())
    }

    /// Asks no further. What is shown stays as it is, and is for the window to put away.
    pub fn stop_check(&self) {
        let checking = self.checking.lock().unwrap_or_else(PoisonError::into_inner).take();
        checking.as_ref().map(AbortHandle::abort);
    }

    async fn check(&self, own: Vec<IceServer>, server: &str) {
        let mut view = ServersCheckView { running: true, ..ServersCheckView::default() };
        self.shell.show_servers_check(view.clone());
        let meeting = match server {
            "" => None,
            _ => match meet(server).await {
                Ok(meeting) => Some(meeting),
                Err(reason) => {
                    view.remark = Some(format!("The server {server} can't be asked for its own: {reason}."));
                    None
                }
            },
        };
        let handed_out = meeting.iter().flat_map(|meeting| &meeting.servers).cloned();
        let servers: Vec<IceServer> = own.into_iter().chain(handed_out).collect();
        if servers.is_empty() && view.remark.is_none() {
            view.remark = Some(nobody(server).to_owned());
        }
        let (events, told) = mpsc::unbounded();
        futures::join!(check_servers(&servers, events), self.show(&mut view, told));
        if let Some(meeting) = meeting {
            meeting.leave().await;
        }
        view.running = false;
        self.shell.show_servers_check(view);
    }

    async fn show(&self, view: &mut ServersCheckView, mut told: UnboundedReceiver<CheckEvent>) {
        while let Some(event) = told.next().await {
            match event {
                CheckEvent::Asking { url, asked } => view.servers.push(asking(url, &asked)),
                CheckEvent::Checked(check) => match view.servers.iter_mut().find(|there| is_awaited(there, &check)) {
                    Some(there) => *there = checked(&check),
                    None => view.servers.push(checked(&check)),
                },
            }
            self.shell.show_servers_check(view.clone());
        }
    }
}

async fn meet(server: &str) -> Result<SelfMeeting, String> {
    SelfMeeting::at(&server_url(server).map_err(|error| error.to_string())?).await
}

/// What there being nobody to ask means.
const fn nobody(server: &str) -> &'static str {
    if server.is_empty() {
        "There is no server to ask. Without any, calls connect where the network lets them."
    } else {
        "The server has neither STUN nor TURN, and no others are set. Calls connect where the network lets them."
    }
}

fn is_awaited(there: &ServerCheckView, check: &ServerCheck) -> bool {
    there.good.is_none() && there.url == check.url
}

fn asking(url: String, asked: &str) -> ServerCheckView {
    ServerCheckView { url, good: None, found: format!("Asking for {asked}…"), advice: None, took_ms: None }
}

fn checked(check: &ServerCheck) -> ServerCheckView {
    ServerCheckView {
        url: check.url.clone(),
        good: Some(check.outcome.is_good()),
        found: check.found(),
        advice: check.advice(),
        took_ms: Some(u32::try_from(check.took_ms).unwrap_or(u32::MAX)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use tokio::net::UdpSocket;
    use visavis_server::Embedded;

    use super::*;
    use crate::controller::tests::App;
    use crate::settings::defaults;
    use crate::view::IceServerView;

    fn with(urls: &[&str], server: &str) -> SettingsView {
        let server_of = |url: &&str| IceServerView {
            urls: vec![(*url).to_owned()],
            username: "ann".to_owned(),
            credential: "secret".to_owned(),
            kept: None,
        };
        SettingsView { server: server.to_owned(), ice_servers: urls.iter().map(server_of).collect(), ..defaults() }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_server_is_shown_while_it_is_asked_and_when_it_has_answered() {
        let ann = App::new().await;
        // A port that nothing listens on.
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let url = format!("turn:{free}?transport=tcp");
        ann.controller.check_servers(&with(&[&url], "")).unwrap();
        let checks = ann.checks().await;
        let (first, last) = (&checks[0], checks.last().unwrap());
        assert!(first.running && first.servers.is_empty(), "{first:?}");
        assert!(checks.iter().any(|check| check.servers.iter().any(|server| server.good.is_none())), "{checks:?}");
        let [server] = &last.servers[..] else { panic!("{last:?}") };
        assert_eq!((server.url.as_str(), server.good), (url.as_str(), Some(false)));
        assert!(server.found.contains("nothing listens there") && server.advice.is_some(), "{server:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_nobody_to_ask_that_is_said() {
        let ann = App::new().await;
        ann.controller.check_servers(&with(&[], "")).unwrap();
        assert!(ann.checks().await.last().unwrap().remark.as_ref().unwrap().contains("no server to ask"));
        let server = Embedded::start(visavis_server::Reach::Process).await.unwrap();
        ann.controller.check_servers(&with(&[], &server.url())).unwrap();
        assert!(ann.checks().await.last().unwrap().remark.as_ref().unwrap().contains("neither STUN nor TURN"));
        ann.controller.check_servers(&with(&[], "ws://127.0.0.1:9")).unwrap();
        assert!(ann.checks().await.last().unwrap().remark.as_ref().unwrap().contains("can't be asked"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_stopped_shows_nothing_more() {
        let ann = App::new().await;
        let deaf = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let url = format!("stun:{}", deaf.local_addr().unwrap());
        ann.controller.check_servers(&with(&[&url], "")).unwrap();
        ann.until_check(|check| check.servers.len() == 1).await;
        let running = ann.controller.checking.lock().unwrap().clone().unwrap();
        ann.controller.stop_check();
        while !running.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(ann.controller.shell().checks.lock().unwrap().iter().all(|check| check.running));
        // What makes no sense isn't asked.
        let error = ann.controller.check_servers(&with(&["turn:[::1"], "")).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("iceServers.0.urls"));
    }
}
