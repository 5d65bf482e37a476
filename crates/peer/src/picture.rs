//! A received picture as a PNG.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result};
use visavis_engine::frame::VideoFrame;
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_rgb};

/// Writes `frame` to `path`.
pub(crate) fn write_png(frame: &VideoFrame, path: &Path) -> Result<()> {
    let (width, height) = (u32::try_from(frame.size().width())?, u32::try_from(frame.size().height())?);
    let planes = YuvPlanarImage {
        y_plane: frame.y(),
        y_stride: width,
        u_plane: frame.u(),
        u_stride: width / 2,
        v_plane: frame.v(),
        v_stride: width / 2,
        width,
        height,
    };
    let mut rgb = vec![0; frame.size().luma_len() * 3];
    yuv420_to_rgb(&planes, &mut rgb, width * 3, YuvRange::Limited, YuvStandardMatrix::Bt601)?;
    let file = File::create(path).with_context(|| format!("{} can't be written", path.display()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&rgb)?;
    Ok(())
}
