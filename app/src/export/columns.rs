//! What tables hold of each frame, and the CSV.

use std::path::Path;

use anyhow::Context;
use deltasteer_temporal::StepCount;

use super::kind::Export;
use crate::drive::Drive;
use crate::model::Model;
use crate::output::OutputFile;
use crate::pipeline::FrameResult;

/// The columns of a table, in their order. Angles are radians of the steering wheel, positive to the left.
pub(super) const NAMES: [&str; 11] = [
    "frame",
    "time_s",
    "steering_true_rad",
    "steering_rad",
    "steering_dense_rad",
    "columns_x",
    "columns_h",
    "macs_delta",
    "macs_dense",
    "cnn_looked",
    "cnn_macs",
];

/// One frame's row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Columns {
    pub frame: usize,
    pub time_s: f64,
    pub steering_true_rad: Option<f32>,
    pub steering_rad: f32,
    pub steering_dense_rad: Option<f32>,
    /// Columns sent and multiply-accumulates of the delta step.
    pub count: StepCount,
    /// Multiply-accumulates of a dense step.
    pub macs_dense: u64,
    /// Whether the CNN ran on this frame.
    pub cnn_looked: bool,
    /// Multiply-accumulates of CNN and motion sensor.
    pub cnn_macs: u64,
}

impl Columns {
    /// Of one frame, run by a model whose dense step takes `macs_dense`.
    pub fn of(result: &FrameResult, macs_dense: u64) -> Self {
        Self {
            frame: result.index,
            time_s: result.time_s,
            steering_true_rad: result.steering_true_rad,
            steering_rad: result.steering_rad,
            steering_dense_rad: result.steering_dense_rad,
            count: result.count,
            macs_dense,
            cnn_looked: result.looked,
            cnn_macs: result.cnn_work.macs,
        }
    }

    /// The row below the names of its columns, as the CSV has them.
    #[cfg(feature = "window")]
    pub fn text(&self) -> String {
        format!("{}\n{}\n", NAMES.join(","), self.record().join(","))
    }

    /// The row as text; an unknown angle is empty.
    fn record(&self) -> [String; NAMES.len()] {
        let angle = |angle: Option<f32>| angle.map_or(String::new(), |angle| format!("{angle:.6}"));
        [
            self.frame.to_string(),
            format!("{:.6}", self.time_s),
            angle(self.steering_true_rad),
            angle(Some(self.steering_rad)),
            angle(self.steering_dense_rad),
            self.count.columns_x.to_string(),
            self.count.columns_h.to_string(),
            self.count.macs.to_string(),
            self.macs_dense.to_string(),
            u8::from(self.cnn_looked).to_string(),
            self.cnn_macs.to_string(),
        ]
    }
}

/// A CSV file being written: one line a frame.
pub struct Csv {
    writer: csv::Writer<OutputFile>,
    macs_dense: u64,
}

impl Csv {
    /// Begins the file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn create(path: &Path, model: &Model) -> anyhow::Result<Self> {
        let mut writer = csv::Writer::from_writer(OutputFile::create(path)?);
        writer.write_record(NAMES)?;
        Ok(Self { writer, macs_dense: model.rnn().dense_count().macs })
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// What keeps the file from being written.
    pub fn add(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        Ok(self.writer.write_record(Columns::of(result, self.macs_dense).record())?)
    }

    /// Completes the file.
    ///
    /// # Errors
    /// As [`Csv::add`].
    pub fn complete(self) -> anyhow::Result<()> {
        // The error of into_inner holds the whole writer, which is no error type that can be passed on.
        self.writer.into_inner().map_err(|error| error.into_error()).context("writing the CSV")?.finish()
    }
}

impl Export for Csv {
    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        self.add(result)
    }

    fn finish(self: Box<Self>, _drive: &Drive) -> anyhow::Result<()> {
        self.complete()
    }
}
