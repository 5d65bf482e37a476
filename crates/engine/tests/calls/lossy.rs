//! One side shows a picture, the other watches it over a link that loses packets: what the watcher gets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use visavis_engine::call::MediaState;
use visavis_engine::device::{
    Camera, CameraChoice, DeviceError, MicrophoneChoice, SpeakerChoice, VideoFormat, open_camera, pattern,
};
use visavis_engine::frame::{BitRate, FramePool, Size, Timestamp, VideoCodec, VideoFrame};
use visavis_engine::webrtc_stats::{OutboundRtp, StatsEntry};
use visavis_engine::{DeviceOpener, Devices, FrameSink, VideoSettings};
use visavis_testkit::net::{Bursts, LinkConfig, SignalingServer, World};
use visavis_testkit::quality::{psnr_y, resized, ssim_y};

use super::harness::{Equipment, Meeting, Party, SERVER_DELAY, Seen};

/// Until the rate has been found.
const WARM_UP: Duration = Duration::from_secs(12);
/// Every so many pictures are compared with their source.
const COMPARED: u32 = 7;
/// Sources that are kept for that.
const KEPT: usize = 80;

/// How the link between the two is, each way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lossy {
    pub(crate) loss: f64,
    pub(crate) bursts: Option<Bursts>,
    pub(crate) one_way: Duration,
    pub(crate) rate_bps: u64,
}

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Show {
    pub(crate) size: Size,
    pub(crate) fps: u32,
    pub(crate) kbps: u64,
}

impl Show {
    pub(crate) const HD: Self = Self { size: Size::HD, fps: 30, kbps: 2_500 };
    /// A quarter of the pixels and of the work.
    pub(crate) const NHD: Self = Self { size: Size::NHD, fps: 30, kbps: 1_200 };
}

/// What the watcher got.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) seconds: f64,
    /// When each picture came.
    pub(crate) times: Vec<Duration>,
    /// Kilobits a second of coded pictures that were shown.
    pub(crate) kbps: f64,
    /// Decibels, mean over pictures.
    pub(crate) psnr: f64,
    pub(crate) ssim: f64,
    /// The height that was shown mostly.
    pub(crate) height: usize,
    /// Repair packets and resends for each packet of media.
    pub(crate) repairs: f64,
    pub(crate) resends: f64,
    /// Keyframes that were asked for.
    pub(crate) keyframes_wanted: u64,
}

impl Watched {
    fn gaps(&self) -> impl Iterator<Item = f64> {
        self.times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64())
    }

    pub(crate) fn fps(&self) -> f64 {
        self.times.len() as f64 / self.seconds
    }

    /// Pictures a second as the eye counts them: over the time-weighted mean gap.
    pub(crate) fn harmonic_fps(&self) -> f64 {
        self.gaps().sum::<f64>() / self.gaps().map(|gap| gap * gap).sum::<f64>()
    }

    /// The W3C's freezes (webrtc-stats, `freezeCount`), worked out anew.
    pub(crate) fn freezes(&self) -> Vec<f64> {
        let mut recent = VecDeque::new();
        let mut freezes = Vec::new();
        for gap in self.gaps() {
            let mean = recent.iter().sum::<f64>() / recent.len().max(1) as f64;
            if !recent.is_empty() && gap >= (3.0 * mean).max(mean + 0.15) {
                freezes.push(gap);
            }
            recent.push_back(gap);
            if recent.len() > 30 {
                recent.pop_front();
            }
        }
        freezes
    }

    pub(crate) fn freezes_a_minute(&self) -> f64 {
        self.freezes().len() as f64 * 60.0 / self.seconds
    }

    pub(crate) fn frozen_percent(&self) -> f64 {
        // The sum of nothing is −0.
        (self.freezes().iter().sum::<f64>() + 0.0) * 100.0 / self.seconds
    }

    pub(crate) fn longest_gap(&self) -> f64 {
        self.gaps().fold(0.0, f64::max)
    }
}

