//! How loss, error and savings went, kept in a file so that a resumed training still has its beginning.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context;

/// A row for so many steps.
const EVERY: u64 = 10;

/// What is known of one step of one phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Loss of the step's windows, rad².
    pub loss: f64,
    /// Error in rad and savings on the validation drives, where they were measured after this step.
    pub validation: Option<(f64, f64)>,
}

/// The rows by phase and step, with the file behind them.
pub struct History {
    /// By phase and step.
    pub rows: BTreeMap<(usize, u64), Row>,
    file: File,
}

impl History {
    /// What the file holds, or an empty one. A line that was cut by an interruption is left out.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let text = if path.is_file() { std::fs::read_to_string(path) } else { Ok(String::new()) };
        let text = text.with_context(|| path.display().to_string())?;
        let rows = text.lines().filter_map(parse).collect();
        let file = OpenOptions::new().append(true).create(true).open(path);
        let mut file = file.with_context(|| path.display().to_string())?;
        if !text.is_empty() && !text.ends_with('\n') {
            writeln!(file)?;
        }
        Ok(Self { rows, file })
    }

    /// Adds a step; of many without a validation, some.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn add(&mut self, phase: usize, step: u64, row: Row) -> anyhow::Result<()> {
        if row.validation.is_none() && !step.is_multiple_of(EVERY) {
            return Ok(());
        }
        let (error, savings) = row.validation.unzip();
        let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        writeln!(self.file, "{phase},{step},{},{},{},", row.loss, number(error), number(savings))?;
        self.rows.insert((phase, step), row);
        Ok(())
    }
}

/// A whole line, which ends in a comma.
fn parse(line: &str) -> Option<((usize, u64), Row)> {
    let [phase, step, loss, error, savings, ""] = line.split(',').collect::<Vec<_>>()[..] else { return None };
    let validation = error.parse().ok().zip(savings.parse().ok());
    Some(((phase.parse().ok()?, step.parse().ok()?), Row { loss: loss.parse().ok()?, validation }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_training_knows_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let mut history = History::open(&path).unwrap();
        let plain = Row { loss: 0.5, validation: None };
        for step in 1..=20 {
            history.add(0, step, plain).unwrap();
        }
        history.add(1, 3, Row { loss: 0.25, validation: Some((0.1, 90.5)) }).unwrap();
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "1,4,0.2").unwrap();
        let mut again = History::open(&path).unwrap();
        assert_eq!(again.rows, history.rows);
        assert_eq!(again.rows.keys().copied().collect::<Vec<_>>(), [(0, 10), (0, 20), (1, 3)]);
        again.add(1, 10, plain).unwrap();
        assert_eq!(History::open(&path).unwrap().rows.len(), 4);
    }
}
