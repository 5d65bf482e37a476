//! Frees a thread that waits in a camera's driver, so that it lets the camera go.
//!
//! nokhwa waits for a V4L2 picture without a limit and keeps the descriptor to itself, so the descriptor is looked up
//! among the process's own and its stream switched off, upon which the kernel ends the wait with an error
//! (VIDIOC_STREAMOFF). The other systems' back ends have no such wait.

#[cfg(target_os = "linux")]
pub(super) use linux::end_stream;

/// Does nothing: only V4L2 waits for ever.
#[cfg(not(target_os = "linux"))]
pub(super) fn end_stream(_: &nokhwa::utils::CameraIndex) {}

#[cfg(target_os = "linux")]
mod linux {
    #![allow(unsafe_code, reason = "the descriptor is nokhwa's and the call the kernel's: neither has a safe form")]

    use std::fs::{self, File};
    use std::io;
    use std::os::fd::{BorrowedFd, RawFd};
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};

    use nokhwa::utils::CameraIndex;
    use rustix::ioctl::{Opcode, Setter, opcode};

    /// `_IOW('V', 19, int)` of the kernel's videodev2.h.
    const STREAM_OFF: Opcode = opcode::write::<i32>(b'V', 19);
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE`.
    const VIDEO_CAPTURE: i32 = 1;

    /// Ends every wait of this process for a picture of that camera.
    pub(in super::super) fn end_stream(camera: &CameraIndex) {
        let path = format!("/dev/video{}", camera.as_string());
        if let Err(error) = end_streams_of(Path::new(&path)) {
            tracing::warn!(path, %error, "a camera's stream couldn't be ended");
        }
    }

    fn end_streams_of(device: &Path) -> io::Result<()> {
        // As it reads once the camera has been pulled out.
        let unplugged = PathBuf::from(format!("{} (deleted)", device.display()));
        for entry in fs::read_dir("/proc/self/fd")? {
            let entry = entry?;
            let leads_there = fs::read_link(entry.path()).is_ok_and(|target| target == device || target == unplugged);
            let number = entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
            if let (true, Some(number)) = (leads_there, number)
                && let Some(stream) = duplicate(number)?
            {
                switch_off(&stream)?;
            }
        }
        Ok(())
    }

    /// The descriptor under a number of its own, which nobody else can close meanwhile; `None` when it isn't a video
    /// device's any more.
    fn duplicate(number: RawFd) -> io::Result<Option<File>> {
        /// The kernel's major number of video devices (Documentation/admin-guide/devices.txt).
        const VIDEO_MAJOR: u64 = 81;
        // SAFETY: the number may have been closed since it was listed, or stand for another file; it is only duplicated,
        // which fails for the one and is found out below for the other, and the borrow ends here.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        let file = File::from(borrowed.try_clone_to_owned()?);
        let major = (file.metadata()?.rdev() >> 8) & 0xFFF;
        Ok((major == VIDEO_MAJOR).then_some(file))
    }

    fn switch_off(stream: &File) -> io::Result<()> {
        // SAFETY: VIDIOC_STREAMOFF reads one int, which `Setter` passes by reference and nothing keeps. Whoever uses the
        // stream sees an error, as when the camera is unplugged, and its buffers stay mapped.
        unsafe { rustix::ioctl::ioctl(stream, Setter::<STREAM_OFF, i32>::new(VIDEO_CAPTURE)) }?;
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, reason = "tests")]

        use std::os::fd::AsRawFd;

        use super::*;

        #[test]
        fn a_file_that_is_no_camera_is_left_alone() {
            let file = tempfile::tempfile().unwrap();
            assert!(duplicate(file.as_raw_fd()).unwrap().is_none());
            assert!(end_streams_of(Path::new("/dev/null/nothing")).is_ok());
        }
    }
}
