//! Reads the values of a ROS message one after another.

use super::ros::{Many, Number, Wire};

/// Reads values one after another.
pub(super) struct Cursor<'m> {
    bytes: &'m [u8],
    at: usize,
    big_endian: bool,
    pub(super) wire: Wire,
}

impl<'m> Cursor<'m> {
    pub(super) fn new(message: &'m [u8], wire: Wire) -> Result<Self, String> {
        let (big_endian, bytes) = match (wire, message) {
            (Wire::Ros1, all) => (false, all),
            (Wire::Cdr, [0, order @ (0 | 1), _, _, rest @ ..]) => (*order == 0, rest),
            (Wire::Cdr, [first, second, _, _, ..]) => {
                return Err(format!("its encapsulation {first:02x} {second:02x} is not plain CDR"));
            }
            (Wire::Cdr, _) => return Err("the message is cut short".to_owned()),
        };
        Ok(Self { bytes, at: 0, big_endian, wire })
    }

    pub(super) fn align(&mut self, size: usize) {
        if self.wire == Wire::Cdr {
            self.at = self.at.next_multiple_of(size);
        }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'m [u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("the message is cut short")?;
        let found = &self.bytes[self.at.min(end)..end];
        self.at = end;
        Ok(found)
    }

    pub(super) fn number(&mut self, number: Number) -> Result<f64, String> {
        self.align(number.size());
        let stored = self.bytes(number.size())?;
        let mut low = [0; 8];
        low[..stored.len()].copy_from_slice(stored);
        if self.big_endian {
            low[..stored.len()].reverse();
        }
        let bits = u64::from_le_bytes(low);
        Ok(match number {
            Number::Bool => f64::from(u8::from(bits != 0)),
            Number::I8 => f64::from(bits as i8),
            Number::I16 => f64::from(bits as i16),
            Number::I32 => f64::from(bits as i32),
            Number::I64 => bits as i64 as f64,
            Number::U8 | Number::U16 | Number::U32 | Number::U64 => bits as f64,
            Number::F32 => f64::from(f32::from_bits(bits as u32)),
            Number::F64 => f64::from_bits(bits),
        })
    }

    /// How many elements follow.
    pub(super) fn count(&mut self, many: Many) -> Result<usize, String> {
        match many {
            Many::One => Ok(1),
            Many::Fixed(count) => Ok(count),
            Many::Sequence => {
                let count = self.number(Number::U32)? as usize;
                // Each takes a byte or more.
                if count > self.bytes.len() - self.at {
                    return Err("a list is longer than the message".to_owned());
                }
                Ok(count)
            }
        }
    }

    /// A text; CDR ends it with a zero that counts.
    pub(super) fn text(&mut self) -> Result<&'m [u8], String> {
        let length = self.number(Number::U32)? as usize;
        let text = self.bytes(length)?;
        Ok(text.strip_suffix(&[0]).filter(|_| self.wire == Wire::Cdr).unwrap_or(text))
    }
}
