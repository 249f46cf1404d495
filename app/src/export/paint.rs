//! Draws paths, angles and savings into a frame.

use anyhow::Context as _;
use deltasteer_data::CameraGeometry;
use ndarray::Array3;
use plotters::prelude::{BitMapBackend, RGBColor};

use crate::figures::canvas::{Canvas, HPos, PALETTE};
use crate::pipeline::FrameResult;
use crate::text;

/// Half the width of the drawn path: that of a car.
const HALF_WIDTH_M: f32 = 0.9;
/// The delta network's colour, as in the window's dark theme.
const DELTA: RGBColor = PALETTE[5];
/// The driver's colour.
const TRUTH: RGBColor = RGBColor(46, 204, 150);
/// Rows of the picture for which one point is one pixel.
const ROWS_AT_FULL_SIZE: f64 = 480.0;

/// The frame of `result` with the predicted path (filled), the driver's (dashed), both angles and the savings.
///
/// # Errors
/// What the drawing library says.
pub(super) fn overlaid(result: &FrameResult, camera: &CameraGeometry) -> anyhow::Result<Array3<u8>> {
    let mut picture = (*result.image).clone();
    let (rows, columns, _) = picture.dim();
    let (width, height) = (columns as u32, rows as u32);
    let bytes = picture.as_slice_mut().context("a picture in standard layout")?;
    // Small pictures get letters that can still be read.
    let scale = (f64::from(height) / ROWS_AT_FULL_SIZE).max(0.6);
    let canvas = Canvas::over(BitMapBackend::with_buffer(bytes, (width, height)), scale)?;
    let points = |side: f32, steering_rad: f32| -> Vec<(f64, f64)> {
        let path = camera.path(steering_rad, side).into_iter();
        path.map(|(column, row)| (f64::from(column) / scale, f64::from(row) / scale)).collect()
    };
    let left = points(HALF_WIDTH_M, result.steering_rad);
    let right = points(-HALF_WIDTH_M, result.steering_rad);
    let outline: Vec<_> = left.iter().copied().chain(right.iter().rev().copied()).collect();
    if outline.len() > 2 {
        canvas.area(&outline, DELTA, 0.35)?;
    }
    for edge in [left, right] {
        canvas.line(&edge, DELTA, 2.0)?;
    }
    if let Some(truth) = result.steering_true_rad {
        for side in [HALF_WIDTH_M, -HALF_WIDTH_M] {
            let edge = points(side, truth);
            edge.chunks(4).try_for_each(|piece| canvas.line(&piece[..piece.len().min(3)], TRUTH, 2.0))?;
        }
    }
    caption(&canvas, result, f64::from(width) / scale)?;
    canvas.finish()?;
    Ok(picture)
}

/// Two lines on a dark plate at the top.
fn caption(canvas: &Canvas<BitMapBackend<'_>>, result: &FrameResult, width: f64) -> anyhow::Result<()> {
    const WHITE: RGBColor = RGBColor(255, 255, 255);
    canvas.area(&[(0.0, 0.0), (width, 0.0), (width, 46.0), (0.0, 46.0)], RGBColor(0, 0, 0), 0.55)?;
    canvas.text(
        &format!("delta RNN {}", text::steering(result.steering_rad)),
        (10.0, 14.0),
        HPos::Left,
        17.0,
        DELTA,
    )?;
    if let Some(truth) = result.steering_true_rad {
        canvas.text(&format!("driver {}", text::steering(truth)), (10.0, 34.0), HPos::Left, 17.0, TRUTH)?;
    }
    let totals = &result.totals;
    let savings = format!("{} fewer RNN operations", text::times(totals.macs_dense as f64, totals.macs as f64));
    canvas.text(&savings, (width - 10.0, 14.0), HPos::Right, 17.0, WHITE)?;
    let dense = totals.macs_dense / totals.steps.max(1);
    let frame = format!("this frame {} of {}", text::grouped(result.count.macs), text::grouped(dense));
    canvas.text(&frame, (width - 10.0, 34.0), HPos::Right, 17.0, WHITE)
}
