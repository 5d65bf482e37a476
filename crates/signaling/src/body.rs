//! What the two in a room tell one another through the server's relay, sealed: the offer/answer exchange of JSEP (RFC
//! 9429), trickled candidates (RFC 8838), and the fallback of the `control` data channel.

use serde::{Deserialize, Serialize};

/// The largest session description, bytes.
pub const MAX_SDP_BYTES: usize = 32 * 1024;
/// The longest candidate line, bytes.
pub const MAX_CANDIDATE_BYTES: usize = 1024;
/// The longest `sdpMid` or `usernameFragment`, bytes.
pub const MAX_TAG_BYTES: usize = 256;
/// The longest control message, bytes.
pub const MAX_CONTROL_BYTES: usize = 16 * 1024;
/// The longest reason of a goodbye, bytes.
pub const MAX_BYE_BYTES: usize = 128;

/// One message between the two, as it stands sealed inside an [`crate::Exchange`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Body {
    /// Creator to joiner, and again for every renegotiation.
    Offer {
        /// The session description.
        sdp: String,
        /// Whether this offer restarts ICE (RFC 8445, section 9).
        #[serde(default)]
        restart: bool,
    },
    /// The answer to the newest offer.
    Answer {
        /// The session description.
        sdp: String,
    },
    /// One candidate; the fields are those of `RTCIceCandidateInit`.
    Candidate {
        /// The candidate line, beginning with `candidate:`.
        candidate: String,
        /// The media section it is for.
        #[serde(rename = "sdpMid", default, skip_serializing_if = "Option::is_none")]
        sdp_mid: Option<String>,
        /// The index of that section.
        #[serde(rename = "sdpMLineIndex", default, skip_serializing_if = "Option::is_none")]
        sdp_mline_index: Option<u16>,
        /// The generation of candidates it belongs to.
        #[serde(rename = "usernameFragment", default, skip_serializing_if = "Option::is_none")]
        username_fragment: Option<String>,
    },
    /// No more candidates for this generation.
    EndOfCandidates,
    /// A message of the `control` data channel, while that channel isn't open.
    Control {
        /// The message, as it would stand on the channel.
        text: String,
    },
    /// The sender has ended the call.
    Bye {
        /// Why, as a short kebab-case word.
        reason: String,
    },
    /// The sender's call has ended, and its person wants another one with the same other.
    Again,
}

impl Body {
    /// Checks every size and form that this module promises.
    ///
    /// # Errors
    /// [`BodyError`], which names the field.
    pub fn check(&self) -> Result<(), BodyError> {
        match self {
            Self::Offer { sdp, .. } | Self::Answer { sdp } => check_size("sdp", sdp, MAX_SDP_BYTES),
            Self::Candidate { candidate, sdp_mid, username_fragment, .. } => {
                check_size("candidate", candidate, MAX_CANDIDATE_BYTES)?;
                check_size("sdpMid", sdp_mid.as_deref().unwrap_or_default(), MAX_TAG_BYTES)?;
                check_size("usernameFragment", username_fragment.as_deref().unwrap_or_default(), MAX_TAG_BYTES)
            }
            Self::EndOfCandidates | Self::Again => Ok(()),
            Self::Control { text } => check_size("text", text, MAX_CONTROL_BYTES),
            Self::Bye { reason } => check_size("reason", reason, MAX_BYE_BYTES),
        }
    }
}

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// A field is longer than allowed.
    #[error("{field} has {bytes} bytes, {limit} are allowed")]
    TooLarge {
        /// Its name on the wire.
        field: &'static str,
        /// Its size.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
}

fn check_size(field: &'static str, value: &str, limit: usize) -> Result<(), BodyError> {
    if value.len() > limit {
        return Err(BodyError::TooLarge { field, bytes: value.len(), limit });
    }
    Ok(())
}
