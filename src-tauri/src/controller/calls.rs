//! How a call runs: from the button to the engine, and what the engine says back to the views.
//!
//! Every call has a number. Whatever takes time (a server that starts, an engine that ends) carries the number along, and
//! comes to nothing if another one counts by then.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use visavis_engine::call::{CloseReason, Intent};
use visavis_engine::report::CallReport;
use visavis_engine::signaling::Invitation;
use visavis_engine::transport::{IceServer, TransportConfig};
use visavis_engine::{
    Call, CallConfig, Event, MulticastDns, Nearby, Sinks, SoundSettings, VideoSettings, WebSocketConnector, nearby_url,
    server_url,
};
use visavis_server::{Embedded, Reach};

use super::{Controller, Inner, Shell, server_view};
use crate::model::Changed;
use crate::settings::passwords::Passwords;
use crate::settings::{devices, in_network, sound_processing};
use crate::view::{AgainView, ErrorView, IceServerView, ServerKind, ServerView, SettingsView};

/// A call that has begun.
struct Begun {
    number: u64,
    /// The server of the settings.
    server: ServerView,
}

/// Where a call begins, and the server that lives as long as the call.
#[derive(Default)]
struct Servers {
    named: Vec<String>,
    nearby: Nearby,
    own: Option<Embedded>,
}

impl<S: Shell> Controller<S> {
    /// Starts a call. `relay_only`: one in which the other side doesn't learn this machine's address.
    pub async fn start_call(self: &Arc<Self>, relay_only: bool) {
        let Some(Begun { number, server }) = self.begin(None, relay_only) else { return };
        let servers = match server.kind {
            ServerKind::Network => own_server(Reach::Network).await,
            ServerKind::Machine => own_server(Reach::Machine).await,
            ServerKind::Custom => named_server(&server.url),
        };
        match servers {
            Ok(servers) => self.launch(number, Intent::Create, servers),
            Err(text) => self.fail(number, "no-server", text),
        }
    }

    /// Joins the one who waits behind a code; `relay_only` as in [`Controller::start_call`].
    ///
    /// # Errors
    /// When what was typed isn't a code.
    pub fn join_call(self: &Arc<Self>, typed: &str, relay_only: bool) -> Result<(), ErrorView> {
        let code = Invitation::parse(typed).map_err(|error| ErrorView {
            code: "bad-code".to_owned(),
            text: error.to_string(),
            field: Some("code".to_owned()),
        })?;
        self.join(code, relay_only);
        Ok(())
    }

    /// Calls again: the same other if that is still there, the code that was typed if the call never came about, and else
    /// with a new code.
    pub async fn again(self: &Arc<Self>) {
        let (retry, relay_only) = {
            let inner = self.lock();
            let retry = match (inner.model.again(), &inner.running.call) {
                (AgainView::Ready | AgainView::Asked, Some(call)) => return call.again(),
                (AgainView::Awaited, Some(_)) => return,
                (AgainView::Retry, _) => inner.model.joined_with().cloned(),
                (AgainView::No, _) | (AgainView::Ready | AgainView::Asked | AgainView::Awaited, None) => None,
            };
            (retry, inner.running.relay_only)
        };
        match retry {
            Some(code) => self.join(code, relay_only),
            None => self.start_call(relay_only).await,
        }
    }

    /// Ends the call.
    pub fn hang_up(&self) {
        self.change(|inner| {
            if let Some(call) = &inner.running.call {
                call.hang_up();
            } else if !inner.model.is_over() {
                // There is no engine yet. What is being prepared finds that its number counts no more.
                inner.running.number += 1;
                inner.model.dismiss();
                return ((), Changed::ALL);
            }
            ((), Changed::NOTHING)
        });
    }

    /// The end has been read.
    pub fn dismiss(&self) {
        self.change(|inner| {
            if !inner.model.is_over() {
                return ((), Changed::NOTHING);
            }
            inner.model.dismiss();
            inner.running.leave();
            inner.running.report = None;
            ((), Changed::ALL)
        });
    }

    /// Sends what the microphone hears, or not.
    pub fn set_microphone(&self, on: bool) {
        self.change(|inner| {
            inner.media.microphone = on;
            ((), tell_media(inner, |call| call.set_microphone(on)))
        });
    }

