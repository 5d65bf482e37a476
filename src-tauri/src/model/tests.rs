//! What is shown for what the engine says.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use visavis_engine::DeviceReport;
use visavis_engine::call::Again;
use visavis_engine::device::DeviceError;

use super::*;
use crate::view::Side;

fn code() -> visavis_engine::signaling::RoomCode {
    visavis_engine::signaling::RoomCode::parse("482713-tulip-orbit").unwrap()
}

const ON: MediaState = MediaState { microphone: true, camera: true };

#[test]
fn a_call_from_the_code_to_its_end() {
    let now = Instant::now();
    let mut model = Model::idle();
    model.begin(None, ON, ServerKind::Network);
    model.serves_at(Some("192.168.1.7:7880".parse().unwrap()));
    model.apply(now, &Event::State(CallState::Waiting { code: code() }));
    assert_eq!(
        model.call(now).phase,
        CallPhase::Waiting {
            code: "482713-tulip-orbit".into(),
            knocking: false,
            reach: ServerKind::Network,
            with_address: Some("482713-tulip-orbit@192.168.1.7:7880".into()),
        }
    );
    model.apply(now, &Event::State(CallState::Verifying));
    assert_eq!(
        model.call(now).phase,
        CallPhase::Waiting {
            code: "482713-tulip-orbit".into(),
            knocking: true,
            reach: ServerKind::Network,
            with_address: Some("482713-tulip-orbit@192.168.1.7:7880".into()),
        }
    );
    model.apply(now, &Event::State(CallState::Connected { since: now }));
    let later = now + Duration::from_secs(5);
    assert_eq!(model.call(later).phase, CallPhase::Connected { since_ms: 5000 });
    model.apply(later, &Event::State(CallState::Closed(CloseReason::PeerHungUp)));
    let CallPhase::Ended { reason, duration_ms, .. } = model.call(later).phase else { panic!("not ended") };
    assert_eq!((reason.code.as_str(), duration_ms), ("peer-hung-up", Some(5000)));
}

#[test]
fn another_call_with_the_same_other_begins_with_nothing_of_the_one_before() {
    let now = Instant::now();
    let mut model = Model::idle();
    model.begin(Some(code().into()), ON, ServerKind::Custom);
    model.set_confidants(true, true);
    model.apply(now, &Event::State(CallState::Connected { since: now }));
    model.apply(now, &Event::RemoteGuest { host: "calls.example.org".into() });
    assert_eq!(model.apply(now, &Event::Again(Again::Possible)), Changed::NOTHING, "not before the end");
    model.apply(now, &Event::State(CallState::Closed(CloseReason::HungUp)));
    assert_eq!(model.again(), AgainView::No);
    for (again, view) in [
        (Again::Possible, AgainView::Ready),
        (Again::Awaited, AgainView::Awaited),
        (Again::Over, AgainView::No),
        (Again::Asked, AgainView::Asked),
    ] {
        model.apply(now, &Event::Again(again));
        assert_eq!(model.again(), view);
    }
    let later = now + Duration::from_secs(60);
    assert_eq!(model.apply(later, &Event::State(CallState::Verifying)), Changed::ALL);
    let call = model.call(later);
    assert_eq!((call.phase, call.notices.len()), (CallPhase::Connecting { code: String::new() }, 0));
    assert!(model.connection().relay_only && model.connection().by_server);
    // It has no code that could be tried once more.
    model.apply(later, &Event::State(CallState::Closed(CloseReason::PeerLost)));
    assert!(matches!(model.call(later).phase, CallPhase::Ended { again: AgainView::No, duration_ms: None, .. }));
}

#[test]
fn a_lost_device_is_said_until_there_is_one() {
    let now = Instant::now();
    let mut model = Model::idle();
    model.begin(Some(code().into()), ON, ServerKind::Custom);
    let error = DeviceError::None { kind: "camera" };
    model.apply(now, &Event::Device(DeviceReport::Lost { kind: "camera", error }));
    assert_eq!(model.call(now).notices[0].text, "No camera was found. You can talk without it.");
    model.apply(now, &Event::Device(DeviceReport::Camera(Some("Front".into()))));
    assert_eq!(model.call(now).notices, []);
}

