//! The report on an own model: a page with curves and tables that needs no network, and the model's card.

use std::fmt::Write as _;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::choose::{Point, front};
use super::findings::Figures;
use super::history::History;
use crate::export::charts::{SIZE, svg};
use crate::export::report::{STYLE, escaped};
use crate::figures::style::{GREY, PALE, PALETTE, text};
use crate::metrics::ErrorFigures;
use crate::text::times;

/// Points of the trade-off in the table, at most.
const TABLE_ROWS: usize = 12;

/// What the page tells.
pub struct Report<'a> {
    /// The model folder.
    pub model: String,
    /// The command that made it.
    pub command: String,
    /// What was trained on and what validated.
    pub drives: [&'a [String]; 2],
    /// Whether the model has learned from the validation frames too, after they had been used to measure.
    pub on_all: bool,
    /// How the labels of each drive follow the picture.
    pub labels: &'a [String],
    /// All figures.
    pub figures: &'a Figures,
    /// What was tried on the validation drives, and what was kept.
    pub points: &'a [Point],
    /// The point that was kept.
    pub kept: Point,
    /// How the training went.
    pub history: &'a History,
    /// Commands that show the model.
    pub commands: &'a [String],
}

/// A curve: its name, its colour's place in the palette, its points.
type Curve = (&'static str, usize, Vec<(f64, f64)>);

impl Report<'_> {
    /// What the figures were measured on.
    pub fn measured_on(&self) -> &'static str {
        if self.on_all {
            "Measured on the validation frames, by which state and thresholds were chosen; then the same training was run on all \
             frames, these included, and made the model."
        } else {
            "Measured on the validation frames, by which state and thresholds were chosen; expect a little more error elsewhere."
        }
    }

    /// The page.
    ///
    /// # Errors
    /// What the drawing library says.
    pub fn html(&self) -> Result<String> {
        let figures = self.figures;
        let mut page = String::new();
        write!(
            page,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{0}</title>\n<style>{STYLE}</style></head>\n\
             <body><h1>{0}</h1>\n<p class=\"headline\"><b>{1}</b> fewer RNN multiplications at an error of {2:.4} rad ({3:.1} degrees)</p>\n\
             <p>{4} The whole network does {5} fewer multiplications.</p>\n",
            escaped(&self.model),
            times(figures.savings, 1.0),
            figures.delta.rmse_rad,
            figures.delta.rmse_rad.to_degrees(),
            figures.verdict(),
            times(figures.network_savings, 1.0),
        )?;
        page += &self.errors()?;
        let advice = figures.advice();
        if !advice.is_empty() {
            write!(page, "<h2>What would help</h2>\n<ul>{}</ul>\n", items(&advice))?;
        }
        page += "<h2>Training</h2>\n";
        for chart in [self.loss()?, self.validation_error()?, self.validation_savings()?] {
            write!(page, "<div class=\"chart\">{chart}</div>")?;
        }
        page += &self.trade_off()?;
        write!(page, "<h2>Labels</h2>\n<ul>{}</ul>\n", items(self.labels))?;
        for (title, drives) in ["Trained on", "Validated on"].iter().zip(self.drives) {
            write!(page, "<h2>{title}</h2>\n<ul>{}</ul>\n", items(drives))?;
        }
        write!(
            page,
            "<h2>Look at it</h2>\n<pre>{}</pre>\n",
            self.commands.iter().map(|c| escaped(c)).collect::<Vec<_>>().join("\n")
        )?;
        writeln!(page, "<p>Made by <code>{}</code></p></body></html>", escaped(&self.command))?;
        Ok(page)
    }

    /// The card, in the form of the shipped ones.
    pub fn card(&self) -> String {
        let Figures { delta, savings, network_savings, .. } = self.figures;
        let list = |drives: &[String]| drives.iter().map(|drive| format!("- {drive}\n")).collect::<String>();
        format!(
            "# {}: a model trained on own drives\n\n{}\n\nRMSE {:.4} rad over {} validation frames, at {} fewer RNN \
             multiplications ({} over the whole network). Always predicting zero has {:.4}. {}\n\n**It steers no car.** {}\n\n## Trained on\n{}\n\
             ## Validated on\n{}\n## How it was made\n```\n{}\n```\n`report.html` beside this file holds curves and advice.\n",
            self.model,
            self.figures.verdict(),
            delta.rmse_rad,
            delta.frames,
            times(*savings, 1.0),
            times(*network_savings, 1.0),
            delta.zero_rmse_rad,
            self.measured_on(),
            "Ego-motion, one of its inputs, says how the car turns now; it helps a replay.",
            list(self.drives[0]),
            list(self.drives[1]),
            self.command,
        )
    }

    fn errors(&self) -> Result<String> {
        let figures = self.figures;
        let mut table = format!("<h2>Error over {} validation frames</h2>\n<table>", figures.delta.frames);
        table += "<tr><th></th><th>RMSE rad</th>";
        for band in &figures.delta.by_angle {
            write!(table, "<th>at {} degrees</th>", band.band_deg)?;
        }
        table += "</tr>";
        let rows: [(&str, &ErrorFigures); 3] = [
            ("your model", &figures.delta),
            ("the same weights, dense", &figures.dense),
            ("the CNN alone, frame by frame", &figures.single_frame),
        ];
        for (name, row) in rows {
            write!(table, "<tr><td>{name}</td><td>{:.4}</td>", row.rmse_rad)?;
            for band in &row.by_angle {
                let rmse = band.rmse_rad.map_or("–".to_owned(), |rmse| format!("{rmse:.4}"));
                write!(table, "<td>{rmse}</td>")?;
            }
            table += "</tr>";
        }
        write!(table, "<tr><td>always zero</td><td>{:.4}</td></tr>", figures.delta.zero_rmse_rad)?;
        for (name, frames) in [
            ("frames to learn from", figures.training_bands.clone()),
            ("frames validated on", figures.delta.by_angle.iter().map(|band| band.frames).collect()),
        ] {
            let cells: String = frames.iter().map(|frames| format!("<td>{frames}</td>")).collect();
            write!(table, "<tr><td>{name}</td><td></td>{cells}</tr>")?;
        }
        writeln!(table, "</table>\n<p>{}</p>", self.measured_on())?;
        Ok(table)
    }

    fn trade_off(&self) -> Result<String> {
        let front = front(&self.points.iter().copied().filter(|point| point.savings.is_finite()).collect::<Vec<_>>());
        let of = |name, color, dense: bool| {
            let points = self.points.iter().filter(|point| (point.phase == 0) == dense);
            (name, color, points.map(|point| (point.savings, point.rmse_rad)).collect())
        };
        let curves: [Curve; 2] = [of("trained dense", 2, true), of("trained as a delta network", 1, false)];
        let kept = (self.kept.savings, self.kept.rmse_rad);
        let mut part = "<h2>Error against savings</h2>\n".to_owned();
        write!(part, "<div class=\"chart\">{}</div>", scatter(&curves, kept)?)?;
        part += "<table><tr><th></th><th>saved</th><th>RMSE rad</th><th>theta_x</th><th>theta_h</th></tr>";
        let step = front.len().div_ceil(TABLE_ROWS).max(1);
        let mut shown: Vec<Point> = front.iter().copied().step_by(step).filter(|point| *point != self.kept).collect();
        shown.push(self.kept);
        shown.sort_by(|a, b| a.savings.total_cmp(&b.savings));
        for point in shown {
            let mark = if point == self.kept { "kept" } else { "" };
            let (savings, rmse, theta) = (times(point.savings, 1.0), point.rmse_rad, point.thresholds);
            write!(
                part,
                "<tr><td>{mark}</td><td>{savings}</td><td>{rmse:.4}</td><td>{}</td><td>{}</td></tr>",
                theta.theta_x, theta.theta_h
            )?;
        }
        part += "</table>\n<p>Any of these runs with <code>--theta-x</code> and <code>--theta-h</code>.</p>\n";
        Ok(part)
    }

    fn loss(&self) -> Result<String> {
        let rows = self.steps();
        curve(
            ("loss of the training windows, rad²", 0, rows.iter().map(|(step, row)| (*step, row.loss)).collect()),
            true,
        )
    }

    fn validation_error(&self) -> Result<String> {
        let rows = self.steps();
        let points = rows.iter().filter_map(|(step, row)| Some((*step, row.validation?.0))).collect();
        curve(("error on the validation frames, rad", 1, points), false)
    }

    fn validation_savings(&self) -> Result<String> {
        let rows = self.steps();
        let points = rows.iter().filter_map(|(step, row)| Some((*step, row.validation?.1))).collect();
        curve(("times fewer RNN multiplications on the validation frames", 3, points), true)
    }

    /// The rows with steps that count on through the phases.
    fn steps(&self) -> Vec<(f64, super::history::Row)> {
        let (mut before, mut last, mut phase) = (0, 0, 0);
        let steps = self.history.rows.iter().map(|(&(number, step), row)| {
            if number != phase {
                (before, phase) = (before + last, number);
            }
            last = step;
            ((before + step) as f64, *row)
        });
        steps.collect()
    }
}