impl std::fmt::Display for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} | {:.1} | {:.1} / {:.1}% | {:.2} s | {:.0} | {}p | {:.1} dB / {:.3} | {:.0}% + {:.0}% | {}",
            self.fps(),
            self.harmonic_fps(),
            self.freezes_a_minute(),
            self.frozen_percent(),
            self.longest_gap(),
            self.kbps,
            self.height,
            self.psnr,
            self.ssim,
            self.repairs * 100.0,
            self.resends * 100.0,
            self.keyframes_wanted,
        )
    }
}

/// Lets "b" watch "a" for so many seconds.
pub(crate) fn watch(link: Lossy, show: Show, protected: bool, seconds: u64, seed: u64) -> Watched {
    let world = World::new(seed);
    let config = LinkConfig {
        loss: link.loss,
        bursts: link.bursts,
        rate_bps: Some(link.rate_bps),
        // A queue of 300 ms.
        buffer_bytes: usize::try_from(link.rate_bps * 3 / 80).unwrap(),
        ..LinkConfig::with_delay(link.one_way)
    };
    world.connect("a", "b", &LinkConfig::with_delay(link.one_way));
    let server = SignalingServer::new(&world, SERVER_DELAY);
    let judge = Judge::default();
    world.run(async {
        let (shows, watches) = equipment(show, protected, &judge);
        let meeting = Meeting::connected_with(&world, &server, shows, watches).await;
        // Joining through loss is another measurement.
        world.connect("a", "b", &config);
        meeting.pass(WARM_UP).await;
        let (since, before) = (world.elapsed(), outbound(&meeting.a));
        let wanted = meeting.b.stats().inbound.keyframes_requested;
        judge.begin();
        meeting.pass(Duration::from_secs(seconds)).await;
        let after = outbound(&meeting.a);
        let media = (after.packets_sent - before.packets_sent).max(1) as f64;
        let sent = |of: fn(&OutboundRtp) -> u64| (of(&after) - of(&before)) as f64 / media;
        let (seen, judged) = (meeting.b.remote.all(), judge.end());
        let length = (world.elapsed() - since).as_secs_f64();
        Watched {
            seconds: length,
            times: seen.into_iter().map(|Seen { at, .. }| at).filter(|at| *at >= since).collect(),
            kbps: judged.bytes as f64 * 8.0 / length / 1000.0,
            psnr: mean(&judged.psnr),
            ssim: mean(&judged.ssim),
            height: median(judged.heights),
            repairs: sent(|rtp| rtp.video.as_ref().map_or(0, |video| video.fec_packets_sent)),
            resends: sent(|rtp| rtp.retransmitted_packets_sent),
            keyframes_wanted: meeting.b.stats().inbound.keyframes_requested - wanted,
        }
    })
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len().max(1) as f64
}

fn median(mut of: Vec<usize>) -> usize {
    of.sort_unstable();
    of.get(of.len() / 2).copied().unwrap_or(0)
}

fn outbound(party: &Party) -> OutboundRtp {
    let video = party.stats().entries.into_iter().find_map(|entry| match entry {
        StatsEntry::OutboundRtp(rtp) if rtp.video.is_some() => Some(*rtp),
        _ => None,
    });
    video.unwrap()
}

fn equipment(show: Show, protected: bool, judge: &Judge) -> (Equipment, Equipment) {
    let devices = |camera| Devices {
        camera,
        microphone: MicrophoneChoice::Tone { pitch_hz: 440 },
        speaker: SpeakerChoice::Silence,
    };
    let video = VideoSettings {
        format: VideoFormat { size: show.size, fps: show.fps },
        rate: BitRate::from_kbps(show.kbps),
        ..VideoSettings::default()
    };
    let shows = Equipment {
        devices: devices(CameraChoice::Test { look: 1 }),
        opener: Arc::new(Grain),
        video,
        forward_error_correction: protected,
        self_view: vec![Box::new(Sources(judge.clone()))],
        ..Equipment::default()
    };
    let watches = Equipment {
        devices: devices(CameraChoice::None),
        media: MediaState { microphone: true, camera: false },
        video,
        forward_error_correction: protected,
        remote_video: vec![Box::new(Results { judge: judge.clone(), pool: FramePool::new() })],
        ..Equipment::default()
    };
    (shows, watches)
}

