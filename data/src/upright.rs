//! Which way up a stored picture is shown: the orientation of JPEG files (EXIF) and of video streams (display matrix).

use ndarray::{Array3, Axis};

/// How a stored picture becomes an upright one: rows and columns change places first, then the axes turn round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Upright {
    transpose: bool,
    flip_columns: bool,
    flip_rows: bool,
}

impl Upright {
    /// The orientation of EXIF's tag 0x0112: 1 is upright, 3 upside down, 6 and 8 lie on a side, the others are mirrored.
    pub(crate) fn of_exif(orientation: u8) -> Self {
        let (transpose, flip_columns, flip_rows) = match orientation {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Self { transpose, flip_columns, flip_rows }
    }

    /// The orientation of a display matrix (ISO/IEC 14496-12, 8.3.2.3): `[a, b, u, c, d, v, x, y, w]` shows the stored point
    /// (column p, row q) at column `a p + c q + x`, row `b p + d q + y`. Turns between the four directions go to the nearest.
    #[cfg(any(feature = "opencv", test))]
    pub(crate) fn of_display_matrix([a, b, _, c, d, ..]: [i32; 9]) -> Self {
        let size = |value: i32| i64::from(value).abs();
        if size(b) + size(c) > size(a) + size(d) {
            Self { transpose: true, flip_columns: c < 0, flip_rows: b < 0 }
        } else {
            Self { transpose: false, flip_columns: a < 0, flip_rows: d < 0 }
        }
    }

    /// The upright picture, in standard layout.
    pub(crate) fn apply(self, image: Array3<u8>) -> Array3<u8> {
        if self == Self::default() {
            return image;
        }
        let mut view = if self.transpose { image.view().permuted_axes([1, 0, 2]) } else { image.view() };
        for (axis, flip) in [(0, self.flip_rows), (1, self.flip_columns)] {
            if flip {
                view.invert_axis(Axis(axis));
            }
        }
        view.as_standard_layout().into_owned()
    }

    /// What is done, for a note; `None` where nothing is.
    #[cfg(feature = "opencv")]
    pub(crate) fn describe(self) -> Option<&'static str> {
        Some(match (self.transpose, self.flip_columns, self.flip_rows) {
            (false, false, false) => return None,
            (true, true, false) => "turned by 90 degrees clockwise",
            (false, true, true) => "turned by 180 degrees",
            (true, false, true) => "turned by 90 degrees anticlockwise",
            _ => "mirrored",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of three pixels, numbered row after row.
    fn picture() -> Array3<u8> {
        Array3::from_shape_fn((2, 3, 3), |(row, column, _)| (3 * row + column) as u8)
    }

    fn rows(image: &Array3<u8>) -> Vec<Vec<u8>> {
        image.outer_iter().map(|row| row.outer_iter().map(|pixel| pixel[0]).collect()).collect()
    }

    #[test]
    fn every_exif_orientation() {
        let expected: [(u8, &[&[u8]]); 9] = [
            (0, &[&[0, 1, 2], &[3, 4, 5]]),
            (1, &[&[0, 1, 2], &[3, 4, 5]]),
            (2, &[&[2, 1, 0], &[5, 4, 3]]),
            (3, &[&[5, 4, 3], &[2, 1, 0]]),
            (4, &[&[3, 4, 5], &[0, 1, 2]]),
            (5, &[&[0, 3], &[1, 4], &[2, 5]]),
            (6, &[&[3, 0], &[4, 1], &[5, 2]]),
            (7, &[&[5, 2], &[4, 1], &[3, 0]]),
            (8, &[&[2, 5], &[1, 4], &[0, 3]]),
        ];
        for (orientation, upright) in expected {
            let turned = Upright::of_exif(orientation).apply(picture());
            assert_eq!(rows(&turned), upright, "orientation {orientation}");
            assert!(turned.is_standard_layout());
        }
    }

    #[test]
    fn display_matrices_say_what_exif_says() {
        const ONE: i32 = 0x10000;
        for (matrix, exif) in [
            ([ONE, 0, 0, 0, ONE, 0, 0, 0, 0], 1),
            ([0, ONE, 0, -ONE, 0, 0, 0, 0, 0], 6),
            ([-ONE, 0, 0, 0, -ONE, 0, 0, 0, 0], 3),
            ([0, -ONE, 0, ONE, 0, 0, 0, 0, 0], 8),
            ([-ONE, 0, 0, 0, ONE, 0, 0, 0, 0], 2),
            ([65000, 3000, 0, -3000, 65000, 0, 0, 0, 0], 1),
        ] {
            assert_eq!(Upright::of_display_matrix(matrix), Upright::of_exif(exif), "{matrix:?}");
        }
    }
}