    /// Opens the camera, or closes it.
    pub fn set_camera(&self, on: bool) {
        self.change(|inner| {
            inner.media.camera = on;
            if !on {
                self.feeds.own.clear();
            }
            ((), tell_media(inner, |call| call.set_camera(on)))
        });
    }

    fn join(self: &Arc<Self>, invitation: Invitation, relay_only: bool) {
        let Some(Begun { number, server }) = self.begin(Some(invitation.clone()), relay_only) else { return };
        let nearby = self.nearby(&invitation);
        let servers = match server.kind {
            ServerKind::Network | ServerKind::Machine => Ok(Servers::default()),
            ServerKind::Custom => named_server(&server.url),
        };
        match servers {
            Ok(servers) if servers.named.is_empty() && nearby.is_none() => {
                let reason = CloseReason::NoSuchRoom { nameplate: invitation.code.nameplate().clone() };
                let hint =
                    "With no server address and no local network in the settings, calls reach this machine only.";
                self.fail(number, reason.code(), format!("{reason} {hint}"));
            }
            Ok(servers) => self.launch(number, Intent::Join(invitation.code), Servers { nearby, ..servers }),
            Err(text) => self.fail(number, "no-server", text),
        }
    }

    /// Who is asked besides the server: whom the code names, other instances on this machine, and whoever is found.
    fn nearby(&self, invitation: &Invitation) -> Nearby {
        let settings = of_this_call(&self.lock());
        // Whoever serves a room sees who asks, which relaying is to hide.
        let named = invitation.address.filter(|_| !settings.relay_only).map(nearby_url);
        let discovery = in_network(&settings).then(|| Arc::new(MulticastDns) as _);
        Nearby { known: named.into_iter().chain(Embedded::others()).collect(), discovery }
    }

    /// `None` while another call goes on.
    fn begin(&self, code: Option<Invitation>, relay_only: bool) -> Option<Begun> {
        self.change(|inner| {
            if !inner.model.is_over() {
                return (None, Changed::NOTHING);
            }
            self.feeds.remote.clear();
            self.feeds.own.clear();
            inner.running.relay_only = relay_only;
            let server = server_view(&of_this_call(inner));
            inner.model.begin(code, inner.media, server.kind);
            inner.model.set_confidants(relay_only, server.kind == ServerKind::Custom);
            inner.running.leave();
            inner.running.report = Some(CallReport::new(Instant::now(), SystemTime::now()));
            (Some(Begun { number: inner.running.number, server }), Changed::ALL)
        })
    }

    fn fail(&self, number: u64, code: &str, text: String) {
        self.change(|inner| {
            if inner.running.number != number {
                return ((), Changed::NOTHING);
            }
            inner.model.fail(code, text);
            ((), Changed::CALL)
        });
    }

    fn launch(self: &Arc<Self>, number: u64, intent: Intent, servers: Servers) {
        if !self.awaits_passwords() {
            return self.launch_now(number, intent, servers);
        }
        let app = Arc::clone(self);
        tokio::spawn(async move {
            app.until_answered().await;
            app.launch_now(number, intent, servers);
        });
    }

    fn launch_now(self: &Arc<Self>, number: u64, intent: Intent, servers: Servers) {
        let Servers { named, nearby, own } = servers;
        let address = own.as_ref().and_then(|own| own.addresses().first().copied());
        let events = self.change(|inner| {
            if inner.running.number != number {
                return (None, Changed::NOTHING);
            }
            // One step with the number, the devices and what is muted: none of them can change in between.
            let started = self
                .config(inner, intent, named, nearby)
                .and_then(|config| visavis_engine::start(&self.host, config).map_err(|error| error.to_string()));
            match started {
                Ok((call, events)) => {
                    inner.running.call = Some(call);
                    inner.model.serves_at(address);
                    (Some(events), Changed::NOTHING)
                }
                Err(cause) => {
                    let cause = cause.trim_end_matches('.');
                    let text = format!("The call couldn't start: {cause}. Try again, or check the settings.");
                    inner.model.fail("no-engine", text);
                    (None, Changed::CALL)
                }
            }
        });
        if let Some(events) = events {
            tokio::spawn(Arc::clone(self).follow(number, events, own));
        }
    }

