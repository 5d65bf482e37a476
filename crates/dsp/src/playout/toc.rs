//! How much sound an Opus packet holds, from its first bytes (RFC 6716, section 3.1).

/// Samples of one ordinary packet: 20 ms at 48 kHz.
const PACKET_SAMPLES: i64 = 960;
/// The longest packet, 120 ms.
const MAX_SAMPLES: i64 = 5760;

/// Samples in the packet at 48 kHz; 20 ms when the packet makes no sense.
pub(super) fn samples(payload: &[u8]) -> i64 {
    let Some(&toc) = payload.first() else { return PACKET_SAMPLES };
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config % 4)],
        config @ 12..=15 => [480, 960][usize::from(config % 2)],
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => payload.get(1).map_or(0, |count| i64::from(count & 0x3f)),
    };
    match frame * frames {
        total @ 1..=MAX_SAMPLES => total,
        _ => PACKET_SAMPLES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_follow_the_table() {
        for (packet, expected) in [
            (&[0x78][..], 960),
            (&[0x70], 480),
            (&[0x08], 960),
            (&[0x18], 2880),
            (&[0x80], 120),
            (&[0xf8], 960),
            (&[0xf9], 1920),
            (&[0xfb, 3], 2880),
            (&[0x1b, 63], 960),
            (&[0xfb], 960),
            (&[], 960),
        ] {
            assert_eq!(samples(packet), expected, "{packet:x?}");
        }
    }
}
