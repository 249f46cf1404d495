//! Every parser of this crate under damaged input: the table that `make fuzz` and the targets of `cargo fuzz` share.
//!
//! A parser may return an error or find nothing. It may not panic, and it may not take memory for what the input only claims.

use crate::folder::{decode_text, printable};
use crate::recorded::decode;
use crate::{Framing, formats, video};

/// A parser with inputs that it accepts, from which damaged ones are made.
pub struct Target {
    /// What is parsed.
    pub name: &'static str,
    /// Inputs that it accepts.
    pub seeds: Vec<Vec<u8>>,
    /// Parses an input.
    pub run: fn(&[u8]),
}

impl Target {
    pub(crate) fn new<S: AsRef<[u8]>>(name: &'static str, seeds: &[S], run: fn(&[u8])) -> Self {
        Self { name, seeds: seeds.iter().map(|seed| seed.as_ref().to_vec()).collect(), run }
    }
}

/// Bytes as text, as label files are read.
pub(crate) fn text(bytes: &[u8]) -> String {
    decode_text(bytes)
}

/// All parsers.
pub fn targets() -> Vec<Target> {
    let mut targets = vec![
        Target::new("text", &["\u{feff}a,b\r\n1,2\r"], |bytes| {
            let text = decode_text(bytes);
            assert!(!text.contains('\r') && !printable(&text).contains(char::is_control));
        }),
        Target::new(
            "source",
            &["fov=90,horizon=210,crop=1:2:3:4,source=camera:0", "horizon=1,source=road:7"],
            |bytes| {
                let spec = String::from_utf8_lossy(bytes);
                let _ = (Framing::parse(&spec), crate::road::RoadSettings::parse(&spec));
            },
        ),
        Target {
            name: "picture",
            seeds: pictures(),
            run: |bytes| {
                let _ = (decode::image_bytes(bytes, decode::ALL_ROWS), decode::image_bytes(bytes, [100, 300]));
            },
        },
    ];
    targets.extend(formats::targets());
    targets.extend(video::targets());
    targets
}

/// A JPEG and a PNG.
fn pictures() -> Vec<Vec<u8>> {
    let picture = image::RgbImage::from_fn(24, 16, |x, y| image::Rgb([10 * x as u8, 15 * y as u8, 90]));
    let written = |format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).map(|()| bytes.into_inner())
    };
    [image::ImageFormat::Jpeg, image::ImageFormat::Png].into_iter().filter_map(|format| written(format).ok()).collect()
}

#[cfg(test)]
mod tests;
