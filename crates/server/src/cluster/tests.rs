//! The part of several servers that has no I/O: two of them with a wire between that loses what the test says.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

use visavis_signaling::Nameplate;
use visavis_signaling::server::Moved;

use super::*;

const HOME: ServerId = ServerId(1);
const EDGE: ServerId = ServerId(2);
const CLIENT: ConnectionId = ConnectionId(5);

fn slice() -> Slice {
    Slice::parse("456").unwrap()
}

fn server(me: ServerId) -> Cluster {
    let table = Table::new(me);
    table.set_owner(slice(), Some(HOME));
    Cluster::new(me, table, Arc::default())
}

fn knock() -> Moved {
    let nameplate = Nameplate::new("123456").unwrap();
    Moved { connection: CLIENT, nameplate, say: vec!["hello".into(), "knock".into()], greeted: true }
}

fn resume() -> Moved {
    Moved { say: vec!["hello".into()], greeted: false, ..knock() }
}

fn deeds(cluster: &mut Cluster) -> Vec<String> {
    std::iter::from_fn(|| cluster.poll_deed()).map(|deed| format!("{deed:?}")).collect()
}

fn to_others(cluster: &mut Cluster) -> Vec<ToOthers> {
    std::iter::from_fn(|| cluster.poll_to_others()).collect()
}

/// Brings frames, except those that are lost.
fn bring(from: &mut Cluster, to: &mut Cluster, lost: &[usize]) {
    for (index, said) in to_others(from).into_iter().enumerate() {
        if let ToOthers::Frame(_, bytes) = said
            && !lost.contains(&index)
        {
            to.hear(Heard::Frame(bytes));
        }
    }
}

/// A client of the second server in the rooms of the first.
fn carried() -> (Cluster, Cluster) {
    let (mut home, mut edge) = (server(HOME), server(EDGE));
    edge.carry(knock(), None);
    assert_eq!(to_others(&mut edge), [ToOthers::Ask(HOME)]);
    edge.hear(Heard::Answered(HOME, true));
    bring(&mut edge, &mut home, &[]);
    assert_eq!(
        deeds(&mut home),
        [
            "Rooms(Opened(ConnectionId(0)))",
            "Rooms(Text(ConnectionId(0), \"hello\"))",
            "Rooms(Text(ConnectionId(0), \"knock\"))"
        ]
    );
    (home, edge)
}

fn says(edge: &mut Cluster, text: &str) {
    assert_eq!(edge.take_from_client(RoomsInput::Text(CLIENT, text.into())), None);
}

#[test]
fn what_either_says_arrives_and_a_second_welcome_does_not() {
    let (mut home, mut edge) = carried();
    let inside = ConnectionId(0);
    for text in ["{\"type\":\"welcome\"}", "token", "{\"type\":\"welcome\"}"] {
        assert_eq!(home.give_to_client(inside, text.into()), None);
    }
    assert_eq!(home.give_to_client(CLIENT, "not carried".into()), Some("not carried".into()));
    bring(&mut home, &mut edge, &[]);
    let told = ["Send(ConnectionId(5), \"token\")", "Send(ConnectionId(5), \"{\\\"type\\\":\\\"welcome\\\"}\")"];
    assert_eq!(deeds(&mut edge), told);
    says(&mut edge, "ping");
    edge.take_from_client(RoomsInput::Closed(CLIENT));
    bring(&mut edge, &mut home, &[]);
    assert_eq!(deeds(&mut home), ["Rooms(Text(ConnectionId(0), \"ping\"))", "Rooms(Closed(ConnectionId(0)))"]);
    assert_eq!((home.counts().inward, edge.counts().outward), (0, 0));
}

#[test]
fn what_is_said_before_the_way_is_found_comes_behind() {
    let (mut home, mut edge) = (server(HOME), server(EDGE));
    edge.carry(resume(), None);
    says(&mut edge, "early");
    edge.hear(Heard::Answered(HOME, true));
    bring(&mut edge, &mut home, &[]);
    assert_eq!(deeds(&mut home).last().unwrap(), "Rooms(Text(ConnectionId(0), \"early\"))");
}

#[test]
fn who_says_much_before_its_way_is_found_is_let_go() {
    let mut edge = server(EDGE);
    edge.carry(resume(), None);
    for _ in 0..100 {
        let _ = edge.take_from_client(RoomsInput::Text(CLIENT, "more".into()));
    }
    assert_eq!(deeds(&mut edge), ["LetGo(ConnectionId(5))"]);
}

#[test]
fn after_a_missing_frame_both_let_go_and_begin_again() {
    let (mut home, mut edge) = carried();
    says(&mut edge, "lost");
    says(&mut edge, "arrives");
    bring(&mut edge, &mut home, &[0]);
    assert_eq!(deeds(&mut home), ["Rooms(Closed(ConnectionId(0)))"], "and nothing of what came behind the gap");
    assert_eq!((home.counts().gaps, home.counts().inward), (1, 0));
    bring(&mut home, &mut edge, &[]);
    assert_eq!(deeds(&mut edge), ["LetGo(ConnectionId(5))"]);
    bring(&mut edge, &mut home, &[]);
    edge.carry(resume(), None);
    edge.hear(Heard::Answered(HOME, true));
    bring(&mut edge, &mut home, &[]);
    assert_eq!((home.counts().gaps, home.counts().inward), (1, 1));
}

