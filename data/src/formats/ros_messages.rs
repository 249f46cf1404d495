//! The two ROS messages that are read: little-endian values one after another, texts and lists with their length before them.

/// Reads values from the front of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn word(&mut self) -> Option<[u8; 4]> {
        self.bytes(4)?.try_into().ok()
    }

    /// A text or a list of bytes.
    fn block(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.word()?);
        self.bytes(length as usize)
    }

    /// `std_msgs/Header`: its time stamp in nanoseconds.
    fn header(&mut self) -> Option<u64> {
        let _sequence = self.word()?;
        let seconds = u32::from_le_bytes(self.word()?);
        let nanoseconds = u32::from_le_bytes(self.word()?);
        self.block()?;
        Some(u64::from(seconds) * 1_000_000_000 + u64::from(nanoseconds))
    }
}

/// Time stamp of a message that begins with a header, in nanoseconds; `None` if it is cut short or zero.
pub(super) fn stamp_ns(message: &[u8]) -> Option<u64> {
    Reader(message).header().filter(|stamp| *stamp > 0)
}

/// The JPEG or PNG in a `sensor_msgs/CompressedImage`: header, name of the format, bytes.
pub(super) fn compressed_image(message: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(message);
    reader.header()?;
    let _format = reader.block()?;
    reader.block()
}

/// The first value after the header of a `dbw_mkz_msgs/SteeringReport`.
pub(super) fn steering_wheel_angle_rad(message: &[u8]) -> Option<f32> {
    let mut reader = Reader(message);
    reader.header()?;
    Some(f32::from_le_bytes(reader.word()?)).filter(|angle| angle.is_finite())
}

/// True if a definition of `SteeringReport` has the header and then `float32 steering_wheel_angle`, as the challenge's
/// bags do; later versions of the package might not.
pub(super) fn steering_comes_first(definition: &str) -> bool {
    let lines = definition.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    let mut fields = lines.filter(|line| !line.is_empty()).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let header = fields.next().is_some_and(|field| field.first().is_some_and(|kind| kind.ends_with("Header")));
    header && fields.next().is_some_and(|field| field == ["float32", "steering_wheel_angle"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Vec<u8> {
        let mut bytes = [7u32, 12, 500].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(b"car");
        bytes
    }

    #[test]
    fn both_messages() {
        let mut report = header();
        report.extend((-0.25f32).to_le_bytes());
        report.extend([9; 20]);
        assert_eq!((stamp_ns(&report), steering_wheel_angle_rad(&report)), (Some(12_000_000_500), Some(-0.25)));
        let mut image = header();
        image.extend(4u32.to_le_bytes());
        image.extend(b"jpeg");
        image.extend(2u32.to_le_bytes());
        image.extend([0xff, 0xd8]);
        assert_eq!(compressed_image(&image), Some(&[0xff, 0xd8][..]));
        assert_eq!(compressed_image(&image[..image.len() - 1]), None);
    }

    #[test]
    fn the_definition_decides() {
        assert!(steering_comes_first("Header header\n\n# Steering\nfloat32 steering_wheel_angle  # rad\nfloat32 x\n"));
        assert!(!steering_comes_first("Header header\nuint8 kind\nfloat32 steering_wheel_angle\n"));
        assert!(!steering_comes_first(""));
    }
}
