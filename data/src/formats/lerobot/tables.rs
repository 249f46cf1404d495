//! Columns of Parquet files, row by row.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::Field;
use parquet::schema::types::Type;

/// The most rows of one file that are looked at.
const MAX_ROWS: usize = 50_000_000;

/// Hands over the numbers of `columns` in each row, in that order: one, those of a list, or none where there are no numbers.
///
/// # Errors
/// A fragment: no Parquet file, a damaged one, or one without a column.
pub(super) fn each_row(path: &Path, columns: &[&str], visit: &mut dyn FnMut(&[Vec<f64>])) -> Result<(), String> {
    // The crate trusts some lengths in the file, so that a wrong one is a panic.
    catch_unwind(AssertUnwindSafe(|| read(path, columns, visit)))
        .unwrap_or_else(|_| Err("its pages contradict each other".to_owned()))
}

fn read(path: &Path, columns: &[&str], visit: &mut dyn FnMut(&[Vec<f64>])) -> Result<(), String> {
    let plain = |error: parquet::errors::ParquetError| error.to_string();
    let file = File::open(path).map_err(|e| e.to_string())?;
    let reader = SerializedFileReader::new(file).map_err(plain)?;
    let whole = reader.metadata().file_metadata().schema();
    let fields = columns.iter().map(|column| {
        let field = whole.get_fields().iter().find(|field| field.name() == *column);
        field.cloned().ok_or_else(|| format!("it has no column {column:?}"))
    });
    let fields = fields.collect::<Result<_, _>>()?;
    let wanted = Type::group_type_builder(whole.name()).with_fields(fields).build().map_err(plain)?;
    let mut values = vec![Vec::new(); columns.len()];
    for row in reader.get_row_iter(Some(wanted)).map_err(plain)?.take(MAX_ROWS) {
        let row = row.map_err(plain)?;
        for (name, field) in row.get_column_iter() {
            if let Some(at) = columns.iter().position(|column| column == name) {
                values[at].clear();
                numbers(field, &mut values[at]);
            }
        }
        visit(&values);
    }
    Ok(())
}

/// Appends the numbers in a field.
fn numbers(field: &Field, found: &mut Vec<f64>) {
    match field {
        Field::Bool(value) => found.push(f64::from(u8::from(*value))),
        Field::Byte(value) => found.push(f64::from(*value)),
        Field::Short(value) => found.push(f64::from(*value)),
        Field::Int(value) => found.push(f64::from(*value)),
        Field::Long(value) => found.push(*value as f64),
        Field::UByte(value) => found.push(f64::from(*value)),
        Field::UShort(value) => found.push(f64::from(*value)),
        Field::UInt(value) => found.push(f64::from(*value)),
        Field::ULong(value) => found.push(*value as f64),
        Field::Float(value) => found.push(f64::from(*value)),
        Field::Double(value) => found.push(*value),
        Field::ListInternal(list) => list.elements().iter().for_each(|field| numbers(field, found)),
        // Its place counts in a list.
        _ => found.push(f64::NAN),
    }
}
