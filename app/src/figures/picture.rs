//! The sweep's picture: error against savings, one line for each technique, named where it ends.

use std::path::Path;

use anyhow::{Context, bail};
use image::ImageEncoder;
use image::codecs::png::PngEncoder;
use plotters::prelude::{BitMapBackend, DrawingBackend, RGBColor, SVGBackend};

use super::canvas::{Canvas, GREY, HPos, PALE, PALETTE, Place, Scale};
use super::lines::{Line, Point, References, lines, references};
use super::results::Row;
use crate::output;

/// Size in points: as wide as a README's column, so that its letters keep their size there.
const SIZE: (u32, u32) = (900, 520);
/// Points left free at the left, top, right (for the names) and bottom.
const MARGIN: (f64, f64, f64, f64) = (70.0, 46.0, 255.0, 54.0);
/// Pixels of the PNG for each point.
const PNG_SCALE: u32 = 2;
/// The PNG is drawn this much larger and then reduced, which smooths its edges.
const OVERSAMPLING: u32 = 2;
/// Size of most words.
const WORDS: f64 = 15.0;
/// Names lie at least this far apart.
const NAME_STEP: f64 = 18.0;

/// Everything that is drawn.
struct Plot {
    title: String,
    lines: Vec<Line>,
    references: References,
    x: Scale,
    y: Scale,
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
    if let Some(path) = svg {
        let mut text = String::new();
        plot.draw(Canvas::new(SVGBackend::with_string(&mut text, SIZE), 1.0)?)?;
        output::write_whole(path, text.as_bytes())?;
    }
    if let Some(path) = png {
        output::write_whole(path, &plot.png()?)?;
    }
    Ok(())
}

impl Plot {
    fn of(rows: &[Row]) -> anyhow::Result<Self> {
        let references = references(rows).context("the results hold no row to draw")?;
        let lines = lines(rows);
        let points = || lines.iter().flat_map(|line| &line.path);
        let Some(first) = rows.first() else { bail!("the results hold no row to draw") };
        let most = points().map(|point| point.savings).fold(10.0, f64::max);
        // Beyond a fifth more than the CNN alone no technique is of use; lines leave the picture there.
        let top = 1.2 * references.single_frame_rad.max(references.dense_rad);
        let bottom = points().map(|point| point.lowest_rad).fold(references.dense_rad, f64::min);
        let (width, height) = (f64::from(SIZE.0), f64::from(SIZE.1));
        Ok(Self {
            title: title(first),
            x: Scale {
                values: (1.0, (most * 1.2).min(1000.0)),
                points: (MARGIN.0, width - MARGIN.2),
                logarithmic: true,
            },
            y: Scale {
                values: ((bottom * 95.0).floor() / 100.0, top),
                points: (height - MARGIN.3, MARGIN.1),
                logarithmic: false,
            },
            lines,
            references,
        })
    }

    fn png(&self) -> anyhow::Result<Vec<u8>> {
        let scale = PNG_SCALE * OVERSAMPLING;
        let (width, height) = (SIZE.0 * scale, SIZE.1 * scale);
        let mut pixels = vec![0; (width * height * 3) as usize];
        self.draw(Canvas::new(BitMapBackend::with_buffer(&mut pixels, (width, height)), f64::from(scale))?)?;
        let large = image::RgbImage::from_raw(width, height, pixels).context("the picture's pixels")?;
        let small = image::imageops::thumbnail(&large, SIZE.0 * PNG_SCALE, SIZE.1 * PNG_SCALE);
        let mut bytes = Vec::new();
        let kind = image::ExtendedColorType::Rgb8;
        PngEncoder::new(&mut bytes).write_image(&small, small.width(), small.height(), kind)?;
        Ok(bytes)
    }

    fn draw<B: DrawingBackend>(&self, canvas: Canvas<B>) -> anyhow::Result<()> {
        self.draw_axes(&canvas)?;
        self.draw_references(&canvas)?;
        let colors = || self.lines.iter().zip((0..).map(|number| PALETTE[number % PALETTE.len()]));
        for (line, color) in colors() {
            self.draw_band(&canvas, line, color)?;
        }
        for (line, color) in colors() {
            self.draw_line(&canvas, line, color)?;
        }
        self.draw_names(&canvas, &colors().collect::<Vec<_>>())?;
        canvas.finish()
    }

    fn place(&self, savings: f64, rmse_rad: f64) -> Place {
        (self.x.place(savings), self.y.place(rmse_rad))
    }

