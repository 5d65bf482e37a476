//! Looks at what the other side says before the connection is touched (RFC 8866, RFC 8829, RFC 8839).
//!
//! The connection takes a description step by step and can't undo a step, so everything that could fail on the way is
//! looked for here: after a refusal the connection is as it was.

use rtc::ice::candidate::unmarshal_candidate;
use rtc::ice::tcp_type::TcpType;
use rtc::sdp::description::common::Attribute;
use rtc::sdp::description::media::MediaDescription;
use rtc::sdp::description::session::SessionDescription;
use visavis_call::Fingerprint;
use visavis_frame::VideoCodec;
use webrtc::peer_connection::RTCSessionDescription;

use crate::error::TransportError;
use crate::event::Candidate;
use crate::relays::stand_in;

/// A browser's offer has some eight thousand bytes.
pub(crate) const MAX_SDP_BYTES: usize = 64 * 1024;
/// The longest candidate line that a browser writes has about three hundred bytes.
pub(crate) const MAX_CANDIDATE_BYTES: usize = 1024;
/// Two media sections and the data channel are what we offer; a browser may add some.
const MAX_SECTIONS: usize = 16;

fn bad(reason: impl Into<String>) -> TransportError {
    TransportError::BadDescription(reason.into())
}

/// Reads an offer and checks that the connection can take it whole.
pub(crate) fn read_offer(sdp: &str, expected: &Fingerprint) -> Result<RTCSessionDescription, TransportError> {
    let offer = check(sdp, expected)?;
    RTCSessionDescription::offer(silenced(sdp, offer)).map_err(|error| bad(error.to_string()))
}

/// Reads an answer and checks that the connection can take it whole.
pub(crate) fn read_answer(
    sdp: &str,
    expected: &Fingerprint,
    offered: &str,
) -> Result<RTCSessionDescription, TransportError> {
    let answer = check(sdp, expected)?;
    let offer = parse(offered)?;
    let mids = |d: &SessionDescription| d.media_descriptions.iter().map(|m| attribute(m, "mid")).collect::<Vec<_>>();
    // RFC 8829, section 5.3.1: an answer has the sections of the offer, in their order.
    if mids(&answer) != mids(&offer) {
        return Err(bad("the answer's media sections aren't those of our offer"));
    }
    RTCSessionDescription::answer(silenced(sdp, answer)).map_err(|error| bad(error.to_string()))
}

/// Whether the section was turned down (RFC 3264, section 6): its port is zero, and not because it is bundled with
/// another (RFC 9143, section 6).
fn is_rejected(media: &MediaDescription) -> bool {
    media.media_name.port.value == 0 && media.attribute("bundle-only").is_none()
}

/// The description with its rejected sections marked as inactive. What else they say means nothing, but the connection
/// would take it for a stream to come and for ICE credentials that contradict those of the others.
fn silenced(sdp: &str, mut parsed: SessionDescription) -> String {
    if !parsed.media_descriptions.iter().any(is_rejected) {
        return sdp.to_owned();
    }
    for media in parsed.media_descriptions.iter_mut().filter(|media| is_rejected(media)) {
        media.attributes.retain(|a| !matches!(a.key.as_str(), "sendrecv" | "sendonly" | "recvonly" | "inactive"));
        media.attributes.push(Attribute::new("inactive".to_owned(), None));
    }
    parsed.marshal()
}

fn parse(sdp: &str) -> Result<SessionDescription, TransportError> {
    SessionDescription::unmarshal(&mut std::io::Cursor::new(sdp.as_bytes())).map_err(|error| bad(error.to_string()))
}

/// The video codecs that a description names, in its order.
pub(crate) fn video_codecs(sdp: &str) -> Vec<VideoCodec> {
    let Ok(parsed) = parse(sdp) else { return Vec::new() };
    let of_video = |media: &&MediaDescription| media.media_name.media == "video" && !is_rejected(media);
    let attributes = parsed.media_descriptions.iter().filter(of_video).flat_map(|media| media.attributes.iter());
    // RFC 8866, section 6.6: a=rtpmap:<payload type> <encoding name>/<clock rate>
    let name = |attribute: &Attribute| {
        let name = attribute.value.as_deref()?.split_once(' ')?.1.split('/').next()?.to_owned();
        VideoCodec::from_media_type(&format!("video/{name}"))
    };
    attributes.filter(|attribute| attribute.key == "rtpmap").filter_map(name).collect()
}

