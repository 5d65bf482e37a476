//! One talks and hears nothing of himself.

use visavis_dsp::SoundProcessor;
use visavis_testkit::acoustics::{Room, drifting, erle_db, voice};

use super::{DELAY_SAMPLES, ECHO, SECOND, echo, pass, seconds, sent};

/// Decibels, from the sixth second of single talk on. The room of glass rings for longer than the canceller's filter.
fn bar(room: &Room) -> f64 {
    if room.name == Room::GLASS_ROOM.name { 28.0 } else { 35.0 }
}

#[test]
fn five_seconds_of_talk_are_enough() {
    for room in Room::ALL {
        for seed in [1, 7] {
            let played = voice(seed, 12.0);
            let heard = echo(&room.echo_path(seed), &played);
            let erle = erle_db(seconds(&heard, 5, 12), seconds(&sent(ECHO, &played, &heard), 5, 12));
            eprintln!("{}, voice {seed}: {erle:.1} dB", room.name);
            assert!(erle >= bar(&room), "{}, voice {seed}: {erle} dB", room.name);
        }
    }
}

#[test]
fn a_loudspeaker_that_bends_loud_sound_leaves_little_more() {
    let played = voice(1, 12.0);
    for room in [Room::LAPTOP, Room::SMALL_OFFICE] {
        let heard = echo(&room.echo_path(1).overdriven(2.0), &played);
        let erle = erle_db(seconds(&heard, 5, 12), seconds(&sent(ECHO, &played, &heard), 5, 12));
        eprintln!("{}: {erle:.1} dB", room.name);
        assert!(erle >= 30.0, "{}: {erle} dB", room.name);
    }
}

#[test]
fn clocks_that_disagree_make_no_difference() {
    let played = voice(5, 60.0);
    let path = Room::LAPTOP.echo_path(5);
    for ppm in [20.0, -100.0, 100.0] {
        let heard = drifting(&echo(&path, &played), ppm);
        let sent = sent(ECHO, &played, &heard);
        let erle = |from, to| erle_db(seconds(&heard, from, to), seconds(&sent, from, to));
        let (whole, late) = (erle(5, 59), erle(49, 59));
        let worst = (5..59).map(|s| erle(s, s + 1)).fold(f64::MAX, f64::min);
        eprintln!("{ppm} ppm: {whole:.1} dB, the last ten seconds {late:.1} dB, the worst second {worst:.1} dB");
        assert!(whole >= 35.0 && late >= 35.0 && worst >= 30.0, "{ppm} ppm: {whole}, {late}, {worst} dB");
    }
}

#[test]
fn clocks_are_told_apart_in_any_room() {
    for (room, seed) in [(Room::SMALL_OFFICE, 1), (Room::LIVING_ROOM, 3), (Room::LAPTOP, 9)] {
        let played = voice(seed, 12.0);
        for ppm in [-100.0, 70.0] {
            let heard = drifting(&echo(&room.echo_path(seed), &played), ppm);
            let erle = erle_db(seconds(&heard, 5, 12), seconds(&sent(ECHO, &played, &heard), 5, 12));
            eprintln!("{}, {ppm} ppm: {erle:.1} dB", room.name);
            assert!(erle >= 35.0, "{}, {ppm} ppm: {erle} dB", room.name);
        }
    }
}

#[test]
fn a_microphone_that_is_bent_on_its_way_is_followed() {
    // More than any two clocks differ, so nothing but being told helps.
    const BENT_PPM: f64 = 500.0;
    let played = voice(5, 12.0);
    let heard = drifting(&echo(&Room::LAPTOP.echo_path(5), &played), BENT_PPM + 60.0);
    let mut processor = SoundProcessor::new(ECHO);
    processor.microphone_bent(BENT_PPM);
    let sent = pass(&mut processor, &played, &heard);
    let erle = erle_db(seconds(&heard, 5, 11), seconds(&sent, 5, 11));
    eprintln!("{erle:.1} dB");
    assert!(erle >= 35.0, "{erle} dB");
}

#[test]
fn another_delay_or_room_is_learnt_anew() {
    let played = voice(7, 20.0);
    let here = Room::SMALL_OFFICE.echo_path(1);
    let later = here.echo(&played, DELAY_SAMPLES + 110 * 48);
    let elsewhere = echo(&Room::LAPTOP.echo_path(2), &played);
    for (what, changed) in [("delay", later), ("room", elsewhere)] {
        let mut heard = echo(&here, &played);
        heard[10 * SECOND..].copy_from_slice(&changed[10 * SECOND..]);
        let sent = pass(&mut SoundProcessor::new(ECHO), &played, &heard);
        let before = erle_db(seconds(&heard, 5, 10), seconds(&sent, 5, 10));
        let after = erle_db(seconds(&heard, 14, 20), seconds(&sent, 14, 20));
        eprintln!("another {what}: {before:.1} dB before, {after:.1} dB from the fifth second after");
        assert!(after >= 30.0, "another {what}: {after} dB");
    }
}

#[test]
fn it_says_what_it_found() {
    let played = voice(1, 8.0);
    let heard = echo(&Room::SMALL_OFFICE.echo_path(1), &played);
    let mut processor = SoundProcessor::new(ECHO);
    pass(&mut processor, &played, &heard);
    let echo = processor.echo().unwrap();
    eprintln!("{echo:?}");
    assert!((30..=50).contains(&echo.delay.as_millis()), "{echo:?}");
    assert!(echo.return_loss_enhancement_db > 5.0, "{echo:?}");
    assert!(SoundProcessor::new(visavis_dsp::SoundProcessing::OFF).echo().is_none());
}
