//! A network that is gone for seconds. Nobody presses anything.

use std::time::Duration;

use visavis_engine::Event;
use visavis_testkit::sound::tone_purity;

use super::harness::{Meeting, Party, play};

/// What each side's microphone hears, see the harness.
const PITCH_HZ: f64 = 440.0;
const RATE_HZ: u32 = 48_000;
/// How much sound decides whether the other is heard.
const SPAN: Duration = Duration::from_millis(40);

/// How long after the light the other was seen, and heard, again.
#[derive(Clone, Copy, Debug)]
struct Back {
    picture: Duration,
    sound: Duration,
}

/// How many samples were played so far.
fn played(party: &Party) -> usize {
    party.sound.lock().unwrap().len()
}

fn heard_again(party: &Party, from: usize) -> Duration {
    let sound = party.sound.lock().unwrap();
    let span = (SPAN.as_secs_f64() * f64::from(RATE_HZ)) as usize;
    let clean = |piece: &[f32]| tone_purity(piece, RATE_HZ, PITCH_HZ) > 0.9;
    let at = sound[from..].chunks_exact(span).position(clean).expect("the other isn't heard again");
    SPAN * u32::try_from(at).unwrap()
}

fn seen_again(party: &Party, light: Duration) -> Duration {
    let first = party.remote.all().into_iter().find(|seen| seen.at > light).expect("the other isn't seen again");
    first.at - light
}

/// Darkens the path between the two and tells how each side came back from it.
async fn darken(meeting: &Meeting, dark: Duration) -> [Back; 2] {
    meeting.world.blackout("a", "b", dark);
    meeting.pass(dark).await;
    let light = meeting.world.elapsed();
    let mark = [played(&meeting.a), played(&meeting.b)];
    meeting.pass(Duration::from_secs(4)).await;
    [(&meeting.a, mark[0]), (&meeting.b, mark[1])].map(|(party, mark)| {
        let back = Back { picture: seen_again(party, light), sound: heard_again(party, mark) };
        eprintln!("{} after {dark:?} in the dark: {back:?}", party.name);
        let state = party.time_of(|event| matches!(event, Event::State(state) if state.name() == "closed"));
        assert_eq!(state, None, "{}", party.name);
        let steady = party.remote.longest_gap_since(light + back.picture + Duration::from_millis(200));
        assert!(steady < Duration::from_millis(150), "{}: {steady:?}", party.name);
        back
    })
}

fn check(backs: [Back; 2]) {
    for back in backs {
        assert!(back.sound <= Duration::from_millis(500), "{back:?}");
        assert!(back.picture <= Duration::from_secs(1), "{back:?}");
    }
}

#[test]
fn darkness_of_any_length_ends_by_itself() {
    for seconds in [3, 5, 20, 30] {
        play(|world, server| async move {
            let meeting = Meeting::connected(&world, &server).await;
            meeting.pass(Duration::from_secs(2)).await;
            check(darken(&meeting, Duration::from_secs(seconds)).await);
        });
    }
}

/// Longer than the path's own patience, and it is told.
#[test]
fn what_is_going_on_is_told() {
    play(|world, server| async move {
        let mut meeting = Meeting::connected(&world, &server).await;
        world.blackout("a", "b", Duration::from_secs(8));
        meeting.a.until_state("disconnected").await;
        meeting.b.until_state("disconnected").await;
        meeting.a.until_state("connected").await;
        meeting.b.until_state("connected").await;
    });
}

/// Nobody could carry an offer: the old path has to do.
#[test]
fn darkness_ends_by_itself_while_the_server_is_dead() {
    play(|world, server| async move {
        let meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(2)).await;
        server.crash();
        meeting.pass(Duration::from_secs(3)).await;
        check(darken(&meeting, Duration::from_secs(20)).await);
    });
}

/// A server that has forgotten the room can't help any more than one that is gone.
#[test]
fn darkness_ends_by_itself_after_the_server_has_forgotten_the_room() {
    play(|world, server| async move {
        let meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(2)).await;
        server.crash();
        server.start();
        meeting.pass(Duration::from_secs(6)).await;
        check(darken(&meeting, Duration::from_secs(30)).await);
    });
}
