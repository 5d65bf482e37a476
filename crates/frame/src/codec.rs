//! Which codec pictures travel in: what the two sides agree on, and what each crate on the way has to know.

/// How pictures are coded on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// ITU-T H.264, in RTP by RFC 6184.
    H264,
    /// VP8 (RFC 6386), in RTP by RFC 7741: for browsers that have no H.264.
    Vp8,
}

impl VideoCodec {
    /// Its media type in a session description, RFC 6838.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::H264 => "video/H264",
            Self::Vp8 => "video/VP8",
        }
    }

    /// The codec of a media type, which is written in any case.
    #[must_use]
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        [Self::H264, Self::Vp8].into_iter().find(|codec| codec.media_type().eq_ignore_ascii_case(media_type))
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::Vp8 => "VP8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read_in_any_case() {
        assert_eq!(VideoCodec::from_media_type("VIDEO/h264"), Some(VideoCodec::H264));
        assert_eq!(VideoCodec::from_media_type("video/vp8"), Some(VideoCodec::Vp8));
        assert_eq!(VideoCodec::from_media_type("video/VP9"), None);
    }
}
