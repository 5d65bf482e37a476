//! How long sound and pictures take through two engines, and whether they come out together, in virtual time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use visavis_engine::DeviceOpener;
use visavis_engine::device::{DeviceError, Microphone, MicrophoneChoice, NullSpeaker, Speaker, SpeakerChoice};
use visavis_engine::frame::{SAMPLE_RATE_HZ, Timestamp};
use visavis_testkit::net::World;

use super::harness::{Equipment, MEDIA_DELAY, Meeting, play};

const BEEP_HZ: f64 = 800.0;
/// Of a second: long enough to be speech to whatever listens on the way.
const BEEP: f64 = 0.12;
/// Of full scale: the beep has begun.
const AUDIBLE: f32 = 0.05;
/// What a beep and the next are apart at least.
const SECOND: Duration = Duration::from_secs(1);
/// What a call is given to settle.
const WARM_UP: Duration = Duration::from_secs(8);

type Beeps = Arc<Mutex<Vec<Duration>>>;

/// A beep at each full second of the world on the one side; the other side notes when it hears them.
struct Desk {
    world: World,
    beeps: Beeps,
}

struct BeepMicrophone {
    world: World,
    given: Option<u64>,
}

impl Microphone for BeepMicrophone {
    fn name(&self) -> &str {
        "Beep"
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn read(&mut self, _: Timestamp, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        let due = self.world.elapsed().as_micros() as u64 * u64::from(SAMPLE_RATE_HZ) / 1_000_000;
        let from = self.given.replace(due).unwrap_or(due);
        out.extend((from..due).map(|sample| {
            let at = (sample % u64::from(SAMPLE_RATE_HZ)) as f64 / f64::from(SAMPLE_RATE_HZ);
            if at < BEEP { (0.5 * (std::f64::consts::TAU * BEEP_HZ * at).sin()) as f32 } else { 0.0 }
        }));
        Ok(())
    }
}

struct Ear {
    world: World,
    speaker: NullSpeaker,
    last: Option<Duration>,
    beeps: Beeps,
}

impl Speaker for Ear {
    fn name(&self) -> &str {
        "Ear"
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn wanted(&mut self, now: Timestamp) -> Result<usize, DeviceError> {
        self.speaker.wanted(now)
    }

    fn write(&mut self, samples: &[f32]) {
        if let Some(first) = samples.iter().position(|sample| sample.abs() > AUDIBLE) {
            let before = (self.speaker.queued() + first) as f64 / f64::from(SAMPLE_RATE_HZ);
            let played = self.world.elapsed() + Duration::from_secs_f64(before);
            if self.last.is_none_or(|last| played - last > SECOND / 2) {
                self.beeps.lock().unwrap_or_else(PoisonError::into_inner).push(played);
            }
            self.last = Some(played);
        }
        self.speaker.write(samples);
    }

    fn queued(&self) -> usize {
        self.speaker.queued()
    }
}

impl DeviceOpener for Desk {
    fn microphone(&self, _: &MicrophoneChoice) -> Result<Option<Box<dyn Microphone>>, DeviceError> {
        Ok(Some(Box::new(BeepMicrophone { world: self.world.clone(), given: None })))
    }

    fn speaker(&self, _: &SpeakerChoice) -> Result<Option<Box<dyn Speaker>>, DeviceError> {
        let (world, beeps) = (self.world.clone(), Arc::clone(&self.beeps));
        Ok(Some(Box::new(Ear { world, speaker: NullSpeaker::new(), last: None, beeps })))
    }
}

fn percentile(list: &mut [Duration], percent: usize) -> Duration {
    list.sort_unstable();
    list[(list.len() - 1) * percent / 100]
}

#[test]
fn sound_is_quick_and_pictures_keep_to_it() {
    play(|world, server| async move {
        let equipment = |beeps: &Beeps| Equipment {
            opener: Arc::new(Desk { world: world.clone(), beeps: Arc::clone(beeps) }),
            ..Equipment::default()
        };
        let (unheard, beeps) = (Beeps::default(), Beeps::default());
        let meeting = Meeting::connected_with(&world, &server, equipment(&unheard), equipment(&beeps)).await;
        meeting.pass(WARM_UP).await;
        let from = world.elapsed();
        meeting.pass(20 * SECOND).await;

        let beeps = beeps.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let into_second = |at: Duration| Duration::from_nanos(u64::from(at.subsec_nanos()));
        let heard: Vec<_> = beeps.into_iter().filter(|at| *at > from).collect();
        let mut sound: Vec<_> = heard.iter().map(|at| into_second(*at) - MEDIA_DELAY).collect();
        let own = meeting.a.own.all();
        let mut pictures = Vec::new();
        let mut apart = Vec::new();
        for seen in meeting.b.remote.all().into_iter().filter(|seen| seen.at > from) {
            let captured = own.iter().find(|own| own.number == seen.number).unwrap().at;
            let delay = seen.at - captured - MEDIA_DELAY;
            pictures.push(delay);
            // The sound of that moment takes what the nearest beep took.
            let nearest = heard.iter().min_by_key(|at| at.abs_diff(seen.at)).unwrap();
            apart.push((into_second(*nearest) - MEDIA_DELAY).abs_diff(delay));
        }
        let told = format!(
            "sound {:?}, pictures {:?}, apart {:?} (95% within)",
            percentile(&mut sound, 50),
            percentile(&mut pictures, 50),
            percentile(&mut apart, 95)
        );
        eprintln!("{told}");
        assert!(sound.len() >= 18 && pictures.len() > 250, "{} beeps, {} pictures", sound.len(), pictures.len());
        assert!(percentile(&mut sound, 50) <= Duration::from_millis(45), "{told}");
        assert!(percentile(&mut pictures, 50) <= Duration::from_millis(30), "{told}");
        assert!(percentile(&mut apart, 95) <= Duration::from_millis(20), "{told}");
    });
}
