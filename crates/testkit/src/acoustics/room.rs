//! Impulse responses of rooms by the image-source method (Allen and Berkeley 1979), with fractional delays (Peterson 1986)
//! and images moved by some centimetres, since mirrors in exact order whistle as no room does (De Sena et al. 2015).

use super::clock::windowed_sinc;
use super::fourier::convolve;
use super::noise::Random;

const RATE: f64 = visavis_frame::SAMPLE_RATE_HZ as f64;
/// In air of 20 °C, metres per second.
const SPEED_OF_SOUND: f64 = 343.0;
/// Taps to each side of an image's pulse.
const REACH: f64 = 12.0;
/// How far images are moved, metres.
const JITTER: f64 = 0.04;

/// A box with a loudspeaker and a microphone in it. Lengths in metres.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// What it is.
    pub name: &'static str,
    /// Length, width, height.
    pub size: [f64; 3],
    /// Time in which sound falls by 60 dB, seconds; the walls' absorption follows from it (Eyring 1930).
    pub rt60: f64,
    /// Where the loudspeaker stands.
    pub loudspeaker: [f64; 3],
    /// Where the microphone stands.
    pub microphone: [f64; 3],
    /// Level of the echo against what is played, decibels.
    pub echo_db: f64,
}

impl Room {
    /// A small office with carpet and shelves; box loudspeakers beside the screen, a microphone before it.
    pub const SMALL_OFFICE: Self = Self {
        name: "small office",
        size: [3.6, 2.8, 2.5],
        rt60: 0.25,
        loudspeaker: [1.3, 2.3, 0.9],
        microphone: [1.9, 1.9, 0.8],
        echo_db: -12.0,
    };
    /// A living room; the television's loudspeakers two metres away.
    pub const LIVING_ROOM: Self = Self {
        name: "living room",
        size: [5.6, 4.3, 2.6],
        rt60: 0.4,
        loudspeaker: [0.4, 2.1, 0.7],
        microphone: [2.4, 2.5, 0.9],
        echo_db: -15.0,
    };
    /// A meeting room with walls of glass.
    pub const GLASS_ROOM: Self = Self {
        name: "glass room",
        size: [4.1, 3.2, 2.7],
        rt60: 0.7,
        loudspeaker: [1.1, 1.5, 0.8],
        microphone: [2.0, 1.7, 0.8],
        echo_db: -12.0,
    };
    /// A laptop on a desk, playing into its own microphone.
    pub const LAPTOP: Self = Self {
        name: "desk with laptop",
        size: [4.0, 3.4, 2.5],
        rt60: 0.35,
        loudspeaker: [1.85, 1.2, 0.75],
        microphone: [2.0, 1.35, 0.95],
        echo_db: -6.0,
    };
    /// All of these.
    pub const ALL: [Self; 4] = [Self::SMALL_OFFICE, Self::LIVING_ROOM, Self::GLASS_ROOM, Self::LAPTOP];

    /// The way from the loudspeaker to the microphone; `seed` moves the images.
    #[must_use]
    pub fn echo_path(&self, seed: u64) -> EchoPath {
        let mut response = self.images(seed);
        high_pass(&mut response);
        // The gain that speech-like sound meets is about that of the response's energy.
        let energy: f64 = response.iter().map(|s| s * s).sum();
        let gain = 10f64.powf(self.echo_db / 20.0) / energy.sqrt();
        EchoPath { response: response.iter().map(|s| (s * gain) as f32).collect(), overdrive: 0.0 }
    }

    /// Share of the pressure that a wall gives back.
    fn reflection(&self) -> f64 {
        let [x, y, z] = self.size;
        let (volume, surface) = (x * y * z, 2.0 * (x * y + y * z + z * x));
        let absorbed = 1.0 - (-24.0 * 10f64.ln() * volume / (SPEED_OF_SOUND * surface * self.rt60)).exp();
        (1.0 - absorbed).sqrt()
    }

    fn images(&self, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        let reflection = self.reflection();
        let mut response = vec![0.0; (self.rt60 * RATE) as usize];
        let farthest = self.rt60 * SPEED_OF_SOUND;
        let order = |axis: usize| (farthest / (2.0 * self.size[axis])).ceil() as i32;
        for nx in -order(0)..=order(0) {
            for ny in -order(1)..=order(1) {
                for nz in -order(2)..=order(2) {
                    for side in 0..8 {
                        let image = self.image([nx, ny, nz], side, &mut random);
                        if image.distance < farthest {
                            let pressure = reflection.powi(image.bounces) / image.distance;
                            add_pulse(&mut response, image.distance / SPEED_OF_SOUND * RATE, pressure);
                        }
                    }
                }
            }
        }
        response
    }

    fn image(&self, cell: [i32; 3], side: u32, random: &mut Random) -> Image {
        let (mut square, mut bounces) = (0.0, 0);
        for (axis, &cell) in cell.iter().enumerate() {
            let mirrored = (side >> axis & 1) as i32;
            let source = self.loudspeaker[axis] * f64::from(1 - 2 * mirrored);
            let mut place = source + 2.0 * f64::from(cell) * self.size[axis] - self.microphone[axis];
            let walls = (cell - mirrored).abs() + cell.abs();
            if walls > 0 {
                place += JITTER * random.sample();
            }
            square += place * place;
            bounces += walls;
        }
        Image { distance: square.sqrt().max(0.01), bounces }
    }
}

/// A loudspeaker's image in the walls.
struct Image {
    distance: f64,
    bounces: i32,
}

