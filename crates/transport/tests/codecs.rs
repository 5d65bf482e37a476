//! Which codec pictures travel in: the one that both have, ours to prefer first, whoever offers; and what goes with the stream
//! (resends) follows it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Side, negotiate, packet};
use visavis_frame::VideoCodec::{self, H264, Vp8};
use visavis_transport::{TransportConfig, TransportEvent};

async fn side(codecs: &[VideoCodec]) -> Side {
    let bind = vec!["127.0.0.1".parse().unwrap()];
    Side::with(TransportConfig { bind, video_codecs: codecs.to_vec(), ..TransportConfig::default() }).await
}

async fn pair(offers: &[VideoCodec], answers: &[VideoCodec]) -> (Side, Side) {
    let (mut a, mut b) = (side(offers).await, side(answers).await);
    negotiate(&mut a, &mut b, false).await;
    a.until_control_open().await;
    b.until_control_open().await;
    (a, b)
}

/// What `from` sends is known by its codec, and counted at both ends: what watches the streams was told of them.
async fn sends(from: &mut Side, to: &mut Side, codec: VideoCodec) {
    assert_eq!(from.transport.media_sender().video_codec(), Some(codec));
    for sequence in 0..20 {
        from.transport.media_sender().send_video(packet(sequence)).await.unwrap();
        let received = to.media.video.recv().await.unwrap();
        assert_eq!((received.codec, received.packet), (Some(codec), packet(sequence)));
    }
    to.until(|e| matches!(e, TransportEvent::RemoteVideo { codec: named } if named == codec.media_type())).await;
    // A stream that the sending side wasn't told of isn't kept for being sent again.
    to.transport.request_keyframe().await.unwrap();
    from.until(|e| *e == TransportEvent::KeyframeWanted).await;
    let (sent, received) = (from.transport.stats().await, to.transport.stats().await);
    assert_eq!((sent.video_codec, sent.video.packets_sent), (Some(codec), 20));
    assert_eq!(received.video.packets_received, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_is_what_both_use_that_have_it() {
    for (offers, answers) in
        [(&[H264, Vp8][..], &[H264, Vp8][..]), (&[Vp8, H264], &[H264, Vp8]), (&[H264, Vp8], &[H264])]
    {
        let (mut a, mut b) = pair(offers, answers).await;
        sends(&mut b, &mut a, H264).await;
        // The one who prefers VP8 may send it; the other understands.
        sends(&mut a, &mut b, offers[0]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vp8_is_used_where_one_has_nothing_else() {
    for (offers, answers) in [(&[H264, Vp8][..], &[Vp8][..]), (&[Vp8], &[H264, Vp8]), (&[Vp8], &[Vp8])] {
        let (mut a, mut b) = pair(offers, answers).await;
        sends(&mut a, &mut b, Vp8).await;
        sends(&mut b, &mut a, Vp8).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_common_codec_there_is_no_video_and_both_are_told() {
    let (a, b) = pair(&[H264], &[Vp8]).await;
    for side in [&a, &b] {
        assert!(side.seen.contains(&TransportEvent::VideoRefused), "{:?}", side.seen);
        assert_eq!(side.transport.media_sender().video_codec(), None);
    }
}
