//! The scene: a room in soft light, and somebody in it who sways, blinks, speaks and now and then waves.
//!
//! Lengths are shares of the picture's height, so the figure keeps its shape at any size. What never moves is drawn once.

use std::f32::consts::{PI, TAU};

use visavis_frame::{Size, Timestamp};

use super::canvas::{Canvas, Colour, Ellipse};

/// Colours of one look.
#[derive(Clone, Copy, Debug)]
struct Palette {
    sky: Colour,
    ground: Colour,
    glow: Colour,
    skin: Colour,
    shadow: Colour,
    hair: Colour,
    clothes: Colour,
    collar: Colour,
    glasses: bool,
}

const INK: Colour = Colour::rgb(0x2B_22_28);
const LIPS: Colour = Colour::rgb(0xA8_4A_4A);
const BLUSH: Colour = Colour::rgb(0xE8_6A_5A);

const LOOKS: [Palette; 3] = [
    Palette {
        sky: Colour::rgb(0x27_4C_5E),
        ground: Colour::rgb(0xE0_A4_78),
        glow: Colour::rgb(0xFF_E3_B8),
        skin: Colour::rgb(0xEF_C1_9D),
        shadow: Colour::rgb(0xD3_9C_78),
        hair: Colour::rgb(0x4A_2F_27),
        clothes: Colour::rgb(0x2E_6F_73),
        collar: Colour::rgb(0xF2_EA_DD),
        glasses: false,
    },
    Palette {
        sky: Colour::rgb(0x3C_3A_66),
        ground: Colour::rgb(0xB6_7F_A0),
        glow: Colour::rgb(0xFF_D4_E4),
        skin: Colour::rgb(0xA8_72_50),
        shadow: Colour::rgb(0x87_58_3C),
        hair: Colour::rgb(0x1E_1A_1C),
        clothes: Colour::rgb(0xD9_9A_3A),
        collar: Colour::rgb(0x6E_3B_2E),
        glasses: true,
    },
    Palette {
        sky: Colour::rgb(0x2F_5D_50),
        ground: Colour::rgb(0xC9_D6_A0),
        glow: Colour::rgb(0xF6_F3_C0),
        skin: Colour::rgb(0xF4_D3_BC),
        shadow: Colour::rgb(0xDB_AF_94),
        hair: Colour::rgb(0xB7_5B_2A),
        clothes: Colour::rgb(0x5B_4B_8A),
        collar: Colour::rgb(0xD8_CD_EE),
        glasses: false,
    },
];

/// Where lights drift in the background: share of the width, height, radius, seconds of a round.
const LIGHTS: [[f32; 4]; 5] = [
    [0.12, 0.24, 0.11, 17.0],
    [0.27, 0.55, 0.07, 13.0],
    [0.78, 0.20, 0.14, 19.0],
    [0.90, 0.52, 0.09, 11.0],
    [0.62, 0.10, 0.05, 7.0],
];

/// A scene of one size and look.
#[derive(Debug)]
pub(super) struct Scene {
    size: Size,
    look: Palette,
    backdrop: Vec<u8>,
}

/// What moves, at one moment.
struct Pose {
    /// Middle of the shoulders and of the head.
    body: (f32, f32),
    head: (f32, f32),
    /// 1.0 open, 0.0 closed.
    eyes: f32,
    mouth: f32,
    /// 0.0 out of the picture, 1.0 up.
    hand: f32,
    wave: f32,
}

impl Scene {
    pub(super) fn new(size: Size, look: u32) -> Self {
        let look = LOOKS[look.saturating_sub(1) as usize % LOOKS.len()];
        Self { size, look, backdrop: backdrop(size, look) }
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, at: Timestamp) {
        // An hour's round keeps the numbers small enough for 32-bit floats.
        let seconds = (at.as_micros() % 3_600_000_000) as f32 / 1e6;
        let painter = Painter { unit: self.size.height() as f32, look: self.look };
        canvas.fill_with(&self.backdrop);
        self.lights(canvas, seconds);
        let pose = self.pose(seconds);
        painter.body(canvas, &pose);
        painter.head(canvas, &pose);
        painter.face(canvas, &pose);
        painter.hand(canvas, &pose);
    }

