//! Two headless peers over a real server process and real sockets: picture, sound and the end, as they arrive.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test: a failed unwrap is a failure, and nobody links to it"
)]

mod programs;

use std::path::{Path, PathBuf};

use programs::{Process, ServerProcess, cli};
use serde_json::Value;
use visavis_engine::device::{Camera, TestPattern, VideoFormat, Y4mCamera, pattern};
use visavis_engine::frame::{FramePool, SAMPLE_RATE_HZ, Timestamp, VideoFrame};
use visavis_testkit::{quality, sound};

const TONE_HZ: f64 = 440.0;

fn state(process: &Process, wanted: &str) -> Value {
    process.event("call-state", |event| event["state"] == wanted)
}

fn create(server: &ServerProcess, microphone: &str, more: &[&str]) -> (Process, String) {
    let process = cli(&server.address, &["create"], microphone, more);
    let waiting = state(&process, "waiting");
    let code = waiting["code"].as_str().unwrap().to_owned();
    assert!(visavis_engine::signaling::RoomCode::parse(&code).is_ok_and(|read| read.to_string() == code), "{code}");
    (process, code)
}

#[test]
fn picture_and_sound_arrive_as_they_were_sent() {
    let server = ServerProcess::start();
    let folder = tempfile::tempdir().unwrap();
    let recorded = folder.path().to_str().unwrap();
    let (mut ann, code) = create(&server, "tone:440", &[]);
    let mut bob = cli(&server.address, &["join", &code], "test", &["--record", recorded, "--raw", "--for", "8"]);

    for peer in [&ann, &bob] {
        state(peer, "connected");
        // It begins smaller, until the path has shown what it carries.
        let stats = peer.event("stats", |event| {
            let inbound = &event["stats"]["inbound"];
            inbound["framesDecoded"].as_u64() > Some(30) && inbound["frameWidth"] == 1280
        });
        assert_eq!(stats["stats"]["path"]["local"]["candidateType"], "host");
    }

    // Bob hangs up after eight seconds; Ann is told so, and is not left with a broken connection.
    assert_eq!(state(&bob, "closed")["reason"], "hung-up");
    assert_eq!(state(&ann, "closed")["reason"], "peer-hung-up");
    assert_eq!((bob.wait().code(), ann.wait().code()), (Some(0), Some(0)));

    check_pictures(&largest(folder.path()));
    check_tone(&folder.path().join("remote.wav"));
    let coded = std::fs::read(folder.path().join("remote.h264")).unwrap();
    assert_eq!(coded[..4], [0, 0, 0, 1], "not an Annex B stream");
}

/// Of the files with pictures, each of one size, the one with most in it.
fn largest(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pictures = files.filter(|path| path.extension().is_some_and(|name| name == "y4m"));
    pictures.max_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap()
}

/// Frame numbers rise, and each picture is close to what the pattern draws for its number and time.
fn check_pictures(path: &Path) {
    let mut camera = Y4mCamera::open(path, FramePool::new()).unwrap();
    let pictures = std::fs::metadata(path).unwrap().len() as usize / VideoFormat::HD30.size.i420_len();
    assert!(pictures > 60, "{pictures} whole pictures in eight seconds");
    let source = TestPattern::new(VideoFormat::HD30, 1, FramePool::new());
    let (mut last, mut worst, mut unread) = (None, f64::INFINITY, 0);
    for index in 0..pictures {
        let frame = read(&mut camera, index);
        let Some(stamp) = pattern::read(&frame) else {
            unread += 1;
            continue;
        };
        assert!(last.is_none_or(|last| stamp.frame > last), "{last:?} was followed by {}", stamp.frame);
        last = Some(stamp.frame);
        worst = worst.min(quality::psnr_y(&source.draw(stamp), &frame));
    }
    assert_eq!(unread, 0, "of {pictures} pictures");
    assert!(worst > 30.0, "the worst picture has {worst:.1} dB");
}

fn read(camera: &mut Y4mCamera, index: usize) -> VideoFrame {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let now = Timestamp::from_micros(index as u64 * 1_000_000 / u64::from(camera.format().fps) + 100);
    match camera.poll_frame(&mut cx, now) {
        std::task::Poll::Ready(frame) => frame.unwrap(),
        std::task::Poll::Pending => panic!("picture {index} isn't due"),
    }
}

fn check_tone(path: &Path) {
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!(reader.spec().sample_rate, SAMPLE_RATE_HZ);
    let samples: Vec<f32> = match reader.spec().sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().map(Result::unwrap).collect(),
        hound::SampleFormat::Int => reader.samples::<i16>().map(|s| f32::from(s.unwrap()) / 32768.0).collect(),
    };
    // Half a second in the middle of each second after the first, so that the start and a stall of a busy machine don't
    // decide: most of them must be the clean tone.
    let half = SAMPLE_RATE_HZ as usize / 2;
    let pieces: Vec<&[f32]> = samples.chunks_exact(half).skip(2).collect();
    assert!(pieces.len() >= 6, "only {} s of sound", samples.len() / SAMPLE_RATE_HZ as usize);
    let clean = pieces.iter().filter(|piece| sound::tone_purity(piece, SAMPLE_RATE_HZ, TONE_HZ) > 0.9).count();
    assert!(clean * 2 > pieces.len(), "{clean} of {} half seconds are the tone", pieces.len());
    let best = pieces.iter().map(|piece| sound::tone_purity(piece, SAMPLE_RATE_HZ, TONE_HZ)).fold(0.0, f64::max);
    assert!(best > 0.98, "the cleanest half second is {best:.3} tone");
}

