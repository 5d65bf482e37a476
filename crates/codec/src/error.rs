//! What can go wrong in a codec.

/// A codec failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The codec couldn't be set up, or refused a setting.
    #[error("the {codec} codec refused its settings: {reason}")]
    Setup {
        /// Which codec.
        codec: &'static str,
        /// In the codec's words.
        reason: String,
    },
    /// Encoding failed.
    #[error("{codec} encoding failed: {reason}")]
    Encode {
        /// Which codec.
        codec: &'static str,
        /// In the codec's words.
        reason: String,
    },
    /// What came can't be decoded.
    #[error("undecodable {codec}: {reason}")]
    Decode {
        /// Which codec.
        codec: &'static str,
        /// In the codec's words.
        reason: String,
    },
}
