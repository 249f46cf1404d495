//! Whether a picture that others are predicted from is missing in a stream of H.264. Its decoder shows the one before instead.
//!
//! Pictures that serve as references are numbered: `frame_num` in each slice header (ITU-T H.264, 7.3.3 and 7.4.3).

/// The numbering of a stream.
#[derive(Debug, Default)]
pub(super) struct FrameNumbers {
    /// Bytes of the length before each unit; `None` where start codes part the units.
    length_bytes: Option<usize>,
    /// Bits of `frame_num`, once a sequence parameter set was seen that allows no gaps.
    bits: Option<u32>,
    /// One colour plane a slice: its number stands before that of the frame.
    planes: bool,
    /// The number of the last reference picture.
    last: Option<u32>,
}

impl FrameNumbers {
    /// From the stream's extra data: an `avcC` box, parameter sets with start codes, or nothing.
    pub(super) fn new(extra: &[u8]) -> Self {
        let mut numbers = Self::default();
        if let [1, _, _, _, lengths, _, sets @ ..] = extra {
            numbers.length_bytes = Some(usize::from(lengths & 3) + 1);
            if let [high, low, set @ ..] = sets {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                numbers.parameters(set.get(1..length).unwrap_or_default());
            }
        } else {
            units(extra, None).filter(|unit| unit[0] & 0x1f == 7).for_each(|unit| numbers.parameters(&unit[1..]));
        }
        numbers
    }

    /// Goes on at another place of the stream.
    pub(super) fn jump(&mut self) {
        self.last = None;
    }

    /// Reads on to the picture in `packet`. False if a reference picture is missing before it.
    pub(super) fn follow(&mut self, packet: &[u8]) -> bool {
        for unit in units(packet, self.length_bytes) {
            let (is_reference, kind) = (unit[0] >> 5 & 3 != 0, unit[0] & 0x1f);
            match kind {
                7 => self.parameters(&unit[1..]),
                // The first slice tells; the others of the picture have the same number.
                1 | 5 => return self.slice(&unit[1..], is_reference, kind == 5).unwrap_or(true),
                _ => {}
            }
        }
        true
    }

    fn slice(&mut self, slice: &[u8], is_reference: bool, idr: bool) -> Option<bool> {
        let mut bits = Bits::new(slice);
        let (_first_macroblock, _type, _picture_set) = (bits.golomb()?, bits.golomb()?, bits.golomb()?);
        if self.planes {
            bits.take(2)?;
        }
        let length = self.bits?;
        let number = bits.take(length)?;
        let last = self.last;
        if is_reference {
            self.last = Some(number);
        }
        // Zero may also follow from an operation on the references that begins the numbering anew.
        let follows = |last: u32| number == last || number == (last + 1) & ((1 << length) - 1) || number == 0;
        Some(idr || last.is_none_or(follows))
    }

    /// A sequence parameter set, from its profile on.
    fn parameters(&mut self, set: &[u8]) {
        if let Some((bits, planes, gaps)) = parse_parameters(set) {
            self.planes = planes;
            self.bits = (!gaps).then_some(bits);
        }
    }
}

