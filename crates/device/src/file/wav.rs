//! WAV files as a microphone, and the WAV file that a speaker or a recording writes.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use visavis_frame::Timestamp;

use super::{file_error, file_name};
use crate::error::DeviceError;
use crate::pacing::SamplePacer;
use crate::traits::Microphone;

/// A file with more channels than any microphone has is taken for a broken one.
const MOST_CHANNELS: u16 = 64;
/// The rates that a resampler is asked to handle, hertz.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=384_000;

/// A WAV file, mixed down to mono and played in a loop at its own rate.
pub struct WavMicrophone {
    name: String,
    path: PathBuf,
    reader: hound::WavReader<BufReader<File>>,
    pacer: SamplePacer,
    failed: Option<DeviceError>,
}

impl fmt::Debug for WavMicrophone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WavMicrophone").field("path", &self.path).field("pacer", &self.pacer).finish_non_exhaustive()
    }
}

impl WavMicrophone {
    /// Opens a file of any rate and any number of channels, of 8 to 32-bit integers or 32-bit floats.
    ///
    /// # Errors
    /// When the file can't be read, isn't a WAV file of one of these kinds, or holds no sound.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let reader = hound::WavReader::open(path).map_err(|why| file_error(path, why))?;
        let spec = reader.spec();
        if spec.channels == 0 || spec.channels > MOST_CHANNELS || !RATES_HZ.contains(&spec.sample_rate) {
            return Err(file_error(
                path,
                format!("{} channels at {} Hz can't be played", spec.channels, spec.sample_rate),
            ));
        }
        if reader.duration() == 0 {
            return Err(file_error(path, "it holds no sound"));
        }
        let pacer = SamplePacer::new(spec.sample_rate);
        Ok(Self { name: file_name(path), path: path.to_owned(), reader, pacer, failed: None })
    }

    fn append(&mut self, count: usize, out: &mut Vec<f32>) -> Result<(), hound::Error> {
        let (mut left, mut at_start) = (count, false);
        while left > 0 {
            let read = append_mono(&mut self.reader, left, out)?;
            left -= read;
            if read == 0 && at_start {
                return Err(hound::Error::FormatError("the file holds no sound any more"));
            }
            if left > 0 {
                self.reader.seek(0)?;
                at_start = true;
            }
        }
        Ok(())
    }
}

/// Appends up to `count` samples, each the mean of its channels; fewer at the end of the file.
fn append_mono(
    reader: &mut hound::WavReader<BufReader<File>>,
    count: usize,
    out: &mut Vec<f32>,
) -> Result<usize, hound::Error> {
    let spec = reader.spec();
    match spec.sample_format {
        hound::SampleFormat::Float => mix(reader.samples::<f32>(), spec.channels, 1.0, count, out),
        hound::SampleFormat::Int => {
            let scale = 1.0 / (1u64 << (spec.bits_per_sample - 1)) as f32;
            mix(reader.samples::<i32>().map(|s| s.map(|s| s as f32)), spec.channels, scale, count, out)
        }
    }
}

fn mix(
    mut samples: impl Iterator<Item = Result<f32, hound::Error>>,
    channels: u16,
    scale: f32,
    count: usize,
    out: &mut Vec<f32>,
) -> Result<usize, hound::Error> {
    for done in 0..count {
        let mut sum = 0.0;
        for _ in 0..channels {
            match samples.next() {
                Some(sample) => sum += sample?,
                None => return Ok(done),
            }
        }
        let mean = sum * scale / f32::from(channels);
        out.push(if mean.is_finite() { mean.clamp(-1.0, 1.0) } else { 0.0 });
    }
    Ok(count)
}

impl Microphone for WavMicrophone {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate_hz(&self) -> u32 {
        self.pacer.rate_hz()
    }

    fn read(&mut self, now: Timestamp, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let due = self.pacer.take_recent(now);
        self.append(due, out).map_err(|why| {
            let error = file_error(&self.path, why);
            self.failed = Some(error.clone());
            error
        })
    }
}

/// Writes mono sound to a WAV file of 16-bit samples. The header is kept true every second, so that a recording that
/// is cut off can still be played.
pub struct WavWriter {
    path: PathBuf,
    writer: hound::WavWriter<BufWriter<File>>,
    rate_hz: u32,
    since_flush: u32,
}