fn add_pulse(response: &mut [f64], at: f64, pressure: f64) {
    let first = (at - REACH).ceil().max(0.0) as usize;
    let last = ((at + REACH) as usize).min(response.len().saturating_sub(1));
    for (index, sample) in response.iter_mut().enumerate().take(last + 1).skip(first) {
        *sample += pressure * windowed_sinc(at - index as f64, REACH);
    }
}

/// Takes out what no loudspeaker plays and the method exaggerates: everything far below 100 Hz (two poles).
fn high_pass(response: &mut [f64]) {
    let turn = 2.0 * std::f64::consts::PI * 100.0 / RATE;
    let damp = (-turn).exp();
    let (b1, b2) = (2.0 * damp * turn.cos(), -damp * damp);
    let (mut y1, mut y2, mut x1, mut x2) = (0.0, 0.0, 0.0, 0.0);
    for sample in response {
        let y = *sample - 2.0 * x1 + x2 + b1 * y1 + b2 * y2;
        (x2, x1, y2, y1) = (x1, *sample, y1, y);
        *sample = y;
    }
}

/// From what a loudspeaker is given to what a microphone hears of it.
#[derive(Clone, Debug)]
pub struct EchoPath {
    response: Vec<f32>,
    overdrive: f32,
}

impl EchoPath {
    /// With a loudspeaker that bends loud sound: `overdrive` 1.0 takes 2.4 dB off a full-scale peak, as small ones at full
    /// volume do.
    #[must_use]
    pub fn overdriven(mut self, overdrive: f32) -> Self {
        self.overdrive = overdrive;
        self
    }

    /// The impulse response, 48 kHz, without the loudspeaker's bending.
    #[must_use]
    pub fn response(&self) -> &[f32] {
        &self.response
    }

    /// What the microphone hears of `played`, `delay_samples` after it, over the same time.
    #[must_use]
    pub fn echo(&self, played: &[f32], delay_samples: usize) -> Vec<f32> {
        let mut late = vec![0.0; delay_samples.min(played.len())];
        let rest = played.len() - late.len();
        let bent = |s: &f32| if self.overdrive > 0.0 { (s * self.overdrive).tanh() / self.overdrive } else { *s };
        late.extend(played[..rest].iter().map(bent));
        convolve(&late, &self.response)
    }
}

/// An echo path in a call that runs: takes what is played as it is played.
#[derive(Clone, Debug)]
pub struct LiveEcho {
    /// The impulse response, last tap first.
    taps: Vec<f32>,
    played: Vec<f32>,
}

impl LiveEcho {
    /// The first `length` samples of a path's response: what is said by a wall after that is left out, for speed.
    #[must_use]
    pub fn new(path: &EchoPath, length: usize) -> Self {
        let mut taps = path.response[..length.min(path.response.len())].to_vec();
        taps.reverse();
        Self { played: vec![0.0; taps.len()], taps }
    }

    /// Appends what is heard of `played` to `out`.
    pub fn hear(&mut self, played: &[f32], out: &mut Vec<f32>) {
        self.played.extend_from_slice(played);
        // The first sample kept is older than the last tap, so that each sample below ends a full window.
        let windows = self.played.windows(self.taps.len()).skip(1);
        out.extend(windows.map(|window| dot(window, &self.taps)));
        self.played.drain(..played.len());
    }
}

/// In eight sums, which the compiler lays side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Schroeder's backward integral: seconds from −5 to −25 dB, times three.
    fn measured_rt60(response: &[f32]) -> f64 {
        let total: f64 = response.iter().map(|s| f64::from(*s).powi(2)).sum();
        let mut left = total;
        let mut reached = |db: f64| {
            let mut left_then = total;
            response
                .iter()
                .position(|s| {
                    left_then -= f64::from(*s).powi(2);
                    10.0 * (left_then / total).max(1e-12).log10() < db
                })
                .map_or(0.0, |at| {
                    left = left_then;
                    at as f64 / RATE
                })
        };
        3.0 * (reached(-25.0) - reached(-5.0))
    }

    #[test]
    fn rooms_ring_about_as_long_as_they_should() {
        for room in Room::ALL {
            let rt60 = measured_rt60(room.echo_path(1).response());
            assert!((0.6..1.4).contains(&(rt60 / room.rt60)), "{}: {rt60} s for {} s", room.name, room.rt60);
        }
    }

    #[test]
    fn the_first_sound_comes_straight() {
        let room = Room::LAPTOP;
        let path = room.echo_path(1);
        let distance = (0.15f64.powi(2) + 0.15f64.powi(2) + 0.2f64.powi(2)).sqrt();
        let loudest = path.response().iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let at = loudest.map_or(0, |(at, _)| at) as f64;
        assert!((at - distance / SPEED_OF_SOUND * RATE).abs() < 2.0, "{at}");
    }

    #[test]
    fn a_live_echo_is_the_same_echo() {
        let path = Room::LAPTOP.echo_path(1);
        let played = crate::acoustics::noise(1, 3_000, -20.0);
        let mut live = LiveEcho::new(&path, usize::MAX);
        let mut heard = Vec::new();
        played.chunks(333).for_each(|part| live.hear(part, &mut heard));
        let whole = path.echo(&played, 0);
        assert_eq!(heard.len(), whole.len());
        assert!(heard.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn another_seed_is_another_room_of_the_kind() {
        let [one, same, other] = [1, 1, 2].map(|seed| Room::SMALL_OFFICE.echo_path(seed).response().to_vec());
        assert_eq!(one, same);
        assert_ne!(one, other);
    }
}
