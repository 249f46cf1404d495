//! The sweep's picture: error against savings, one line a technique, with the spread over its models.

use std::fmt::Write;

use super::table::Record;

/// Size of the picture and of its margins (left, right, top, bottom), in units of the SVG.
const SIZE: (f64, f64) = (960.0, 600.0);
const MARGIN: [f64; 4] = [80.0, 230.0, 50.0, 70.0];
/// Colours that stay apart also for the colour-blind (after Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// Savings beyond this are left out: what sends next to nothing steers by its bias.
const MOST_SAVINGS: f64 = 1000.0;

/// Mean and spread over the models of a line at one scale of the thresholds.
struct Point {
    savings: f64,
    rmse: f64,
    lowest: f64,
    highest: f64,
}

/// Where numbers fall in the picture: savings on a logarithmic axis from 1, errors on a linear one from 0.
struct Axes {
    most_savings: f64,
    most_rmse: f64,
}

impl Axes {
    fn x(&self, savings: f64) -> f64 {
        let share = savings.max(1.0).log10() / self.most_savings.log10();
        MARGIN[0] + share.min(1.0) * (SIZE.0 - MARGIN[0] - MARGIN[1])
    }

    fn y(&self, rmse: f64) -> f64 {
        let share = (rmse / self.most_rmse).clamp(0.0, 1.0);
        SIZE.1 - MARGIN[3] - share * (SIZE.1 - MARGIN[2] - MARGIN[3])
    }
}

/// The picture as SVG.
pub fn svg(records: &[Record]) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for record in records {
        if !lines.contains(&record.line.as_str()) {
            lines.push(&record.line);
        }
    }
    let axes = axes(records);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" font-family="Ubuntu, sans-serif" font-size="15" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
"##,
        SIZE.0, SIZE.1
    );
    frame(&mut out, &axes, records);
    references(&mut out, &axes, records, &lines);
    for (number, line) in lines.iter().enumerate() {
        draw_line(&mut out, &axes, number, line, &points(records, line));
    }
    out.push_str("</svg>\n");
    out
}

fn axes(records: &[Record]) -> Axes {
    let finite = |value: &f64| value.is_finite();
    let most = records.iter().map(|record| record.savings).filter(finite).fold(10.0, f64::max);
    let zero = records.iter().map(|record| record.zero_rmse_rad).filter(finite).fold(0.05, f64::max);
    Axes { most_savings: 10f64.powf((most.log10() * 4.0).ceil() / 4.0).min(MOST_SAVINGS), most_rmse: zero }
}

/// Axes with their marks and words.
fn frame(out: &mut String, axes: &Axes, records: &[Record]) {
    let (left, right) = (axes.x(1.0), SIZE.0 - MARGIN[1]);
    let (top, bottom) = (MARGIN[2], axes.y(0.0));
    for power in 0..=4 {
        for times in [1.0, 2.0, 5.0] {
            let savings = times * 10f64.powi(power);
            if savings <= axes.most_savings {
                let x = axes.x(savings);
                let _ = writeln!(
                    out,
                    r##"<path d="M{x:.1} {top}V{bottom:.1}" stroke="#e4e4e4"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{savings}x</text>"##,
                    bottom + 22.0
                );
            }
        }
    }
    for step in 0..=20 {
        let rmse = 0.02 * f64::from(step);
        if rmse <= axes.most_rmse {
            let y = axes.y(rmse);
            let _ = writeln!(
                out,
                r##"<path d="M{left:.1} {y:.1}H{right:.1}" stroke="#e4e4e4"/><text x="{:.1}" y="{:.1}" text-anchor="end">{rmse:.2}</text>"##,
                left - 8.0,
                y + 5.0
            );
        }
    }
    let first = &records[0];
    let part = match (first.from_s, first.to_s) {
        (None, None) => String::new(),
        (from, to) => {
            format!(", {} to {} s", from.unwrap_or(0.0), to.map_or("the end".to_owned(), |to| to.to_string()))
        }
    };
    let _ = writeln!(
        out,
        r##"<path d="M{left:.1} {top}V{bottom:.1}H{right:.1}" fill="none" stroke="#222"/>
<text x="{left:.1}" y="30" font-size="18">{}{part}: error against work saved, {} frames</text>
<text x="{:.1}" y="{:.1}" text-anchor="middle">RNN multiplications saved: dense over delta, first frame included</text>
<text x="24" y="{:.1}" text-anchor="middle" transform="rotate(-90 24 {:.1})">RMSE of the steering wheel's angle, rad</text>"##,
        escaped(&first.source),
        first.frames,
        (left + right) / 2.0,
        bottom + 50.0,
        (top + bottom) / 2.0,
        (top + bottom) / 2.0,
    );
}

