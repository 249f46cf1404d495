//! The report's curves, as SVG inside the page.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::figures::style::{GREY, PALE, PALETTE, register_font, text};
use crate::pipeline::FrameResult;

/// Size in pixels.
pub(crate) const SIZE: (u32, u32) = (900, 260);
/// Most points of a curve. When there are twice as many frames, each point stands for twice as many of them.
const POINTS: usize = 1800;

/// Which angle of a point a curve shows.
type AngleOf = fn(&Point) -> Option<f32>;

/// Frames that follow each other.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Time and angles of the first of them.
    time_s: f64,
    steering_true_rad: Option<f32>,
    steering_rad: f32,
    steering_dense_rad: Option<f32>,
    /// The most multiplications that any of them took.
    macs: u64,
}

/// The curves of a drive of any length, in constant memory.
pub(super) struct Curves {
    points: Vec<Point>,
    /// Frames that a point stands for.
    each: usize,
    /// Frames in the last point.
    filled: usize,
}

impl Curves {
    pub fn new() -> Self {
        Self { points: Vec::new(), each: 1, filled: 1 }
    }

    pub fn add(&mut self, frame: &FrameResult) {
        if self.filled < self.each
            && let Some(last) = self.points.last_mut()
        {
            last.macs = last.macs.max(frame.count.macs);
            self.filled += 1;
            return;
        }
        if self.points.len() == 2 * POINTS {
            let merged = self.points.chunks(2).map(|pair| Point { macs: pair[0].macs.max(pair[1].macs), ..pair[0] });
            self.points = merged.collect();
            self.each *= 2;
        }
        self.filled = 1;
        self.points.push(Point {
            time_s: frame.time_s,
            steering_true_rad: frame.steering_true_rad,
            steering_rad: frame.steering_rad,
            steering_dense_rad: frame.steering_dense_rad,
            macs: frame.count.macs,
        });
    }

    /// The driver's angle, the delta GRU's and the dense GRU's over time, in degrees.
    ///
    /// # Errors
    /// What the drawing library says.
    pub fn angles(&self) -> anyhow::Result<String> {
        let largest = self.points.iter().flat_map(|point| [point.steering_rad, point.steering_true_rad.unwrap_or(0.0)]);
        let limit = f64::from(largest.fold(0.05f32, |limit, angle| limit.max(angle.abs()))).to_degrees() * 1.1;
        let curves: [(&str, RGBColor, AngleOf); 3] = [
            ("driver", PALETTE[3], |point| point.steering_true_rad),
            ("dense GRU", PALETTE[6], |point| point.steering_dense_rad),
            ("delta GRU", PALETTE[1], |point| Some(point.steering_rad)),
        ];
        svg(|root| {
            let mut chart = ChartBuilder::on(root)
                .margin_top(26)
                .margin_right(14)
                .x_label_area_size(30)
                .y_label_area_size(64)
                .build_cartesian_2d(self.times(), -limit..limit)?;
            let mut mesh = chart.configure_mesh();
            mesh.bold_line_style(PALE).light_line_style(TRANSPARENT).axis_style(GREY).x_labels(7).y_labels(7);
            mesh.label_style(text(13.0, GREY, HPos::Center))
                .x_label_formatter(&|time_s| format!("{} s", round(*time_s)));
            mesh.y_label_formatter(&|degrees| format!("{}°", round(*degrees))).disable_x_mesh().draw()?;
            for (place, (name, color, angle)) in curves.into_iter().enumerate() {
                // A frame without this angle, and a new recording, leave a gap.
                for piece in self.points.split(|point| angle(point).is_none_or(|angle| !angle.is_finite())) {
                    let degrees =
                        piece.iter().filter_map(|point| Some((point.time_s, f64::from(angle(point)?).to_degrees())));
                    chart.draw_series(LineSeries::new(degrees, color.stroke_width(2)))?;
                }
                root.draw(&Text::new(name, (64 + 90 * place as i32, 12), text(14.0, color, HPos::Left)))?;
            }
            let note = Text::new("positive: left", (SIZE.0 as i32 - 14, 12), text(13.0, GREY, HPos::Right));
            Ok(root.draw(&note)?)
        })
    }

    /// The delta step's multiplications of each frame on a logarithmic axis, with the dense step's `macs_dense` as a line.
    ///
    /// # Errors
    /// What the drawing library says.
    pub fn work(&self, macs_dense: u64) -> anyhow::Result<String> {
        let top = macs_dense.max(10) as f64 * 2.0;
        svg(|root| {
            let mut chart = ChartBuilder::on(root)
                .margin_top(26)
                .margin_right(14)
                .x_label_area_size(30)
                .y_label_area_size(64)
                .build_cartesian_2d(self.times(), (1.0..top).log_scale())?;
            let mut mesh = chart.configure_mesh();
            mesh.bold_line_style(PALE).light_line_style(TRANSPARENT).axis_style(GREY).x_labels(7);
            mesh.label_style(text(13.0, GREY, HPos::Center))
                .x_label_formatter(&|time_s| format!("{} s", round(*time_s)));
            mesh.y_label_formatter(&|macs| format!("{macs:.0}")).disable_x_mesh().draw()?;
            let busy = self.points.iter().filter(|point| point.macs > 0);
            chart.draw_series(busy.map(|point| {
                PathElement::new(vec![(point.time_s, 1.0), (point.time_s, point.macs as f64)], PALETTE[1])
            }))?;
            let dense = self.times();
            let ends = [(dense.start, macs_dense as f64), (dense.end, macs_dense as f64)];
            chart.draw_series(DashedLineSeries::new(ends, 6, 6, PALETTE[2].stroke_width(2)))?;
            let delta = "delta (frames without a line needed none)";
            root.draw(&Text::new(delta, (64, 12), text(14.0, PALETTE[1], HPos::Left)))?;
            Ok(root.draw(&Text::new("dense", (SIZE.0 as i32 - 14, 12), text(14.0, PALETTE[2], HPos::Right)))?)
        })
    }

    fn times(&self) -> std::ops::Range<f64> {
        let first = self.points.first().map_or(0.0, |point| point.time_s);
        first..self.points.last().map_or(1.0, |point| point.time_s).max(first + 1e-3)
    }
}

/// A mark of an axis with no more digits than it needs.
fn round(value: f64) -> f64 {
    // Adding zero takes the sign from a zero.
    (100.0 * value).round() / 100.0 + 0.0
}

/// A white picture with what `draw` draws on it.
///
/// # Errors
/// What the drawing library says.
pub(crate) fn svg(
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    register_font()?;
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    draw(&root)?;
    root.present()?;
    drop(root);
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_drive_keeps_its_peaks_in_few_points() {
        let mut curves = Curves::new();
        let mut frame = crate::export::tests::frame();
        for index in 0..20 * POINTS {
            frame.time_s = index as f64;
            frame.count.macs = if index == 12_345 { 99 } else { 1 };
            curves.add(&frame);
        }
        assert!((POINTS / 2..=2 * POINTS).contains(&curves.points.len()), "{}", curves.points.len());
        assert_eq!(curves.points.iter().filter(|point| point.macs == 99).count(), 1);
        assert!(curves.points.windows(2).all(|pair| pair[1].time_s - pair[0].time_s == curves.each as f64));
    }
}