/// Compares what is shown with what was filmed.
#[derive(Clone, Default)]
struct Judge(Arc<Mutex<Judged>>);

#[derive(Default)]
struct Judged {
    judging: bool,
    sources: VecDeque<(u32, VideoFrame)>,
    bytes: usize,
    heights: Vec<usize>,
    psnr: Vec<f64>,
    ssim: Vec<f64>,
}

impl Judge {
    fn with<T>(&self, does: impl FnOnce(&mut Judged) -> T) -> T {
        does(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self) {
        self.with(|judged| judged.judging = true);
    }

    fn end(&self) -> Judged {
        self.with(std::mem::take)
    }
}

struct Sources(Judge);

impl FrameSink for Sources {
    fn frame(&mut self, frame: &VideoFrame) {
        let Some(number) = pattern::read(frame).map(|stamp| stamp.frame) else { return };
        if number % COMPARED == 0 {
            self.0.with(|judged| {
                judged.sources.push_back((number, frame.clone()));
                while judged.sources.len() > KEPT {
                    judged.sources.pop_front();
                }
            });
        }
    }
}

struct Results {
    judge: Judge,
    pool: FramePool,
}

impl FrameSink for Results {
    fn frame(&mut self, frame: &VideoFrame) {
        let (judge, pool) = (self.judge.clone(), &self.pool);
        judge.with(|judged| {
            if !judged.judging {
                return;
            }
            judged.heights.push(frame.size().height());
            let number = pattern::read(frame).map(|stamp| stamp.frame);
            let Some((_, source)) = judged.sources.iter().find(|(of, _)| Some(*of) == number) else { return };
            let shown = resized(frame, source.size(), pool);
            judged.psnr.push(psnr_y(source, &shown));
            judged.ssim.push(ssim_y(source, &shown));
        });
    }

    fn unit(&mut self, _: VideoCodec, unit: &[u8]) {
        self.judge.with(|judged| judged.bytes += if judged.judging { unit.len() } else { 0 });
    }
}

/// The test pattern as a real camera would see it, so that the encoder needs all the rate that it gets.
struct Grain;

impl DeviceOpener for Grain {
    fn camera(
        &self,
        choice: &CameraChoice,
        wanted: VideoFormat,
        pool: FramePool,
    ) -> Result<Option<Box<dyn Camera>>, DeviceError> {
        let camera = open_camera(choice, wanted, pool.clone())?;
        Ok(camera.map(|camera| Box::new(Grained { camera, pool, state: 1 }) as Box<dyn Camera>))
    }
}

struct Grained {
    camera: Box<dyn Camera>,
    pool: FramePool,
    state: u64,
}

impl Camera for Grained {
    fn name(&self) -> &str {
        self.camera.name()
    }

    fn format(&self) -> VideoFormat {
        self.camera.format()
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>, now: Timestamp) -> Poll<Result<VideoFrame, DeviceError>> {
        let Poll::Ready(frame) = self.camera.poll_frame(cx, now) else { return Poll::Pending };
        let (pool, state) = (&self.pool, &mut self.state);
        Poll::Ready(frame.map(|frame| {
            pool.frame(frame.size(), frame.captured(), |y, u, v| {
                y.copy_from_slice(frame.y());
                u.copy_from_slice(frame.u());
                v.copy_from_slice(frame.v());
                for eight in y.chunks_mut(8) {
                    // Marsaglia's xorshift: what it is doesn't matter, only that each run has the same.
                    *state ^= *state << 13;
                    *state ^= *state >> 7;
                    *state ^= *state << 17;
                    let grain = state.to_le_bytes();
                    eight.iter_mut().zip(grain).for_each(|(y, g)| *y = y.saturating_add(g & 7).saturating_sub(3));
                }
            })
        }))
    }

    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.camera.next_due(now)
    }
}
