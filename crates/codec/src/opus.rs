//! Opus for speech: 48 kHz mono, 10 or 20 ms a packet, in-band forward error correction (RFC 6716, RFC 7587).

use visavis_frame::{AudioBlock, BLOCK_SAMPLES, BitRate, SAMPLE_RATE_HZ};

use crate::error::CodecError;
use crate::traits::{AudioDecoder, AudioEncoder, AudioPayload};

const CODEC: &str = "Opus";
/// Samples in the longest packet made, 20 ms.
const PACKET_SAMPLES: usize = 2 * BLOCK_SAMPLES;
/// The longest packet that Opus knows, 120 ms (RFC 6716, section 2.1.4).
const MAX_PACKET_SAMPLES: usize = 5760;
/// The smallest step in which Opus restores lost sound, 2.5 ms.
const CONCEAL_STEP: usize = 120;
/// More than any packet of 20 ms at any rate (RFC 6716, section 3.2.1).
const MAX_PACKET_BYTES: usize = 1275;
/// Of 10; each step above costs time that the ear doesn't repay at speech rates.
const COMPLEXITY: i32 = 8;
/// Rates between which speech at 48 kHz stays clear and in-band correction still works.
const RATES: (u64, u64) = (6_000, 128_000);
/// Correction costs rate; below this expectation libopus puts none in.
const EXPECTED_LOSS_PERCENT: u8 = 5;

/// Codes speech.
pub struct Encoder {
    codec: opus::Encoder,
    input: [f32; PACKET_SAMPLES],
}

impl Encoder {
    /// An encoder at `rate` (kept within 6–128 kb/s), with in-band correction on for an expected loss of 5%.
    ///
    /// # Errors
    /// When libopus refuses a setting.
    pub fn new(rate: BitRate) -> Result<Self, CodecError> {
        let codec = opus::Encoder::new(SAMPLE_RATE_HZ, opus::Channels::Mono, opus::Application::Voip).map_err(setup)?;
        let mut encoder = Self { codec, input: [0.0; PACKET_SAMPLES] };
        encoder.codec.set_inband_fec(true).map_err(setup)?;
        encoder.codec.set_complexity(COMPLEXITY).map_err(setup)?;
        encoder.codec.set_signal(opus::Signal::Voice).map_err(setup)?;
        encoder.codec.set_dtx(false).map_err(setup)?;
        encoder.set_expected_loss(EXPECTED_LOSS_PERCENT)?;
        encoder.set_rate(rate)?;
        Ok(encoder)
    }

    /// Changes the rate from the next packet on.
    ///
    /// # Errors
    /// When libopus refuses the rate.
    pub fn set_rate(&mut self, rate: BitRate) -> Result<(), CodecError> {
        let bps = rate.bps().clamp(RATES.0, RATES.1) as i32;
        self.codec.set_bitrate(opus::Bitrate::Bits(bps)).map_err(setup)
    }
}

impl AudioEncoder for Encoder {
    fn encode(&mut self, blocks: &[&AudioBlock], out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.clear();
        let Some(input) = self.input.get_mut(..blocks.len() * BLOCK_SAMPLES).filter(|input| !input.is_empty()) else {
            let reason = format!("{} blocks in a packet", blocks.len());
            return Err(CodecError::Encode { codec: CODEC, reason });
        };
        for (part, block) in input.chunks_exact_mut(BLOCK_SAMPLES).zip(blocks) {
            part.copy_from_slice(&block.samples);
        }
        out.resize(MAX_PACKET_BYTES, 0);
        match self.codec.encode_float(input, out) {
            Ok(len) => {
                out.truncate(len);
                Ok(())
            }
            Err(error) => {
                out.clear();
                Err(CodecError::Encode { codec: CODEC, reason: error.to_string() })
            }
        }
    }

    fn set_expected_loss(&mut self, percent: u8) -> Result<(), CodecError> {
        self.codec.set_packet_loss_perc(i32::from(percent.min(100))).map_err(setup)
    }
}

/// Decodes speech.
pub struct Decoder {
    codec: opus::Decoder,
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// When libopus can't be set up.
    pub fn new() -> Result<Self, CodecError> {
        let codec = opus::Decoder::new(SAMPLE_RATE_HZ, opus::Channels::Mono).map_err(setup)?;
        Ok(Self { codec })
    }
}

impl AudioDecoder for Decoder {
    fn decode(
        &mut self,
        payload: AudioPayload<'_>,
        samples_lost: usize,
        out: &mut Vec<f32>,
    ) -> Result<usize, CodecError> {
        let lost = samples_lost.clamp(CONCEAL_STEP, MAX_PACKET_SAMPLES) / CONCEAL_STEP * CONCEAL_STEP;
        let (bytes, room, forward) = match payload {
            // libopus takes an empty packet for a lost one; as something that came it is broken.
            AudioPayload::Packet([]) | AudioPayload::Forward([]) => return Err(undecodable("empty packet".into())),
            AudioPayload::Packet(bytes) => (bytes, MAX_PACKET_SAMPLES, false),
            AudioPayload::Forward(bytes) => (bytes, lost, true),
            AudioPayload::Lost => (&[][..], lost, false),
        };
        let start = out.len();
        out.resize(start + room, 0.0);
        let decoded = self.codec.decode_float(bytes, &mut out[start..], forward);
        out.truncate(start + decoded.as_ref().map_or(0, |&samples| samples.min(room)));
        decoded.map_err(|e| undecodable(e.to_string()))
    }
}

fn setup(error: opus::Error) -> CodecError {
    CodecError::Setup { codec: CODEC, reason: error.to_string() }
}

fn undecodable(reason: String) -> CodecError {
    CodecError::Decode { codec: CODEC, reason }
}
