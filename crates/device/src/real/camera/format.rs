//! Which of a camera's formats to take: the one asked for where it is offered, and otherwise the one that serves a call
//! best. nokhwa's own "closest" takes the size first, and so 720p at ten pictures a second.

use nokhwa::NokhwaError;
use nokhwa::utils::{CameraFormat, CameraInfo, FrameFormat, RequestedFormat, RequestedFormatType, Resolution};

use super::errors::is_final;
use crate::traits::VideoFormat;

/// Least work first: NV12 is nearly I420, MJPEG must be decoded. Uncompressed HD doesn't fit through USB 2, so a camera
/// that offers it at the full rate has the room.
pub(super) const FORMATS: [FrameFormat; 3] = [FrameFormat::NV12, FrameFormat::YUYV, FrameFormat::MJPEG];

/// Opens a camera in the format asked for, exactly; else in the best that it has.
pub(super) fn open_nearest(info: &CameraInfo, wanted: VideoFormat) -> Result<nokhwa::Camera, NokhwaError> {
    open_as(info, wanted, &FORMATS)
}

/// The same, with no other pixel formats than these.
pub(super) fn open_as(
    info: &CameraInfo,
    wanted: VideoFormat,
    formats: &[FrameFormat],
) -> Result<nokhwa::Camera, NokhwaError> {
    let open = |request: RequestedFormatType| {
        #[cfg(target_os = "linux")]
        super::v4l2::make_readable(info.index().as_index()?);
        nokhwa::Camera::new(info.index().clone(), RequestedFormat::with_formats(request, formats))
    };
    let resolution = Resolution::new(wanted.size.width() as u32, wanted.size.height() as u32);
    for format in formats {
        let exact = CameraFormat::new(resolution, *format, wanted.fps);
        match open(RequestedFormatType::Exact(exact)) {
            Err(why) if !is_final(&why) => tracing::debug!(%exact, %why, "a camera refused a format"),
            opened => return opened,
        }
    }
    let mut camera = open(RequestedFormatType::None)?;
    let mut failure = NokhwaError::GeneralError("it has no format that can be read".to_owned());
    for format in ranked(&camera.compatible_camera_formats()?, wanted, formats) {
        // What a driver lists and what it then takes aren't always the same.
        let request = RequestedFormat::with_formats(RequestedFormatType::Exact(format), formats);
        match camera.set_camera_requset(request) {
            Ok(_) => return Ok(camera),
            Err(why) if is_final(&why) => return Err(why),
            Err(why) => failure = why,
        }
    }
    Err(failure)
}

/// Those that can be read, best first.
fn ranked(offered: &[CameraFormat], wanted: VideoFormat, formats: &[FrameFormat]) -> Vec<CameraFormat> {
    let preference = |format: &CameraFormat| formats.iter().position(|known| *known == format.format());
    let usable = |format: &&CameraFormat| preference(format).is_some() && format.frame_rate() > 0;
    let mut ranked: Vec<CameraFormat> = offered.iter().filter(usable).copied().collect();
    ranked.sort_by_key(|format| (distance(format, wanted), preference(format)));
    ranked
}

/// How far a format is from what is wanted, in thousandths: the distances of width, height and rate, each relative, as
/// in the W3C's fitness distance (Media Capture and Streams, section 10). Pictures that are missing weigh double, since
/// a call lives by its motion, and pixels too many half as much again, since they cost and are thrown away.
fn distance(format: &CameraFormat, wanted: VideoFormat) -> u32 {
    let side = |has: u32, wants: u32| if has > wants { relative(has, wants) * 3 / 2 } else { relative(has, wants) };
    let rate = relative(format.frame_rate(), wanted.fps);
    side(format.width(), wanted.size.width() as u32)
        + side(format.height(), wanted.size.height() as u32)
        + if format.frame_rate() < wanted.fps { 2 * rate } else { rate }
}

fn relative(has: u32, wants: u32) -> u32 {
    let thousandths = u64::from(has.abs_diff(wants)) * 1000 / u64::from(has.max(wants).max(1));
    thousandths as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(list: &[(u32, u32, FrameFormat, u32)]) -> Vec<CameraFormat> {
        list.iter().map(|(width, height, format, fps)| CameraFormat::new_from(*width, *height, *format, *fps)).collect()
    }

    fn best(list: &[(u32, u32, FrameFormat, u32)]) -> Option<(u32, u32, FrameFormat, u32)> {
        let first = ranked(&offers(list), VideoFormat::HD30, &FORMATS).first().copied()?;
        Some((first.width(), first.height(), first.format(), first.frame_rate()))
    }

    use FrameFormat::{GRAY, MJPEG, NV12, YUYV};

    #[test]
    fn motion_goes_before_size() {
        let list = [(1280, 720, YUYV, 10), (640, 480, YUYV, 25), (640, 360, YUYV, 30), (320, 180, YUYV, 60)];
        assert_eq!(best(&list), Some((640, 360, YUYV, 30)));
        assert_eq!(best(&list[..2]), Some((640, 480, YUYV, 25)));
    }

    #[test]
    fn the_size_asked_for_goes_before_another() {
        let list = [(1920, 1080, MJPEG, 30), (640, 480, YUYV, 30), (1280, 720, MJPEG, 24), (3840, 2160, MJPEG, 30)];
        assert_eq!(best(&list), Some((1280, 720, MJPEG, 24)));
    }

    #[test]
    fn of_equals_the_one_that_costs_least_is_taken() {
        let list = [(640, 480, MJPEG, 30), (640, 480, YUYV, 30), (640, 480, NV12, 30), (640, 480, GRAY, 30)];
        assert_eq!(best(&list), Some((640, 480, NV12, 30)));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert_eq!(best(&[(1280, 720, GRAY, 30), (1280, 720, YUYV, 0)]), None);
        assert_eq!(best(&[]), None);
    }
}