    fn config(
        &self,
        inner: &Inner,
        intent: Intent,
        servers: Vec<String>,
        nearby: Nearby,
    ) -> Result<CallConfig, String> {
        let settings = &inner.settings;
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
        Ok(CallConfig {
            intent,
            servers,
            nearby,
            connector: Arc::new(WebSocketConnector),
            transport: TransportConfig {
                ice_servers: ice_servers(settings, &inner.passwords),
                relay_only: inner.running.relay_only,
                name_local: settings.name_local,
                ..TransportConfig::default()
            },
            devices: devices(settings).map_err(|error| error.text)?,
            media: inner.media,
            stays: true,
            sound: SoundSettings { processing: sound_processing(settings), ..SoundSettings::default() },
            video: VideoSettings::default(),
            sinks: Sinks {
                remote_video: vec![Box::new(self.feeds.remote.clone())],
                self_view: vec![Box::new(self.feeds.own.clone())],
                remote_audio: Vec::new(),
            },
            seed: u64::from_le_bytes(seed),
        })
    }

    /// Watches a call until everything of it is released. Its own server stays until then, so that it can say goodbye.
    async fn follow(self: Arc<Self>, number: u64, mut events: UnboundedReceiver<Event>, embedded: Option<Embedded>) {
        while let Some(event) = events.next().await {
            self.on_event(number, &event);
        }
        drop(embedded);
    }

    fn on_event(&self, number: u64, event: &Event) {
        self.change(|inner| {
            if inner.running.number != number {
                return ((), Changed::NOTHING);
            }
            if *event == Event::Finished {
                inner.running.call = None;
            }
            let now = Instant::now();
            let (was_over, changed) = (inner.model.is_over(), inner.model.apply(now, event));
            if was_over && !inner.model.is_over() {
                self.feeds.remote.clear();
                self.feeds.own.clear();
                inner.running.report = Some(CallReport::new(now, SystemTime::now()));
            }
            if let Some(report) = &mut inner.running.report {
                report.see(now, event);
            }
            ((), changed)
        });
    }
}

/// The engine says itself what it sends; before there is one, the view is changed here.
fn tell_media(inner: &mut Inner, tell: impl FnOnce(&Call)) -> Changed {
    if let Some(call) = &inner.running.call {
        tell(call);
        return Changed::NOTHING;
    }
    inner.model.set_wanted(inner.media);
    Changed::CALL
}

/// The settings as they are for the call that goes on.
fn of_this_call(inner: &Inner) -> SettingsView {
    SettingsView { relay_only: inner.running.relay_only, ..inner.settings.clone() }
}

/// The STUN and TURN servers in the settings.
pub(super) fn ice_servers(settings: &SettingsView, passwords: &Passwords) -> Vec<IceServer> {
    let server = |server: &IceServerView| IceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: passwords.of(server),
    };
    settings.ice_servers.iter().map(server).collect()
}

async fn own_server(reach: Reach) -> Result<Servers, String> {
    let server = Embedded::start(reach).await.map_err(|error| {
        format!(
            "Visavis couldn't start the server of this call: {error}. Try again, or set a server's address in the \
             settings."
        )
    })?;
    Ok(Servers { named: vec![server.url()], own: Some(server), ..Servers::default() })
}

fn named_server(named: &str) -> Result<Servers, String> {
    let url = server_url(named)
        .map_err(|error| format!("The server in the settings can't be used: {error}. Correct it in the settings."))?;
    Ok(Servers { named: vec![url], ..Servers::default() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::controller::tests::App;
    use crate::view::CallPhase;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_cancel_while_preparing_holds() {
        let ann = App::new().await;
        let Begun { number, server } = ann.controller.begin(None, false).unwrap();
        assert_eq!((ann.call().phase, server.kind), (CallPhase::Preparing, ServerKind::Machine));
        ann.controller.set_camera(false);
        assert!(!ann.last_shown().local.camera);
        ann.controller.hang_up();
        assert_eq!(ann.last_shown().phase, CallPhase::Idle);

        // The server and the failure that come now are those of nobody.
        ann.controller.launch(number, Intent::Create, own_server(Reach::Machine).await.unwrap());
        ann.controller.fail(number, "no-server", String::new());
        assert_eq!(ann.call().phase, CallPhase::Idle);
        assert!(ann.controller.lock().running.call.is_none());
    }
}
