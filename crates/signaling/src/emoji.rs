//! The six pictures that both screens show: drawn from the key of the exchange and both certificates, for whoever wants
//! to compare them aloud. They add to the code and don't replace it: see docs/security.md for what they catch.
//!
//! The table has 64, so each is six bits. It is part of the protocol: a place in it never changes.

/// How many of them a call shows.
pub const SHOWN: usize = 6;

/// A picture and the word to say for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Emoji {
    /// The picture, one code point that Unicode presents as an emoji.
    pub picture: &'static str,
    /// What to call it.
    pub name: &'static str,
}

/// The pictures of one call, in their order.
pub type Pictures = [Emoji; SHOWN];

const fn emoji(picture: &'static str, name: &'static str) -> Emoji {
    Emoji { picture, name }
}

/// All of them: each one code point that every system draws in colour, and like no other in shape or name.
pub const EMOJI: [Emoji; 64] = [
    emoji("🍒", "cherries"),
    emoji("🍋", "lemon"),
    emoji("🍉", "melon"),
    emoji("🥕", "carrot"),
    emoji("🥑", "avocado"),
    emoji("🥐", "croissant"),
    emoji("🧀", "cheese"),
    emoji("🥨", "pretzel"),
    emoji("🍩", "doughnut"),
    emoji("🍦", "ice cream"),
    emoji("🍿", "popcorn"),
    emoji("🥚", "egg"),
    emoji("🍯", "honey"),
    emoji("☕", "coffee"),
    emoji("🦊", "fox"),
    emoji("🐸", "frog"),
    emoji("🦉", "owl"),
    emoji("🐝", "bee"),
    emoji("🐌", "snail"),
    emoji("🐬", "dolphin"),
    emoji("🦒", "giraffe"),
    emoji("🦔", "hedgehog"),
    emoji("🐫", "camel"),
    emoji("🦀", "crab"),
    emoji("🦕", "dinosaur"),
    emoji("🐞", "ladybird"),
    emoji("🐳", "whale"),
    emoji("🦓", "zebra"),
    emoji("🌻", "sunflower"),
    emoji("🍁", "maple leaf"),
    emoji("🌴", "palm tree"),
    emoji("🌈", "rainbow"),
    emoji("⚡", "lightning"),
    emoji("⛄", "snowman"),
    emoji("🌋", "volcano"),
    emoji("⭐", "star"),
    emoji("🌊", "wave"),
    emoji("🎈", "balloon"),
    emoji("🎲", "dice"),
    emoji("🧩", "puzzle"),
    emoji("🎻", "violin"),
    emoji("🥁", "drum"),
    emoji("🎹", "piano"),
    emoji("🧦", "socks"),
    emoji("👑", "crown"),
    emoji("👢", "boot"),
    emoji("🧤", "gloves"),
    emoji("🎒", "backpack"),
    emoji("💎", "diamond"),
    emoji("🧲", "magnet"),
    emoji("🔭", "telescope"),
    emoji("📷", "camera"),
    emoji("🧭", "compass"),
    emoji("🚜", "tractor"),
    emoji("⛵", "sailing boat"),
    emoji("🚁", "helicopter"),
    emoji("🚦", "traffic light"),
    emoji("🏰", "castle"),
    emoji("⛺", "tent"),
    emoji("🎡", "big wheel"),
    emoji("🧱", "brick"),
    emoji("🧸", "teddy bear"),
    emoji("🧶", "wool"),
    emoji("🎯", "target"),
];

/// The pictures that six bytes choose: the lower six bits of each.
#[must_use]
pub fn choose(bytes: [u8; SHOWN]) -> Pictures {
    bytes.map(|byte| EMOJI[usize::from(byte) % EMOJI.len()])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_is_one_of_a_kind() {
        let pictures: HashSet<_> = EMOJI.iter().map(|emoji| emoji.picture).collect();
        let names: HashSet<_> = EMOJI.iter().map(|emoji| emoji.name).collect();
        assert_eq!((pictures.len(), names.len()), (EMOJI.len(), EMOJI.len()));
        assert!(EMOJI.iter().all(|emoji| emoji.picture.chars().count() == 1));
    }

    #[test]
    fn six_bits_choose_a_place() {
        assert_eq!(choose([0, 1, 63, 64, 128, 255]).map(|emoji| emoji.name), {
            [EMOJI[0], EMOJI[1], EMOJI[63], EMOJI[0], EMOJI[0], EMOJI[63]].map(|emoji| emoji.name)
        });
    }
}