/// Horizontal lines: the dense GRU's error (of the line that is best without thresholds), the CNN's own, and that of always
/// steering straight ahead.
fn references(out: &mut String, axes: &Axes, records: &[Record], lines: &[&str]) {
    let dense =
        |line: &&str| mean_over_models(records.iter().filter(|record| record.line == **line), |r| r.dense_rmse_rad);
    let right = SIZE.0 - MARGIN[1];
    for (name, rmse) in [
        ("dense GRU", lines.iter().map(dense).fold(f64::INFINITY, f64::min)),
        ("CNN alone", mean_over_models(records.iter(), |record| record.single_frame_rmse_rad)),
        ("always zero", mean_over_models(records.iter(), |record| record.zero_rmse_rad)),
    ] {
        let y = axes.y(rmse);
        let _ = writeln!(
            out,
            r##"<path d="M{:.1} {y:.1}H{right:.1}" stroke="#777" stroke-dasharray="6 4"/><text x="{:.1}" y="{:.1}" fill="#555">{name} {rmse:.3}</text>"##,
            axes.x(1.0),
            right + 8.0,
            y + 5.0
        );
    }
}

/// The mean of a figure over the models of `records`; each model counts once.
fn mean_over_models<'a>(records: impl Iterator<Item = &'a Record>, pick: impl Fn(&Record) -> f64) -> f64 {
    let mut models: Vec<(&str, f64)> = Vec::new();
    for record in records {
        if !models.iter().any(|(weights, _)| *weights == record.weights) && pick(record).is_finite() {
            models.push((&record.weights, pick(record)));
        }
    }
    models.iter().map(|(_, value)| value).sum::<f64>() / models.len().max(1) as f64
}

/// Mean and spread of one line, scale by scale, in the order of the savings.
fn points(records: &[Record], line: &str) -> Vec<Point> {
    let mut scales: Vec<f32> = records.iter().filter(|record| record.line == line).map(|record| record.scale).collect();
    scales.sort_by(f32::total_cmp);
    scales.dedup();
    let mut points: Vec<Point> = scales
        .iter()
        .filter_map(|&scale| {
            let same: Vec<&Record> = records
                .iter()
                .filter(|record| record.line == line && record.scale == scale && record.savings.is_finite())
                .collect();
            let count = same.len() as f64;
            (!same.is_empty()).then(|| Point {
                // Savings are ratios: their mean is taken of the logarithms.
                savings: (same.iter().map(|record| record.savings.ln()).sum::<f64>() / count).exp(),
                rmse: same.iter().map(|record| record.rmse_rad).sum::<f64>() / count,
                lowest: same.iter().map(|record| record.rmse_rad).fold(f64::MAX, f64::min),
                highest: same.iter().map(|record| record.rmse_rad).fold(0.0, f64::max),
            })
        })
        .collect();
    points.retain(|point| point.savings <= MOST_SAVINGS);
    points.sort_by(|a, b| a.savings.total_cmp(&b.savings));
    points
}

fn draw_line(out: &mut String, axes: &Axes, number: usize, name: &str, points: &[Point]) {
    let colour = COLOURS[number % COLOURS.len()];
    let path = |values: &mut dyn Iterator<Item = (f64, f64)>| {
        values
            .map(|(savings, rmse)| format!("{:.1},{:.1}", axes.x(savings), axes.y(rmse)))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let there = path(&mut points.iter().map(|point| (point.savings, point.highest)));
    let back = path(&mut points.iter().rev().map(|point| (point.savings, point.lowest)));
    let middle = path(&mut points.iter().map(|point| (point.savings, point.rmse)));
    let _ = writeln!(out, r##"<polygon points="{there} {back}" fill="{colour}" fill-opacity="0.15"/>"##);
    let _ = writeln!(out, r##"<polyline points="{middle}" fill="none" stroke="{colour}" stroke-width="2"/>"##);
    for point in points {
        let (x, y) = (axes.x(point.savings), axes.y(point.rmse));
        let _ = writeln!(out, r##"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/>"##);
    }
    let (x, y) = (MARGIN[0] + 16.0, MARGIN[2] + 46.0 + 22.0 * number as f64);
    let _ = writeln!(
        out,
        r##"<path d="M{x} {y}h22" stroke="{colour}" stroke-width="3"/><text x="{}" y="{}">{}</text>"##,
        x + 30.0,
        y + 5.0,
        escaped(name)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