    fn draw_axes<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> anyhow::Result<()> {
        let ((left, right), (bottom, top)) = (self.x.points, self.y.points);
        canvas.text(&self.title, (left, 20.0), HPos::Left, WORDS + 1.0, PALETTE[0])?;
        for value in [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0] {
            if value > self.x.values.1 {
                break;
            }
            let x = self.x.place(value);
            canvas.line(&[(x, bottom), (x, top)], PALE, 1.0)?;
            canvas.text(&format!("{value:.0}x"), (x, bottom + 13.0), HPos::Center, WORDS, GREY)?;
        }
        let mut hundredths = (self.y.values.0 * 100.0).ceil();
        while hundredths / 100.0 <= self.y.values.1 {
            let y = self.y.place(hundredths / 100.0);
            canvas.line(&[(left, y), (right, y)], PALE, 1.0)?;
            canvas.text(&format!("{:.2}", hundredths / 100.0), (left - 8.0, y), HPos::Right, WORDS, GREY)?;
            hundredths += 1.0;
        }
        canvas.line(&[(left, top), (left, bottom), (right, bottom)], GREY, 1.0)?;
        let middle = ((left + right) / 2.0, bottom + 36.0);
        canvas.text("savings of the RNN: dense MACs / MACs done", middle, HPos::Center, WORDS, PALETTE[0])?;
        canvas.upward_text("steering RMSE, rad", (16.0, (bottom + top) / 2.0), WORDS, PALETTE[0])
    }

    fn draw_references<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> anyhow::Result<()> {
        let references = [
            ("CNN alone, single frames", self.references.single_frame_rad),
            (self.references.dense_name, self.references.dense_rad),
        ];
        for (name, rmse_rad) in references {
            let (from, to) = (self.place(self.x.values.0, rmse_rad), self.place(self.x.values.1, rmse_rad));
            canvas.dashes(from, to, GREY, 1.5)?;
            canvas.text(&format!("{name}: {rmse_rad:.4}"), (from.0 + 6.0, from.1 - 9.0), HPos::Left, WORDS, GREY)?;
        }
        Ok(())
    }

    /// Lowest to highest seed along the line.
    fn draw_band<B: DrawingBackend>(&self, canvas: &Canvas<B>, line: &Line, color: RGBColor) -> anyhow::Result<()> {
        let shown = self.shown(line);
        let edge = |value: fn(&Point) -> f64| shown.iter().map(move |point| self.place(point.savings, value(point)));
        let mut around: Vec<Place> = edge(|point| point.lowest_rad).collect();
        around.extend(edge(|point| point.highest_rad).rev());
        match shown.as_slice() {
            [] => Ok(()),
            [_] => canvas.line(&around, color, 1.5),
            _ => canvas.area(&around, color, 0.13),
        }
    }

    fn draw_line<B: DrawingBackend>(&self, canvas: &Canvas<B>, line: &Line, color: RGBColor) -> anyhow::Result<()> {
        for point in line.points.iter().filter(|point| self.holds(point)) {
            canvas.dot(self.place(point.savings, point.rmse_rad), 1.5, color, 0.35)?;
        }
        let front: Vec<Place> =
            self.shown(line).iter().map(|point| self.place(point.savings, point.rmse_rad)).collect();
        canvas.line(&front, color, 2.0)?;
        front.iter().try_for_each(|&place| canvas.dot(place, 3.0, color, 1.0))
    }

    /// Each line's name at the right edge, with a thin lead from the line's end.
    fn draw_names<B: DrawingBackend>(&self, canvas: &Canvas<B>, lines: &[(&Line, RGBColor)]) -> anyhow::Result<()> {
        let mut names: Vec<(f64, Place, &Line, RGBColor)> = Vec::new();
        for &(line, color) in lines {
            if let Some(last) = self.shown(line).last() {
                let end = self.place(last.savings, last.rmse_rad);
                names.push((end.1, end, line, color));
            }
        }
        names.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut wanted: Vec<f64> = names.iter().map(|name| name.0).collect();
        spread(&mut wanted, NAME_STEP, self.y.points.1, self.y.points.0);
        for (y, (_, end, line, color)) in wanted.into_iter().zip(names) {
            let from = self.x.points.1 + 14.0;
            canvas.line(&[(end.0 + 4.0, end.1), (from - 3.0, y)], color, 0.5)?;
            let seeds = if line.seeds > 1 { format!(" ({} seeds)", line.seeds) } else { String::new() };
            canvas.text(&format!("{}{seeds}", line.label), (from, y), HPos::Left, WORDS, color)?;
        }
        Ok(())
    }

    fn holds(&self, point: &Point) -> bool {
        point.rmse_rad <= self.y.values.1 && point.savings <= self.x.values.1
    }

    /// The path without what lies beyond the picture.
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
    format!("{}{part}: steering error against RNN savings (bands: lowest to highest seed)", row.source)
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
    fn nothing_to_draw_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let message = write(&[], Some(&folder.path().join("x.svg")), None).unwrap_err().to_string();
        assert!(message.contains("no row"), "{message}");
    }
}
