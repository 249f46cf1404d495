//! Label files with columns.

use std::path::Path;

use crate::DataError;
use crate::folder::bad_file;
use crate::recorded::Tally;

/// What lines with too many values are, for a note.
pub(crate) const TOO_LONG: &str =
    "label lines have more values than the header has names and are left out: decimal commas?";

/// One line of a label file.
pub(crate) struct Line {
    /// Counted from 1.
    pub number: usize,
    /// The values, trimmed.
    pub values: csv::StringRecord,
}

impl Line {
    /// Value in column `at`, if the line is that long.
    pub(crate) fn get(&self, at: usize) -> Option<&str> {
        self.values.get(at)
    }
}

/// A label file with a header line, read leniently: lines may be short, and what is in them is judged value by value.
pub(crate) struct Table {
    header: Vec<String>,
    /// The lines after the header.
    pub lines: Vec<Line>,
    /// Lines with more values than the header has names: decimal commas between commas, most likely.
    pub too_long: Tally,
}

impl Table {
    /// Parses `text` whose first line is the header. Values are parted by commas, semicolons or tabs, whichever the header has;
    /// a line with more values than the header is left out.
    ///
    /// # Errors
    /// [`DataError::BadFile`] naming `path` if there is no header or one of the columns `needed` is not in it.
    pub(crate) fn parse(text: &str, path: &Path, needed: &[&str]) -> Result<Self, DataError> {
        let columns =
            || format!("the columns {}, in any order, parted by commas, semicolons or tabs", needed.join(", "));
        let first = text.lines().find(|line| !line.trim().is_empty());
        let first = first.ok_or_else(|| bad_file(path, "the file is empty", columns()))?;
        let delimiter = [b',', b';', b'\t'].into_iter().rev().max_by_key(|d| first.bytes().filter(|b| b == d).count());
        let mut lines = lines(text, delimiter.unwrap_or(b','));
        let header = lines.next().map(|first| first.values.iter().map(str::to_ascii_lowercase).collect::<Vec<_>>());
        let header = header.unwrap_or_default();
        if let Some(missing) = needed.iter().find(|name| !header.iter().any(|h| h == *name)) {
            let found = shorten(first, 120);
            return Err(bad_file(path, format!("no column {missing:?} in the header {found:?}"), columns()));
        }
        let mut table = Self { header, lines: Vec::new(), too_long: Tally::default() };
        for line in lines {
            if line.values.len() > table.header.len()
                && line.values.iter().skip(table.header.len()).any(|v| !v.is_empty())
            {
                table.too_long.add(|| format!("line {}", line.number));
            } else {
                table.lines.push(line);
            }
        }
        Ok(table)
    }

    /// Place of a column.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|h| h == name)
    }

    /// The columns `steering_rad` and `steering_deg`.
    ///
    /// # Errors
    /// [`DataError::BadFile`] naming `path` if there is neither.
    pub(crate) fn angle_columns(&self, path: &Path) -> Result<Angles, DataError> {
        let columns = [("steering_rad", 1.0), ("steering_deg", std::f64::consts::PI / 180.0)];
        let columns: Vec<_> = columns.iter().filter_map(|&(name, to_rad)| Some((self.column(name)?, to_rad))).collect();
        if columns.is_empty() {
            let expected = "a column steering_rad or steering_deg, positive left";
            return Err(bad_file(path, "no column of angles", expected));
        }
        Ok(Angles { columns, unusable: Tally::default() })
    }
}

/// Where a table's angles stand.
pub(crate) struct Angles {
    /// Places, and the factors that make radians.
    columns: Vec<(usize, f64)>,
    /// Lines without a usable angle.
    pub unusable: Tally,
}

impl Angles {
    /// The angle of a line in radians: the first usable one of its columns.
    pub(crate) fn of(&mut self, line: &Line) -> Option<f32> {
        let found = self.columns.iter().find_map(|&(at, to_rad)| Some((number(line.get(at)).ok()? * to_rad) as f32));
        if found.is_none() {
            let (at, _) = self.columns[0];
            self.unusable.add(|| format!("line {}: {}", line.number, number(line.get(at)).err().unwrap_or_default()));
        }
        found
    }
}

/// The lines of text parted by `delimiter` that are not blank. Each is parsed by itself, so that a stray quotation mark costs
/// its own line and not the rest of the file.
pub(crate) fn lines(text: &str, delimiter: u8) -> impl Iterator<Item = Line> + '_ {
    text.lines().enumerate().filter_map(move |(i, line)| {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .trim(csv::Trim::All)
            .buffer_capacity(512)
            .from_reader(line.as_bytes());
        let mut values = csv::StringRecord::new();
        matches!(reader.read_record(&mut values), Ok(true)).then_some(Line { number: i + 1, values })
    })
}

