//! A frame's number and time, burnt into the picture for programs and for people.
//!
//! Along the lower edge run two rows of 48 cells, light for one and dark for zero: 32 bits of frame number, 48 bits of
//! microseconds and a CRC-16 (polynomial 0x1021, start 0xFFFF), highest bit first. Cells are placed by share of the
//! picture, so a scaled picture reads the same; light and dark are told apart by what the picture itself has, so
//! neither range nor blur matters much; and the CRC makes a misread stamp no stamp.

use std::ops::Range;

use visavis_frame::{Timestamp, VideoFrame};

use super::canvas::{Canvas, Colour};
use super::glyph;

const COLUMNS: usize = 48;
const ROWS: usize = 2;
/// Rows of cells, as shares of the height from the top: from 92% to the lower edge.
const TOP_PERCENT: usize = 92;
const ROW_PERCENT: usize = 4;
const DARK: Colour = Colour::rgb(0x16_1A_22);
const LIGHT: Colour = Colour::rgb(0xD8_E2_EC);
/// Cells that differ by less than this in luma can't be told apart safely.
const LEAST_CONTRAST: u32 = 40;

/// What a picture says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The frame's number, from 0.
    pub frame: u32,
    /// When it was captured, on the clock of whoever drew it; wraps after nine years.
    pub captured: Timestamp,
}

impl Stamp {
    fn bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.frame.to_be_bytes());
        bytes[4..10].copy_from_slice(&self.captured.as_micros().to_be_bytes()[2..]);
        let crc = crc16(&bytes[..10]);
        bytes[10..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; 12]) -> Option<Self> {
        let [a, b, c, d, rest @ ..] = bytes;
        let [t0, t1, t2, t3, t4, t5, crc @ ..] = rest;
        let frame = u32::from_be_bytes([a, b, c, d]);
        let captured = Timestamp::from_micros(u64::from_be_bytes([0, 0, t0, t1, t2, t3, t4, t5]));
        (crc16(&bytes[..10]) == u16::from_be_bytes(crc)).then_some(Self { frame, captured })
    }
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

/// The pixels of a cell.
fn cell(index: usize, width: usize, height: usize) -> (Range<usize>, Range<usize>) {
    let (column, row) = (index % COLUMNS, index / COLUMNS);
    let x = |column: usize| column * width / COLUMNS;
    let y = |row: usize| (TOP_PERCENT + row * ROW_PERCENT) * height / 100;
    (x(column)..x(column + 1), y(row)..y(row + 1))
}

/// The middle half of a cell, away from the blur at its edges; at least one pixel.
fn middle(range: Range<usize>, limit: usize) -> Range<usize> {
    let quarter = range.len() / 4;
    let start = (range.start + quarter).min(limit - 1);
    start..(range.end - quarter.min(range.len())).clamp(start + 1, limit)
}

/// Draws the stamp: cells for programs, digits for people.
pub(super) fn draw(canvas: &mut Canvas<'_>, stamp: Stamp) {
    let (width, height) = (canvas.size().width(), canvas.size().height());
    canvas.rectangle(0..width, TOP_PERCENT * height / 100..height, DARK);
    let bytes = stamp.bytes();
    for index in (0..COLUMNS * ROWS).filter(|index| bytes[index / 8] & (0x80 >> (index % 8)) != 0) {
        let (columns, rows) = cell(index, width, height);
        // A thin dark seam lets the cells look like cells; at small sizes every pixel is needed.
        let seam = rows.len().min(columns.len()) / 14;
        canvas.rectangle(columns.start + seam..columns.end - seam, rows.start + seam..rows.end - seam, LIGHT);
    }
    write_digits(canvas, stamp);
}

fn write_digits(canvas: &mut Canvas<'_>, stamp: Stamp) {
    let dot = canvas.size().height() / 240;
    if dot == 0 {
        return;
    }
    let millis = stamp.captured.as_micros() / 1000;
    let (minutes, seconds) = (millis / 60_000 % 6000, millis / 1000 % 60);
    let text = format!("#{:05} {minutes:02}:{seconds:02}.{:03}", stamp.frame, millis % 1000);
    let (x, y) = (6 * dot, TOP_PERCENT * canvas.size().height() / 100 - (glyph::HEIGHT + 5) * dot);
    canvas.shade(
        x - 4 * dot..x + (text.len() * glyph::ADVANCE + 3) * dot,
        y - 3 * dot..y + (glyph::HEIGHT + 3) * dot,
        0.45,
    );
    glyph::write(canvas, &text, x, y, dot, LIGHT);
}

/// Reads the stamp of a test pattern's picture, at whatever size it arrives; `None` when there is none or it can't be
/// read without error.
#[must_use]
pub fn read(frame: &VideoFrame) -> Option<Stamp> {
    let (width, height) = (frame.size().width(), frame.size().height());
    let mut means = [0; COLUMNS * ROWS];
    for (index, mean) in means.iter_mut().enumerate() {
        let (columns, rows) = cell(index, width, height);
        let (columns, rows) = (middle(columns, width), middle(rows, height));
        let pixels = (columns.len() * rows.len()) as u32;
        let sum: u32 =
            rows.flat_map(|row| &frame.y()[row * width..][..width][columns.clone()]).map(|&p| u32::from(p)).sum();
        *mean = sum / pixels;
    }
    let (dark, light) = (*means.iter().min()?, *means.iter().max()?);
    if light - dark < LEAST_CONTRAST {
        return None;
    }
    let mut bytes = [0; 12];
    for (index, mean) in means.into_iter().enumerate() {
        bytes[index / 8] |= u8::from(mean > (dark + light) / 2) << (7 - index % 8);
    }
    Stamp::from_bytes(bytes)
}

/// The time that a stamp can carry.
#[cfg(test)]
pub(super) const MOST_MICROS: u64 = (1 << 48) - 1;
