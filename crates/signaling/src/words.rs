//! The words of a code: a list of 1024, so that two of them, drawn evenly, are twenty bits that somebody has to guess.
//!
//! The list is made to be said aloud and typed: four to seven letters, no two with the same first three, so that three
//! letters say which word is meant; no two that one slip of the finger, or one misheard consonant, turns into one another
//! (tested below). They are the password of the exchange in [`crate::cpace`] and never leave the two machines.

mod list;

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::random::Randomness;
use list::WORDS;

/// How many words there are: ten bits each.
pub const COUNT: usize = 1024;
/// How many of them a code has.
pub const WORDS_IN_A_CODE: usize = 2;
/// The letters after which a word is certain.
pub const CERTAIN_LETTERS: usize = 3;
/// How many words are suggested for one that isn't in the list.
const SUGGESTIONS: usize = 3;
/// How far a suggestion may be from what was typed, in changed letters.
const FAR: usize = 2;

/// Every word that begins with these letters, in alphabetical order; all of them for none. Case doesn't matter.
#[must_use]
pub fn beginning_with(letters: &str) -> &'static [&'static str] {
    let letters = letters.to_ascii_lowercase();
    let from = WORDS.partition_point(|word| *word < letters.as_str());
    let count = WORDS[from..].partition_point(|word| word.starts_with(&letters));
    &WORDS[from..from + count]
}

/// The words that look most like this one, which isn't in the list; the nearest first, and perhaps none.
#[must_use]
pub fn near(typed: &str) -> Vec<&'static str> {
    let mut near: Vec<_> = WORDS.iter().map(|word| (distance(typed, word), *word)).collect();
    near.retain(|(distance, _)| *distance <= FAR);
    near.sort();
    near.into_iter().map(|(_, word)| word).take(SUGGESTIONS).collect()
}

/// The two words of one code.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Words([u16; WORDS_IN_A_CODE]);

impl Words {
    /// Draws two, each as likely as any other.
    pub fn draw(random: &mut dyn Randomness) -> Self {
        let mut bytes = Zeroizing::new([0; 2 * WORDS_IN_A_CODE]);
        random.fill(&mut *bytes);
        let [a, b, c, d] = *bytes;
        // The count divides 2^16: no word is likelier than another.
        Self([[a, b], [c, d]].map(|pair| u16::from_le_bytes(pair) % COUNT as u16))
    }

    /// These two, written in full; `None` if one isn't in the list.
    #[must_use]
    pub fn find(first: &str, second: &str) -> Option<Self> {
        let place = |word: &str| WORDS.binary_search(&word).ok().and_then(|place| u16::try_from(place).ok());
        Some(Self([place(first)?, place(second)?]))
    }

    /// The words as they are shown.
    #[must_use]
    pub fn each(&self) -> [&'static str; WORDS_IN_A_CODE] {
        self.0.map(|place| WORDS[usize::from(place) % COUNT])
    }

    /// The words as they go into the exchange (PRS): lower case, joined by one hyphen.
    #[must_use]
    pub fn password(&self) -> Zeroizing<String> {
        Zeroizing::new(self.each().join("-"))
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Words {
    // They have no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words")
    }
}

/// Letters to change, leave out, add or swap with their neighbour (restricted Damerau–Levenshtein). Both are short.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > FAR {
        return FAR + 1;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let swapped = i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b && a != b;
            let plain = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            row.push(if swapped { plain.min(before[j - 1] + 1) } else { plain });
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashSet;

    use super::*;
    use crate::random::SplitMix;

    #[test]
    fn two_words_are_twenty_bits() {
        let distinct: HashSet<_> = WORDS.into_iter().collect();
        assert_eq!(distinct.len(), COUNT);
        assert_eq!(COUNT * COUNT, 1 << 20);
        assert!(WORDS.is_sorted());
    }

    #[test]
    fn each_is_short_and_certain_after_three_letters() {
        let mut beginnings = HashSet::new();
        for word in WORDS {
            assert!((4..=7).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
            assert!(beginnings.insert(&word[..CERTAIN_LETTERS]), "{word}");
            assert_eq!(beginning_with(&word[..CERTAIN_LETTERS].to_uppercase()), [word]);
        }
    }

    #[test]
    fn no_slip_of_the_finger_turns_one_into_another() {
        for (place, word) in WORDS.iter().enumerate() {
            for other in &WORDS[..place] {
                assert!(distance(word, other) >= 2, "{word} {other}");
            }
        }
    }

    /// What is left of a word on a bad line: voiced and voiceless consonants alike, every vowel the same.
    fn heard(word: &str) -> String {
        let mut sound = word.to_owned();
        for (spelt, said) in [("tch", "j"), ("ch", "j"), ("sh", "j"), ("dge", "je"), ("ph", "f"), ("gh", "")] {
            sound = sound.replace(spelt, said);
        }
        for (spelt, said) in [("ck", "k"), ("qu", "k"), ("th", "t"), ("wh", "w"), ("sc", "s"), ("x", "ks")] {
            sound = sound.replace(spelt, said);
        }
        for vowel in ["e", "i", "y"] {
            let (c, g) = (format!("c{vowel}"), format!("g{vowel}"));
            sound = sound.replace(&c, &format!("s{vowel}")).replace(&g, &format!("j{vowel}"));
        }
        let mut heard = String::new();
        for letter in sound.strip_suffix('e').unwrap_or(&sound).chars() {
            let said = match letter {
                'a' | 'e' | 'i' | 'o' | 'u' | 'y' => 'a',
                'c' | 'g' | 'k' | 'q' => 'k',
                'd' | 't' => 't',
                'b' | 'p' => 'p',
                'f' | 'v' => 'f',
                's' | 'z' => 's',
                'h' => continue,
                other => other,
            };
            if !heard.ends_with(said) {
                heard.push(said);
            }
        }
        heard
    }

    #[test]
    fn no_two_are_heard_alike() {
        let mut sounds = std::collections::HashMap::new();
        for word in WORDS {
            if let Some(other) = sounds.insert(heard(word), word) {
                panic!("{word} sounds like {other}");
            }
        }
    }

    #[test]
    fn drawing_reaches_every_word_about_equally() {
        let mut random = SplitMix::new(7);
        let mut counts = vec![0; COUNT];
        for _ in 0..COUNT * 50 {
            Words::draw(&mut random).0.into_iter().for_each(|place| counts[usize::from(place)] += 1);
        }
        assert!(counts.iter().all(|count| (50..170).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_slip_finds_its_word() {
        for (typed, meant) in [("tulpi", "tulip"), ("obrit", "orbit"), ("orbitt", "orbit"), ("walffe", "waffle")] {
            assert_eq!(near(typed).first(), Some(&meant), "{typed}");
        }
        assert!(near("xqxqxq").is_empty());
    }

    #[test]
    fn a_log_shows_no_words() {
        assert_eq!(format!("{:?}", Words::find("tulip", "orbit").unwrap()), "Words");
    }
}
