//! The rectangle that follows from a camera, and a source that is cut to it.

use super::{Framing, bad};
use crate::source::LiveHealth;
use crate::{CameraGeometry, DataError, Frame, RgbImage, SkipReport, Source, SourceInfo};

/// Width over height of the pictures that models learn on.
const ASPECT: f32 = 4.0 / 3.0;
/// A cut is at least this wide and high, and at most this many times as wide and high as the frame.
const SMALLEST: i32 = 32;
const LARGEST_TIMES: i32 = 4;

/// `[left, top, width, height]` in pixels of the source's frames; it may reach beyond them.
type Rect = [i32; 4];

/// A source whose frames are cut out of another's.
pub(super) struct CutSource {
    inner: Box<dyn Source>,
    info: SourceInfo,
    rect: Rect,
}

impl CutSource {
    pub fn new(name: &str, inner: Box<dyn Source>, framing: &Framing) -> Result<Self, DataError> {
        let mut info = inner.info().clone();
        let camera = geometry(framing, &info);
        let rect = framing.crop.unwrap_or_else(|| rect_of(&camera));
        let outside = check(rect, info.width, info.height)?;
        let [left, top, width, height] = rect;
        info.notes.push(format!(
            "cut to {width}x{height} at column {left}, row {top} of {}x{}, horizon at row {:.0}",
            info.width, info.height, camera.horizon_row
        ));
        if outside >= 0.005 {
            info.notes.push(format!(
                "{:.0}% of the cut lies outside the frame and repeats its edge: the camera sees less than the model expects",
                100.0 * outside
            ));
        }
        info.name = name.to_owned();
        (info.width, info.height) = (width as usize, height as usize);
        info.camera = CameraGeometry {
            centre_column: camera.centre_column - left as f32,
            horizon_row: camera.horizon_row - top as f32,
            ..camera
        };
        Ok(Self { inner, info, rect })
    }
}

impl Source for CutSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DataError> {
        let frame = self.inner.next_frame()?;
        Ok(frame.map(|frame| Frame { image: cut(&frame.image, self.rect), ..frame }))
    }

    fn seek(&mut self, index: usize) -> Result<(), DataError> {
        self.inner.seek(index)
    }

    fn skipped(&self) -> &SkipReport {
        self.inner.skipped()
    }

    fn health(&self) -> Option<LiveHealth> {
        self.inner.health()
    }
}

/// The camera as far as it is known.
fn geometry(framing: &Framing, info: &SourceInfo) -> CameraGeometry {
    let focal = |fov_deg: f32| 0.5 * info.width as f32 / (0.5 * fov_deg).to_radians().tan();
    let assumed = info.camera;
    CameraGeometry {
        focal_px: framing.fov_deg.map_or(assumed.focal_px, focal),
        horizon_row: framing.horizon_row.unwrap_or(assumed.horizon_row),
        centre_column: framing.centre_column.unwrap_or(assumed.centre_column),
        known: assumed.known || (framing.fov_deg.is_some() && framing.horizon_row.is_some()),
        ..assumed
    }
}

/// The rectangle whose content is a picture as models learn on: of the same angle of view, its horizon at the same height.
fn rect_of(camera: &CameraGeometry) -> Rect {
    let unit = CameraGeometry::assumed(1000, 1000);
    let width = camera.focal_px / unit.focal_px * 1000.0;
    let height = width / ASPECT;
    let left = camera.centre_column - unit.centre_column / 1000.0 * width;
    let top = camera.horizon_row - unit.horizon_row / 1000.0 * height;
    [left.round() as i32, top.round() as i32, width.round() as i32, height.round() as i32]
}

/// The share of the rectangle that lies outside the frame.
fn check([left, top, width, height]: Rect, frame_width: usize, frame_height: usize) -> Result<f32, DataError> {
    let sides = [(left, width, frame_width as i32), (top, height, frame_height as i32)];
    let fits = sides.iter().all(|&(_, side, frame)| (SMALLEST..=LARGEST_TIMES.saturating_mul(frame)).contains(&side));
    let inside = |&(from, side, frame): &(i32, i32, i32)| {
        let (from, side, frame) = (f64::from(from), f64::from(side), f64::from(frame));
        ((from + side).min(frame) - from.max(0.0)).max(0.0) / side
    };
    let share: f64 = sides.iter().map(inside).product();
    if !fits || share < 0.25 {
        let given = format!("{width}x{height} at column {left}, row {top}");
        let expected = format!(
            "a cut of at least {SMALLEST}x{SMALLEST} of which a quarter or more lies within the frame, {frame_width}x{frame_height}"
        );
        return Err(bad("the cut", given, &expected));
    }
    Ok((1.0 - share) as f32)
}

/// The part of a picture inside `rect`; beyond the picture its nearest edge pixel.
fn cut(image: &RgbImage, [left, top, width, height]: Rect) -> RgbImage {
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
    let last_column = image.width as i64 - 1;
    // Columns left of the frame, within it, and right of it.
    let before = i64::from(-left).clamp(0, i64::from(width)) as usize;
    let from = i64::from(left).clamp(0, last_column) as usize;
    let inside = (i64::from(left) + i64::from(width)).clamp(0, image.width as i64) as usize - from.min(image.width);
    let inside = inside.min(width as usize - before);
    let after = width as usize - before - inside;
    for row in 0..i64::from(height) {
        let row = (i64::from(top) + row).clamp(0, image.height as i64 - 1) as usize;
        let line = &image.pixels[row * image.width * 3..][..image.width * 3];
        let end = last_column as usize * 3;
        (0..before).for_each(|_| pixels.extend_from_slice(&line[..3]));
        pixels.extend_from_slice(&line[from * 3..(from + inside) * 3]);
        (0..after).for_each(|_| pixels.extend_from_slice(&line[end..]));
    }
    RgbImage { width: width as usize, height: height as usize, pixels }
}
