//! Digits for people, five dots wide and seven high.

use super::canvas::{Canvas, Colour};

/// Dots from one character to the next.
pub(super) const ADVANCE: usize = 6;
/// Dots in height.
pub(super) const HEIGHT: usize = 7;

/// Rows from the top, five bits each, the left dot highest.
const fn rows(character: char) -> [u8; HEIGHT] {
    match character {
        '0' => [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        '2' => [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
        '3' => [0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110],
        '4' => [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        '6' => [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
        '8' => [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
        '9' => [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
        ':' => [0, 0b00100, 0b00100, 0, 0b00100, 0b00100, 0],
        '.' => [0, 0, 0, 0, 0, 0b00110, 0b00110],
        '#' => [0b01010, 0b01010, 0b11111, 0b01010, 0b11111, 0b01010, 0b01010],
        _ => [0; HEIGHT],
    }
}

/// Writes text with its upper left corner at a pixel, each dot `dot` pixels wide and high.
pub(super) fn write(canvas: &mut Canvas<'_>, text: &str, x: usize, y: usize, dot: usize, colour: Colour) {
    for (place, character) in text.chars().enumerate() {
        let left = x + place * ADVANCE * dot;
        for (row, bits) in rows(character).into_iter().enumerate() {
            for column in (0..5).filter(|column| bits & (0b10000 >> column) != 0) {
                let (x, y) = (left + column * dot, y + row * dot);
                canvas.rectangle(x..x + dot, y..y + dot, colour);
            }
        }
    }
}
