//! One-dimensional NumPy arrays (`.npy`, whatever the file is called).

use std::path::Path;

use crate::DataError;
use crate::folder::{bad_file, read_bytes};

/// Largest array file that is read.
const MAX_BYTES: u64 = 256 << 20;

const EXPECTED: &str = "a NumPy array (.npy) of one column of numbers";

/// Reads the numbers of an array of shape `(n,)` or `(n, 1)` as `f64`.
///
/// # Errors
/// [`DataError::Io`], or [`DataError::BadFile`] for anything else than such an array.
pub(super) fn read(path: &Path) -> Result<Vec<f64>, DataError> {
    parse(&read_bytes(path, MAX_BYTES)?).map_err(|problem| bad_file(path, problem, EXPECTED))
}

/// Parses the bytes of a `.npy` file: magic, version, length of the header, header (a Python dictionary as text), data.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<f64>, String> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("the NumPy signature is missing")?;
    // Version 1 counts its header in two bytes, versions 2 and 3 in four.
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u32::from_le_bytes([*a, *b, 0, 0]), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        _ => return Err("an unknown NumPy version, or a file cut short".to_owned()),
    };
    let (header, data) = rest.split_at_checked(length as usize).ok_or("the header is cut short")?;
    let header = std::str::from_utf8(header).map_err(|_| "the header is no text")?;
    let count = column_length(value_of(header, "shape")?)?;
    let kind = value_of(header, "descr")?.trim_matches(['\'', '"']);
    let (size, decode) = decoder(kind)?;
    let expected = count.checked_mul(size).ok_or("an impossible shape")?;
    if data.len() != expected {
        return Err(format!("{} bytes of data; {count} values of type {kind} need {expected}", data.len()));
    }
    Ok(data.chunks_exact(size).map(decode).collect())
}

/// The text of one entry of the header's dictionary, up to the comma or brace outside of parentheses.
fn value_of<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let missing = || format!("the header has no {key:?}");
    let start = header.find(&format!("'{key}'")).ok_or_else(missing)? + key.len() + 2;
    let value = header[start..].trim_start().strip_prefix(':').ok_or_else(missing)?.trim_start();
    let mut depth = 0;
    let end = value.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth <= 0 && (c == ',' || c == '}')
    });
    Ok(value[..end.ok_or_else(missing)?].trim())
}

/// `n` of `(n,)` or `(n, 1)`.
fn column_length(shape: &str) -> Result<usize, String> {
    let inner = shape.strip_prefix('(').and_then(|s| s.strip_suffix(')')).unwrap_or("");
    let sizes: Vec<&str> = inner.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    match sizes[..] {
        [n] | [n, "1"] => n.parse().map_err(|_| format!("shape {shape} is no column")),
        _ => Err(format!("shape {} is no column", crate::table::shorten(shape, 40))),
    }
}

type Decode = fn(&[u8]) -> f64;

/// Size of a value and how to read it. The slices come from `chunks_exact` of that size.
fn decoder(kind: &str) -> Result<(usize, Decode), String> {
    fn bytes<const N: usize>(slice: &[u8]) -> [u8; N] {
        std::array::from_fn(|i| slice[i])
    }
    Ok(match kind {
        "<f8" => (8, |b| f64::from_le_bytes(bytes(b))),
        "<f4" => (4, |b| f64::from(f32::from_le_bytes(bytes(b)))),
        "<i8" => (8, |b| i64::from_le_bytes(bytes(b)) as f64),
        "<i4" => (4, |b| f64::from(i32::from_le_bytes(bytes(b)))),
        "<i2" => (2, |b| f64::from(i16::from_le_bytes(bytes(b)))),
        _ => return Err(format!("values of type {:?}", crate::table::shorten(kind, 24))),
    })
}

/// An array of shape `(n,)` as NumPy writes it.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn npy_of(values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}", values.len());
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_gives_its_numbers() {
        assert_eq!(parse(&npy_of(&[1.5, -2.0, 1e9])), Ok(vec![1.5, -2.0, 1e9]));
        let mut column = b"\x93NUMPY\x02\x00".to_vec();
        let header = "{'shape': (2, 1), 'descr': \"<f4\", 'fortran_order': False}";
        column.extend((header.len() as u32).to_le_bytes());
        column.extend(header.as_bytes());
        column.extend([0.5f32, 4.0].iter().flat_map(|v| v.to_le_bytes()));
        assert_eq!(parse(&column), Ok(vec![0.5, 4.0]));
    }

    #[test]
    fn damage_is_named() {
        let whole = npy_of(&[1.0, 2.0]);
        assert!(parse(&whole[..whole.len() - 1]).unwrap_err().contains("need 16"));
        assert!(parse(b"PK\x03\x04").unwrap_err().contains("signature"));
        assert!(parse(&whole[..20]).unwrap_err().contains("cut short"));
        let text = |from: &str, to: &str| {
            let at = whole.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
            let mut bytes = whole.clone();
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
            parse(&bytes).unwrap_err()
        };
        assert!(text("(2,)", "(2;)").contains("column"));
        assert!(text("(2,)", "(9,)").contains("need 72"));
        assert!(text("<f8", "|O8").contains("|O8"));
        assert!(text("'shape'", "'shake'").contains("shape"));
    }
}
