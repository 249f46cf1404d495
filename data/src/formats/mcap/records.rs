//! The records of an MCAP file: a code, a length and the content each; some are chunks of others, packed.

use std::io::Read;

use mcap::parse_record;
use mcap::records::Record;
#[cfg(any(test, feature = "fuzzing"))]
use mcap::records::op;

use super::{HEAD, MAX_BYTES};

/// Unpacks a chunk.
pub(super) fn unpack(compression: &str, data: &[u8], size: u64) -> Result<Vec<u8>, String> {
    if size > MAX_BYTES {
        return Err(format!("a chunk of {size} bytes; at most {MAX_BYTES} are read"));
    }
    let mut unpacked = Vec::new();
    let read = match compression {
        "" => {
            unpacked.extend_from_slice(data);
            Ok(0)
        }
        "zstd" => {
            zstd::stream::read::Decoder::new(data).and_then(|zstd| zstd.take(size + 1).read_to_end(&mut unpacked))
        }
        "lz4" => lz4::Decoder::new(data).and_then(|lz4| lz4.take(size + 1).read_to_end(&mut unpacked)),
        other => return Err(format!("its compression {other:?} is not known")),
    };
    read.map_err(|e| e.to_string())?;
    if unpacked.len() as u64 != size {
        return Err(format!("{} bytes instead of {size}", unpacked.len()));
    }
    Ok(unpacked)
}

/// The code and the content of the first record in `bytes`, and what follows it.
pub(super) fn split_record(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), String> {
    let head = bytes.split_first_chunk::<{ HEAD as usize }>().and_then(|(head, rest)| {
        let length = u64::from_le_bytes(*head[1..].first_chunk()?);
        let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        Some((head[0], content, rest))
    });
    head.ok_or_else(|| "a record is cut short".to_owned())
}

/// Hands over the records in `bytes`, each with its place.
pub(super) fn each_record_of(bytes: &[u8], visit: &mut dyn FnMut(Record<'_>, u64)) -> Result<(), String> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = (bytes.len() - rest.len()) as u64;
        let (code, content, behind) = split_record(rest)?;
        visit(parse_record(code, content).map_err(|e| e.to_string())?, offset);
        rest = behind;
    }
    Ok(())
}

/// Reads the records of a chunk, for fuzzing.
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::formats) fn fuzz(bytes: &[u8]) {
    let mut described = super::Described::default();
    let _ = each_record_of(bytes, &mut |record, _| described.add(record));
    let _ = described.topics();
    for compression in ["zstd", "lz4"] {
        let _ = unpack(compression, bytes, 1 << 16);
    }
}

/// Records that [`fuzz`] accepts.
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::formats) fn seeds() -> Vec<Vec<u8>> {
    let record = |code: u8, content: &[u8]| {
        let length = (content.len() as u64).to_le_bytes();
        [&[code][..], &length, content].concat()
    };
    let schema = record(op::SCHEMA, b"\x01\0\x06\0\0\0test/A\x07\0\0\0ros2msg\x07\0\0\0uint8 a");
    let channel = record(op::CHANNEL, b"\x02\0\x01\0\x02\0\0\0/a\x03\0\0\0cdr\0\0\0\0");
    let message = record(op::MESSAGE, b"\x02\0\x05\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\x01\0\0\x07");
    let records = [schema, channel, message].concat();
    let zstd = zstd::stream::encode_all(&records[..], 1).unwrap_or_default();
    vec![records, zstd]
}
