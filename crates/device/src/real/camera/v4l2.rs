//! Takes a camera out of a setting in which nokhwa can't open it. V4L2 drivers keep what the last program set, and
//! nokhwa first reads that: a format it has no name for, or a rate that isn't a whole number (12.5 pictures a second),
//! and the camera could never be opened again.

use std::io;

use v4l::frameinterval::{FrameInterval, FrameIntervalEnum};
use v4l::framesize::{FrameSize, FrameSizeEnum};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC, Fraction};

/// The formats that we can read, as V4L2 calls them.
const READABLE: [&[u8; 4]; 3] = [b"YUYV", b"NV12", b"MJPG"];

/// Sets a camera to something that can be read, where it isn't. Whatever stands in the way is found again, and told, by
/// whoever opens it next.
pub(super) fn make_readable(index: u32) {
    if let Err(error) = try_to(index) {
        tracing::debug!(index, %error, "a camera couldn't be looked at");
    }
}

fn try_to(index: u32) -> io::Result<()> {
    let device = Device::new(index as usize)?;
    let now = device.format()?;
    if is_readable(now.fourcc) && is_whole(device.params()?.interval) {
        return Ok(());
    }
    let offered = device.enum_formats()?.into_iter().map(|format| format.fourcc).filter(|format| is_readable(*format));
    for format in offered {
        for size in device.enum_framesizes(format)? {
            let (width, height) = some_size(&size);
            let intervals = device.enum_frameintervals(format, width, height)?;
            if let Some(interval) = intervals.iter().find_map(whole) {
                device.set_format(&Format::new(width, height, format))?;
                device.set_params(&Parameters::new(interval))?;
                return Ok(());
            }
        }
    }
    Ok(())
}

fn is_readable(format: FourCC) -> bool {
    READABLE.contains(&&format.repr)
}

const fn is_whole(interval: Fraction) -> bool {
    interval.numerator == 1
}

/// Of sizes in steps any will do, since the one wanted is set later.
const fn some_size(size: &FrameSize) -> (u32, u32) {
    match &size.size {
        FrameSizeEnum::Discrete(one) => (one.width, one.height),
        FrameSizeEnum::Stepwise(steps) => (steps.min_width, steps.min_height),
    }
}

fn whole(interval: &FrameInterval) -> Option<Fraction> {
    match &interval.interval {
        FrameIntervalEnum::Discrete(one) => is_whole(*one).then_some(*one),
        FrameIntervalEnum::Stepwise(_) => Some(Fraction::new(1, 30)),
    }
}