#[test]
fn the_other_way_of_hanging_up_and_a_peer_that_vanishes() {
    let server = ServerProcess::start();
    let (mut ann, code) = create(&server, "silence", &["--for", "2"]);
    let mut bob = cli(&server.address, &["join", &code], "silence", &[]);
    assert_eq!(state(&ann, "closed")["reason"], "hung-up");
    assert_eq!(state(&bob, "closed")["reason"], "peer-hung-up");
    assert_eq!((ann.wait().code(), bob.wait().code()), (Some(0), Some(0)));

    let (mut ann, code) = create(&server, "silence", &[]);
    let bob = cli(&server.address, &["join", &code], "silence", &[]);
    state(&bob, "connected");
    state(&ann, "connected");
    ann.kill();
    state(&bob, "disconnected");
}

/// Words that aren't those of `code`, with its number.
fn other_words(code: &str) -> String {
    let number = code.split('-').next().unwrap();
    let other = format!("{number}-tulip-orbit");
    if other == code { format!("{number}-waffle-kayak") } else { other }
}

#[test]
fn wrong_words_are_told_to_both_and_the_third_burns_the_code() {
    let server = ServerProcess::start();
    let (mut ann, code) = create(&server, "none", &[]);
    let pictures = |process: &Process| process.event("verified", |_| true)["pictures"].clone();
    for left in [2, 1, 0] {
        let mut guesser = cli(&server.address, &["join", &other_words(&code)], "none", &[]);
        assert_eq!(state(&guesser, "closed")["reason"], "wrong-words");
        assert_eq!(guesser.wait().code(), Some(4));
        assert_eq!(ann.event("wrong-guess", |_| true)["left"], left);
    }
    assert_eq!(state(&ann, "closed")["reason"], "burnt");
    assert_eq!(ann.wait().code(), Some(7));

    let (ann, code) = create(&server, "none", &[]);
    let bob = cli(&server.address, &["join", &code], "none", &[]);
    assert_eq!(pictures(&ann), pictures(&bob));
}

#[test]
fn each_way_into_no_call_has_its_own_reason_and_exit_code() {
    let server = ServerProcess::start();
    let mut nobody = cli(&server.address, &["join", "000000-tulip-orbit"], "none", &[]);
    assert_eq!(state(&nobody, "closed")["reason"], "wrong-words", "the server tells nobody which rooms exist");
    assert_eq!(nobody.wait().code(), Some(4));

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut unreachable = cli(&closed.to_string(), &["create"], "none", &[]);
    assert_eq!(state(&unreachable, "closed")["reason"], "server-unreachable");
    assert_eq!(unreachable.wait().code(), Some(3));

    let mut alone = cli(&server.address, &["create"], "none", &["--for", "0.5"]);
    assert_eq!(state(&alone, "closed")["reason"], "hung-up");
    assert_eq!(alone.wait().code(), Some(6));

    let (_ann, code) = create(&server, "none", &[]);
    let bob = cli(&server.address, &["join", &code], "none", &[]);
    state(&bob, "connected");
    let mut third = cli(&server.address, &["join", &code], "none", &[]);
    let reason = state(&third, "closed")["reason"].clone();
    assert!(reason == "wrong-words" || reason == "room-full", "{reason}");
    assert_eq!(third.wait().code(), Some(4));
}

#[test]
fn a_call_works_with_no_device_at_all() {
    let server = ServerProcess::start();
    let bare = ["--camera", "none", "--speaker", "none"];
    let (mut ann, code) = create(&server, "none", &["--for", "1"]);
    let mut command = std::process::Command::new(programs::program("visavis-cli"));
    command.args(["join", &code, "--server", &server.address, "--lan", "off", "--json", "--mic", "none"]).args(bare);
    let mut bob = Process::start(&mut command);
    state(&bob, "connected");
    let media = ann.event("remote-media", |_| true);
    assert_eq!((&media["microphone"], &media["camera"]), (&Value::Bool(false), &Value::Bool(false)));
    assert_eq!((ann.wait().code(), bob.wait().code()), (Some(0), Some(0)));
}

/// What is behind an address that answers, but not as a Visavis server would.
fn impostor(answer: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 2048];
            // Whatever was asked, and whether or not anybody still listens.
            let _ = socket.read(&mut request);
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn an_address_that_is_no_server_is_said_to_be_none() {
    for answer in ["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"] {
        let address = impostor(answer);
        let mut peer = cli(&address, &["create"], "none", &[]);
        let closed = state(&peer, "closed");
        assert_eq!(closed["reason"], "server-unreachable", "{answer:?}: {closed}");
        assert!(closed["ms"].as_u64() < Some(5000), "said at once: {closed}");
        assert_eq!(peer.wait().code(), Some(3));
    }
}

