//! IVF, the plain container that VP8 tools read: a head of 32 bytes, then each picture behind 12 of its own.

use std::io::{Result, Write};
use std::time::Instant;

/// Times are in milliseconds, since pictures come as they come.
const TICKS_HZ: u32 = 1000;

/// Writes pictures as they come.
pub(crate) struct IvfWriter<Out: Write> {
    out: Out,
    began: Option<Instant>,
}

impl<Out: Write> IvfWriter<Out> {
    pub(crate) const fn new(out: Out) -> Self {
        Self { out, began: None }
    }

    /// Writes a picture that came at this time. The first is a keyframe.
    pub(crate) fn write(&mut self, now: Instant, picture: &[u8]) -> Result<()> {
        if self.began.is_none() {
            self.head(picture)?;
        }
        let since = now.saturating_duration_since(*self.began.get_or_insert(now));
        let len = u32::try_from(picture.len()).unwrap_or(u32::MAX);
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(&(since.as_millis() as u64).to_le_bytes())?;
        self.out.write_all(picture)
    }

    /// A keyframe says how large it is (RFC 6386, section 9.1).
    fn head(&mut self, keyframe: &[u8]) -> Result<()> {
        self.out.write_all(b"DKIF\0\0\x20\0VP80")?;
        self.out.write_all(keyframe.get(6..10).unwrap_or(&[0; 4]))?;
        self.out.write_all(&TICKS_HZ.to_le_bytes())?;
        self.out.write_all(&1u32.to_le_bytes())?;
        // How many pictures there are: readers go by the file's end.
        self.out.write_all(&[0; 8])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::time::Duration;

    use super::*;

    #[test]
    fn pictures_stand_behind_their_length_and_time() {
        let keyframe = [0x10, 2, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 9];
        let (mut file, now) = (IvfWriter::new(Vec::new()), Instant::now());
        file.write(now, &keyframe).unwrap();
        file.write(now + Duration::from_millis(33), &[0x31, 2, 0]).unwrap();
        let head = [&b"DKIF\0\0\x20\0VP80\x80\x02\x68\x01\xe8\x03\0\0\x01\0\0\0"[..], &[0; 8]].concat();
        let pictures = [&[11, 0, 0, 0][..], &[0; 8], &keyframe, &[3, 0, 0, 0, 33, 0, 0, 0, 0, 0, 0, 0], &[0x31, 2, 0]];
        assert_eq!(file.out, [head, pictures.concat()].concat());
    }
}