fn check(sdp: &str, expected: &Fingerprint) -> Result<SessionDescription, TransportError> {
    if sdp.len() > MAX_SDP_BYTES {
        return Err(TransportError::TooLarge { what: "a session description", limit: MAX_SDP_BYTES });
    }
    let parsed = parse(sdp)?;
    if parsed.media_descriptions.is_empty() {
        return Err(bad("it has no media section"));
    }
    if parsed.media_descriptions.len() > MAX_SECTIONS {
        return Err(TransportError::TooLarge { what: "the number of media sections", limit: MAX_SECTIONS });
    }
    check_fingerprints(&parsed, expected)?;
    check_credentials(&parsed)?;
    parsed.media_descriptions.iter().try_for_each(check_section)?;
    Ok(parsed)
}

fn attribute(media: &MediaDescription, key: &str) -> Option<String> {
    media.attribute(key).flatten().map(str::to_owned)
}

/// Every fingerprint must be the one agreed on: the connection trusts the first, another stack might another.
fn check_fingerprints(sdp: &SessionDescription, expected: &Fingerprint) -> Result<(), TransportError> {
    let of_session = sdp.attributes.iter();
    let of_media = sdp.media_descriptions.iter().flat_map(|media| media.attributes.iter());
    let mut found = None;
    for value in of_session.chain(of_media).filter(|a| a.key == "fingerprint").filter_map(|a| a.value.as_deref()) {
        let (algorithm, hash) = value.split_once(' ').ok_or_else(|| bad("a fingerprint without a hash"))?;
        if !algorithm.eq_ignore_ascii_case("sha-256")
            || hash.parse::<Fingerprint>().map_err(|_| bad("a fingerprint that isn't SHA-256"))? != *expected
        {
            return Err(TransportError::WrongFingerprint);
        }
        // The connection compares them as text.
        if *found.get_or_insert(value) != value {
            return Err(bad("fingerprints written in several ways"));
        }
    }
    found.map(|_| ()).ok_or_else(|| bad("it has no fingerprint"))
}

/// With all media in one bundle there is one pair of ICE credentials (RFC 9143, section 7.3.2; RFC 8839, section 5.4).
fn check_credentials(sdp: &SessionDescription) -> Result<(), TransportError> {
    for (key, length) in [("ice-ufrag", 4..=256), ("ice-pwd", 22..=256)] {
        let mut found = sdp.attribute(key).cloned();
        for media in sdp.media_descriptions.iter().filter(|media| !is_rejected(media)) {
            match (&found, attribute(media, key)) {
                (Some(one), Some(other)) if *one != other => return Err(bad(format!("several values of {key}"))),
                (None, Some(value)) => found = Some(value),
                _ => {}
            }
        }
        let value = found.ok_or_else(|| bad(format!("it has no {key}")))?;
        if !length.contains(&value.len()) {
            return Err(bad(format!("{key} has {} characters", value.len())));
        }
    }
    Ok(())
}

fn check_section(media: &MediaDescription) -> Result<(), TransportError> {
    let mid = attribute(media, "mid").filter(|mid| !mid.is_empty() && mid.len() <= 32);
    let mid = mid.ok_or_else(|| bad("a media section without a usable mid"))?;
    let kind = media.media_name.media.as_str();
    let is_data = kind == "application" && media.media_name.formats.iter().any(|f| f == "webrtc-datachannel");
    let is_media = matches!(kind, "audio" | "video");
    if !is_data && !is_media {
        return Err(bad(format!("media section {mid} is neither audio, video nor a data channel")));
    }
    for attribute in media.attributes.iter().filter(|a| a.key == "candidate") {
        check_candidate_line(attribute.value.as_deref().unwrap_or_default())?;
    }
    // Without bundle-wide RTP extensions only the declared source tells which section a packet is for (RFC 8829, 5.2.1).
    let sends = media.attribute("recvonly").is_none() && media.attribute("inactive").is_none();
    if is_media && sends && media.media_name.port.value != 0 && attribute(media, "ssrc").is_none() {
        return Err(bad(format!("media section {mid} sends without saying which source")));
    }
    Ok(())
}

/// What to do with a candidate of the other side.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CandidateUse {
    /// It is an address to try.
    Try,
    /// It is a port for streams (RFC 6544).
    OverTcp,
    /// A name stands in its address's place, which has to be looked up in the local network first.
    Named,
    /// It is none for us: the end of the list, or an end that only dials.
    Skip,
}