    fn lights(&self, canvas: &mut Canvas<'_>, seconds: f32) {
        let (width, height) = (self.size.width() as f32, self.size.height() as f32);
        for [x, y, radius, round] in LIGHTS {
            let turn = TAU * seconds / round;
            let (x, y) = (x * width + 0.06 * height * turn.sin(), (y + 0.04 * turn.cos()) * height);
            let ring = Ellipse { x, y, rx: radius * height, ry: radius * height };
            canvas.ellipse(ring, self.look.glow, 0.16);
        }
    }

    fn pose(&self, seconds: f32) -> Pose {
        let middle = self.size.width() as f32 / self.size.height() as f32 / 2.0;
        let sway = 0.015 * (TAU * seconds / 6.0).sin();
        let nod = 0.008 * (TAU * seconds / 2.7).sin();
        let breath = 0.004 * (TAU * seconds / 3.8).sin();
        let blink = seconds % 3.7;
        let phrase = seconds % 2.2;
        let speaking = if phrase < 1.8 { (PI * phrase / 0.2).sin().abs() } else { 0.0 };
        let greeting = seconds % 12.0 - 1.0;
        let hand = if (0.0..3.0).contains(&greeting) { (PI * greeting / 3.0).sin().min(0.5) * 2.0 } else { 0.0 };
        Pose {
            body: (middle + sway * 0.4, 1.08 + breath),
            head: (middle + sway, 0.44 + nod + breath),
            eyes: if blink < 0.16 { (blink / 0.08 - 1.0).abs() } else { 1.0 },
            mouth: speaking,
            hand,
            wave: (TAU * greeting * 1.6).sin(),
        }
    }
}

struct Painter {
    /// Pixels in a height.
    unit: f32,
    look: Palette,
}

impl Painter {
    fn oval(&self, canvas: &mut Canvas<'_>, [x, y]: [f32; 2], [rx, ry]: [f32; 2], colour: Colour, opacity: f32) {
        let shape = Ellipse { x: x * self.unit, y: y * self.unit, rx: rx * self.unit, ry: ry * self.unit };
        canvas.ellipse(shape, colour, opacity);
    }

    fn body(&self, canvas: &mut Canvas<'_>, pose: &Pose) {
        let (x, y) = pose.body;
        let lit = self.look.clothes.towards(self.look.glow, 0.12);
        self.oval(canvas, [pose.head.0, 0.46], [0.185, 0.235], self.look.hair, 1.0);
        self.oval(canvas, [x, y], [0.44, 0.38], self.look.clothes, 1.0);
        self.oval(canvas, [x - 0.03, y + 0.02], [0.38, 0.36], lit, 0.5);
        self.oval(canvas, [x, y - 0.375], [0.125, 0.06], self.look.collar, 1.0);
        self.oval(canvas, [x, y - 0.42], [0.08, 0.09], self.look.shadow, 1.0);
    }

    fn head(&self, canvas: &mut Canvas<'_>, pose: &Pose) {
        let (x, y) = pose.head;
        let Palette { skin, shadow, hair, .. } = self.look;
        for side in [-1.0, 1.0] {
            self.oval(canvas, [x + side * 0.148, y + 0.015], [0.028, 0.04], shadow, 1.0);
        }
        self.oval(canvas, [x, y - 0.045], [0.172, 0.195], hair, 1.0);
        self.oval(canvas, [x, y + 0.01], [0.148, 0.185], skin, 1.0);
        // A parting: two locks that overlap the forehead.
        self.oval(canvas, [x - 0.068, y - 0.152], [0.09, 0.06], hair, 1.0);
        self.oval(canvas, [x + 0.056, y - 0.16], [0.1, 0.056], hair, 1.0);
    }