/// A finite number, with a decimal point or a decimal comma.
///
/// # Errors
/// A fragment for a note: what stands there instead.
pub(crate) fn number(text: Option<&str>) -> Result<f64, String> {
    match text {
        None | Some("") => Err("nothing".to_owned()),
        Some(text) => match text.parse::<f64>().or_else(|_| text.replacen(',', ".", 1).parse()) {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(format!("{:?}", shorten(text, 24))),
        },
    }
}

/// The angle in a row, times `to_rad`; an unusable one is counted with its line and is `None`.
pub(crate) fn angle(text: Option<&str>, to_rad: f64, line: usize, unusable: &mut Tally) -> Option<f32> {
    match number(text) {
        Ok(value) => Some((value * to_rad) as f32),
        Err(found) => {
            unusable.add(|| format!("line {line}: {found}"));
            None
        }
    }
}

/// Seconds from times that may be Unix times in milliseconds, microseconds or nanoseconds: as seconds they would lie thousands
/// of years ahead. A note says what was done.
pub(crate) fn seconds(times: &mut [f64], notes: &mut Vec<String>) {
    let first = times.iter().copied().find(|t| t.is_finite()).unwrap_or(0.0);
    let units = [("nanoseconds", 1e17, 1e-9), ("microseconds", 1e14, 1e-6), ("milliseconds", 1e11, 1e-3)];
    if let Some((unit, _, to_s)) = units.into_iter().find(|(_, least, _)| first > *least) {
        times.iter_mut().for_each(|t| *t *= to_s);
        notes.push(format!("time_s holds Unix times in {unit}: read as such"));
    }
}

/// At most `length` characters of `text`.
pub(crate) fn shorten(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_lines_are_counted() {
        let table = Table::parse("b, A\r\n1,\"2\r\n\n3\n1,2,3\n1,2,\n", Path::new("x.csv"), &["a", "b"]).unwrap();
        assert_eq!(table.column("a"), Some(1));
        let lines: Vec<_> = table.lines.iter().map(|line| (line.number, line.values.len())).collect();
        assert_eq!((lines, table.too_long.count), (vec![(2, 2), (4, 1), (6, 3)], 1));
    }

    #[test]
    fn other_delimiters_and_decimal_commas_are_read() {
        for text in ["t;rad\n0,5;-1,25\n", "t\trad\n0.5\t-1,25\n", "t,rad\n\"0,5\",-1.25\n"] {
            let table = Table::parse(text, Path::new("x.csv"), &["t"]).unwrap();
            let values: Vec<_> = (0..2).map(|at| number(table.lines[0].get(at)).unwrap()).collect();
            assert_eq!(values, [0.5, -1.25], "{text:?}");
        }
        let table = Table::parse("t,rad\n0,5,1,25\n", Path::new("x.csv"), &["t"]).unwrap();
        assert!(table.lines.is_empty() && table.too_long.count == 1);
    }

    #[test]
    fn of_two_columns_of_angles_the_one_that_is_filled_counts() {
        let table = Table::parse("steering_rad,steering_deg\n0.5,\n,90\n,\n", Path::new("x.csv"), &[]).unwrap();
        let mut angles = table.angle_columns(Path::new("x.csv")).unwrap();
        let found: Vec<_> = table.lines.iter().map(|line| angles.of(line)).collect();
        assert_eq!((found, angles.unusable.count), (vec![Some(0.5), Some(std::f32::consts::FRAC_PI_2), None], 1));
    }

    #[test]
    fn unix_times_are_known_by_their_size() {
        for (factor, noted) in [(1.0, 0), (1e3, 1), (1e6, 1), (1e9, 1)] {
            let (mut times, mut notes) =
                (vec![f64::NAN, 1_479_425_441.0 * factor, 1_479_425_441.5 * factor], Vec::new());
            seconds(&mut times, &mut notes);
            assert!((times[2] - times[1] - 0.5).abs() < 1e-3 && notes.len() == noted, "{factor} {notes:?}");
        }
    }

    #[test]
    fn a_missing_column_is_named() {
        let message = Table::parse("a,c\n", Path::new("x.csv"), &["a", "b"]).err().unwrap().to_string();
        assert!(message.contains("x.csv") && message.contains("\"b\""), "{message}");
        assert!(Table::parse("", Path::new("x.csv"), &["a"]).is_err());
    }

    #[test]
    fn only_finite_numbers_count() {
        assert_eq!((number(Some("-0.25")), number(Some("0,5"))), (Ok(-0.25), Ok(0.5)));
        assert!(
            ["NaN", "inf", "-inf", "", "left", "1e999", "1,2,3", "1,000.5"].iter().all(|t| number(Some(t)).is_err())
        );
        assert!(number(None).is_err());
    }
}