impl fmt::Debug for WavWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WavWriter").field("path", &self.path).field("rate_hz", &self.rate_hz).finish_non_exhaustive()
    }
}

impl WavWriter {
    /// Starts a file; an older one of that name is replaced.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn create(path: &Path, rate_hz: u32) -> Result<Self, DeviceError> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate_hz,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let writer = hound::WavWriter::create(path, spec).map_err(|why| file_error(path, why))?;
        Ok(Self { path: path.to_owned(), writer, rate_hz, since_flush: 0 })
    }

    /// Appends samples, −1.0..=1.0; what is beyond is clipped.
    ///
    /// # Errors
    /// When the file can't be written any more.
    pub fn write(&mut self, samples: &[f32]) -> Result<(), DeviceError> {
        samples.iter().try_for_each(|&sample| self.put(sample))
    }

    /// Appends silence.
    ///
    /// # Errors
    /// When the file can't be written any more.
    pub fn write_silence(&mut self, samples: usize) -> Result<(), DeviceError> {
        (0..samples).try_for_each(|_| self.put(0.0))
    }

    /// Brings the file to its end. Dropping does the same, but can't say what went wrong.
    ///
    /// # Errors
    /// When the file can't be written any more.
    pub fn finish(self) -> Result<(), DeviceError> {
        self.writer.finalize().map_err(|why| file_error(&self.path, why))
    }

    fn put(&mut self, sample: f32) -> Result<(), DeviceError> {
        // Float to integer saturates; NaN becomes silence.
        let sample = (sample * 32_768.0).round() as i16;
        let written = self.writer.write_sample(sample).and_then(|()| {
            self.since_flush += 1;
            if self.since_flush < self.rate_hz {
                return Ok(());
            }
            self.since_flush = 0;
            self.writer.flush()
        });
        written.map_err(|why| file_error(&self.path, why))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn write(path: &Path, spec: hound::WavSpec, samples: &[i32]) {
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        for &sample in samples {
            match spec.sample_format {
                hound::SampleFormat::Int => writer.write_sample(sample).unwrap(),
                hound::SampleFormat::Float => writer.write_sample(sample as f32 / 128.0).unwrap(),
            }
        }
        writer.finalize().unwrap();
    }

    fn spec(
        channels: u16,
        sample_rate: u32,
        bits_per_sample: u16,
        sample_format: hound::SampleFormat,
    ) -> hound::WavSpec {
        hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format }
    }

    #[test]
    fn every_kind_of_file_is_mixed_to_mono_and_looped() {
        use hound::SampleFormat::{Float, Int};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wav");
        for (channels, bits, format, scale) in
            [(1, 8, Int, 1), (2, 16, Int, 256), (2, 24, Int, 65536), (3, 32, Int, 1 << 24), (2, 32, Float, 1)]
        {
            let frames = [-64, 32, 96];
            let samples: Vec<i32> = frames.iter().flat_map(|f| vec![f * scale; usize::from(channels)]).collect();
            write(&path, spec(channels, 8000, bits, format), &samples);
            let mut microphone = WavMicrophone::open(&path).unwrap();
            assert_eq!((microphone.rate_hz(), microphone.name()), (8000, "x.wav"));
            let mut out = Vec::new();
            microphone.read(Timestamp::ZERO, &mut out).unwrap();
            microphone.read(Timestamp::from_micros(1000), &mut out).unwrap();
            assert_eq!(out, [-0.5, 0.25, 0.75, -0.5, 0.25, 0.75, -0.5, 0.25], "{channels} channels, {bits} bits");
        }
    }

    #[test]
    fn what_is_not_sound_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wav");
        std::fs::write(&path, b"RIFF....nonsense").unwrap();
        assert!(WavMicrophone::open(&path).is_err());
        write(&path, spec(1, 8000, 16, hound::SampleFormat::Int), &[]);
        assert!(WavMicrophone::open(&path).unwrap_err().to_string().contains("no sound"));
        write(&path, spec(1, 10, 16, hound::SampleFormat::Int), &[1]);
        assert!(WavMicrophone::open(&path).is_err());
    }
}
