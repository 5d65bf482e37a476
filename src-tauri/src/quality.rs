//! The view of how good a call is: the session's word with its reason, and one second's numbers.

use visavis_engine::call::{self, Quality, ReceiveReport};
use visavis_engine::webrtc_stats::{OutboundRtp, StatsEntry};
use visavis_engine::{CallStats, QualityLimitation};

use crate::view::{DetailsView, Grade, QualityView};

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
        details: None,
    }
}

/// Takes the verdict over.
pub fn take_verdict(view: &mut QualityView, quality: &Quality) {
    view.grade = match quality.grade {
        call::Grade::Good => Grade::Good,
        call::Grade::Fair => Grade::Fair,
        call::Grade::Poor => Grade::Poor,
    };
    view.words = quality.to_string();
}

/// Takes one second's numbers over; `theirs` is what the other side says that it receives.
pub fn take_numbers(view: &mut QualityView, stats: &CallStats, theirs: Option<&ReceiveReport>) {
    let inbound = &stats.inbound;
    let to_them = theirs.map_or(0.0, |report| report.loss_percent);
    // A round trip of over 49 days is none.
    view.rtt_ms = stats.round_trip_ms.map(|ms| ms.round().clamp(0.0, f64::from(u32::MAX)) as u32);
    view.loss_percent = Some(inbound.loss_percent.max(to_them));
    view.send_kbps = small(stats.outbound.kbps);
    view.receive_kbps = small(inbound.kbps);
    view.width = inbound.frame_width;
    view.height = inbound.frame_height;
    view.fps = inbound.frames_per_second;
    view.details = Some(details(stats));
}

fn details(stats: &CallStats) -> DetailsView {
    let (sent, got) = (&stats.outbound, &stats.inbound);
    DetailsView {
        video_codec: codec(stats, "video/"),
        audio_codec: codec(stats, "audio/"),
        send_fps: sent.frames_per_second,
        available_kbps: (sent.available_kbps > 0).then_some(sent.available_kbps),
        limited: sent.quality_limitation_reason != QualityLimitation::None,
        resent: small(outbound(stats).map(|stream| stream.retransmitted_packets_sent).sum()),
        playout_ms: got.playout_delay_ms,
        concealed_percent: got.concealed_percent,
        freezes: small(got.freeze_count),
        encode_ms: sent.encode_ms as f32,
        decode_ms: got.decode_ms as f32,
    }
}

fn outbound(stats: &CallStats) -> impl Iterator<Item = &OutboundRtp> {
    stats
        .entries
        .iter()
        .filter_map(|entry| if let StatsEntry::OutboundRtp(stream) = entry { Some(&**stream) } else { None })
}

fn codec(stats: &CallStats, kind: &str) -> String {
    let name = |entry: &StatsEntry| match entry {
        StatsEntry::Codec(codec) => codec.mime_type.strip_prefix(kind).map(str::to_owned),
        StatsEntry::InboundRtp(_)
        | StatsEntry::RemoteInboundRtp(_)
        | StatsEntry::OutboundRtp(_)
        | StatsEntry::MediaSource(_)
        | StatsEntry::CandidatePair(_)
        | StatsEntry::LocalCandidate(_)
        | StatsEntry::RemoteCandidate(_)
        | StatsEntry::Transport(_) => None,
    };
    stats.entries.iter().find_map(name).unwrap_or_default()
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use visavis_engine::call::Cause;

    use super::*;

    #[test]
    fn word_and_numbers_come_together() {
        let mut view = unknown();
        take_verdict(&mut view, &Quality { grade: call::Grade::Fair, cause: Some(Cause::TheirUplinkLoses(8.0)) });
        assert_eq!((view.grade, view.words.as_str()), (Grade::Fair, "Their uplink loses 8%."));
        let mut stats = CallStats { round_trip_ms: Some(24.4), ..CallStats::default() };
        stats.inbound.loss_percent = 4.0;
        let theirs = ReceiveReport { loss_percent: 12.0, ..ReceiveReport::default() };
        take_numbers(&mut view, &stats, Some(&theirs));
        assert_eq!((view.rtt_ms, view.loss_percent, view.grade), (Some(24), Some(12.0), Grade::Fair));
        assert_eq!(view.details.map(|details| details.available_kbps), Some(None), "no estimate is no rate");
    }
}
