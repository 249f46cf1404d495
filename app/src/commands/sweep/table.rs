//! The sweep's table: a CSV that is continued where it stopped.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::output::{self, OutputFile};

/// One line of the table: one model at one pair of thresholds. Errors in radians; sums over the drive, first frame included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The line in the picture: a technique, say.
    pub line: String,
    /// The model's folder.
    pub model: String,
    /// Hash of its weights.
    pub weights: String,
    /// The last part of the source's name.
    pub source: String,
    /// `--from`.
    pub from_s: Option<f64>,
    /// `--to`.
    pub to_s: Option<f64>,
    /// Frames run.
    pub frames: usize,
    /// Multiple of the model's own thresholds.
    pub scale: f32,
    /// Threshold of the features.
    pub theta_x: f32,
    /// Threshold of the hidden state.
    pub theta_h: f32,
    /// The delta GRU's error.
    pub rmse_rad: f64,
    /// Dense MACs over delta MACs.
    pub savings: f64,
    /// The same with zero weights left out.
    pub savings_with_weight_sparsity: f64,
    /// Share of feature columns sent.
    pub occupancy_x: f64,
    /// Share of hidden columns sent.
    pub occupancy_h: f64,
    /// RNN multiply-accumulates a frame.
    pub macs_a_frame: f64,
    /// The same of the dense step.
    pub macs_a_frame_dense: f64,
    /// Error of the same weights run densely.
    pub dense_rmse_rad: f64,
    /// Error of the CNN alone.
    pub single_frame_rmse_rad: f64,
    /// Error of always zero.
    pub zero_rmse_rad: f64,
}

/// The table with its file.
pub struct Table {
    path: PathBuf,
    records: Vec<Record>,
}

impl Table {
    /// Reads the table if it is there, and finds out whether it can be written.
    ///
    /// # Errors
    /// A file that is no such table, or a place that cannot be written.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        drop(OutputFile::create(path)?);
        let mut records = Vec::new();
        if path.is_file() {
            let mut reader = csv::Reader::from_path(path).with_context(|| path.display().to_string())?;
            for record in reader.deserialize() {
                records.push(record.with_context(|| format!("{}: no table of a sweep", path.display()))?);
            }
        }
        Ok(Self { path: path.to_owned(), records })
    }

    /// All lines, in the order in which they were added.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Whether this point has been measured.
    pub fn holds(
        &self,
        line: &str,
        source: &str,
        from_s: Option<f64>,
        to_s: Option<f64>,
        weights: &str,
        scale: f32,
    ) -> bool {
        let source = short_name(source);
        self.records.iter().any(|record| {
            (record.line.as_str(), record.source.as_str(), record.weights.as_str()) == (line, source.as_str(), weights)
                && (record.from_s, record.to_s, record.scale) == (from_s, to_s, scale)
        })
    }

    /// Adds points and writes the whole table. Points of the same model folder with older weights go.
    ///
    /// # Errors
    /// What the operating system says, with the path.
    pub fn add(&mut self, records: Vec<Record>) -> anyhow::Result<()> {
        for new in &records {
            let stale = |old: &Record| (&old.line, &old.model) == (&new.line, &new.model) && old.weights != new.weights;
            self.records.retain(|old| !stale(old));
        }
        self.records.extend(records);
        let mut writer = csv::Writer::from_writer(Vec::new());
        for record in &self.records {
            writer.serialize(record)?;
        }
        output::write_whole(&self.path, &writer.into_inner().map_err(|error| error.into_error())?)
    }
}

/// The last part of a path, so that a table names no machine's folders; other sources as they are.
pub fn short_name(source: &str) -> String {
    let last = Path::new(source).file_name().filter(|_| Path::new(source).exists());
    last.map_or_else(|| source.to_owned(), |name| name.to_string_lossy().into_owned())
}
