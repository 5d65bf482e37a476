//! Inputs that are lists of lines, so that a person can write and read a seed: what happened, one thing a line.

use std::time::Duration;

/// The longest wait of one line; a script of many waits still ends.
const LONGEST_WAIT: Duration = Duration::from_secs(100);
/// Lines beyond this say nothing new.
const MOST_LINES: usize = 200;

/// The lines of a script, each with its first character apart.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (char, &str)> {
    text.lines().take(MOST_LINES).filter_map(|line| {
        let mut characters = line.chars();
        characters.next().map(|first| (first, characters.as_str()))
    })
}

/// The number that a line begins with; 0 where there is none, and what follows it.
pub(crate) fn number(line: &str) -> (u64, &str) {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (digits, rest) = line.split_at(digits);
    (digits.parse().unwrap_or(0), rest)
}

/// A wait in milliseconds.
pub(crate) fn wait(line: &str) -> Duration {
    Duration::from_millis(number(line).0).min(LONGEST_WAIT)
}
