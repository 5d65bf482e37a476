//! Smooth-edged shapes drawn straight into I420 planes.

use std::ops::Range;

use visavis_frame::Size;

/// A colour in BT.601 limited range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    pub(super) y: u8,
    pub(super) u: u8,
    pub(super) v: u8,
}

impl Colour {
    /// From the red, green and blue of a `0xRRGGBB` number (ITU-R BT.601-7, section 2.5).
    pub(super) const fn rgb(hex: u32) -> Self {
        let (r, g, b) = ((hex >> 16 & 255) as i32, (hex >> 8 & 255) as i32, (hex & 255) as i32);
        Self {
            y: (16 + (66 * r + 129 * g + 25 * b + 128) / 256) as u8,
            u: ((128 * 256 + 128 - 38 * r - 74 * g + 112 * b) / 256) as u8,
            v: ((128 * 256 + 128 + 112 * r - 94 * g - 18 * b) / 256) as u8,
        }
    }

    /// Share `t` (0.0..=1.0) of the way to another colour.
    pub(super) fn towards(self, other: Self, t: f32) -> Self {
        let mix = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * t).round() as u8;
        Self { y: mix(self.y, other.y), u: mix(self.u, other.u), v: mix(self.v, other.v) }
    }
}

/// An ellipse in luma pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ellipse {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) rx: f32,
    pub(super) ry: f32,
}

/// A picture in the making.
pub(super) struct Canvas<'a> {
    size: Size,
    y: &'a mut [u8],
    u: &'a mut [u8],
    v: &'a mut [u8],
}

impl<'a> Canvas<'a> {
    pub(super) fn new(size: Size, y: &'a mut [u8], u: &'a mut [u8], v: &'a mut [u8]) -> Self {
        Self { size, y, u, v }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Covers everything with planes made before, one behind the other.
    pub(super) fn fill_with(&mut self, i420: &[u8]) {
        let (y, rest) = i420.split_at(self.y.len());
        let (u, v) = rest.split_at(self.u.len());
        self.y.copy_from_slice(y);
        self.u.copy_from_slice(u);
        self.v.copy_from_slice(v);
    }

    /// An ellipse, `opacity` 0.0..=1.0.
    pub(super) fn ellipse(&mut self, shape: Ellipse, colour: Colour, opacity: f32) {
        let (width, height) = (self.size.width(), self.size.height());
        fill(Plane { pixels: self.y, width, height }, shape, colour.y, opacity);
        let half = Ellipse { x: shape.x / 2.0, y: shape.y / 2.0, rx: shape.rx / 2.0, ry: shape.ry / 2.0 };
        fill(Plane { pixels: self.u, width: width / 2, height: height / 2 }, half, colour.u, opacity);
        fill(Plane { pixels: self.v, width: width / 2, height: height / 2 }, half, colour.v, opacity);
    }

    /// A rectangle of whole pixels; what lies outside is cut off. Chroma covers every block that the middle of a pixel
    /// pair reaches.
    pub(super) fn rectangle(&mut self, columns: Range<usize>, rows: Range<usize>, colour: Colour) {
        let (width, height) = (self.size.width(), self.size.height());
        let block = |pixels, width, height, cols: Range<usize>, rows: Range<usize>, value| {
            let plane = Plane { pixels, width, height };
            let (cols, rows) = (within(cols, plane.width), within(rows, plane.height));
            for row in rows {
                plane.pixels[row * plane.width..][..plane.width][cols.clone()].fill(value);
            }
        };
        let half = |range: &Range<usize>| range.start.div_ceil(2)..range.end.div_ceil(2);
        block(&mut *self.u, width / 2, height / 2, half(&columns), half(&rows), colour.u);
        block(&mut *self.v, width / 2, height / 2, half(&columns), half(&rows), colour.v);
        block(&mut *self.y, width, height, columns, rows, colour.y);
    }

    /// Darkens a rectangle to `share` of its luma.
    pub(super) fn shade(&mut self, columns: Range<usize>, rows: Range<usize>, share: f32) {
        let width = self.size.width();
        let scale = (share * 256.0) as u32;
        let columns = within(columns, width);
        for row in within(rows, self.size.height()) {
            for pixel in &mut self.y[row * width..][..width][columns.clone()] {
                *pixel = (16 + ((u32::from(pixel.saturating_sub(16)) * scale) >> 8)) as u8;
            }
        }
    }
}

struct Plane<'a> {
    pixels: &'a mut [u8],
    width: usize,
    height: usize,
}

/// The part of a range that lies in a plane; empty when it ends before it begins.
fn within(range: Range<usize>, limit: usize) -> Range<usize> {
    let end = range.end.min(limit);
    range.start.min(end)..end
}

/// Half the width of an ellipse at a distance from its middle row; `None` beyond its top and bottom.
fn half_width(rx: f32, ry: f32, dy: f32) -> Option<f32> {
    let inside = 1.0 - (dy / ry).powi(2);
    (rx > 0.0 && ry > 0.0 && inside > 0.0).then(|| rx * inside.sqrt())
}

/// Pixels below a coordinate, within the row.
fn column(x: f32, width: usize) -> usize {
    (x.max(0.0) as usize).min(width)
}

/// Solid within, and blended by distance over the one pixel on either side of the edge.
fn fill(plane: Plane<'_>, shape: Ellipse, value: u8, opacity: f32) {
    let Ellipse { x, y, rx, ry } = shape;
    let first = column(y - ry - 1.0, plane.height);
    let last = column(y + ry + 2.0, plane.height);
    for row in first..last {
        let dy = row as f32 + 0.5 - y;
        let Some(outer) = half_width(rx + 1.0, ry + 1.0, dy) else { continue };
        let inner = half_width(rx - 1.0, ry - 1.0, dy).unwrap_or(0.0);
        let pixels = &mut plane.pixels[row * plane.width..][..plane.width];
        let (left, right) = (column(x - outer, plane.width), column(x + outer + 1.0, plane.width));
        let from = column(x - inner, plane.width).max(left);
        let to = column(x + inner, plane.width).min(right).max(from);
        for edge in (left..from).chain(to..right) {
            let dx = edge as f32 + 0.5 - x;
            blend(&mut pixels[edge..=edge], value, opacity * coverage(dx, dy, rx, ry));
        }
        blend(&mut pixels[from..to], value, opacity);
    }
}

/// How much of a pixel at an offset from the middle an ellipse covers, by first-order distance to its edge.
fn coverage(dx: f32, dy: f32, rx: f32, ry: f32) -> f32 {
    let (nx, ny) = (dx / rx, dy / ry);
    let level = nx * nx + ny * ny - 1.0;
    let slope = 2.0 * (nx / rx).hypot(ny / ry);
    (0.5 - level / slope.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0)
}

fn blend(pixels: &mut [u8], value: u8, opacity: f32) {
    let share = (opacity * 256.0) as u32;
    if share >= 256 {
        pixels.fill(value);
        return;
    }
    let (add, keep) = (u32::from(value) * share + 128, 256 - share);
    for pixel in pixels {
        *pixel = ((u32::from(*pixel) * keep + add) >> 8) as u8;
    }
}
