//! The uncompressed head of a VP8 picture (RFC 6386, section 9.1).

/// The frame tag.
const TAG: usize = 3;
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];
/// The upper two bits of each side say how a picture is to be scaled for the screen, which nobody does.
const SIDE: u16 = 0x3fff;

/// What a picture says of itself before anything is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// A keyframe's width and height, pixels.
    pub(super) keyframe: Option<(u16, u16)>,
}

impl Header {
    /// Reads it; `None` when this is no picture.
    pub(super) fn parse(picture: &[u8]) -> Option<Self> {
        let (tag, rest) = picture.split_first_chunk::<TAG>()?;
        if tag[0] & 1 != 0 {
            return Some(Self { keyframe: None });
        }
        let [a, b, c, width_low, width_high, height_low, height_high, ..] = rest else { return None };
        let side = |low: u8, high: u8| u16::from_le_bytes([low, high]) & SIDE;
        let size = (side(*width_low, *width_high), side(*height_low, *height_high));
        ([*a, *b, *c] == START_CODE).then_some(Self { keyframe: Some(size) })
    }
}

/// Whether a picture that begins with these bytes claims to be a keyframe.
pub(super) fn claims_keyframe(picture: &[u8]) -> bool {
    picture.first().is_some_and(|tag| tag & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyframes_have_a_size_and_others_none() {
        let keyframe = [0x10, 2, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41, 7];
        assert_eq!(Header::parse(&keyframe), Some(Header { keyframe: Some((640, 360)) }));
        assert_eq!(Header::parse(&[0x11, 2, 0]), Some(Header { keyframe: None }));
    }

    #[test]
    fn what_is_cut_or_has_another_start_code_is_no_picture() {
        let keyframe = [0x10, 2, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
        for len in 0..keyframe.len() {
            assert_eq!(Header::parse(&keyframe[..len]), None, "{len} bytes");
        }
        let mut other = keyframe;
        other[4] = 2;
        assert_eq!(Header::parse(&other), None);
    }
}
