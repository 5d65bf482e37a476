//! Sound made a little shorter or longer without a change of pitch: one period of the voice is taken out or put in, with
//! a cross-fade (pitch-synchronous overlap-add). This is how the playout delay moves without a click.

/// How a packet's sound is to be played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// As it is.
    #[default]
    Normal,
    /// Shorter, so that the playout delay falls.
    Faster,
    /// Longer, so that the playout delay grows.
    Slower,
}

/// The shortest period taken out or put in: 2.5 ms, a pitch of 400 Hz.
const MIN_LAG: usize = 120;
/// The longest: 10 ms, a pitch of 100 Hz.
const MAX_LAG: usize = 480;
/// Likeness of neighbouring periods, −1..=1, from which a join isn't heard.
const GOOD_LIKENESS: f32 = 0.9;
/// How much the demand falls with every packet that didn't meet it: noise has no pitch, and the delay must still move.
const RELENT: f32 = 0.05;
/// What is never accepted.
const LEAST_LIKENESS: f32 = 0.3;
/// Power under which nobody hears a join, −50 dBFS.
const QUIET_POWER: f32 = 1e-5;

/// Scales packets in time.
#[derive(Clone, Debug, Default)]
pub struct TimeScaler {
    refusals: u16,
    /// The end of what was played last, [`MAX_LAG`] samples: what a short packet is made longer by.
    tail: Vec<f32>,
    /// Room to look at it and the packet together, from the end.
    backwards: Vec<f32>,
}

impl TimeScaler {
    /// A scaler.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `input` (mono, 48 kHz; at least 20 ms to be made shorter and 10 ms behind other sound to be made longer, or it
    /// passes as it is) at `speed` to `out`. Returns how many samples it got longer, 120 to 480 either way, or 0 when no good
    /// place to join was found.
    pub fn process(&mut self, speed: Speed, input: &[f32], out: &mut Vec<f32>) -> isize {
        let grown = match speed {
            Speed::Slower if input.len() < 2 * MAX_LAG => self.stretch_end(input, out),
            Speed::Normal | Speed::Faster | Speed::Slower => self.join(speed, input, out),
        };
        self.tail.extend_from_slice(input);
        self.tail.drain(..self.tail.len().saturating_sub(MAX_LAG));
        grown
    }

    /// Plays the last period of a short packet twice, found in it and in what was played before it: the next packet needn't be
    /// there yet, and where playing has to slow it often isn't.
    fn stretch_end(&mut self, input: &[f32], out: &mut Vec<f32>) -> isize {
        let mut backwards = std::mem::take(&mut self.backwards);
        backwards.clear();
        backwards.extend(input.iter().rev().chain(self.tail.iter().rev()));
        let lag = if input.len() < MAX_LAG { None } else { self.lag(&backwards) };
        out.extend_from_slice(input);
        if let Some(lag) = lag {
            // What leads to the last period is what the last period leads to.
            let (last, before) = (&backwards[..lag], &backwards[lag..2 * lag]);
            out.truncate(out.len() - lag);
            let len = lag as f32;
            let faded = last.iter().zip(before).rev().enumerate();
            out.extend(faded.map(|(i, (a, b))| a + (b - a) * (i as f32 + 0.5) / len));
            out.extend(last.iter().rev());
        }
        self.backwards = backwards;
        lag.map_or(0, usize::cast_signed)
    }

    fn join(&mut self, speed: Speed, input: &[f32], out: &mut Vec<f32>) -> isize {
        let lag = match speed {
            Speed::Normal => None,
            Speed::Faster | Speed::Slower => self.lag(input),
        };
        let Some(lag) = lag else {
            out.extend_from_slice(input);
            return 0;
        };
        let (first, rest) = input.split_at(lag);
        match speed {
            Speed::Slower => {
                out.extend_from_slice(first);
                cross_fade(&rest[..lag], first, out);
                out.extend_from_slice(rest);
                lag.cast_signed()
            }
            Speed::Faster | Speed::Normal => {
                cross_fade(first, &rest[..lag], out);
                out.extend_from_slice(&rest[lag..]);
                -lag.cast_signed()
            }
        }
    }

    fn lag(&mut self, input: &[f32]) -> Option<usize> {
        if input.len() < 2 * MAX_LAG {
            return None;
        }
        let power = input.iter().map(|s| s * s).sum::<f32>() / input.len() as f32;
        if power < QUIET_POWER {
            return Some(MAX_LAG);
        }
        let (lag, likeness) = best_lag(input);
        let demanded = (GOOD_LIKENESS - RELENT * f32::from(self.refusals)).max(LEAST_LIKENESS);
        if likeness < demanded {
            self.refusals = self.refusals.saturating_add(1);
            return None;
        }
        self.refusals = 0;
        Some(lag)
    }
}

