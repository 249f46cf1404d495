//! The sweep's picture: error against savings, one line for each technique, named where it ends.

use std::path::Path;

use anyhow::{Context, bail};
use image::ImageEncoder;
use image::codecs::png::PngEncoder;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::lines::{Line, Point, References, lines, references};
use super::results::Row;
use super::style::{GREY, PALE, PALETTE, register_font, text};
use crate::output;

/// Size of the SVG: as wide as a README's column, so that its letters keep their size there.
const SIZE: (u32, u32) = (900, 520);
/// Pixels left free at the right, for the names.
const NAMES_WIDTH: f64 = 320.0;
/// The PNG's width over the SVG's.
const PNG_SCALE: u32 = 2;
/// The PNG is drawn this much larger and then reduced, which smooths its edges.
const OVERSAMPLING: u32 = 2;
/// Size of most letters.
const LETTERS: f64 = 15.0;
/// Names are at least this far apart.
const NAME_STEP: f64 = 18.0;
/// Marks of the horizontal axis.
const SAVINGS: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];

/// Everything that is drawn.
struct Plot {
    title: String,
    lines: Vec<Line>,
    references: References,
    /// Most savings, and lowest and highest error, that are shown.
    most: f64,
    errors: (f64, f64),
}

/// Writes the picture of `rows` to each file that is named.
///
/// # Errors
/// No row to draw, or a file that cannot be written.
pub fn write(rows: &[Row], svg: Option<&Path>, png: Option<&Path>) -> anyhow::Result<()> {
    if svg.is_none() && png.is_none() {
        return Ok(());
    }
    let plot = Plot::of(rows)?;
    register_font()?;
    if let Some(path) = svg {
        let mut text = String::new();
        plot.draw(SVGBackend::with_string(&mut text, SIZE).into_drawing_area(), 1.0)?;
        output::write_whole(path, text.as_bytes())?;
    }
    if let Some(path) = png {
        output::write_whole(path, &plot.png()?)?;
    }
    Ok(())
}

impl Plot {
    fn of(rows: &[Row]) -> anyhow::Result<Self> {
        let Some(first) = rows.first() else { bail!("the results hold no row to draw") };
        let references = references(rows).context("the results hold no row to draw")?;
        let lines = lines(rows);
        let points = || lines.iter().flat_map(|line| &line.path);
        let most = points().map(|point| point.savings).fold(10.0, f64::max);
        // More than a fifth above the error of the CNN alone no technique is of use; lines leave the picture there.
        let top = 1.2 * references.single_frame_rad.max(references.dense_rad);
        let bottom = points().map(|point| point.lowest_rad).fold(references.dense_rad, f64::min);
        Ok(Self {
            title: title(first),
            most: (most * 1.2).min(1000.0),
            errors: ((bottom * 95.0).floor() / 100.0, top),
            lines,
            references,
        })
    }

    fn png(&self) -> anyhow::Result<Vec<u8>> {
        let scale = PNG_SCALE * OVERSAMPLING;
        let (width, height) = (SIZE.0 * scale, SIZE.1 * scale);
        let mut pixels = vec![0; (width * height * 3) as usize];
        self.draw(BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area(), f64::from(scale))?;
        let large = image::RgbImage::from_raw(width, height, pixels).context("the picture's pixels")?;
        let small = image::imageops::thumbnail(&large, SIZE.0 * PNG_SCALE, SIZE.1 * PNG_SCALE);
        let mut bytes = Vec::new();
        let kind = image::ExtendedColorType::Rgb8;
        PngEncoder::new(&mut bytes).write_image(&small, small.width(), small.height(), kind)?;
        Ok(bytes)
    }

