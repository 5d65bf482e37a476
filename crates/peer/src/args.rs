//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use visavis_engine::device::{CameraChoice, MicrophoneChoice, SpeakerChoice};
use visavis_engine::transport::IceServer;
use visavis_engine::{NoiseSuppression, SoundProcessing, SoundSettings};

/// Video calls without a window: two people, one room code.
///
/// Exit codes: 0 the call took place, 1 something failed, 2 wrong arguments, 3 the server, 4 the code, 5 the path, 6 nobody came,
/// 7 somebody was in the way.
#[derive(Debug, Parser)]
#[command(name = "visavis-cli", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) action: Action,

    /// Say more about what happens inside, on standard error (twice: much more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Start a call: prints a code and waits for the other
    Create(CallArgs),
    /// Join the one who waits behind a code
    Join {
        /// The code, or a link with one
        code: String,
        #[command(flatten)]
        call: CallArgs,
    },
    /// Two peers, one call, in this process: shows that everything works on this machine
    Demo(DemoArgs),
    /// Ask the server's STUN and TURN, and others, what a call would ask: who answers, how fast, and what to do if not
    Check(CheckArgs),
    /// List cameras, microphones and speakers
    Devices {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CallArgs {
    /// The server, ws://host:port or wss://host; none: this machine and the local network
    #[arg(long, env = "VISAVIS_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,

    /// Announce and find calls in the local network (multicast DNS); never with --relay-only
    #[arg(long, default_value = "on", value_name = "on|off", value_parser = switch, action = clap::ArgAction::Set)]
    pub(crate) lan: bool,

    /// default, none, test, file:PATH (Y4M, MJPEG), or a name that `devices` lists
    #[arg(long, default_value = "default", value_name = "CAMERA")]
    pub(crate) camera: CameraChoice,

    /// default, none, silence, tone, tone:HZ, test, file:PATH (WAV), or a name
    #[arg(long, default_value = "default", value_name = "MICROPHONE")]
    pub(crate) mic: MicrophoneChoice,

    /// default, none, record:PATH (WAV), or a name
    #[arg(long, default_value = "default", value_name = "SPEAKER")]
    pub(crate) speaker: SpeakerChoice,

    /// Take out of the microphone's sound what the speaker plays
    #[arg(long, value_name = "on|off", value_parser = switch)]
    pub(crate) echo_canceller: Option<bool>,

    /// Take out steady noise
    #[arg(long, value_name = "off|low|high", value_parser = noise_suppression)]
    pub(crate) noise_suppression: Option<NoiseSuppression>,

    /// Even out loudness
    #[arg(long, value_name = "on|off", value_parser = switch)]
    pub(crate) gain: Option<bool>,

    /// Write what is received into this folder: remote.h264 (VP8: remote.ivf), remote.wav, and with --raw remote.y4m
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,

    /// Record the decoded pictures too (40 MB a second at 720p)
    #[arg(long, requires = "record")]
    pub(crate) raw: bool,

    /// Hang up so many seconds after the call came up, or end when nobody has come by then
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,

    /// One JSON object a line: states, path, statistics as webrtc-stats names them
    #[arg(long)]
    pub(crate) json: bool,

    /// When the call is over, write what happened and its statistics into this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Leave the code, addresses and device names in the report
    #[arg(long, requires = "report")]
    pub(crate) report_open: bool,

    /// A STUN or TURN server; repeatable: stun:host:port, or turn:host:port,user,password, or turns:…
    #[arg(long = "ice", value_name = "SERVER", value_parser = ice_server)]
    pub(crate) ice: Vec<IceServer>,

    /// Use relayed addresses only
    #[arg(long)]
    pub(crate) relay_only: bool,

    /// Tell names in place of the addresses that this machine has in local networks: only who is there too learns them
    #[arg(long)]
    pub(crate) name_local: bool,
}

impl CallArgs {
    /// Whether the local network may know of the call. Whoever is found there is spoken to directly, and sees the address that
    /// relaying hides.
    pub(crate) const fn in_network(&self) -> bool {
        self.lan && !self.relay_only
    }

    /// How sound is processed: as asked, by default everything (noise suppression low); tones and files only when asked.
    pub(crate) fn sound(&self) -> SoundSettings {
        let default = SoundProcessing::default();
        let processing = SoundProcessing {
            echo_canceller: self.echo_canceller.unwrap_or(default.echo_canceller),
            noise_suppression: self.noise_suppression.unwrap_or(default.noise_suppression),
            gain: self.gain.unwrap_or(default.gain),
        };
        let asked = self.echo_canceller.is_some() || self.noise_suppression.is_some() || self.gain.is_some();
        SoundSettings { processing, stand_ins_too: asked }
    }
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The server whose STUN and TURN are asked, ws://host:port or wss://host
    #[arg(long, env = "VISAVIS_SERVER", value_name = "URL", required_unless_present = "ice")]
    pub(crate) server: Option<String>,

    /// A STUN or TURN server; repeatable: stun:host:port, or turn:host:port,user,password, or turns:…
    #[arg(long = "ice", value_name = "SERVER", value_parser = ice_server)]
    pub(crate) ice: Vec<IceServer>,

    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// How long the call lasts, seconds
    #[arg(long = "for", default_value = "8", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Duration,

    /// Where the picture of what was received goes
    #[arg(long, default_value = "visavis-demo.png", value_name = "FILE")]
    pub(crate) png: PathBuf,

    /// What the joiner sees
    #[arg(long, default_value = "test", value_name = "CAMERA")]
    pub(crate) camera: CameraChoice,

    /// The summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text} isn't a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{text} isn't a time that can be waited"))
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{text} is neither on nor off")),
    }
}

fn noise_suppression(text: &str) -> Result<NoiseSuppression, String> {
    match text {
        "off" => Ok(NoiseSuppression::Off),
        "low" => Ok(NoiseSuppression::Low),
        "high" => Ok(NoiseSuppression::High),
        _ => Err(format!("{text} is neither off, low nor high")),
    }
}

fn ice_server(text: &str) -> Result<IceServer, String> {
    let mut parts = text.splitn(3, ',');
    let url = parts.next().unwrap_or_default();
    if !["stun:", "stuns:", "turn:", "turns:"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(format!("{url} is neither stun: nor turn: nor turns:"));
    }
    let mut next = || parts.next().unwrap_or_default().to_owned();
    Ok(IceServer { urls: vec![url.to_owned()], username: next(), credential: next() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn wrong_values_are_named() {
        assert!(seconds("soon").unwrap_err().contains("soon"));
        assert!(seconds("-1").is_err());
        assert!(ice_server("http://x").is_err());
        assert!(switch("yes").unwrap_err().contains("yes"));
        assert!(noise_suppression("some").is_err());
        let turn = ice_server("turn:relay.example:3478,me,pass,word").unwrap();
        assert_eq!((turn.username.as_str(), turn.credential.as_str()), ("me", "pass,word"));
    }
}