/// The longest lag among those that are about as good as the best, and its likeness.
fn best_lag(input: &[f32]) -> (usize, f32) {
    let likenesses: [f32; MAX_LAG - MIN_LAG + 1] = std::array::from_fn(|i| likeness(input, MIN_LAG + i));
    let best = likenesses.iter().copied().fold(f32::MIN, f32::max);
    let longest = likenesses.iter().rposition(|&l| l >= best - 0.01).unwrap_or(0);
    (MIN_LAG + longest, likenesses[longest])
}

/// Normalised correlation of the sound with itself, `lag` samples later.
fn likeness(input: &[f32], lag: usize) -> f32 {
    let (mut product, mut early, mut late) = (0.0f32, 0.0f32, 0.0f32);
    for (a, b) in input[..lag].iter().zip(&input[lag..2 * lag]) {
        product += a * b;
        early += a * a;
        late += b * b;
    }
    product / (early * late).sqrt().max(f32::MIN_POSITIVE)
}

fn cross_fade(from: &[f32], to: &[f32], out: &mut Vec<f32>) {
    let len = from.len().min(to.len()) as f32;
    out.extend(from.iter().zip(to).enumerate().map(|(i, (a, b))| a + (b - a) * (i as f32 + 0.5) / len));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(hz: f32) -> impl Iterator<Item = f32> {
        (0..).map(move |i| {
            let phase = i as f32 * hz * std::f32::consts::TAU / 48_000.0;
            0.3 * phase.sin() + 0.15 * (2.0 * phase).sin() + 0.1 * (3.0 * phase).sin()
        })
    }

    /// The steepest step of `voice`, by its derivative.
    fn steepest(hz: f32) -> f32 {
        0.9 * hz * std::f32::consts::TAU / 48_000.0
    }

    #[test]
    fn voices_change_length_without_a_click() {
        for hz in [110.0, 150.0, 220.0, 313.0, 440.0] {
            for speed in [Speed::Faster, Speed::Slower] {
                let mut scaler = TimeScaler::new();
                let mut out = Vec::new();
                let input: Vec<f32> = voice(hz).take(960 * 20).collect();
                let grown: isize = input.chunks(960).map(|packet| scaler.process(speed, packet, &mut out)).sum();
                assert_eq!(out.len().cast_signed(), input.len().cast_signed() + grown);
                let direction = if speed == Speed::Slower { 1 } else { -1 };
                assert!(grown * direction > 20 * 120, "{hz} Hz {speed:?}: {grown}");
                let worst = out.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
                assert!(worst < 1.2 * steepest(hz), "{hz} Hz {speed:?}: {worst}");
            }
        }
    }

    #[test]
    fn short_packets_grow_without_a_click() {
        for hz in [110.0, 150.0, 220.0, 313.0, 440.0] {
            let mut scaler = TimeScaler::new();
            let mut out = Vec::new();
            let input: Vec<f32> = voice(hz).take(480 * 41).collect();
            let grown: isize = input.chunks(480).map(|packet| scaler.process(Speed::Slower, packet, &mut out)).sum();
            assert_eq!(out.len().cast_signed(), input.len().cast_signed() + grown);
            assert!(grown > 20 * 120, "{hz} Hz: {grown}");
            let worst = out.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
            assert!(worst < 1.2 * steepest(hz), "{hz} Hz: {worst}");
        }
    }

    #[test]
    fn noise_is_joined_only_after_patience() {
        let mut scaler = TimeScaler::new();
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0 - 0.5
        };
        let packet: Vec<f32> = (0..960).map(|_| noise()).collect();
        assert_eq!(scaler.process(Speed::Faster, &packet, &mut Vec::new()), 0);
    }

    #[test]
    fn silence_moves_at_once_and_short_runs_never() {
        let mut scaler = TimeScaler::new();
        assert_eq!(scaler.process(Speed::Faster, &[0.0; 960], &mut Vec::new()), -480);
        assert_eq!(scaler.process(Speed::Slower, &[0.0; 960], &mut Vec::new()), 480);
        assert_eq!(scaler.process(Speed::Faster, &[0.0; 959], &mut Vec::new()), 0);
        assert_eq!(scaler.process(Speed::Slower, &[0.0; 479], &mut Vec::new()), 0);
        assert_eq!(scaler.process(Speed::Normal, &[0.0; 960], &mut Vec::new()), 0);
    }
}
