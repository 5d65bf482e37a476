//! The figures as people read them.

use std::fmt::Write as _;
use std::time::Duration;

use crate::calls::Call;
use crate::codecs::Codecs;
use crate::joins::Joins;
use crate::machine::Machine;
use crate::{Args, median};

/// Everything that was measured.
pub(crate) struct Table {
    pub(crate) our_joins: Joins,
    pub(crate) their_joins: Joins,
    pub(crate) startup: Duration,
    pub(crate) ours: Call,
    pub(crate) theirs: Call,
    pub(crate) codecs: Codecs,
}

/// A figure of ours beside another's, in the same unit.
struct Row {
    what: &'static str,
    unit: &'static str,
    digits: usize,
    ours: f64,
    beside: Option<(&'static str, f64)>,
    bar: &'static str,
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

impl Table {
    fn rows(&self) -> Vec<Row> {
        let Self { our_joins, their_joins, startup, ours, theirs, codecs } = self;
        let row = |what, unit, digits, ours, beside, bar| Row { what, unit, digits, ours, beside, bar };
        let chromium = |value| Some(("Chromium", value));
        let join = |joins: &Joins| ms(median(joins.from_join.clone()));
        vec![
            row(
                "join pressed → first picture decoded, median",
                "ms",
                0,
                join(our_joins),
                chromium(join(their_joins)),
                "< 1.0 ×",
            ),
            row(
                "two-way 720p30 call, processor, both ends",
                "% of a core",
                1,
                ours.processor_percent,
                chromium(theirs.processor_percent),
                "≤ 0.6 ×",
            ),
            row(
                "the same call, memory (PSS), both ends",
                "MB",
                0,
                mb(ours.memory),
                chromium(mb(theirs.memory)),
                "≤ 80 MB",
            ),
            row(
                "encode 720p, per picture",
                "ms",
                2,
                ms(codecs.encode),
                Some(("openh264's defaults", ms(codecs.encode_default))),
                "≤ 0.8 ×",
            ),
            row(
                "encode 720p, per picture, same rate",
                "ms",
                2,
                ms(codecs.encode),
                Some(("openh264's defaults at 2 Mb/s", ms(codecs.encode_default_at_rate))),
                "–",
            ),
            row("decode 720p, per picture", "ms", 2, ms(codecs.decode), theirs.decode_ms.and_then(chromium), "–"),
            row("camera's YUYV → I420, 720p, per picture", "ms", 2, ms(codecs.convert), None, "–"),
            row("Opus, encode 20 ms", "ms", 3, ms(codecs.opus_encode), None, "–"),
            row("Opus, decode 20 ms", "ms", 3, ms(codecs.opus_decode), None, "–"),
            row("visavis-cli started → code shown, median", "ms", 0, ms(*startup), None, "–"),
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
        let Self { our_joins, their_joins, ours, theirs, .. } = self;
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
             - **Encoding.** Visavis' figure is its encoder's at 2 Mb/s; the encoders take turns on the same picture. In the call, Visavis \
             counts from the capture of a picture until it is coded, Chromium the encoder alone.\n\
             - **Decoding.** Visavis: openh264 on our own stream. Chromium: totalDecodeTime of its statistics, in the call.\n",
            all(our_joins),
            all(their_joins),
            ms(median(their_joins.from_offer.clone())),
            call(ours),
            call(theirs),
        );
    }
}

impl Row {
    fn write(&self, text: &mut String) {
        let Self { what, unit, digits, ours, beside, bar } = self;
        let (beside, ratio) = match beside {
            Some((name, value)) => (format!("{name}: {value:.digits$} {unit}"), format!("{:.2} ×", ours / value)),
            None => ("–".to_owned(), "–".to_owned()),
        };
        let _ = writeln!(text, "| {what} | {ours:.digits$} {unit} | {beside} | {ratio} | {bar} |");
    }
}