/// Checks a candidate and says whether it is of use.
pub(crate) fn check_candidate(candidate: &Candidate) -> Result<CandidateUse, TransportError> {
    let line = candidate.candidate.trim();
    let line = line.strip_prefix("candidate:").unwrap_or(line);
    if line.is_empty() { Ok(CandidateUse::Skip) } else { check_candidate_line(line) }
}

fn check_candidate_line(line: &str) -> Result<CandidateUse, TransportError> {
    if line.len() > MAX_CANDIDATE_BYTES {
        return Err(TransportError::TooLarge { what: "a candidate", limit: MAX_CANDIDATE_BYTES });
    }
    let mut fields = line.split_whitespace().skip(4);
    let address = fields.next().unwrap_or_default();
    if address.ends_with(".local") {
        return Ok(CandidateUse::Named);
    }
    // A host name would be looked up, and would tell its owner where we are.
    let refuse = |reason: &str| Err(TransportError::BadCandidate(reason.to_owned()));
    match address.parse::<std::net::IpAddr>() {
        Err(_) => return refuse("its address isn't an IP address"),
        // Behind such an address there may be a stream of ours to a relay.
        Ok(ip) if stand_in::is_nobodys(ip) => return refuse("no host can have its address"),
        Ok(_) => {}
    }
    let candidate = unmarshal_candidate(line).map_err(|error| TransportError::BadCandidate(error.to_string()))?;
    // The library must see none of those over TCP: it would open a connection, past relay-only and to whatever address and
    // port the other side names.
    if !candidate.network_type().is_tcp() {
        return Ok(CandidateUse::Try);
    }
    Ok(if candidate.tcp_type() == TcpType::Passive { CandidateUse::OverTcp } else { CandidateUse::Skip })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a browser turns down the video of an offer: with credentials of its own in the section that is no more.
    #[test]
    fn a_rejected_section_says_nothing() {
        let print = Fingerprint::from([0xAB; 32]);
        let section = |media: &str, mid: u8, ufrag: &str| {
            format!(
                "m={media}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {print}\r\n\
                 a=mid:{mid}\r\na=sendrecv\r\na=ssrc:{mid} cname:x\r\n",
                ufrag.repeat(6)
            )
        };
        let head = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 1\r\n";
        let audio = section("audio 9 UDP/TLS/RTP/SAVPF 111", 1, "abcd");
        let with = |video: &str| read_offer(&format!("{head}{}{audio}", section(video, 0, "wxyz")), &print);
        let taken = with("video 0 UDP/TLS/RTP/SAVPF 0").map(|offer| offer.sdp);
        let Ok(taken) = taken else { panic!("{taken:?}") };
        assert_eq!((taken.matches("a=inactive").count(), taken.matches("a=sendrecv").count()), (1, 1));
        assert!(with("video 9 UDP/TLS/RTP/SAVPF 96").is_err(), "two sets of credentials in one bundle");
    }

    #[test]
    fn video_codecs_are_read_in_their_order() {
        let head = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
        let maps = "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:102 h264/90000\r\n";
        let sections = |video: u16| {
            format!(
                "{head}m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\nm=video {video} UDP/TLS/RTP/SAVPF 96 97 102\r\n{maps}"
            )
        };
        assert_eq!(video_codecs(&sections(9)), [VideoCodec::Vp8, VideoCodec::H264]);
        assert_eq!(video_codecs(&sections(0)), [], "a section that was turned down");
        assert_eq!(video_codecs("nonsense"), []);
    }

    proptest! {
        #[test]
        fn no_candidate_breaks_us(line in "(candidate:)?[0-9a-z:. -]{0,80}|.{0,80}") {
            let _ = check_candidate(&Candidate { candidate: line.clone(), ..Candidate::default() });
        }

        #[test]
        fn no_description_breaks_us(lines in prop::collection::vec("[a-z]=[ -~]{0,40}|a=[a-z-]{2,12}:[ -~]{0,40}|m=(audio|video|application) [0-9]{1,5} [A-Z/]{3,20} [0-9 ]{0,12}|.{0,40}", 0..30)) {
            let sdp = format!("v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{}\r\n", lines.join("\r\n"));
            prop_assert!(read_offer(&sdp, &Fingerprint::from([0; 32])).is_err());
        }
    }
}
