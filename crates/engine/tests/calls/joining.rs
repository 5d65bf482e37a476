//! From a code to a call: the states that both sides go through.

use visavis_engine::Event;
use visavis_engine::call::SignalingState;

use super::harness::{Meeting, play};

#[test]
fn two_who_share_a_code_are_connected() {
    play(|world, server| async move {
        let meeting = Meeting::connected(&world, &server).await;
        for party in [&meeting.a, &meeting.b] {
            let states: Vec<_> = party
                .log()
                .into_iter()
                .filter_map(|(_, event)| if let Event::State(state) = event { Some(state.name()) } else { None })
                .collect();
            let before = if party.name == "a" { "waiting" } else { "new" };
            let expected = ["new", "waiting", "verifying", "connecting", "connected"];
            assert_eq!(states, expected.into_iter().filter(|s| *s != "waiting" || before == *s).collect::<Vec<_>>());
            assert!(party.time_of(|event| *event == Event::Signaling(SignalingState::Online)).is_some());
        }
    });
}
