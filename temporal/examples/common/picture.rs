//! Error against savings: a line a technique, the dense network as reference.

use std::path::Path;

use anyhow::{Context, anyhow};
use plotters::prelude::*;
use plotters::style::FontStyle;

use super::table::{Line, Row, summary};

/// Blue, vermilion and green that colour-blind readers tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 3] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115)];

/// Draws the summary of `rows` as an SVG.
pub fn draw(rows: &[Row], title: &str, path: &Path) -> anyhow::Result<()> {
    let font = epaint_default_fonts::UBUNTU_LIGHT;
    plotters::style::register_font("sans-serif", FontStyle::Normal, font).map_err(|_| anyhow!("the built-in font"))?;
    let lines = summary(rows);
    let dense = lines.iter().find(|l| l.theta_x == 0.0).context("no row at thresholds of zero")?.error;
    // Far beyond the dense error nobody would use the network; the lines leave the picture there.
    let most = 100.0 * (3.0 * dense + 0.04);
    let shown = || lines.iter().map(|l| 100.0 * l.error).filter(|error| *error <= most);
    let (lowest, highest) = (shown().fold(f64::INFINITY, f64::min), shown().fold(0.0, f64::max));
    let range = (lowest - 0.3 * (highest - lowest)).max(0.0)..highest + 0.2 * (highest - lowest);
    let last = lines.iter().fold(2.0f64, |last, l| last.max(l.savings));
    let root = SVGBackend::new(path, (800, 480)).into_drawing_area();
    let problem = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", path.display());
    root.fill(&WHITE).map_err(|e| problem(&e))?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d((1.0..last * 1.1).log_scale(), range)
        .map_err(|e| problem(&e))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("dense multiplications over those done (times fewer)")
        .y_desc("error, %")
        .x_label_formatter(&|x| format!("{x:.0}x"))
        .draw()
        .map_err(|e| problem(&e))?;
    let reference = [(1.0, 100.0 * dense), (last * 1.1, 100.0 * dense)];
    chart
        .draw_series(LineSeries::new(reference, BLACK.stroke_width(1)))
        .map_err(|e| problem(&e))?
        .label("dense, every multiplication")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK));
    let mut names: Vec<&str> = lines.iter().map(|l| l.technique.as_str()).collect();
    names.dedup();
    for (index, name) in names.into_iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let point = |l: &Line| (l.savings, 100.0 * l.error);
        let of: Vec<_> = lines.iter().filter(|l| l.technique == name && point(l).1 <= most).map(point).collect();
        chart
            .draw_series(LineSeries::new(of.iter().copied(), colour.stroke_width(2)).point_size(3))
            .map_err(|e| problem(&e))?
            .label(if name == "dense" { "trained dense, with thresholds" } else { name })
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
    }
    let style = chart.configure_series_labels().position(SeriesLabelPosition::UpperLeft).border_style(BLACK).draw();
    style.map_err(|e| problem(&e))?;
    root.present().map_err(|e| problem(&e))
}