fn items(lines: &[String]) -> String {
    lines.iter().map(|line| format!("<li>{}</li>", escaped(line))).collect()
}

/// One curve over the steps of training.
fn curve(curve: Curve, log: bool) -> Result<String> {
    let (low, high) = limits(curve.2.iter().map(|point| point.1), log);
    svg(
        |root| {
            if log { draw_curve(root, &curve, (low..high).log_scale()) } else { draw_curve(root, &curve, low..high) }
        },
    )
}

fn draw_curve<Y>(root: &DrawingArea<SVGBackend<'_>, Shift>, (name, color, points): &Curve, values: Y) -> Result<()>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let last = points.last().map_or(1.0, |point| point.0).max(1.0);
    let mut chart = ChartBuilder::on(root);
    chart.margin_top(26).margin_right(14).x_label_area_size(30).y_label_area_size(64);
    let mut chart = chart.build_cartesian_2d(0.0..last, values)?;
    let mut mesh = chart.configure_mesh();
    mesh.bold_line_style(PALE).light_line_style(TRANSPARENT).axis_style(GREY).x_labels(7).y_labels(5);
    mesh.label_style(text(13.0, GREY, HPos::Center)).x_label_formatter(&|step| format!("step {step:.0}"));
    mesh.y_label_formatter(&|value| label(*value)).disable_x_mesh().draw()?;
    chart.draw_series(LineSeries::new(points.iter().copied(), PALETTE[*color].stroke_width(2)))?;
    Ok(root.draw(&Text::new(*name, (64, 12), text(14.0, PALETTE[*color], HPos::Left)))?)
}

