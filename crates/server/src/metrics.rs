//! How busy the server is, in the text format that Prometheus reads (its exposition format, version 0.0.4). Numbers of all
//! together: nothing here is about one room, one code or one address.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::cluster::ClusterCounts;
use crate::gate::Gate;
use crate::hub::{HubHandle, Report};
use crate::relay::{RelayCounts, RelayGauge};

/// The version of the format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a scrape asks.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) hub: HubHandle,
    pub(crate) gate: Gate,
    pub(crate) started: SystemTime,
    /// Of our own relay, if there is one.
    pub(crate) relay: Option<RelayGauge>,
    /// What who asks has to show; none: nothing.
    pub(crate) token: Option<Arc<str>>,
}

/// The route of the metrics.
pub(crate) fn router(sources: Sources) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(sources)
}

async fn scrape(State(sources): State<Sources>, headers: HeaderMap) -> Response {
    if !sources.token.as_deref().is_none_or(|token| shows(&headers, token)) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "who asks?").into_response();
    }
    match sources.hub.ask().await {
        Some(report) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text(&sources, &report)).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Compares without telling by the time how much of it was right.
fn shows(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let wanted = format!("Bearer {token}");
    shown.len() == wanted.len() && shown.iter().zip(wanted.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn text(sources: &Sources, report: &Report) -> String {
    let (counts, tally) = (report.counts, report.tally);
    let mut page = Page::default();
    page.metric(
        "visavis_build_info",
        "gauge",
        "The version that runs.",
        concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
        1,
    );
    let started = sources.started.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    page.gauge("visavis_start_time_seconds", "When the server was started, seconds since 1970.", started);
    page.gauge("visavis_sockets", "TCP connections, whatever they are for.", sources.gate.sockets());
    page.gauge("visavis_connections", "Clients that are connected.", counts.connections);
    page.gauge("visavis_sessions", "Clients, with those whose connection was lost a moment ago.", counts.sessions);
    page.gauge("visavis_rooms", "Rooms, waiting and paired.", counts.rooms);
    page.gauge("visavis_decoys", "Rooms whose creator the server plays, where nobody waits.", counts.decoys);
    page.gauge("visavis_sources", "Addresses that something is known of.", counts.sources);
    page.gauge("visavis_bytes_under_way", "Bytes of bodies that wait for their receivers.", counts.bytes_under_way);
    page.counter(
        "visavis_sockets_turned_away_total",
        "TCP connections that weren't let in.",
        sources.gate.turned_away(),
    );
    page.counter("visavis_connections_total", "Clients that were let in.", tally.opened);
    page.counter(
        "visavis_connections_refused_total",
        "Clients that weren't: no place, or too many from their address.",
        tally.refused,
    );
    page.counter(
        "visavis_connections_thrown_out_total",
        "Clients whose connection was closed on them.",
        tally.thrown_out,
    );
    page.counter("visavis_messages_total", "Messages of clients.", tally.messages);
    page.counter("visavis_rooms_created_total", "Rooms made.", tally.created);
    page.counter("visavis_rooms_restored_total", "Rooms made again after a restart.", tally.restored);
    page.counter("visavis_knocks_total", "Knocks that got as far as the rooms.", tally.knocks);
    page.counter("visavis_misses_total", "Knocks where nobody waits.", tally.misses);
    page.counter("visavis_work_asked_total", "Knocks that had to work first.", tally.work);
    page.counter("visavis_exchanges_total", "Exchanges begun between two.", tally.exchanges);
    page.counter("visavis_pairs_total", "Exchanges that became calls.", tally.paired);
    page.counter("visavis_resumed_total", "Lost connections taken up again.", tally.resumed);
    if let Some(cluster) = report.cluster {
        others(&mut page, cluster);
    }
    if let Some(gauge) = &sources.relay {
        relay(&mut page, gauge.counts());
    }
    process(&mut page);
    page.0
}

/// What our own relay does.
fn relay(page: &mut Page, counts: RelayCounts) {
    page.gauge("visavis_relay_allocations", "TURN allocations.", counts.allocations);
    let help = "TURN allocations of two who have confirmed one another; packets pass for these alone.";
    page.gauge("visavis_relay_allocations_of_pairs", help, counts.of_pairs);
    let help = "TURN allocations of those who hadn't, ended to make room.";
    page.counter("visavis_relay_allocations_displaced_total", help, counts.displaced);
    page.counter("visavis_relay_packets_total", "Packets relayed, both directions.", counts.relayed);
    page.counter("visavis_relay_bytes_total", "Bytes in packets relayed, both directions.", counts.bytes);
    let dropped =
        [("unpermitted", counts.unpermitted), ("unpaired", counts.unpaired), ("over-budget", counts.over_budget)];
    page.counters("visavis_relay_dropped_total", "Packets that weren't relayed.", &dropped);
    let refused = [
        ("unauthorized", counts.refused.unauthorized),
        ("forbidden", counts.refused.forbidden),
        ("quota", counts.refused.quota),
        ("full", counts.refused.full),
        ("other", counts.refused.other),
    ];
    let help = "TURN requests refused; each client is unauthorized once, to be challenged.";
    page.counters("visavis_relay_refused_total", help, &refused);
}

/// What one of several servers has to do with the others.
fn others(page: &mut Page, cluster: ClusterCounts) {
    page.gauge("visavis_nats_up", "Whether this server and others can hear one another.", u8::from(cluster.up));
    page.gauge("visavis_slices", "Slices of nameplates that are this server's, out of a thousand.", cluster.slices);
    page.gauge("visavis_carried_out", "Clients here whose room is on another server.", cluster.outward);
    page.gauge("visavis_carried_in", "Clients of other servers whose room is here.", cluster.inward);
    page.counter("visavis_slices_taken_total", "Slices taken over from servers that were gone.", cluster.taken);
    page.counter("visavis_slices_lost_total", "Slices that another server has taken over.", cluster.lost);
    page.counter("visavis_gaps_total", "Times that messages between servers went missing.", cluster.gaps);
}

/// What Prometheus' own libraries tell of a process, under the same names.
fn process(page: &mut Page) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|text| text.split_whitespace().next()).and_then(|text| text.parse::<u64>().ok());
    if let Some(kilobytes) = kilobytes {
        page.gauge("process_resident_memory_bytes", "Resident memory, bytes.", kilobytes * 1024);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", "Open file descriptors.", files.count());
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "gauge", help, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "counter", help, "", value);
    }

    /// One counter for each cause.
    fn counters(&mut self, name: &str, help: &str, by_cause: &[(&str, u64)]) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} counter\n");
        for (cause, value) in by_cause {
            let _ = writeln!(self.0, "{name}{{cause=\"{cause}\"}} {value}");
        }
    }

    fn metric(&mut self, name: &str, kind: &str, help: &str, labels: &str, value: impl Display) {
        // Writing into a string can't fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{labels} {value}\n");
    }
}
