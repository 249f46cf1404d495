//! The same columns as the CSV, typed, as Parquet: DuckDB, pandas and Spark read a fleet's worth of them at once.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use deltasteer_data::SourceInfo;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::columns::Columns;
use super::kind::Export;
use crate::drive::Drive;
use crate::model::Model;
use crate::output::OutputFile;
use crate::pipeline::FrameResult;

/// `drive` and `model` stand in every row, because files of many drives are read as one table.
const SCHEMA: &str = "message frame {
    required binary drive (utf8);
    required binary model (utf8);
    required int64 frame;
    required double time_s;
    optional float steering_true_rad;
    required float steering_rad;
    optional float steering_dense_rad;
    required int32 columns_x;
    required int32 columns_h;
    required int64 macs_delta;
    required int64 macs_dense;
    required boolean cnn_looked;
    required int64 cnn_macs;
}";

/// Frames in one row group: what is held back in memory.
const GROUP: usize = 16_384;

/// The Parquet file being written.
pub(super) struct Parquet {
    writer: SerializedFileWriter<OutputFile>,
    drive: String,
    model: String,
    macs_dense: u64,
    rows: Vec<Columns>,
}

impl Parquet {
    pub fn create(path: &Path, info: &SourceInfo, model: &Model) -> anyhow::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let note = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
        let notes = vec![
            note("angles", "radians of the steering wheel, positive to the left"),
            note("time_s", "seconds from the drive's first frame"),
        ];
        let properties = WriterProperties::builder().set_key_value_metadata(Some(notes)).build();
        let file = OutputFile::create(path)?;
        Ok(Self {
            writer: SerializedFileWriter::new(file, schema, Arc::new(properties))?,
            drive: info.name.clone(),
            model: model.folder().display().to_string(),
            macs_dense: model.rnn().dense_count().macs,
            rows: Vec::new(),
        })
    }

    /// Writes the rows held back as one row group.
    fn flush(&mut self) -> anyhow::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let text = |text: &str| vec![ByteArray::from(text); rows.len()];
        let mut group = self.writer.next_row_group()?;
        column::<ByteArrayType>(&mut group, &text(&self.drive))?;
        column::<ByteArrayType>(&mut group, &text(&self.model))?;
        column::<Int64Type>(&mut group, &list(&rows, |row| row.frame as i64))?;
        column::<DoubleType>(&mut group, &list(&rows, |row| row.time_s))?;
        angles(&mut group, &rows, |row| row.steering_true_rad)?;
        column::<FloatType>(&mut group, &list(&rows, |row| row.steering_rad))?;
        angles(&mut group, &rows, |row| row.steering_dense_rad)?;
        column::<Int32Type>(&mut group, &list(&rows, |row| row.count.columns_x as i32))?;
        column::<Int32Type>(&mut group, &list(&rows, |row| row.count.columns_h as i32))?;
        column::<Int64Type>(&mut group, &list(&rows, |row| row.count.macs as i64))?;
        column::<Int64Type>(&mut group, &list(&rows, |row| row.macs_dense as i64))?;
        column::<BoolType>(&mut group, &list(&rows, |row| row.cnn_looked))?;
        column::<Int64Type>(&mut group, &list(&rows, |row| row.cnn_macs as i64))?;
        group.close()?;
        Ok(())
    }
}

impl Export for Parquet {
    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        self.rows.push(Columns::of(result, self.macs_dense));
        if self.rows.len() == GROUP { self.flush() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>, _drive: &Drive) -> anyhow::Result<()> {
        self.flush()?;
        self.writer.into_inner().context("writing the Parquet file")?.finish()
    }
}

fn list<T>(rows: &[Columns], pick: impl Fn(&Columns) -> T) -> Vec<T> {
    rows.iter().map(pick).collect()
}

/// The next column, without gaps.
fn column<T: DataType>(group: &mut SerializedRowGroupWriter<'_, OutputFile>, values: &[T::T]) -> anyhow::Result<()> {
    let mut column = group.next_column()?.context("more columns than the schema has")?;
    column.typed::<T>().write_batch(values, None, None)?;
    Ok(column.close()?)
}

/// The next column, with gaps where an angle is not known.
fn angles(
    group: &mut SerializedRowGroupWriter<'_, OutputFile>,
    rows: &[Columns],
    pick: impl Fn(&Columns) -> Option<f32>,
) -> anyhow::Result<()> {
    let values: Vec<f32> = rows.iter().filter_map(&pick).collect();
    let known: Vec<i16> = rows.iter().map(|row| i16::from(pick(row).is_some())).collect();
    let mut column = group.next_column()?.context("more columns than the schema has")?;
    column.typed::<FloatType>().write_batch(&values, Some(&known), None)?;
    Ok(column.close()?)
}
