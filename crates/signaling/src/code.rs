//! Room codes as people write, say and paste them. Today a code is its nameplate alone: digits that route to a room
//! on the server. The words that will follow it never leave the two machines, so [`RoomCode`] and [`Nameplate`] are
//! two types from the start, and only the nameplate can be put into a message.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// The scheme of a link that opens the app.
const LINK_SCHEME: &str = "visavis";

/// The digits by which the server finds a room; [`Nameplate::MIN_DIGITS`] to [`Nameplate::MAX_DIGITS`] of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Nameplate(String);

impl Nameplate {
    /// The fewest digits of a nameplate.
    pub const MIN_DIGITS: usize = 4;
    /// The most digits of a nameplate.
    pub const MAX_DIGITS: usize = 9;

    /// Takes exactly the digits, with nothing around or between them, as they stand on the wire.
    ///
    /// # Errors
    /// [`CodeError::UnexpectedText`], [`CodeError::TooShort`] or [`CodeError::TooLong`].
    pub fn new(digits: &str) -> Result<Self, CodeError> {
        if let Some(found) = digits.chars().find(|c| !c.is_ascii_digit()) {
            return Err(CodeError::UnexpectedText { found });
        }
        match digits.len() {
            0 => Err(CodeError::Empty),
            count if count < Self::MIN_DIGITS => Err(CodeError::TooShort { digits: count }),
            count if count > Self::MAX_DIGITS => Err(CodeError::TooLong { digits: count }),
            _ => Ok(Self(digits.to_owned())),
        }
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nameplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Nameplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        Self::new(&digits).map_err(serde::de::Error::custom)
    }
}

/// What one person reads out and the other types in. Its `Display` is the canonical form, good for copying.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomCode {
    nameplate: Nameplate,
}

impl RoomCode {
    /// Reads a code as somebody typed, said or pasted it: case, spaces, hyphens and other separators don't matter,
    /// and a link (`visavis://482713`, `https://host/#482713`) is a code too.
    ///
    /// # Errors
    /// [`CodeError`], whose text says in plain words what is wrong with the input.
    pub fn parse(input: &str) -> Result<Self, CodeError> {
        let digits: String = code_part(input.trim())?.chars().filter(|c| !is_separator(*c)).collect();
        Ok(Self { nameplate: Nameplate::new(&digits)? })
    }

    /// The part of the code that the server may see.
    #[must_use]
    pub fn nameplate(&self) -> &Nameplate {
        &self.nameplate
    }
}

impl From<Nameplate> for RoomCode {
    fn from(nameplate: Nameplate) -> Self {
        Self { nameplate }
    }
}

impl FromStr for RoomCode {
    type Err = CodeError;

    fn from_str(input: &str) -> Result<Self, CodeError> {
        Self::parse(input)
    }
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nameplate.fmt(f)
    }
}

/// Why a text is not a room code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Nothing but separators.
    #[error("Type the code that you were given.")]
    Empty,
    /// Fewer digits than any code has.
    #[error("A code has at least {} digits; this one has {digits}.", Nameplate::MIN_DIGITS)]
    TooShort {
        /// How many there are.
        digits: usize,
    },
    /// More digits than any code has.
    #[error("A code has at most {} digits; this one has {digits}.", Nameplate::MAX_DIGITS)]
    TooLong {
        /// How many there are.
        digits: usize,
    },
    /// A character that no code contains.
    #[error("A code is made of digits; “{found}” doesn't belong in one.")]
    UnexpectedText {
        /// The first such character.
        found: char,
    },
    /// A link that points at a page and carries no code.
    #[error("This link has no code in it: the code stands behind a # at its end.")]
    LinkWithoutCode,
}

/// Cuts the code out of a link; anything that isn't a link comes back whole.
fn code_part(input: &str) -> Result<&str, CodeError> {
    let Some((scheme, rest)) = input.split_once("://") else {
        return Ok(input.rsplit_once('#').map_or(input, |(_, fragment)| fragment));
    };
    let part = if scheme.eq_ignore_ascii_case(LINK_SCHEME) {
        rest.split(['/', '?', '#']).find(|part| !part.is_empty())
    } else {
        rest.split_once('#').map(|(_, fragment)| fragment)
    };
    part.filter(|part| !part.is_empty()).ok_or(CodeError::LinkWithoutCode)
}

/// Hyphens and dashes of every length, dots, underscores and all kinds of space, among them the zero-width ones that
/// messengers insert.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '-' | '_' | '.' | ',' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_way_of_writing_one_code_is_that_code() {
        for input in [
            "482713",
            " 482 713 ",
            "482-713",
            "4 8 2 7 1 3",
            "482\u{a0}713",
            "482\u{2013}713",
            "482713\u{200b}",
            "visavis://482713",
            "VISAVIS://482713/",
            "visavis://482713?from=mail",
            "visavis:///482-713",
            "https://call.example/#482713",
            "http://localhost:7880/guest/#482-713",
            "call.example/#482713",
        ] {
            assert_eq!(RoomCode::parse(input).unwrap().to_string(), "482713", "{input}");
        }
    }

    #[test]
    fn each_mistake_has_its_own_words() {
        let cases = [
            ("", CodeError::Empty),
            (" - ", CodeError::Empty),
            ("12", CodeError::TooShort { digits: 2 }),
            ("1234567890", CodeError::TooLong { digits: 10 }),
            ("48271x", CodeError::UnexpectedText { found: 'x' }),
            ("٤٨٢٧", CodeError::UnexpectedText { found: '٤' }),
            ("https://call.example/", CodeError::LinkWithoutCode),
            ("https://call.example/#", CodeError::LinkWithoutCode),
            ("visavis://", CodeError::LinkWithoutCode),
        ];
        for (input, error) in cases {
            assert_eq!(RoomCode::parse(input), Err(error), "{input}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_code_or_an_error(input in ".{0,64}") {
            if let Ok(code) = RoomCode::parse(&input) {
                prop_assert_eq!(RoomCode::parse(&code.to_string()), Ok(code));
            }
        }
    }
}
