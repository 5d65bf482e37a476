//! Which device to use, as people write it on a command line and as settings keep it.
//!
//! | text | camera | microphone | speaker |
//! | --- | --- | --- | --- |
//! | `default` | the system's | the system's | the system's |
//! | `none` | no camera | no microphone | no speaker |
//! | `test`, `test:2` | a moving test pattern, in one of several looks | a speech-like signal | – |
//! | `tone`, `tone:440` | – | a sine | – |
//! | `silence` | – | silence | plays to nobody |
//! | `file:PATH` | a Y4M or MJPEG file | a WAV file | – |
//! | `record:PATH` | – | – | writes a WAV file |
//! | anything else | a device's id or name | likewise | likewise |

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Pitch of `tone` when none is given, hertz.
const TONE_HZ: u32 = 440;
/// A sine above this can't be told from noise by people, and needs more than 48 kHz soon after.
const HIGHEST_TONE_HZ: u32 = 20_000;

/// A choice that has the form of a stand-in, but can't be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} isn't a {kind}: {reason}")]
pub struct ChoiceError {
    /// What was written.
    pub text: String,
    /// "camera", "microphone" or "speaker".
    pub kind: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A camera, as chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CameraChoice {
    /// The system's default.
    #[default]
    Default,
    /// No camera: the call sends no picture.
    None,
    /// The test pattern, in one of its looks; looks repeat beyond the last.
    Test {
        /// 1 for the first.
        look: u32,
    },
    /// A Y4M or MJPEG file, played in a loop.
    File(PathBuf),
    /// A device, by id or name.
    Named(String),
}

/// A microphone, as chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MicrophoneChoice {
    /// The system's default.
    #[default]
    Default,
    /// No microphone: the call sends no sound.
    None,
    /// A signal with the rhythm and the formants of speech.
    Test,
    /// A sine.
    Tone {
        /// Pitch, hertz.
        pitch_hz: u32,
    },
    /// Silence, sent as sound.
    Silence,
    /// A WAV file, played in a loop.
    File(PathBuf),
    /// A device, by id or name.
    Named(String),
}

/// A speaker, as chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SpeakerChoice {
    /// The system's default.
    #[default]
    Default,
    /// No speaker: nothing is played out.
    None,
    /// Plays at the right pace to nobody.
    Silence,
    /// Writes what it plays to a WAV file.
    Record(PathBuf),
    /// A device, by id or name.
    Named(String),
}

fn refuse<T>(kind: &'static str, text: &str, reason: &'static str) -> Result<T, ChoiceError> {
    Err(ChoiceError { text: text.to_owned(), kind, reason })
}

/// `head:rest` where the head is the word asked for.
fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.strip_prefix(word)?.strip_prefix(':')
}

fn path(kind: &'static str, text: &str, rest: &str) -> Result<PathBuf, ChoiceError> {
    if rest.is_empty() { refuse(kind, text, "the path is missing") } else { Ok(PathBuf::from(rest)) }
}

impl FromStr for CameraChoice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        const KIND: &str = "camera";
        if let Some(rest) = after(text, "file") {
            return path(KIND, text, rest).map(Self::File);
        }
        if let Some(rest) = after(text, "test") {
            return match rest.parse() {
                Ok(look @ 1..) => Ok(Self::Test { look }),
                Ok(0) | Err(_) => refuse(KIND, text, "a look is a number from 1"),
            };
        }
        match text {
            "" => refuse(KIND, text, "it is empty"),
            "default" => Ok(Self::Default),
            "none" => Ok(Self::None),
            "test" => Ok(Self::Test { look: 1 }),
            name => Ok(Self::Named(name.to_owned())),
        }
    }
}

impl FromStr for MicrophoneChoice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        const KIND: &str = "microphone";
        if let Some(rest) = after(text, "file") {
            return path(KIND, text, rest).map(Self::File);
        }
        if let Some(rest) = after(text, "tone") {
            return match rest.parse() {
                Ok(pitch_hz @ 1..=HIGHEST_TONE_HZ) => Ok(Self::Tone { pitch_hz }),
                Ok(_) | Err(_) => refuse(KIND, text, "a tone is from 1 to 20000 hertz"),
            };
        }
        match text {
            "" => refuse(KIND, text, "it is empty"),
            "default" => Ok(Self::Default),
            "none" => Ok(Self::None),
            "test" => Ok(Self::Test),
            "tone" => Ok(Self::Tone { pitch_hz: TONE_HZ }),
            "silence" => Ok(Self::Silence),
            name => Ok(Self::Named(name.to_owned())),
        }
    }
}

impl FromStr for SpeakerChoice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        const KIND: &str = "speaker";
        if let Some(rest) = after(text, "record") {
            return path(KIND, text, rest).map(Self::Record);
        }
        match text {
            "" => refuse(KIND, text, "it is empty"),
            "default" => Ok(Self::Default),
            "none" => Ok(Self::None),
            "silence" => Ok(Self::Silence),
            name => Ok(Self::Named(name.to_owned())),
        }
    }
}

impl fmt::Display for CameraChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::None => f.write_str("none"),
            Self::Test { look: 1 } => f.write_str("test"),
            Self::Test { look } => write!(f, "test:{look}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for MicrophoneChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::None => f.write_str("none"),
            Self::Test => f.write_str("test"),
            Self::Tone { pitch_hz } => write!(f, "tone:{pitch_hz}"),
            Self::Silence => f.write_str("silence"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for SpeakerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::None => f.write_str("none"),
            Self::Silence => f.write_str("silence"),
            Self::Record(path) => write!(f, "record:{}", path.display()),
            Self::Named(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["default", "none", "test", "test:2", "file:a b.y4m", "HD Webcam: left"] {
            assert_eq!(text.parse::<CameraChoice>().unwrap().to_string(), text);
        }
        for text in ["default", "none", "test", "tone:1000", "silence", "file:x.wav", "pulse:mic"] {
            assert_eq!(text.parse::<MicrophoneChoice>().unwrap().to_string(), text);
        }
        for text in ["default", "none", "silence", "record:out.wav", "pulse:spk"] {
            assert_eq!(text.parse::<SpeakerChoice>().unwrap().to_string(), text);
        }
        assert_eq!("tone".parse(), Ok(MicrophoneChoice::Tone { pitch_hz: 440 }));
    }

    #[test]
    fn a_stand_in_that_cannot_be_is_refused() {
        assert!("test:0".parse::<CameraChoice>().is_err());
        assert!("file:".parse::<CameraChoice>().is_err());
        assert!("".parse::<SpeakerChoice>().is_err());
        let wrong = "tone:high".parse::<MicrophoneChoice>().unwrap_err();
        assert_eq!(wrong.to_string(), "\"tone:high\" isn't a microphone: a tone is from 1 to 20000 hertz");
    }
}
