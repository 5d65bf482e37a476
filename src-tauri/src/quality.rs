//! A verdict on the call in plain words, from one second's statistics of both sides.

use visavis_engine::CallStats;
use visavis_engine::call::ReceiveReport;

use crate::view::{Grade, QualityView};

/// Nothing is measured yet.
#[must_use]
pub fn unknown() -> QualityView {
    QualityView {
        grade: Grade::Unknown,
        words: "Not measured yet.".to_owned(),
        rtt_ms: None,
        loss_percent: None,
        send_kbps: 0,
        receive_kbps: 0,
        width: 0,
        height: 0,
        fps: 0.0,
    }
}

/// Judges one second: `theirs` is what the other side says that it receives.
#[must_use]
pub fn judge(stats: &CallStats, theirs: Option<&ReceiveReport>) -> QualityView {
    let inbound = &stats.inbound;
    let to_them = theirs.map_or(0.0, |report| report.loss_percent);
    let (grade, words) = verdict(inbound.loss_percent, to_them, inbound.concealed_percent, stats.round_trip_ms);
    QualityView {
        grade,
        words,
        // A round trip of over 49 days is none.
        rtt_ms: stats.round_trip_ms.map(|ms| ms.round().clamp(0.0, f64::from(u32::MAX)) as u32),
        loss_percent: Some(inbound.loss_percent.max(to_them)),
        send_kbps: u32::try_from(stats.outbound.kbps).unwrap_or(u32::MAX),
        receive_kbps: u32::try_from(inbound.kbps).unwrap_or(u32::MAX),
        width: inbound.frame_width,
        height: inbound.frame_height,
        fps: inbound.frames_per_second,
    }
}

/// ITU-T G.114 calls a one-way delay over 150 ms noticeable and over 400 ms unacceptable; the round trip is twice that.
fn verdict(from_them: f32, to_them: f32, concealed: f32, rtt_ms: Option<f64>) -> (Grade, String) {
    let rtt = rtt_ms.unwrap_or(0.0);
    let grade = |fair: bool, poor: bool| {
        if poor {
            Grade::Poor
        } else if fair {
            Grade::Fair
        } else {
            Grade::Good
        }
    };
    let candidates = [
        (
            grade(from_them > 2.0, from_them > 10.0),
            format!("{from_them:.0}% of what they send gets lost on the way here."),
        ),
        (grade(to_them > 2.0, to_them > 10.0), format!("{to_them:.0}% of what you send gets lost on the way to them.")),
        (grade(concealed > 3.0, concealed > 10.0), format!("{concealed:.0}% of their sound had to be made up.")),
        (grade(rtt > 300.0, rtt > 800.0), format!("Sound takes long: {rtt:.0} ms there and back.")),
    ];
    for wanted in [Grade::Poor, Grade::Fair] {
        if let Some((grade, words)) = candidates.iter().find(|(grade, _)| *grade == wanted) {
            return (*grade, words.clone());
        }
    }
    (Grade::Good, "Sound and picture flow freely.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_cause_is_named() {
        let mut stats = CallStats::default();
        assert_eq!(judge(&stats, None).grade, Grade::Good);
        stats.inbound.loss_percent = 4.0;
        let theirs = ReceiveReport { loss_percent: 12.0, ..ReceiveReport::default() };
        let view = judge(&stats, Some(&theirs));
        assert_eq!(view.grade, Grade::Poor);
        assert!(view.words.contains("12% of what you send"), "{}", view.words);
        assert_eq!(view.loss_percent, Some(12.0));
        stats.round_trip_ms = Some(350.0);
        assert_eq!(judge(&stats, None).grade, Grade::Fair);
    }
}
