//! Draws paths, angles and savings into a frame.

use std::borrow::Cow;

use anyhow::Context;
use deltasteer_data::{CameraGeometry, rgb_bytes};
use ndarray::Array3;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::figures::style::{PALETTE, register_font, text as text_style};
use crate::pipeline::FrameResult;
use crate::text;

/// Half the width of the drawn path: that of a car.
const HALF_WIDTH_M: f32 = 0.9;
/// The delta network's colour, as in the window's dark theme.
const DELTA: RGBColor = PALETTE[5];
/// The driver's colour.
const TRUTH: RGBColor = RGBColor(46, 204, 150);
/// Rows of the picture for which letters are 17 pixels high.
const ROWS_AT_FULL_SIZE: f64 = 480.0;

/// Columns that the longest pair of captions needs at full size.
const COLUMNS_OF_TWO_LINES: f64 = 390.0;

/// The part of plotters that is drawn on.
type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// The frame of `result`, at `size` columns and rows, with the predicted path (filled), the driver's (dashed), both angles and
/// the savings. `camera` belongs to frames of that size.
///
/// # Errors
/// What the drawing library says.
pub(super) fn overlaid(
    result: &FrameResult,
    camera: &CameraGeometry,
    size: (usize, usize),
) -> anyhow::Result<Array3<u8>> {
    register_font()?;
    let mut picture = scaled(&result.image, size)?.into_owned();
    let (width, height) = (size.0 as u32, size.1 as u32);
    let bytes = picture.as_slice_mut().context("a picture in standard layout")?;
    let area = BitMapBackend::with_buffer(bytes, (width, height)).into_drawing_area();
    // Small pictures get letters that can still be read, as far as the lines have room.
    let scale = (f64::from(height) / ROWS_AT_FULL_SIZE).max(0.9).min(f64::from(width) / COLUMNS_OF_TWO_LINES);
    let stroke = (2.0 * scale).round().max(1.0) as u32;
    let points = |side: f32, steering_rad: f32| -> Vec<(i32, i32)> {
        let path = camera.path(steering_rad, side).into_iter();
        path.map(|(column, row)| (column.round() as i32, row.round() as i32)).collect()
    };
    let left = points(HALF_WIDTH_M, result.steering_rad);
    let right = points(-HALF_WIDTH_M, result.steering_rad);
    let outline: Vec<_> = left.iter().copied().chain(right.iter().rev().copied()).collect();
    if outline.len() > 2 {
        area.draw(&Polygon::new(outline, DELTA.mix(0.35)))?;
    }
    for edge in [left, right] {
        area.draw(&PathElement::new(edge, DELTA.stroke_width(stroke)))?;
    }
    if let Some(truth) = result.steering_true_rad {
        for side in [HALF_WIDTH_M, -HALF_WIDTH_M] {
            for dash in points(side, truth).chunks(4) {
                area.draw(&PathElement::new(&dash[..dash.len().min(3)], TRUTH.stroke_width(stroke)))?;
            }
        }
    }
    caption(&area, result, f64::from(width), scale)?;
    area.present()?;
    drop(area);
    Ok(picture)
}

/// The picture in another size, where it has another: a feed may change its size, a video cannot.
fn scaled(picture: &Array3<u8>, (width, height): (usize, usize)) -> anyhow::Result<Cow<'_, Array3<u8>>> {
    let (rows, columns, _) = picture.dim();
    if (columns, rows) == (width, height) {
        return Ok(Cow::Borrowed(picture));
    }
    let view: image::ImageBuffer<image::Rgb<u8>, &[u8]> =
        image::ImageBuffer::from_raw(columns as u32, rows as u32, rgb_bytes(picture)).context("a whole picture")?;
    let resized = image::imageops::resize(&view, width as u32, height as u32, image::imageops::FilterType::Triangle);
    Ok(Cow::Owned(Array3::from_shape_vec((height, width, 3), resized.into_raw())?))
}

/// Two lines on a dark plate at the top.
fn caption(area: &Area<'_>, result: &FrameResult, width: f64, scale: f64) -> anyhow::Result<()> {
    let plate = Rectangle::new([(0, 0), (width as i32, (46.0 * scale) as i32)], BLACK.mix(0.75).filled());
    area.draw(&plate)?;
    let line = |words: String, row: f64, side: HPos, color: RGBColor| {
        let column = if matches!(side, HPos::Left) { 10.0 * scale } else { width - 10.0 * scale };
        area.draw(&Text::new(words, (column as i32, (row * scale) as i32), text_style(17.0 * scale, color, side)))
    };
    line(format!("delta RNN {}", text::steering(result.steering_rad)), 14.0, HPos::Left, DELTA)?;
    if let Some(truth) = result.steering_true_rad {
        line(format!("driver {}", text::steering(truth)), 34.0, HPos::Left, TRUTH)?;
    }
    let totals = &result.totals;
    let savings = text::times(totals.macs_dense as f64, totals.macs as f64);
    line(format!("{savings} fewer RNN operations"), 14.0, HPos::Right, WHITE)?;
    let dense = totals.macs_dense / totals.steps.max(1);
    let frame = format!("this frame {} of {}", text::grouped(result.count.macs), text::grouped(dense));
    Ok(line(frame, 34.0, HPos::Right, WHITE)?)
}