/// The two are a pair again at the restarted server: nobody hears of a lost room.
#[cfg(unix)]
#[test]
fn the_signalling_comes_back_after_the_servers_restart() {
    let folder = tempfile::tempdir().unwrap();
    let keep = ["--state-dir", folder.path().to_str().unwrap()];
    let mut server = ServerProcess::start_with(&programs::free_address(), &keep);
    let (ann, code) = create(&server, "silence", &[]);
    let mut bob = cli(&server.address, &["join", &code], "silence", &[]);
    for peer in [&ann, &bob] {
        state(peer, "connected");
    }
    for _ in 0..2 {
        server.kill();
        for peer in [&ann, &bob] {
            peer.event("signaling", |event| event["state"] == "offline");
        }
        server = ServerProcess::start_with(&server.address.clone(), &keep);
        for peer in [&ann, &bob] {
            peer.event("signaling", |event| event["state"] == "online");
        }
    }
    // A session that was lost would be told right behind the welcome: within a second nobody was.
    for peer in [&ann, &bob] {
        let mut stats = 0;
        while stats < 2 {
            let event: Value = serde_json::from_str(&peer.line().unwrap()).unwrap();
            assert_ne!(event["event"], "signaling", "{event}");
            stats += usize::from(event["event"] == "stats");
        }
    }
    ann.interrupt();
    assert_eq!(state(&bob, "closed")["reason"], "peer-hung-up");
    assert_eq!(bob.wait().code(), Some(0));
}

/// What a restarted server has forgotten isn't needed any more.
#[cfg(unix)]
#[test]
fn a_call_outlives_its_server_and_can_still_be_hung_up() {
    let mut server = ServerProcess::start();
    let (ann, code) = create(&server, "tone:440", &[]);
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut bob = cli(&server.address, &["join", &code], "silence", &["--report", report.to_str().unwrap()]);
    for peer in [&ann, &bob] {
        state(peer, "connected");
    }
    server.kill();
    for peer in [&ann, &bob] {
        peer.event("signaling", |event| event["state"] == "offline");
    }
    let pictures = |peer: &Process| {
        let stats = peer.event("stats", |_| true);
        stats["stats"]["inbound"]["framesDecoded"].as_u64().unwrap()
    };
    let before = pictures(&bob);
    let _again = ServerProcess::start_at(&server.address);
    bob.event("signaling", |event| event["state"] == "online");
    for _ in 0..3 {
        bob.event("quality", |_| true);
    }
    assert!(pictures(&bob) > before + 30, "the picture stood still");

    // Over the control channel: the server knows neither of them any more.
    ann.interrupt();
    assert_eq!(state(&bob, "closed")["reason"], "peer-hung-up");
    assert_eq!(bob.wait().code(), Some(0));

    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert!(!report.to_string().contains("127.0.0.1") && !report.to_string().contains(&code));
    let kinds: std::collections::BTreeSet<&str> =
        report["stats"][0].as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    for kind in ["inbound-rtp", "outbound-rtp", "remote-inbound-rtp", "candidate-pair", "local-candidate", "transport"]
    {
        assert!(kinds.contains(kind), "no {kind} in {kinds:?}");
    }
}

#[test]
fn a_server_that_is_not_there_yet_is_named_and_waited_for() {
    let address = programs::free_address();
    let ann = cli(&address, &["create"], "none", &[]);
    let offline = ann.event("signaling", |event| event["state"] == "offline");
    assert_eq!(offline["reason"], "nothing listens there");
    assert!(offline["ms"].as_u64() < Some(5000), "said at once: {offline}");
    let _server = ServerProcess::start_at(&address);
    state(&ann, "waiting");
}

#[test]
fn devices_that_are_not_there_are_named_and_the_call_goes_on() {
    let server = ServerProcess::start();
    let (_ann, code) = create(&server, "silence", &[]);
    let mut command = std::process::Command::new(programs::program("visavis-cli"));
    command.args(["join", &code, "--server", &server.address, "--lan", "off", "--json", "--for", "3"]);
    command.args(["--camera", "No such camera", "--mic", "No such microphone", "--speaker", "No such speaker"]);
    let mut bob = Process::start(&mut command);
    let mut lost = std::collections::BTreeSet::new();
    let mut connected = false;
    while lost.len() < 3 || !connected {
        let line = bob.line().expect("the call ended before all was said");
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["event"] == "device-lost" || event["event"] == "device-stand-in" {
            assert!(!event["text"].as_str().unwrap().is_empty(), "{event}");
            lost.insert(event["kind"].as_str().unwrap().to_owned());
        }
        connected |= event["event"] == "call-state" && event["state"] == "connected";
    }
    assert_eq!(lost.into_iter().collect::<Vec<_>>(), ["camera", "microphone", "speaker"]);
    assert_eq!(state(&bob, "closed")["reason"], "hung-up");
    assert_eq!(bob.wait().code(), Some(0));
}