    /// Draws on a surface with `scale` pixels for each of the SVG's.
    fn draw<B: DrawingBackend>(&self, root: DrawingArea<B, Shift>, scale: f64) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let px = |points: f64| (points * scale).round() as i32;
        root.fill(&WHITE)?;
        let title = text((LETTERS + 1.0) * scale, PALETTE[0], HPos::Left);
        root.draw(&Text::new(self.title.clone(), (px(70.0), px(20.0)), title))?;
        let savings: Vec<f64> = SAVINGS.iter().copied().filter(|savings| *savings <= self.most).collect();
        let mut chart = ChartBuilder::on(&root)
            .margin_top(px(46.0))
            .margin_left(px(8.0))
            .margin_right(px(NAMES_WIDTH))
            .x_label_area_size(px(54.0))
            .y_label_area_size(px(70.0))
            .build_cartesian_2d((1.0..self.most).log_scale().with_key_points(savings), self.errors.0..self.errors.1)?;
        let mut mesh = chart.configure_mesh();
        mesh.bold_line_style(PALE.stroke_width(px(1.0) as u32)).light_line_style(TRANSPARENT);
        mesh.axis_style(GREY.stroke_width(px(1.0) as u32)).label_style(text(LETTERS * scale, GREY, HPos::Center));
        mesh.axis_desc_style(text(LETTERS * scale, PALETTE[0], HPos::Center)).y_labels(12);
        mesh.x_label_formatter(&|savings| format!("{savings:.0}x")).y_label_formatter(&|rad| format!("{rad:.2}"));
        mesh.x_desc("savings of the RNN: dense MACs / MACs done").y_desc("steering RMSE, rad").draw()?;
        let references = [
            ("CNN alone, single frames", self.references.single_frame_rad),
            (self.references.dense_name, self.references.dense_rad),
        ];
        for (name, rmse_rad) in references {
            let ends = [(1.0, rmse_rad), (self.most, rmse_rad)];
            chart.draw_series(DashedLineSeries::new(ends, px(6.0), px(6.0), GREY.stroke_width(px(1.5) as u32)))?;
            let (x, y) = chart.backend_coord(&ends[0]);
            let name = format!("{name}: {rmse_rad:.4}");
            root.draw(&Text::new(name, (x + px(6.0), y - px(9.0)), text(LETTERS * scale, GREY, HPos::Left)))?;
        }
        let colors = || self.lines.iter().zip((0..).map(|number| PALETTE[number % PALETTE.len()]));
        for (line, color) in colors() {
            // Lowest to highest seed along the line.
            let shown = self.shown(line);
            let edge = |value: fn(&Point) -> f64| shown.iter().map(move |point| (point.savings, value(point)));
            let mut around: Vec<_> = edge(|point| point.lowest_rad).collect();
            around.extend(edge(|point| point.highest_rad).rev());
            match shown.len() {
                0 => {}
                1 => drop(chart.draw_series([PathElement::new(around, color.stroke_width(px(1.5) as u32))])?),
                _ => drop(chart.draw_series([Polygon::new(around, color.mix(0.13))])?),
            }
        }
        let mut ends: Vec<((i32, i32), &Line, RGBColor)> = Vec::new();
        for (line, color) in colors() {
            let all = line.points.iter().filter(|point| self.holds(point));
            chart.draw_series(
                all.map(|point| Circle::new((point.savings, point.rmse_rad), px(1.5), color.mix(0.35).filled())),
            )?;
            let path: Vec<_> = self.shown(line).iter().map(|point| (point.savings, point.rmse_rad)).collect();
            chart.draw_series(LineSeries::new(path.iter().copied(), color.stroke_width(px(2.0) as u32)))?;
            chart.draw_series(path.iter().map(|&place| Circle::new(place, px(3.0), color.filled())))?;
            ends.extend(path.last().map(|place| (chart.backend_coord(place), line, color)));
        }
        ends.sort_by_key(|(place, ..)| place.1);
        // Each line's name at the right edge, with a thin line from the line's end.
        let mut rows: Vec<f64> = ends.iter().map(|(place, ..)| f64::from(place.1)).collect();
        spread(&mut rows, NAME_STEP * scale, 46.0 * scale, (f64::from(SIZE.1) - 54.0) * scale);
        let left = px(f64::from(SIZE.0) - NAMES_WIDTH + 14.0);
        for (row, ((x, y), line, color)) in rows.into_iter().zip(ends) {
            let row = row.round() as i32;
            root.draw(&PathElement::new([(x + px(4.0), y), (left - px(3.0), row)], color))?;
            let seeds = if line.seeds > 1 { format!(" ({} seeds)", line.seeds) } else { String::new() };
            let name = format!("{}{seeds}", line.label);
            root.draw(&Text::new(name, (left, row), text(LETTERS * scale, color, HPos::Left)))?;
        }
        Ok(root.present()?)
    }

    fn holds(&self, point: &Point) -> bool {
        point.rmse_rad <= self.errors.1 && point.savings <= self.most
    }

    /// The path without what is beyond the picture.
    fn shown<'a>(&self, line: &'a Line) -> Vec<&'a Point> {
        line.path.iter().filter(|point| self.holds(point)).collect()
    }
}

