//! Room codes as people write, say and paste them: `4827-tulip-orbit`. The digits route to a room on the server; the
//! words never leave the two machines, so [`RoomCode`] and [`Nameplate`] are two types, and only the nameplate can be put
//! into a message.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::words::{self, Words};

/// The scheme of a link that opens the app.
const LINK_SCHEME: &str = "visavis";
/// How many words are named where several would do.
const EXAMPLES: usize = 3;
/// How much of a word that isn't one is shown again, characters.
const MAX_SHOWN: usize = 24;

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

    /// Some other one.
    pub(crate) fn another(&self) -> Self {
        let other = |digit: char| if digit == '0' { '1' } else { '0' };
        Self(self.0.chars().map(other).collect())
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

/// What one person reads out and the other types in. Its `Display` is the canonical form, good for copying; its `Debug`
/// leaves out the words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomCode {
    nameplate: Nameplate,
    words: Words,
}

impl RoomCode {
    /// The code of a room: what the server gave, and what it never learns.
    #[must_use]
    pub const fn new(nameplate: Nameplate, words: Words) -> Self {
        Self { nameplate, words }
    }

    /// Reads a code as somebody typed, said or pasted it: case, spaces, hyphens and other separators don't matter, a word
    /// may be cut to the letters that make it certain, and a link (`visavis://4827-tulip-orbit`,
    /// `https://host/#4827-tulip-orbit`) is a code too.
    ///
    /// # Errors
    /// [`CodeError`], whose text says in plain words what is wrong with the input.
    pub fn parse(input: &str) -> Result<Self, CodeError> {
        let (digits, typed) = split(code_part(input.trim())?)?;
        let nameplate = Nameplate::new(&digits)?;
        Ok(Self { nameplate, words: words_of(&typed)? })
    }

    /// The part of the code that the server may see.
    #[must_use]
    pub const fn nameplate(&self) -> &Nameplate {
        &self.nameplate
    }

    /// The part that never leaves the machine.
    #[must_use]
    pub const fn words(&self) -> &Words {
        &self.words
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
        write!(f, "{}-{}", self.nameplate, *self.words.password())
    }
}

/// The input's digits, and its runs of letters in lower case. The digits come first, in as many groups as one likes.
fn split(input: &str) -> Result<(String, Vec<String>), CodeError> {
    let (mut digits, mut typed) = (String::new(), Vec::<String>::new());
    let mut in_word = false;
    for c in input.chars() {
        match c {
            c if c.is_ascii_digit() && typed.is_empty() => digits.push(c),
            c if c.is_ascii_alphabetic() && digits.is_empty() => return Err(CodeError::NumberMissing),
            c if c.is_ascii_alphabetic() => {
                if !in_word {
                    typed.push(String::new());
                }
                typed.last_mut().into_iter().for_each(|word| word.push(c.to_ascii_lowercase()));
            }
            c if is_separator(c) => {}
            found => return Err(CodeError::UnexpectedText { found }),
        }
        in_word = c.is_ascii_alphabetic();
    }
    Ok((digits, typed))
}

/// The words that were meant: each in full or cut to what makes it certain, both perhaps written as one.
fn words_of(typed: &[String]) -> Result<Words, CodeError> {
    let find = |first: &str, second: &str| Words::find(first, second).ok_or(CodeError::WordsMissing { words: 0 });
    match typed {
        [] => Err(CodeError::WordsMissing { words: 0 }),
        [only] => match glued(only) {
            Some((first, second)) => find(first, second),
            None => word(only).and(Err(CodeError::WordsMissing { words: 1 })),
        },
        [first, second] => find(word(first)?, word(second)?),
        more => Err(CodeError::TooManyWords { words: more.len() }),
    }
}

fn word(typed: &str) -> Result<&'static str, CodeError> {
    match words::beginning_with(typed) {
        [word] => Ok(word),
        [] => Err(CodeError::UnknownWord { word: shortened(typed), near: words::near(typed) }),
        several => Err(CodeError::UncertainWord {
            word: typed.to_owned(),
            fits: several.iter().take(EXAMPLES).copied().collect(),
        }),
    }
}

/// Two words with nothing between them. No word begins with another, so there is one way to cut them at most.
fn glued(typed: &str) -> Option<(&'static str, &'static str)> {
    (1..typed.len()).find_map(|at| {
        let (first, second) = typed.split_at_checked(at)?;
        match (words::beginning_with(first), words::beginning_with(second)) {
            ([whole], [word]) if *whole == first => Some((*whole, *word)),
            _ => None,
        }
    })
}

/// What was typed, short enough to be shown.
fn shortened(typed: &str) -> String {
    typed.chars().take(MAX_SHOWN).collect()
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
    /// The number is missing, or stands behind the words.
    #[error("A code begins with its number, as in 4827-tulip-orbit.")]
    NumberMissing,
    /// The number is there, a word or both are not.
    #[error("{}", words_missing(*words))]
    WordsMissing {
        /// How many there are.
        words: usize,
    },
    /// More words than any code has.
    #[error("A code has two words behind its number; this one has {words}.")]
    TooManyWords {
        /// How many there are.
        words: usize,
    },
    /// A word that no code has.
    #[error("“{word}” isn't one of the words that codes are made of.{}", suggestion(near))]
    UnknownWord {
        /// What was typed.
        word: String,
        /// Words that look like it, the likeliest first.
        near: Vec<&'static str>,
    },
    /// The letters that several words begin with.
    #[error("“{word}” could be {}; type another letter.", fits.join(", "))]
    UncertainWord {
        /// What was typed.
        word: String,
        /// Some of the words that it could be.
        fits: Vec<&'static str>,
    },
    /// A character that no code contains.
    #[error("A code is a number and two words; “{found}” doesn't belong in one.")]
    UnexpectedText {
        /// The first such character.
        found: char,
    },
    /// What stands behind an `@` is no address.
    #[error(
        "“{address}” isn't an address: behind the @ stands one such as 192.168.1.7:7880, or nothing with the @ left out."
    )]
    BadAddress {
        /// The beginning of it.
        address: String,
    },
    /// A link that points at a page and carries no code.
    #[error("This link has no code in it: the code stands behind a # at its end.")]
    LinkWithoutCode,
}

