//! What the terminal shows of one frame: picture, wheel, columns sent, savings.

use std::collections::VecDeque;
use std::fmt::Write;

use super::picture::{self, Colours};
use crate::pipeline::FrameResult;

/// Lines under the picture.
const LINES: usize = 9;
/// The wheel's scale reaches this far to either side, in degrees.
const SCALE_DEG: f32 = 60.0;
/// Frames over which "now" is averaged.
const RECENT: usize = 20;

/// Draws frames; remembers the last second of them.
pub struct View {
    colours: Colours,
    /// MACs done and MACs of the dense step, for the last frames.
    recent: VecDeque<u64>,
    title: String,
}

impl View {
    /// A view with a title line.
    pub fn new(title: String) -> Self {
        Self { colours: Colours::of_terminal(), recent: VecDeque::new(), title }
    }

    /// The whole screen of `columns` x `rows` for one frame.
    pub fn draw(&mut self, frame: &FrameResult, columns: usize, rows: usize) -> String {
        self.recent.push_back(frame.count.macs);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        let mut out = String::with_capacity(columns * rows * 20);
        let (height, width, _) = frame.image.dim();
        let (across, down) = picture_size(width, height, columns, rows.saturating_sub(LINES + 1));
        picture::draw(&frame.image, across, down, self.colours, &mut out);
        for line in self.lines(frame, columns) {
            out.push_str(&line);
            out.push_str("\x1b[0m\x1b[K\r\n");
        }
        out.push_str("\x1b[J");
        out
    }

    fn lines(&self, frame: &FrameResult, columns: usize) -> Vec<String> {
        let gauge = columns.saturating_sub(34).clamp(21, 81);
        let totals = &frame.totals;
        let mut lines = vec![format!("\x1b[1m{}\x1b[0m   {:6.2} s   frame {}", self.title, frame.time_s, frame.index)];
        if let Some(truth) = frame.steering_true_rad {
            lines.push(wheel("driver", truth, gauge, "\x1b[32m"));
        }
        lines.push(wheel("delta GRU", frame.steering_rad, gauge, "\x1b[36m"));
        if let Some(dense) = frame.steering_dense_rad {
            lines.push(wheel("dense GRU", dense, gauge, "\x1b[90m"));
        }
        lines.push(columns_sent("features", frame.sent_x.len(), totals.columns_x_dense / totals.steps.max(1), gauge));
        lines.push(columns_sent("hidden", frame.sent_h.len(), totals.columns_h_dense / totals.steps.max(1), gauge));
        lines.push(format!(
            "\x1b[1;33m{:6.1}x fewer RNN multiplications\x1b[0m since the start, {} in the last second",
            totals.savings(),
            self.recent_savings(frame)
        ));
        lines.push(format!(
            "CNN {:.1} ms   delta step {:.1} us{}   theta_x {} theta_h {}   Ctrl-C ends",
            frame.times.cnn_us / 1e3,
            frame.times.step_us_delta,
            frame.times.step_us_dense.map_or(String::new(), |us| format!(" (dense {us:.1})")),
            frame.thresholds.theta_x,
            frame.thresholds.theta_h,
        ));
        lines
    }

    fn recent_savings(&self, frame: &FrameResult) -> String {
        let done: u64 = self.recent.iter().sum();
        let dense = frame.totals.macs_dense / frame.totals.steps.max(1) * self.recent.len() as u64;
        if done == 0 { "no work at all".to_owned() } else { format!("{:.0}x", dense as f64 / done as f64) }
    }
}

/// Cells for a picture of `width` x `height` pixels in at most `columns` x `rows` cells, each twice as high as wide.
fn picture_size(width: usize, height: usize, columns: usize, rows: usize) -> (usize, usize) {
    let (width, height) = (width.max(1), height.max(1));
    let across = columns.min(2 * rows * width / height).max(2);
    (across, (across * height / width / 2).clamp(1, rows.max(1)))
}

/// One wheel angle on a scale whose left end is a full turn of the scale to the left.
fn wheel(name: &str, angle_rad: f32, width: usize, colour: &str) -> String {
    let share = (-angle_rad.to_degrees() / SCALE_DEG).clamp(-1.0, 1.0);
    let place = ((share + 1.0) / 2.0 * (width - 1) as f32).round() as usize;
    let middle = (width - 1) / 2;
    let mut line = format!("{name:<10}{:+7.1} deg ", angle_rad.to_degrees());
    for cell in 0..width {
        let between = (place.min(middle)..=place.max(middle)).contains(&cell);
        let _ = match (cell == place, cell == middle, between) {
            (true, _, _) => write!(line, "{colour}●\x1b[0m"),
            (_, true, _) => write!(line, "┼"),
            (_, _, true) => write!(line, "{colour}━\x1b[0m"),
            _ => write!(line, "\x1b[90m─\x1b[0m"),
        };
    }
    line
}

/// How many columns were sent, as a bar.
fn columns_sent(name: &str, sent: usize, all: u64, width: usize) -> String {
    let full = sent * width / all.max(1) as usize;
    let full = if sent > 0 { full.max(1) } else { 0 };
    format!(
        "{name:<10}{sent:4} of {all:<4} \x1b[33m{}\x1b[90m{}\x1b[0m",
        "█".repeat(full.min(width)),
        "·".repeat(width.saturating_sub(full))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_is_left_on_the_wheel() {
        let place = |angle: f32| {
            let line = wheel("x", angle, 21, "");
            let scale: String = line.chars().skip(22).filter(|c| "●┼━─".contains(*c)).collect();
            scale.chars().position(|c| c == '●').unwrap()
        };
        assert!(place(0.5) < 10 && place(-0.5) > 10);
        assert_eq!(place(0.0), 10);
        assert_eq!(place(9.0), 0);
    }

    #[test]
    fn the_picture_fits_the_screen() {
        for (columns, rows) in [(80, 14), (200, 10), (20, 40), (1, 1)] {
            let (across, down) = picture_size(320, 160, columns, rows);
            assert!(down <= rows && across <= columns.max(2), "{columns}x{rows}: {across}x{down}");
        }
    }
}