#[test]
fn our_own_network_is_named_when_the_server_is_gone_too() {
    let now = Instant::now();
    let mut model = Model::idle();
    model.begin(Some(code().into()), ON, ServerKind::Custom);
    model.apply(now, &Event::Signaling(call::SignalingState::Online));
    model.apply(now, &Event::State(CallState::Connected { since: now }));
    model.apply(now, &Event::Signaling(call::SignalingState::Offline { reason: "gone".into() }));
    model.apply(now, &Event::State(CallState::Disconnected { since: now, lost: now }));
    assert!(matches!(model.call(now).phase, CallPhase::Reconnecting { side: Side::Local, .. }));
}

fn lose(model: &mut Model, kind: &'static str) {
    let error = DeviceError::None { kind };
    model.apply(Instant::now(), &Event::Device(DeviceReport::Lost { kind, error }));
}

#[test]
fn notices_keep_their_places_while_devices_are_tried_again() {
    let now = Instant::now();
    let mut model = Model::idle();
    model.begin(None, ON, ServerKind::Custom);
    lose(&mut model, "camera");
    lose(&mut model, "microphone");
    let shown = model.call(now);
    lose(&mut model, "camera");
    assert_eq!(model.call(now), shown);
    assert_eq!((shown.local.has_camera, shown.local.has_microphone), (false, false));
}

#[test]
fn what_failed_is_said_in_english() {
    let mut model = Model::idle();
    model.begin(None, ON, ServerKind::Custom);
    for (what, text) in [
        ("video encoder", "The other person can't see you: broken."),
        ("camera", "The camera can't be used: broken."),
        ("sound", "There is no sound in this call: broken."),
    ] {
        model.apply(Instant::now(), &Event::Device(DeviceReport::Failed { what, reason: "broken".into() }));
        assert_eq!(model.call(Instant::now()).notices.last().unwrap().text, text);
    }
}

/// The screen says it in its own words, where the picture would be.
#[test]
fn where_there_is_no_codec_there_is_no_notice() {
    let mut model = Model::idle();
    model.begin(None, ON, ServerKind::Custom);
    let refused = DeviceReport::Failed { what: "video", reason: "the other side takes no H.264".into() };
    assert_eq!(model.apply(Instant::now(), &Event::Device(refused)), Changed::CALL);
    let shown = model.call(Instant::now());
    assert!(shown.remote.no_codec && shown.notices.is_empty() && shown.local.has_camera);
}

#[test]
fn whose_network_it_is_follows_the_server() {
    let now = Instant::now();
    let side = |model: &Model| {
        let CallPhase::Reconnecting { side, .. } = model.call(now).phase else { panic!("not reconnecting") };
        side
    };
    let mut model = Model::idle();
    model.begin(Some(code().into()), ON, ServerKind::Custom);
    model.apply(now, &Event::Signaling(call::SignalingState::Online));
    model.apply(now, &Event::State(CallState::Connected { since: now }));
    model.apply(now, &Event::State(CallState::Disconnected { since: now, lost: now }));
    assert_eq!(side(&model), Side::Unknown);
    let changed = model.apply(now, &Event::Signaling(call::SignalingState::Offline { reason: "gone".into() }));
    assert!(changed.call && changed.connection);
    assert_eq!(side(&model), Side::Local);
    model.apply(now, &Event::Signaling(call::SignalingState::Online));
    assert_eq!(side(&model), Side::Unknown);
}

#[test]
fn a_joiner_sees_the_line() {
    let now = Instant::now();
    let mut model = Model::idle();
    model.begin(Some(code().into()), ON, ServerKind::Custom);
    model.apply(now, &Event::InLine { ahead: 2 });
    assert_eq!(model.call(now).phase, CallPhase::Joining { code: "482713-tulip-orbit".into(), ahead: 2 });
    model.apply(now, &Event::State(CallState::Verifying));
    assert_eq!(model.call(now).phase, CallPhase::Joining { code: "482713-tulip-orbit".into(), ahead: 0 });
    let refused = CloseReason::ServerRefused { code: "line-full".into(), text: "too many".into() };
    assert_eq!(model.apply(now, &Event::State(CallState::Closed(refused))), Changed::ALL);
    let CallPhase::Ended { reason, again, .. } = model.call(now).phase else { panic!("not ended") };
    assert_eq!((reason.code.as_str(), again), ("line-full", AgainView::Retry));
}