impl CodeError {
    pub(crate) fn bad_address(text: &str) -> Self {
        Self::BadAddress { address: shortened(text.trim()) }
    }
}

fn words_missing(words: usize) -> String {
    let what = if words == 0 { "two words behind the number are" } else { "second word is" };
    format!("The {what} missing: a code looks like 4827-tulip-orbit.")
}

fn suggestion(near: &[&str]) -> String {
    match near {
        [] => String::new(),
        near => format!(" Did you mean {}?", near.join(" or ")),
    }
}

/// Cuts the code out of a link; anything that isn't a link comes back whole.
pub(crate) fn code_part(input: &str) -> Result<&str, CodeError> {
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

/// Hyphens and dashes of every length, dots, underscores and all kinds of space.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || is_invisible(c)
        || matches!(c, '-' | '_' | '.' | ',' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// The spaces without width that messengers insert.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_way_of_writing_one_code_is_that_code() {
        for input in [
            "4827-tulip-orbit",
            " 4827 tulip orbit ",
            "48-27-Tulip-ORBIT",
            "4 8 2 7 tul orb",
            "4827tulip-orbit",
            "4827tuliporbit",
            "4827 tuliporb",
            "4827\u{a0}tulip\u{2013}orbit",
            "4827, tulip. orbit\u{200b}",
            "visavis://4827-tulip-orbit",
            "VISAVIS://4827-TULIP-ORBIT/",
            "visavis://4827-tulip-orbit?from=mail",
            "visavis:///4827-tulip-orbit",
            "https://call.example/#4827-tulip-orbit",
            "http://localhost:7880/guest/#4827-tulip-orbit",
            "call.example/#4827-tulip-orbit",
        ] {
            assert_eq!(RoomCode::parse(input).map(|code| code.to_string()), Ok("4827-tulip-orbit".into()), "{input}");
        }
    }

    #[test]
    fn each_mistake_has_its_own_words() {
        let unknown =
            |word: &str, near: &[&'static str]| CodeError::UnknownWord { word: word.into(), near: near.into() };
        let cases = [
            ("", CodeError::Empty),
            (" - ", CodeError::Empty),
            ("12-tulip-orbit", CodeError::TooShort { digits: 2 }),
            ("1234567890-tulip-orbit", CodeError::TooLong { digits: 10 }),
            ("tulip-orbit", CodeError::NumberMissing),
            ("tulip-orbit-4827", CodeError::NumberMissing),
            ("4827", CodeError::WordsMissing { words: 0 }),
            ("4827-tulip", CodeError::WordsMissing { words: 1 }),
            ("4827-tulip-orbit-waffle", CodeError::TooManyWords { words: 3 }),
            ("4827-tulip-27", CodeError::UnexpectedText { found: '2' }),
            ("4827-tulpi-orbit", unknown("tulpi", &["tulip"])),
            ("4827-tulip-xqxqxq", unknown("xqxqxq", &[])),
            ("4827-tulip-€", CodeError::UnexpectedText { found: '€' }),
            ("٤٨٢٧-tulip-orbit", CodeError::UnexpectedText { found: '٤' }),
            ("https://call.example/", CodeError::LinkWithoutCode),
            ("https://call.example/#", CodeError::LinkWithoutCode),
            ("visavis://", CodeError::LinkWithoutCode),
        ];
        for (input, error) in cases {
            assert_eq!(RoomCode::parse(input), Err(error), "{input}");
        }
    }

    #[test]
    fn a_word_that_is_none_is_named_with_its_likeliest() {
        let error = |input: &str| RoomCode::parse(input).unwrap_err().to_string();
        let unknown = error("4827-tulpi-orbit");
        assert_eq!(unknown, "“tulpi” isn't one of the words that codes are made of. Did you mean tulip?");
        assert_eq!(error("4827-tu-orbit"), "“tu” could be tubular, tugboat, tulip; type another letter.");
    }

    #[test]
    fn a_log_shows_the_number_alone() {
        let code = RoomCode::parse("4827-tulip-orbit").unwrap();
        let logged = format!("{code:?}");
        assert!(logged.contains("4827") && !logged.contains("tulip") && !logged.contains("orbit"), "{logged}");
    }

    proptest! {
        #[test]
        fn any_text_is_a_code_or_an_error(input in ".{0,64}|[0-9]{4}[- ]?[a-z]{0,9}[- ]?[a-z]{0,9}") {
            if let Ok(code) = RoomCode::parse(&input) {
                prop_assert_eq!(RoomCode::parse(&code.to_string()), Ok(code));
            }
        }
    }
}
