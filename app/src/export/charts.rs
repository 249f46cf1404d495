//! The report's curves, as SVG that stands inside the page.

use plotters::prelude::{RGBColor, SVGBackend};

use crate::drive::Row;
use crate::figures::canvas::{Canvas, GREY, HPos, PALE, PALETTE, Place, Scale};

/// Size in points.
const SIZE: (u32, u32) = (900, 260);
/// Points left free at the left, top, right and bottom.
const MARGIN: [f64; 4] = [64.0, 26.0, 14.0, 34.0];
/// Points along the time axis that a curve may have: more cannot be seen.
const POINTS: usize = 1800;

/// Which angle of a frame a curve shows.
type AngleOf = fn(&Row) -> Option<f32>;

/// The driver's angle, the delta GRU's and the dense GRU's over time, in degrees.
///
/// # Errors
/// What the drawing library says.
pub(super) fn angles(rows: &[Row]) -> anyhow::Result<String> {
    let largest = rows.iter().flat_map(|row| [row.steering_rad, row.steering_true_rad.unwrap_or(0.0)]);
    let limit = f64::from(largest.fold(0.05f32, |limit, angle| limit.max(angle.abs()))).to_degrees() * 1.1;
    let frame = Frame::of(rows, Scale { values: (-limit, limit), points: Frame::UP, logarithmic: false });
    let mut svg = String::new();
    let canvas = Canvas::new(SVGBackend::with_string(&mut svg, SIZE), 1.0)?;
    let step = nice_step(limit);
    let marks: Vec<(f64, String)> =
        (-4..=4).map(|k| f64::from(k) * step).filter(|v| v.abs() <= limit).map(|v| (v, format!("{v:.0}°"))).collect();
    frame.axes(&canvas, &marks)?;
    let curves: [(&str, RGBColor, AngleOf); 3] = [
        ("driver", PALETTE[3], |row| row.steering_true_rad),
        ("dense GRU", PALETTE[6], |row| Some(row.steering_dense_rad)),
        ("delta GRU", PALETTE[1], |row| Some(row.steering_rad)),
    ];
    for (place, (name, color, pick)) in curves.into_iter().enumerate() {
        frame.curve(&canvas, rows, color, |row| pick(row).map(|rad| f64::from(rad).to_degrees()))?;
        canvas.text(name, (MARGIN[0] + 90.0 * place as f64, 12.0), HPos::Left, 14.0, color)?;
    }
    canvas.text("positive: left", (f64::from(SIZE.0) - MARGIN[2], 12.0), HPos::Right, 13.0, GREY)?;
    canvas.finish()?;
    Ok(svg)
}

/// The delta step's multiplications of each frame on a logarithmic axis, with the dense step's `macs_dense` as a line.
///
/// # Errors
/// What the drawing library says.
pub(super) fn work(rows: &[Row], macs_dense: u64) -> anyhow::Result<String> {
    let top = (macs_dense.max(10) as f64) * 2.0;
    let frame = Frame::of(rows, Scale { values: (1.0, top), points: Frame::UP, logarithmic: true });
    let mut svg = String::new();
    let canvas = Canvas::new(SVGBackend::with_string(&mut svg, SIZE), 1.0)?;
    let marks: Vec<(f64, String)> =
        (0..9).map(|k| 10f64.powi(k)).filter(|v| *v <= top).map(|v| (v, format!("{v:.0}"))).collect();
    frame.axes(&canvas, &marks)?;
    let each = rows.len().div_ceil(POINTS).max(1);
    for group in rows.chunks(each) {
        let busiest = group.iter().map(|row| row.count.macs).max().unwrap_or(0);
        if busiest > 0 {
            let x = frame.x.place(group[0].time_s);
            let (low, high) = (frame.y.place(1.0), frame.y.place(busiest as f64));
            canvas.line(&[(x, low), (x, high)], PALETTE[1], 1.0)?;
        }
    }
    let dense = frame.y.place(macs_dense as f64);
    canvas.dashes((frame.x.points.0, dense), (frame.x.points.1, dense), PALETTE[2], 1.5)?;
    canvas.text("delta (frames without a line needed none)", (MARGIN[0], 12.0), HPos::Left, 14.0, PALETTE[1])?;
    canvas.text("dense", (f64::from(SIZE.0) - MARGIN[2], 12.0), HPos::Right, 14.0, PALETTE[2])?;
    canvas.finish()?;
    Ok(svg)
}

/// The axes of one chart.
struct Frame {
    x: Scale,
    y: Scale,
}

impl Frame {
    /// The points of the vertical axis, bottom first.
    const UP: (f64, f64) = (SIZE.1 as f64 - MARGIN[3], MARGIN[1]);

    fn of(rows: &[Row], y: Scale) -> Self {
        let first = rows.first().map_or(0.0, |row| row.time_s);
        let last = rows.last().map_or(1.0, |row| row.time_s).max(first + 1e-3);
        let points = (MARGIN[0], f64::from(SIZE.0) - MARGIN[2]);
        Self { x: Scale { values: (first, last), points, logarithmic: false }, y }
    }

    fn axes(&self, canvas: &Canvas<SVGBackend<'_>>, marks: &[(f64, String)]) -> anyhow::Result<()> {
        let (left, right) = self.x.points;
        for (value, name) in marks {
            let y = self.y.place(*value);
            canvas.line(&[(left, y), (right, y)], PALE, 1.0)?;
            canvas.text(name, (left - 8.0, y), HPos::Right, 13.0, GREY)?;
        }
        let (first, last) = self.x.values;
        for share in 0..=6 {
            let time_s = first + (last - first) * f64::from(share) / 6.0;
            let name = format!("{time_s:.0} s");
            canvas.text(&name, (self.x.place(time_s), Self::UP.0 + 16.0), HPos::Center, 13.0, GREY)?;
        }
        Ok(())
    }

    /// A curve with gaps where `pick` knows nothing or frames are missing.
    fn curve(
        &self,
        canvas: &Canvas<SVGBackend<'_>>,
        rows: &[Row],
        color: RGBColor,
        pick: impl Fn(&Row) -> Option<f64>,
    ) -> anyhow::Result<()> {
        let each = rows.len().div_ceil(POINTS).max(1);
        let mut piece: Vec<Place> = Vec::new();
        for row in rows.iter().step_by(each) {
            match pick(row).filter(|value| value.is_finite()) {
                Some(value) => piece.push((self.x.place(row.time_s), self.y.place(value))),
                None => self.piece(canvas, &mut piece, color)?,
            }
        }
        self.piece(canvas, &mut piece, color)
    }

    fn piece(&self, canvas: &Canvas<SVGBackend<'_>>, piece: &mut Vec<Place>, color: RGBColor) -> anyhow::Result<()> {
        if piece.len() > 1 {
            canvas.line(piece, color, 1.5)?;
        }
        piece.clear();
        Ok(())
    }
}

/// A round distance between marks, so that a few lie within `limit` each way.
fn nice_step(limit: f64) -> f64 {
    let rough = limit / 2.5;
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    power * steps.into_iter().find(|step| step * power >= rough).unwrap_or(10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!([3.0, 11.0, 30.0, 95.0].map(nice_step), [2.0, 5.0, 20.0, 50.0]);
    }
}