#[test]
fn the_other_side_is_on_until_it_says_otherwise_and_a_used_code_is_used_up() {
    let now = Instant::now();
    let mut model = Model::idle();
    model.begin(Some(code().into()), ON, ServerKind::Custom);
    model.apply(now, &Event::State(CallState::Connected { since: now }));
    let unheard = RemoteView { microphone: true, camera: true, has_picture: false, no_codec: false };
    assert_eq!(model.call(now).remote, unheard);
    lose(&mut model, "camera");
    model.apply(now, &Event::State(CallState::Closed(CloseReason::PeerLost)));
    let ended = model.call(now);
    assert!(matches!(ended.phase, CallPhase::Ended { again: AgainView::No, .. }));
    assert_eq!(ended.notices, []);
    assert_eq!(model.apply(now, &Event::Signaling(call::SignalingState::Connecting)), Changed::NOTHING);
}

#[test]
fn a_lost_connection_says_since_when() {
    let now = Instant::now();
    let mut model = Model::idle();
    model.begin(Some(code().into()), ON, ServerKind::Custom);
    model.apply(now, &Event::State(CallState::Connected { since: now }));
    let lost = now + Duration::from_secs(10);
    model.apply(lost, &Event::State(CallState::Disconnected { since: now, lost }));
    let CallPhase::Reconnecting { since_ms, lost_ms, .. } = model.call(lost + Duration::from_secs(7)).phase else {
        panic!("not reconnecting")
    };
    assert_eq!((since_ms, lost_ms), (17_000, 7_000));
}

#[test]
fn a_server_that_isnt_there_is_named_before_the_call_and_no_trouble_in_it() {
    let now = Instant::now();
    let offline = Event::Signaling(call::SignalingState::Offline { reason: "nothing listens there".into() });
    let mut model = Model::idle();
    model.begin(None, ON, ServerKind::Custom);
    model.apply(now, &offline);
    assert_eq!(model.connection().problem.as_deref(), Some("The server can't be reached: nothing listens there."));
    assert_eq!(model.call(now).notices, []);

    model.apply(now, &Event::Signaling(call::SignalingState::Online));
    assert_eq!(model.connection().problem, None);
    model.apply(now, &Event::State(CallState::Connected { since: now }));
    assert!(model.apply(now, &offline).call);
    let notice = &model.call(now).notices[0].text;
    assert_eq!(notice, "Signalling server unreachable; your call goes on. Nothing listens there.");
    model.apply(now, &Event::Signaling(call::SignalingState::Online));
    assert_eq!(model.call(now).notices, []);
}

#[test]
fn guesses_are_told_until_the_other_is_proved() {
    let now = Instant::now();
    let mut model = Model::idle();
    model.begin(None, ON, ServerKind::Custom);
    model.apply(now, &Event::State(CallState::Waiting { code: code() }));
    model.apply(now, &Event::WrongGuess { left: 2 });
    assert!(model.call(now).notices[0].text.contains("2 tries are left"), "{:?}", model.call(now).notices);
    model.apply(now, &Event::WrongGuess { left: 1 });
    let shown = model.call(now);
    assert_eq!(shown.notices.len(), 1);
    assert!(shown.notices[0].text.contains("One try is left"));
    assert!(shown.pictures.is_empty());
    model.apply(now, &Event::Verified([call::Emoji { picture: "🦊", name: "fox" }; 6]));
    let shown = model.call(now);
    assert!(shown.notices.is_empty());
    assert_eq!(shown.pictures[5], PictureView { picture: "🦊".into(), name: "fox".into() });
}

#[test]
fn wrong_words_and_a_burnt_code_are_not_sent_again() {
    for reason in [CloseReason::WrongWords, CloseReason::Burnt] {
        let now = Instant::now();
        let mut model = Model::idle();
        model.begin(Some(code().into()), ON, ServerKind::Custom);
        model.apply(now, &Event::State(CallState::Closed(reason)));
        assert!(matches!(model.call(now).phase, CallPhase::Ended { again: AgainView::No, .. }));
    }
}