fn title(row: &Row) -> String {
    let part = match (row.from_s, row.to_s) {
        (None, None) => String::new(),
        (from, None) => format!(" from {} s", from.unwrap_or(0.0)),
        (from, Some(to)) => format!(", {} to {to} s", from.unwrap_or(0.0)),
    };
    let drive = row.source.rsplit('/').next().unwrap_or(&row.source);
    format!("{drive}{part}: steering error against RNN savings (bands: lowest to highest seed)")
}

/// Moves sorted places apart to at least `step`, between `from` and `to` as far as they fit.
fn spread(places: &mut [f64], step: f64, from: f64, to: f64) {
    let mut least = from;
    for place in places.iter_mut() {
        *place = place.max(least);
        least = *place + step;
    }
    let mut most = to;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - step;
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::row;
    use super::*;

    #[test]
    fn names_keep_their_distance_and_their_order() {
        let mut places = [10.0, 11.0, 12.0, 95.0];
        spread(&mut places, 18.0, 0.0, 100.0);
        assert_eq!(places, [10.0, 28.0, 46.0, 95.0]);
        let mut places = [90.0, 95.0, 99.0];
        spread(&mut places, 18.0, 0.0, 100.0);
        assert_eq!(places, [64.0, 82.0, 100.0]);
    }

    #[test]
    fn both_files_show_every_technique() {
        let folder = tempfile::tempdir().unwrap();
        let (svg, png) = (folder.path().join("sweep.svg"), folder.path().join("sweep.png"));
        let names = ["dense-trained", "rounding", "noise", "delta", "delta + L1", "a", "b", "c", "d"];
        let rows: Vec<Row> = (0..3 * names.len())
            .map(|n| row(names[n / 3], 1, 0.1 * n as f32, 0.07 + 0.002 * n as f64, 10.0 + 5.0 * n as f64))
            .collect();
        write(&rows, Some(&svg), Some(&png)).unwrap();
        let text = std::fs::read_to_string(svg).unwrap();
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
        assert!(text.contains("CNN alone, single frames: 0.1100") && text.contains("dense-trained GRU, 1x: 0.0700"));
        let picture = image::load_from_memory(&std::fs::read(png).unwrap()).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (SIZE.0 * PNG_SCALE, SIZE.1 * PNG_SCALE));
        // Drawn at all: the second technique's colour is there.
        let near = |pixel: &image::Rgb<u8>| pixel.0 == [PALETTE[1].0, PALETTE[1].1, PALETTE[1].2];
        assert!(picture.pixels().filter(|pixel| near(pixel)).count() > 50);
    }

    #[test]
    fn results_without_a_row_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let message = write(&[], Some(&folder.path().join("x.svg")), None).unwrap_err().to_string();
        assert!(message.contains("no row"), "{message}");
    }
}
