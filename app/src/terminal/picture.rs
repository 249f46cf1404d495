//! A picture as rows of half blocks: each character cell shows two pixels, one above the other.

use std::fmt::Write;

use ndarray::{Array3, s};

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// 24 bits.
    True,
    /// The 6x6x6 cube of the 256-colour palette.
    Cube,
}

impl Colours {
    /// What the environment says of the terminal.
    pub fn of_terminal() -> Self {
        match std::env::var("COLORTERM").as_deref() {
            Ok("truecolor" | "24bit") => Self::True,
            _ => Self::Cube,
        }
    }

    /// The escape sequence's colour part for `[r, g, b]`.
    fn code(self, [r, g, b]: [u8; 3]) -> String {
        let level = |value: u8| (u32::from(value) * 5 + 127) / 255;
        match self {
            Self::True => format!("2;{r};{g};{b}"),
            Self::Cube => format!("5;{}", 16 + 36 * level(r) + 6 * level(g) + level(b)),
        }
    }
}

/// Appends `rows` lines of `columns` cells that show the whole `image`.
pub fn draw(image: &Array3<u8>, columns: usize, rows: usize, colours: Colours, out: &mut String) {
    let mut last = (String::new(), String::new());
    for row in 0..rows {
        for column in 0..columns {
            let upper = colours.code(mean_colour(image, column, columns, 2 * row, 2 * rows));
            let lower = colours.code(mean_colour(image, column, columns, 2 * row + 1, 2 * rows));
            if upper != last.0 {
                // Writing to a String cannot fail.
                let _ = write!(out, "\x1b[38;{upper}m");
            }
            if lower != last.1 {
                let _ = write!(out, "\x1b[48;{lower}m");
            }
            last = (upper, lower);
            out.push('▀');
        }
        out.push_str("\x1b[0m\x1b[K\r\n");
        last = Default::default();
    }
}

/// The mean colour of the part of `image` under cell (`x` of `columns`, `y` of `rows`).
fn mean_colour(image: &Array3<u8>, x: usize, columns: usize, y: usize, rows: usize) -> [u8; 3] {
    let part = |place: usize, parts: usize, size: usize| {
        let from = place * size / parts;
        from..((place + 1) * size / parts).clamp(from + 1, size.max(from + 1))
    };
    let (height, width, _) = image.dim();
    let (across, down) = (part(x, columns, width), part(y, rows, height));
    let count = (across.len() * down.len()) as u32;
    let mut sum = [0u32; 3];
    for pixel in image.slice(s![down, across, ..]).rows() {
        (0..3).for_each(|channel| sum[channel] += u32::from(pixel[channel]));
    }
    sum.map(|channel| (channel / count) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_shows_the_mean_of_its_pixels() {
        // Two columns: black and white above, red and red below.
        let image = ndarray::array![[[0, 0, 0], [255, 255, 255]], [[255, 0, 0], [255, 0, 0]]];
        let mut out = String::new();
        draw(&image, 1, 1, Colours::True, &mut out);
        assert!(out.starts_with("\x1b[38;2;127;127;127m\x1b[48;2;255;0;0m▀"), "{out:?}");
    }

    #[test]
    fn more_cells_than_pixels_is_no_fault() {
        let mut out = String::new();
        draw(&Array3::zeros((2, 3, 3)), 80, 24, Colours::Cube, &mut out);
        assert_eq!(out.matches('▀').count(), 80 * 24);
    }
}
