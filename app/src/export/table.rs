//! One line of CSV per frame.

use std::path::Path;

use anyhow::Context;

use super::Export;
use super::columns::Numbers;
use crate::drive::Drive;
use crate::model::Model;
use crate::output::OutputFile;
use crate::pipeline::FrameResult;

/// The CSV being written.
pub(super) struct Table {
    writer: csv::Writer<OutputFile>,
    macs_dense: u64,
}

impl Table {
    pub fn create(path: &Path, model: &Model) -> anyhow::Result<Self> {
        let mut writer = csv::Writer::from_writer(OutputFile::create(path)?);
        writer.write_record(Numbers::NAMES)?;
        Ok(Self { writer, macs_dense: model.rnn().dense_count().macs })
    }
}

impl Export for Table {
    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        Ok(self.writer.write_record(record(&Numbers::of(result, self.macs_dense)))?)
    }

    fn finish(self: Box<Self>, _drive: &Drive) -> anyhow::Result<()> {
        // into_inner's error holds the whole writer, which is no error type that can be passed on.
        self.writer.into_inner().map_err(|error| error.into_error()).context("writing the CSV")?.finish()
    }
}

/// One frame as the CSV tells it; an unknown angle stays empty.
fn record(numbers: &Numbers) -> [String; 9] {
    let angle = |angle: Option<f32>| angle.map_or(String::new(), |angle| format!("{angle:.6}"));
    [
        numbers.frame.to_string(),
        format!("{:.6}", numbers.time_s),
        angle(numbers.steering_true_rad),
        angle(Some(numbers.steering_rad)),
        angle(numbers.steering_dense_rad),
        numbers.columns_x.to_string(),
        numbers.columns_h.to_string(),
        numbers.macs_delta.to_string(),
        numbers.macs_dense.to_string(),
    ]
}