    fn face(&self, canvas: &mut Canvas<'_>, pose: &Pose) {
        let (x, y) = pose.head;
        for side in [-1.0, 1.0] {
            let eye = x + side * 0.06;
            if self.look.glasses {
                self.oval(canvas, [eye, y - 0.012], [0.05, 0.044], INK, 1.0);
                self.oval(canvas, [eye, y - 0.012], [0.043, 0.037], self.look.skin.towards(self.look.glow, 0.25), 1.0);
            }
            self.oval(canvas, [eye, y - 0.01], [0.015, 0.002 + 0.017 * pose.eyes], INK, 1.0);
            self.oval(canvas, [eye + 0.005, y - 0.016], [0.0045, 0.0045], self.look.glow, pose.eyes);
            self.oval(canvas, [eye, y - 0.066], [0.032, 0.007], self.look.hair, 1.0);
            self.oval(canvas, [x + side * 0.088, y + 0.06], [0.03, 0.02], BLUSH, 0.22);
        }
        self.oval(canvas, [x, y + 0.045], [0.013, 0.017], self.look.shadow, 0.8);
        // A smile is a mouth whose upper part is covered again.
        let open = 0.014 + 0.016 * pose.mouth;
        self.oval(canvas, [x, y + 0.1], [0.05, open + 0.012], LIPS, 1.0);
        self.oval(canvas, [x, y + 0.1 - open * 0.75 - 0.004], [0.056, 0.016], self.look.skin, 1.0);
    }

    fn hand(&self, canvas: &mut Canvas<'_>, pose: &Pose) {
        if pose.hand <= 0.0 {
            return;
        }
        let (x, y) = (pose.body.0 + 0.4, 1.12 - 0.5 * pose.hand);
        let lean = 0.035 * pose.wave;
        let sleeve = self.look.clothes.towards(INK, 0.1);
        self.oval(canvas, [x + 0.6 * lean, y + 0.085], [0.034, 0.06], self.look.skin, 1.0);
        self.oval(canvas, [x + 0.01, y + 0.3], [0.075, 0.24], sleeve, 1.0);
        for finger in [-0.045, -0.016, 0.015, 0.044f32] {
            let tip = x + finger * 1.15 + lean * 1.7;
            self.oval(canvas, [tip, y - 0.085 + finger.abs() * 0.5], [0.0155, 0.05], self.look.skin, 1.0);
        }
        self.oval(canvas, [x - 0.068 + lean * 0.8, y - 0.01], [0.018, 0.038], self.look.skin, 1.0);
        self.oval(canvas, [x + lean, y], [0.06, 0.068], self.look.skin, 1.0);
    }
}

/// A gradient from one corner to the other that darkens towards the edges.
fn backdrop(size: Size, look: Palette) -> Vec<u8> {
    let (width, height) = (size.width(), size.height());
    let mut planes = vec![0; size.i420_len()];
    let (y, rest) = planes.split_at_mut(size.luma_len());
    let (u, v) = rest.split_at_mut(size.chroma_len());
    let at = |column: usize, row: usize, scale: usize| {
        let x = (column * scale) as f32 / width as f32;
        let t = (0.25 * x + 0.75 * (row * scale) as f32 / height as f32).clamp(0.0, 1.0);
        let smooth = t * t * (3.0 - 2.0 * t);
        let edge = 1.0 - 0.3 * ((x - 0.5).powi(2) + (t - 0.5).powi(2));
        (look.sky.towards(look.ground, smooth * 0.8), edge)
    };
    for (index, pixel) in y.iter_mut().enumerate() {
        let (colour, edge) = at(index % width, index / width, 1);
        *pixel = (16.0 + (f32::from(colour.y) - 16.0) * edge) as u8;
    }
    for (index, (u, v)) in u.iter_mut().zip(v).enumerate() {
        let (colour, _) = at(index % (width / 2), index / (width / 2), 2);
        (*u, *v) = (colour.u, colour.v);
    }
    planes
}
