//! The targets, by what the bytes are.

mod call;
mod congestion;
mod files;
mod media;
mod peer;
mod relay;
mod settings;
mod signaling;
mod stun;

use crate::Target;

const KIB: usize = 1024;

pub(crate) const ALL: &[Target] = &[
    Target { name: "assembler", run: media::assembler, max_len: 8 * KIB },
    Target { name: "assembler-vp8", run: media::assembler_vp8, max_len: 8 * KIB },
    Target { name: "h264", run: media::h264, max_len: 16 * KIB },
    Target { name: "vp8", run: media::vp8, max_len: 16 * KIB },
    Target { name: "opus", run: media::opus, max_len: 4 * KIB },
    Target { name: "sound", run: media::sound, max_len: 8 * KIB },
    Target { name: "rtp", run: peer::rtp, max_len: 2 * KIB },
    Target { name: "rtcp", run: peer::rtcp, max_len: 2 * KIB },
    Target { name: "repair", run: peer::repair, max_len: 8 * KIB },
    Target { name: "description", run: peer::description, max_len: 16 * KIB },
    Target { name: "datagrams", run: peer::datagrams, max_len: 8 * KIB },
    Target { name: "congestion", run: congestion::congestion, max_len: 8 * KIB },
    Target { name: "relay", run: relay::relay, max_len: 4 * KIB },
    Target { name: "stun-stream", run: stun::stream, max_len: 4 * KIB },
    Target { name: "ice-tcp", run: stun::lengths, max_len: 4 * KIB },
    Target { name: "rooms", run: signaling::rooms, max_len: 8 * KIB },
    Target { name: "tokens", run: signaling::tokens, max_len: KIB },
    Target { name: "client", run: signaling::client, max_len: 8 * KIB },
    Target { name: "bodies", run: signaling::bodies, max_len: 4 * KIB },
    Target { name: "exchange", run: signaling::exchange, max_len: 4 * KIB },
    Target { name: "code", run: signaling::code, max_len: KIB },
    Target { name: "control", run: call::control, max_len: 4 * KIB },
    Target { name: "session", run: call::session, max_len: 8 * KIB },
    Target { name: "settings", run: settings::settings, max_len: 4 * KIB },
    Target { name: "server-url", run: settings::server_url, max_len: KIB },
    Target { name: "y4m", run: files::y4m, max_len: 8 * KIB },
    Target { name: "wav", run: files::wav, max_len: 8 * KIB },
    Target { name: "mjpeg", run: files::mjpeg, max_len: 16 * KIB },
];
