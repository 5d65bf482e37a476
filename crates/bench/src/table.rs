//! The figures as people read them.

use std::fmt::Write as _;
use std::time::Duration;

use crate::calls::Call;
use crate::codecs::{Codecs, Video};
use crate::delay::{Delays, percentile};
use crate::joins::Joins;
use crate::machine::Machine;
use crate::mixed::Mixed;
use crate::{Args, median};

/// Everything that was measured.
pub(crate) struct Table {
    pub(crate) our_joins: Joins,
    pub(crate) their_joins: Joins,
    pub(crate) startup: Duration,
    pub(crate) delays: Delays,
    /// From mouth to ear through a sound server, sorted; empty where there is none.
    pub(crate) mouth: Vec<Duration>,
    pub(crate) ours: Call,
    pub(crate) theirs: Call,
    pub(crate) mixed: Mixed,
    pub(crate) codecs: Codecs,
}

/// A figure of ours beside another's, in the same unit.
struct Row {
    what: String,
    unit: &'static str,
    ours: f64,
    beside: Option<(&'static str, f64)>,
    bar: &'static str,
}

fn row(what: impl Into<String>, unit: &'static str, ours: f64) -> Row {
    Row { what: what.into(), unit, ours, beside: None, bar: "–" }
}

fn video_rows(picture: &str, video: &Video) -> [Row; 3] {
    let encode = || row(format!("encode a picture, {picture}"), "ms", ms(video.encode));
    [
        encode().beside(Some(("openh264's defaults", ms(video.encode_default))), "≤ 0.8 ×"),
        encode().beside(Some(("the same at our rate", ms(video.encode_default_at_rate))), "–"),
        row(format!("decode a picture, {picture}"), "ms", ms(video.decode)),
    ]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

impl Table {
    fn rows(&self) -> Vec<Row> {
        let join = |joins: &Joins| ms(median(joins.from_join.clone()));
        let (ours, theirs) = (&self.ours, &self.theirs);
        let chromium = |value| Some(("Chromium", value));
        let mut rows = vec![
            row("join pressed → first picture decoded", "ms", join(&self.our_joins))
                .beside(chromium(join(&self.their_joins)), "< 1.0 ×"),
            row("two-way 720p30 call, processor, both ends", "% of a core", ours.processor_percent)
                .beside(chromium(theirs.processor_percent), "≤ 0.6 ×"),
            row("the same call, memory (PSS), both ends", "MB", mb(ours.memory))
                .beside(chromium(mb(theirs.memory)), "≤ 80 MB"),
        ];
        rows.extend(self.delay_rows());
        rows.extend(self.mixed_rows());
        rows.extend(video_rows("somebody at a desk", &self.codecs.calm));
        rows.extend(video_rows("everything moves", &self.codecs.moving));
        rows.extend([
            row("camera's YUYV → I420", "ms", ms(self.codecs.convert)),
            row("Opus, encode 20 ms", "ms", ms(self.codecs.opus_encode)),
            row("Opus, decode 20 ms", "ms", ms(self.codecs.opus_decode)),
            row("visavis-cli started → code shown", "ms", ms(self.startup)),
        ]);
        rows
    }

    fn delay_rows(&self) -> Vec<Row> {
        let Delays { video, audio, lip_sync } = &self.delays;
        let delay = |what: &str, sorted: &[Duration], share, bar| {
            let percent = (share * 100.0) as u32;
            let which = if percent == 50 { "median".to_owned() } else { format!("{percent}% within") };
            Row { bar, ..row(format!("{what}, {which}"), "ms", ms(percentile(sorted, share))) }
        };
        let chromium = |share| Some(("Chromium", ms(percentile(&self.theirs.delays, share))));
        let (picture, sound) = ("picture captured → out of the other's decoder", "microphone → the other's speaker");
        let mut rows = vec![
            delay(picture, video, 0.5, "≤ 25 ms").beside(chromium(0.5), "≤ 25 ms"),
            delay(picture, video, 0.95, "≤ 40 ms").beside(chromium(0.95), "≤ 40 ms"),
            delay(sound, audio, 0.5, "≤ 45 ms"),
            delay(sound, audio, 0.95, "–"),
            delay("sound and picture apart", lip_sync, 0.95, "≤ 20 ms"),
        ];
        if !self.mouth.is_empty() {
            let through = "mouth → ear, with a sound server at both ends";
            rows.extend([delay(through, &self.mouth, 0.5, "≤ 45 ms"), delay(through, &self.mouth, 0.95, "–")]);
        }
        rows
    }

    fn mixed_rows(&self) -> [Row; 4] {
        let (mixed, theirs) = (&self.mixed, &self.theirs);
        let pure = |value| Some(("Chromium with Chromium", value));
        [
            row("Chromium joins Visavis → first picture decoded", "ms", ms(mixed.join))
                .beside(pure(ms(median(self.their_joins.from_join.clone()))), "–"),
            row("Visavis' pictures decoded by Chromium", "a second", mixed.our_fps).beside(pure(theirs.fps), "–"),
            row("Chromium's pictures decoded by Visavis", "a second", mixed.their_fps).beside(pure(theirs.fps), "–"),
            row("Visavis' picture stood still in Chromium", "times", mixed.freezes)
                .beside(theirs.freezes.and_then(|freezes| pure(freezes / 2.0)), "–"),
        ]
    }

    /// The page.
    pub(crate) fn to_markdown(&self, machine: &Machine, args: &Args) -> String {
        let mut text = String::from(
            "# Benchmarks\n\nWritten by `./dev bench`; run it to measure your own machine. Both sides ran in one go on one machine, through one \
             `visavis-server`, with the same 720p clip at 30 frames a second and the same speech. The ratio is what counts; \
             absolute times are this machine's, on that day.\n\n",
        );
        let Machine { hardware, programs, load, date } = machine;
        let _ = write!(
            text,
            "- Machine: {hardware}\n- Programs: {programs}, release build\n- {date}; load average before the run: {load:.1}\n- Command: `./dev bench --seconds {} --warm-up {} --times {}`\n\n",
            args.seconds, args.warm_up, args.times,
        );
        text.push_str("| what | Visavis | beside | ratio | bar |\n| --- | --- | --- | --- | --- |\n");
        for row in self.rows() {
            row.write(&mut text);
        }
        self.notes(&mut text);
        text
    }

    fn notes(&self, text: &mut String) {
        let Self { our_joins, their_joins, delays, mouth, ours, theirs, mixed, .. } = self;
        let call = |call: &Call| {
            format!(
                "{} processes, {:.1} pictures a second of {} lines decoded, {:.0} kb/s sent, {:.1} ms to encode",
                call.processes, call.fps, call.height, call.kbps, call.encode_ms
            )
        };
        let all = |joins: &Joins| {
            let mut sorted: Vec<u128> = joins.from_join.iter().map(Duration::as_millis).collect();
            sorted.sort_unstable();
            sorted.iter().map(u128::to_string).collect::<Vec<_>>().join(", ")
        };
        let _ = write!(
            text,
            "\n## What was measured\n\n\
             - **Joining.** The other side waits behind a code, cameras and microphones are open; the clock runs from the start of the \
             connection to the server until the first picture has left the decoder. Each, ms: Visavis {}; Chromium {} (of which from \
             createOffer: median {:.0}). Chromium makes its certificate before the clock starts, Visavis after.\n\
             - **The call.** Visavis: two `visavis-cli`: {}. Chromium: two peer connections in one page of one browser without a window, all \
             processes of the browser: {}. Chromium also draws the pictures into its page; `visavis-cli` draws nothing, so this compares \
             calls, not windows.\n\
             - **Delays.** Two engines in one process on one clock, 720p30, over loopback: {} pictures with their time of capture burnt in, {} \
             beeps from a stand-in microphone to a stand-in speaker with 13 ms queued, {} flashes with their beeps. Sound cards, cameras \
             and screens come on top. Chromium: {} pictures, from its camera's track to its receiver's, in the call above. Mouth to ear: \
             {} pieces of speech found again; PulseAudio's own buffers are in it, as a person hears them.\n\
             - **One end of each.** `visavis-cli` makes the call, Chromium joins it, both play the same clip: {} lines of ours in Chromium at the \
             end. A picture stands still by the W3C's freezeCount.\n\
             - **Codecs.** 1280×720, processor time of all threads, the encoders take turns on the same picture; Visavis encodes at \
             2 Mb/s. In the call, Visavis counts from the capture of a picture until it is coded, Chromium the encoder alone. Chromium \
             decodes a picture in {:.1} ms by its own statistics.\n\
             - Times of joining, starting and coding are medians.\n",
            all(our_joins),
            all(their_joins),
            ms(median(their_joins.from_offer.clone())),
            call(ours),
            call(theirs),
            delays.video.len(),
            delays.audio.len(),
            delays.lip_sync.len(),
            theirs.delays.len(),
            mouth.len(),
            mixed.height,
            theirs.decode_ms.unwrap_or_default(),
        );
    }
}

impl Row {
    fn beside(self, beside: Option<(&'static str, f64)>, bar: &'static str) -> Self {
        Self { beside, bar, ..self }
    }

    fn write(&self, text: &mut String) {
        let Self { what, unit, ours, beside, bar } = self;
        let (beside, ratio) = match beside {
            Some((name, value)) => {
                let ratio = if *value == 0.0 { "–".to_owned() } else { format!("{:.2} ×", ours / value) };
                (format!("{name}: {} {unit}", figure(*value)), ratio)
            }
            None => ("–".to_owned(), "–".to_owned()),
        };
        let _ = writeln!(text, "| {what} | {} {unit} | {beside} | {ratio} | {bar} |", figure(*ours));
    }
}

/// Three digits that count, or all before the point.
fn figure(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ if value >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