/// Bits of `frame_num`, `separate_colour_plane_flag` and `gaps_in_frame_num_value_allowed_flag` (7.3.2.1.1).
fn parse_parameters(set: &[u8]) -> Option<(u32, bool, bool)> {
    const WITH_CHROMA: [u32; 13] = [44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244];
    let mut bits = Bits::new(set);
    let profile = bits.take(8)?;
    bits.take(16)?;
    bits.golomb()?;
    let mut planes = false;
    if WITH_CHROMA.contains(&profile) {
        let chroma = bits.golomb()?;
        if chroma == 3 {
            planes = bits.take(1)? == 1;
        }
        bits.golomb()?;
        bits.golomb()?;
        bits.take(1)?;
        if bits.take(1)? == 1 {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.take(1)? == 1 {
                    bits.scaling_list(if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    let length = bits.golomb()? + 4;
    match bits.golomb()? {
        0 => {
            bits.golomb()?;
        }
        1 => {
            bits.take(1)?;
            bits.golomb()?;
            bits.golomb()?;
            for _ in 0..bits.golomb()? {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?;
    let gaps = bits.take(1)? == 1;
    (length <= 16).then_some((length, planes, gaps))
}

/// The units of a packet, none of them empty.
fn units(packet: &[u8], length_bytes: Option<usize>) -> Box<dyn Iterator<Item = &[u8]> + '_> {
    let Some(length_bytes) = length_bytes else {
        let starts: Vec<usize> =
            (0..packet.len().saturating_sub(3)).filter(|&i| packet[i..i + 3] == [0, 0, 1]).collect();
        return Box::new(starts.into_iter().map(move |start| &packet[start + 3..]).filter(|unit| !unit.is_empty()));
    };
    let mut rest = packet;
    Box::new(std::iter::from_fn(move || {
        let (length, after) = rest.split_at_checked(length_bytes)?;
        let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (unit, after) = after.split_at_checked(length).filter(|(unit, _)| !unit.is_empty())?;
        rest = after;
        Some(unit)
    }))
}

/// Bits from the front of a unit. Bytes that keep start codes from arising are left out.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    zeros: usize,
    byte: u32,
    left: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, zeros: 0, byte: 0, left: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            if self.zeros >= 2 && self.bytes.get(self.at) == Some(&3) {
                (self.at, self.zeros) = (self.at + 1, 0);
            }
            self.byte = u32::from(*self.bytes.get(self.at)?);
            self.zeros = if self.byte == 0 { self.zeros + 1 } else { 0 };
            (self.at, self.left) = (self.at + 1, 8);
        }
        self.left -= 1;
        Some(self.byte >> self.left & 1)
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |sum, _| Some(sum << 1 | self.bit()?))
    }

    /// An Exp-Golomb number (9.1).
    fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
        }
        (zeros <= 20).then_some(())?;
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }

    fn scaling_list(&mut self, size: usize) -> Option<()> {
        let (mut last, mut next) = (8, 8);
        for _ in 0..size {
            if next != 0 {
                let number = self.golomb()? as i32;
                let delta = if number % 2 == 0 { -number / 2 } else { (number + 1) / 2 };
                next = (last + delta).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits as text to bytes.
    fn bytes(bits: &str) -> Vec<u8> {
        let bits: Vec<u8> = bits.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
        bits.chunks(8).map(|eight| eight.iter().enumerate().fold(0, |sum, (i, bit)| sum | bit << (7 - i))).collect()
    }

    /// A baseline set: four bits of `frame_num`, picture order by type 2, one reference.
    fn baseline() -> Vec<u8> {
        [vec![0, 0, 1, 0x67], bytes("01000010 00000000 00011110 1 1 011 010 0 1")].concat()
    }

    /// A picture with start codes: `reference` and `idr`, and its number.
    fn picture(reference: bool, idr: bool, number: u8) -> Vec<u8> {
        let header = u8::from(reference) << 5 | if idr { 5 } else { 1 };
        [vec![0, 0, 1, header], bytes(&format!("1 1 1 {number:04b} 1"))].concat()
    }

    #[test]
    fn a_missing_reference_is_seen_and_a_missing_other_is_not() {
        let mut numbers = FrameNumbers::new(&baseline());
        assert_eq!(numbers.bits, Some(4));
        let steps = [
            (true, true, 0, true),
            (true, false, 1, true),
            (false, false, 2, true),
            (true, false, 2, true),
            (true, false, 4, false),
            (true, false, 5, true),
            (true, true, 0, true),
            (true, false, 2, false),
        ];
        for (reference, idr, number, follows) in steps {
            assert_eq!(numbers.follow(&picture(reference, idr, number)), follows, "{number}");
        }
        let around = (3..20).all(|number| numbers.follow(&picture(true, false, number % 16)));
        assert!(around, "the numbers begin anew at 16");
    }

    #[test]
    fn units_with_lengths_are_read_as_well() {
        let set = &baseline()[3..];
        let extra = [&[1, 66, 0, 30, 0xff, 0xe1, 0, set.len() as u8][..], set].concat();
        let mut numbers = FrameNumbers::new(&extra);
        assert_eq!((numbers.length_bytes, numbers.bits), (Some(4), Some(4)));
        let packed = |number| {
            let unit = &picture(true, false, number)[3..];
            [&(unit.len() as u32).to_be_bytes(), unit].concat()
        };
        assert!(numbers.follow(&packed(3)) && numbers.follow(&packed(4)) && !numbers.follow(&packed(9)));
    }
}