/// Error over savings, with a ring around what is kept.
fn scatter(curves: &[Curve], kept: (f64, f64)) -> Result<String> {
    let all = || curves.iter().flat_map(|curve| &curve.2).filter(|point| point.0.is_finite());
    let (low, high) = limits(all().map(|point| point.0), true);
    let (_, top) = limits(all().map(|point| point.1), false);
    svg(|root| {
        let mut chart = ChartBuilder::on(root);
        chart.margin_top(26).margin_right(14).x_label_area_size(30).y_label_area_size(64);
        let mut chart = chart.build_cartesian_2d((low..high).log_scale(), 0.0..top)?;
        let mut mesh = chart.configure_mesh();
        mesh.bold_line_style(PALE).light_line_style(TRANSPARENT).axis_style(GREY).y_labels(5);
        mesh.label_style(text(13.0, GREY, HPos::Center)).x_label_formatter(&|savings| format!("{savings:.0}x"));
        mesh.y_label_formatter(&|error| format!("{error:.2} rad")).draw()?;
        for (place, (name, color, points)) in curves.iter().enumerate() {
            let points = points.iter().filter(|point| point.0.is_finite());
            chart.draw_series(points.map(|&point| Circle::new(point, 3, PALETTE[*color].filled())))?;
            root.draw(&Text::new(*name, (64 + 150 * place as i32, 12), text(14.0, PALETTE[*color], HPos::Left)))?;
        }
        chart.draw_series([Circle::new(kept, 8, BLACK.stroke_width(2))])?;
        let note = "the ring: what is kept";
        Ok(root.draw(&Text::new(note, (SIZE.0 as i32 - 14, 12), text(13.0, GREY, HPos::Right)))?)
    })
}

/// Ends of an axis that holds all values.
fn limits(values: impl Iterator<Item = f64>, log: bool) -> (f64, f64) {
    let values: Vec<f64> = values.filter(|value| value.is_finite() && (!log || *value > 0.0)).collect();
    let high = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let low = if log { values.iter().copied().fold(high, f64::min) * 0.8 } else { 0.0 };
    (low, high * 1.1 + f64::MIN_POSITIVE)
}

/// A number with the digits that an axis needs.
fn label(value: f64) -> String {
    // Adding zero takes the sign from a zero.
    ((value * 1e4).round() / 1e4 + 0.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::findings::tests::figures;
    use super::super::history::Row;
    use super::*;
    use deltasteer_temporal::Thresholds;

    #[test]
    fn the_page_shows_the_figures_that_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(&folder.path().join("history.csv")).unwrap();
        for step in 1..=30 {
            let validation = (step == 30).then_some((0.08, 90.0));
            history.add(0, step, Row { loss: 1.0 / step as f64, validation }).unwrap();
        }
        history.add(1, 20, Row { loss: 0.01, validation: Some((0.061, 130.0)) }).unwrap();
        let point = |phase, rmse_rad, savings| Point { phase, thresholds: Thresholds::ZERO, rmse_rad, savings };
        let points = [point(0, 0.06, 7.0), point(1, 0.061, 130.0), point(1, 0.3, f64::INFINITY)];
        let text = |text: &str| vec![text.to_owned()];
        let (training, validation, labels) = (text("a.mp4:0.00-80.00"), text("a.mp4:85.00-105.00"), text("a<b"));
        let commands = text("deltasteer view a.mp4 --model out");
        let report = Report {
            model: "out".to_owned(),
            command: "deltasteer train a.mp4".to_owned(),
            drives: [&training, &validation],
            on_all: true,
            labels: &labels,
            figures: &figures([0.17, 0.108, 0.06, 0.061], 130.0),
            points: &points,
            kept: points[1],
            history: &history,
            commands: &commands,
        };
        assert_eq!(report.steps().last().map(|row| row.0), Some(50.0), "steps count on through the phases");
        let page = report.html().unwrap();
        for part in ["<b>130×</b>", "0.0610 rad", "a.mp4:0.00-80.00", "a&lt;b", "<td>kept</td>", "5000", "view a.mp4"]
        {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("<svg").count(), 4);
        let card = report.card();
        assert!(card.starts_with("# out") && card.contains("0.1700") && card.contains("steers no car"), "{card}");
    }
}
