//! The rectangle that follows from a camera, and a source that is cut to it.

use ndarray::{Array3, Axis, s};

use super::{Framing, bad};
use crate::source::LiveHealth;
use crate::{CameraGeometry, DataError, Frame, SkipReport, Source, SourceInfo};

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
fn cut(image: &Array3<u8>, [left, top, width, height]: Rect) -> Array3<u8> {
    let (rows, columns, _) = image.dim();
    let place = |from: i32, length: i32, limit: usize| -> Vec<usize> {
        (0..i64::from(length)).map(|at| (i64::from(from) + at).clamp(0, limit as i64 - 1) as usize).collect()
    };
    if left >= 0 && top >= 0 && (left + width) as usize <= columns && (top + height) as usize <= rows {
        return image.slice(s![top..top + height, left..left + width, ..]).to_owned();
    }
    let part = image.select(Axis(0), &place(top, height, rows)).select(Axis(1), &place(left, width, columns));
    // Selecting leaves the axes in another order in memory.
    part.as_standard_layout().into_owned()
}
