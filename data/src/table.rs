//! Label files with columns.

use std::path::Path;

use crate::DataError;
use crate::folder::bad_file;
use crate::recorded::Tally;

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
}

impl Table {
    /// Parses comma-separated `text` whose first line is the header.
    ///
    /// # Errors
    /// [`DataError::BadFile`] naming `path` if there is no header or one of the columns `needed` is not in it.
    pub(crate) fn parse(text: &str, path: &Path, needed: &[&str]) -> Result<Self, DataError> {
        let mut lines = lines(text);
        let header: Vec<String> = match lines.next() {
            Some(first) => first.values.iter().map(str::to_owned).collect(),
            None => return Err(bad_file(path, "the file is empty", format!("the columns {}", needed.join(", ")))),
        };
        if let Some(missing) = needed.iter().find(|name| !header.iter().any(|h| h == *name)) {
            return Err(bad_file(
                path,
                format!("no column {missing:?} in the header {:?}", shorten(&header.join(","), 120)),
                format!("the columns {}", needed.join(", ")),
            ));
        }
        Ok(Self { header, lines: lines.collect() })
    }

    /// Place of the column of angles and the factor that makes them radians: `steering_rad`, or else `steering_deg`.
    ///
    /// # Errors
    /// [`DataError::BadFile`] naming `path` if there is neither.
    pub(crate) fn angle_column(&self, path: &Path) -> Result<(usize, f64), DataError> {
        match (self.column("steering_rad"), self.column("steering_deg")) {
            (Some(at), _) => Ok((at, 1.0)),
            (None, Some(at)) => Ok((at, std::f64::consts::PI / 180.0)),
            (None, None) => {
                Err(bad_file(path, "no column of angles", "a column steering_rad or steering_deg, positive left"))
            }
        }
    }

    /// Place of a column.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|h| h == name)
    }
}

/// The lines of comma-separated text that are not blank. Each is parsed by itself, so that a stray quotation mark costs
/// its own line and not the rest of the file.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Line> + '_ {
    text.lines().enumerate().filter_map(|(i, line)| {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .buffer_capacity(512)
            .from_reader(line.as_bytes());
        let mut values = csv::StringRecord::new();
        matches!(reader.read_record(&mut values), Ok(true)).then_some(Line { number: i + 1, values })
    })
}

/// A finite number.
///
/// # Errors
/// A fragment for a note: what stands there instead.
pub(crate) fn number(text: Option<&str>) -> Result<f64, String> {
    match text {
        None | Some("") => Err("nothing".to_owned()),
        Some(text) => match text.parse::<f64>() {
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
    use proptest::prelude::*;

    #[test]
    fn columns_are_found_by_name_and_lines_are_counted() {
        let table = Table::parse("b, a\r\n1,\"2\r\n\n3\n", Path::new("x.csv"), &["a", "b"]).unwrap();
        assert_eq!(table.column("a"), Some(1));
        let lines: Vec<_> = table.lines.iter().map(|line| (line.number, line.values.len())).collect();
        assert_eq!(lines, [(2, 2), (4, 1)]);
    }

    #[test]
    fn a_missing_column_is_named() {
        let message = Table::parse("a,c\n", Path::new("x.csv"), &["a", "b"]).err().unwrap().to_string();
        assert!(message.contains("x.csv") && message.contains("\"b\""), "{message}");
        assert!(Table::parse("", Path::new("x.csv"), &["a"]).is_err());
    }

    #[test]
    fn only_finite_numbers_count() {
        assert_eq!(number(Some("-0.25")), Ok(-0.25));
        assert!(["NaN", "inf", "-inf", "", "left", "1e999", "0,5"].iter().all(|t| number(Some(t)).is_err()));
        assert!(number(None).is_err());
    }

    proptest! {
        #[test]
        fn any_text_parses_without_panic(text in "(?s).{0,300}") {
            let _ = Table::parse(&text, Path::new("x.csv"), &["a"]).map(|table| table.lines.len());
            let _ = shorten(&text, 10);
        }
    }
}