#[test]
fn one_who_resumes_takes_the_slice_of_a_server_that_is_gone() {
    let mut edge = server(EDGE);
    edge.carry(resume(), None);
    to_others(&mut edge);
    edge.hear(Heard::Answered(HOME, false));
    assert_eq!(to_others(&mut edge), [ToOthers::Take(slice(), Some(HOME))]);
    edge.hear(Heard::Taken(slice(), Taken::Ours(Vec::new())));
    let returned = "Return(ConnectionId(5), false, [Opened(ConnectionId(5)), Text(ConnectionId(5), \"hello\")])";
    assert_eq!(deeds(&mut edge), ["Recall([])", returned]);
    assert_eq!(edge.counts().slices, 1);
}

#[test]
fn one_who_was_slower_is_carried_to_who_was_faster() {
    let mut edge = server(EDGE);
    edge.carry(resume(), None);
    edge.hear(Heard::Answered(HOME, false));
    to_others(&mut edge);
    edge.hear(Heard::Taken(slice(), Taken::Others(ServerId(3))));
    assert_eq!(to_others(&mut edge), [ToOthers::Ask(ServerId(3))]);
}

#[test]
fn one_who_knocks_takes_nothing() {
    let mut edge = server(EDGE);
    edge.carry(knock(), None);
    to_others(&mut edge);
    edge.hear(Heard::Answered(HOME, false));
    assert!(to_others(&mut edge).is_empty());
    assert!(deeds(&mut edge)[0].starts_with("Return(ConnectionId(5), true"), "to be told that there is no such room");
}

#[test]
fn a_slice_that_cannot_be_taken_lets_go() {
    let mut edge = server(EDGE);
    edge.carry(resume(), None);
    edge.hear(Heard::Answered(HOME, false));
    edge.hear(Heard::Taken(slice(), Taken::Failed));
    assert_eq!(deeds(&mut edge), ["LetGo(ConnectionId(5))"]);
}

#[test]
fn while_nats_is_away_nobody_is_carried_and_seats_are_kept() {
    let (mut home, mut edge) = carried();
    edge.hear(Heard::Down);
    home.hear(Heard::Down);
    assert_eq!(deeds(&mut edge), ["LetGo(ConnectionId(5))"]);
    assert!(deeds(&mut home).is_empty(), "its time to come back begins when it can");
    edge.carry(resume(), None);
    assert_eq!(deeds(&mut edge), ["LetGo(ConnectionId(5))"]);
    home.hear(Heard::Up);
    assert_eq!(deeds(&mut home), ["Rooms(Closed(ConnectionId(0)))"]);
}

#[test]
fn who_is_slow_to_come_back_with_nats_is_not_gone() {
    let mut edge = server(EDGE);
    edge.hear(Heard::Down);
    edge.hear(Heard::Up);
    edge.carry(resume(), None);
    edge.hear(Heard::Answered(HOME, false));
    assert_eq!(to_others(&mut edge), [ToOthers::Ask(HOME)], "no slice is taken");
    (0..6).for_each(|_| edge.hear(Heard::Tick));
    assert_eq!(to_others(&mut edge).len(), 6, "it is asked again");
    edge.hear(Heard::Answered(HOME, false));
    assert_eq!(to_others(&mut edge), [ToOthers::Take(slice(), Some(HOME))]);
}

#[test]
fn a_server_that_is_gone_takes_its_clients_along() {
    let (mut home, mut edge) = carried();
    home.hear(Heard::Tick);
    assert_eq!(to_others(&mut home), [ToOthers::Ask(EDGE)]);
    home.hear(Heard::Answered(EDGE, false));
    assert_eq!(deeds(&mut home), ["Rooms(Closed(ConnectionId(0)))"]);
    edge.hear(Heard::Answered(HOME, false));
    assert_eq!(deeds(&mut edge), ["LetGo(ConnectionId(5))"]);
}

#[test]
fn a_lost_slice_is_told_to_the_rooms_once() {
    let mut home = server(HOME);
    home.hear(Heard::Owner(slice(), Some(EDGE)));
    home.hear(Heard::Owner(slice(), Some(EDGE)));
    assert_eq!(deeds(&mut home), ["Rooms(NumbersLost)"]);
    assert_eq!(home.counts().lost, 1);
}

#[test]
fn nonsense_from_elsewhere_does_nothing() {
    let (mut home, _) = carried();
    for bytes in [b"".as_slice(), b"{}\n", b"\xff\n", b"{\"from\":\"x\",\"number\":1,\"said\":\"lost\"}\n"] {
        home.hear(Heard::Frame(bytes.to_vec()));
    }
    assert!(deeds(&mut home).is_empty() && to_others(&mut home).is_empty());
}
