//! Pictures in messages: JPEG and PNG, and the pixel formats of `sensor_msgs/Image` and `foxglove.RawImage`.

use ndarray::Array3;

use super::schema::Message;
use crate::recorded::decode::{self, MAX_PIXELS, MAX_SIDE};

/// The pixel formats that are read, for error messages.
const ENCODINGS: &str = "rgb8, bgr8, rgba8, bgra8, mono8, 8UC1, 8UC3, 8UC4, yuv422 (uyvy) and yuv422_yuy2 (yuyv)";

/// Where the bytes of a pixel, or of two in YUV, are.
enum Layout {
    /// Bytes a pixel, and the places of red, green and blue.
    Rgb(usize, [usize; 3]),
    /// Places of the two luminances, and of U and V, in four bytes for two pixels.
    Yuv422([usize; 2], [usize; 2]),
}

/// The picture in a message, of which rows outside `rows_of_480` may be left black.
///
/// # Errors
/// A fragment: no picture, or one that is not read.
pub(super) fn picture(message: &Message<'_>, rows_of_480: [u32; 2]) -> Result<Array3<u8>, String> {
    let data = message.bytes("data").ok_or("the message is cut short or holds no picture")?;
    let Some(encoding) = message.text("encoding") else {
        return decode::image_bytes(&data, rows_of_480).map_err(|reason| match message.text("format") {
            Some(format) => format!("{reason} (its format is {:?})", crate::table::shorten(&format, 60)),
            None => reason,
        });
    };
    let side = |name: &str| message.number(name).map_or(0, |value| value as usize);
    raw(&encoding, [side("width"), side("height"), side("step")], &data)
}

fn raw(encoding: &str, [width, height, step]: [usize; 3], data: &[u8]) -> Result<Array3<u8>, String> {
    let layout = match encoding {
        "rgb8" => Layout::Rgb(3, [0, 1, 2]),
        "bgr8" | "8UC3" => Layout::Rgb(3, [2, 1, 0]),
        "rgba8" => Layout::Rgb(4, [0, 1, 2]),
        "bgra8" | "8UC4" => Layout::Rgb(4, [2, 1, 0]),
        "mono8" | "8UC1" => Layout::Rgb(1, [0; 3]),
        "yuv422" | "uyvy" => Layout::Yuv422([1, 3], [0, 2]),
        "yuv422_yuy2" | "yuyv" => Layout::Yuv422([0, 2], [1, 3]),
        other => {
            return Err(format!("pixels as {:?} are not read ({ENCODINGS} are)", crate::table::shorten(other, 30)));
        }
    };
    let (pixels, bytes) = match layout {
        Layout::Rgb(bytes, _) => (1, bytes),
        Layout::Yuv422(..) => (2, 4),
    };
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
        return Err(format!("a picture of {width}x{height}"));
    }
    let row = width.div_ceil(pixels) * bytes;
    let step = if step == 0 { row } else { step };
    let needed = step.checked_mul(height - 1).and_then(|rows| rows.checked_add(row));
    if step < row || needed.is_none_or(|needed| needed > data.len()) {
        return Err(format!("{width}x{height} pixels as {encoding:?} in {} bytes, {step} a row", data.len()));
    }
    let pixel = |line: usize, column: usize| {
        let at = line * step + column / pixels * bytes;
        let group = &data[at..at + bytes];
        match layout {
            Layout::Rgb(_, rgb) => rgb.map(|place| group[place]),
            Layout::Yuv422(y, [u, v]) => yuv(group[y[column % 2]], group[u], group[v]),
        }
    };
    let mut rgb = Vec::with_capacity(3 * width * height);
    (0..height).for_each(|line| (0..width).for_each(|column| rgb.extend_from_slice(&pixel(line, column))));
    Array3::from_shape_vec((height, width, 3), rgb).map_err(|e| format!("{width}x{height}: {e}"))
}

/// ITU-R BT.601 with luminance from 16 to 235, as OpenCV and with it ROS's own `cv_bridge` take it.
fn yuv(y: u8, u: u8, v: u8) -> [u8; 3] {
    let (y, u, v) = (1.164 * (f32::from(y) - 16.0), f32::from(u) - 128.0, f32::from(v) - 128.0);
    [y + 1.596 * v, y - 0.813 * v - 0.391 * u, y + 2.018 * u].map(|value| value.round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_gives_its_colours() {
        for (encoding, data) in [
            ("rgb8", &[200u8, 100, 50, 1, 2, 3][..]),
            ("bgr8", &[50, 100, 200, 3, 2, 1]),
            ("rgba8", &[200, 100, 50, 9, 1, 2, 3, 9]),
            ("bgra8", &[50, 100, 200, 9, 3, 2, 1, 9]),
        ] {
            let image = raw(encoding, [2, 1, 0], data).unwrap();
            assert_eq!(crate::rgb_bytes(&image), [200, 100, 50, 1, 2, 3], "{encoding}");
        }
        let grey = raw("mono8", [2, 2, 3], &[7, 8, 0, 9, 10]).unwrap();
        assert_eq!(crate::rgb_bytes(&grey), [7, 7, 7, 8, 8, 8, 9, 9, 9, 10, 10, 10]);
        // Red, as OpenCV converts it.
        for (encoding, data) in [("yuv422", [90, 81, 240, 81]), ("yuv422_yuy2", [81, 90, 81, 240])] {
            let image = raw(encoding, [2, 1, 4], &data).unwrap();
            assert!(image[[0, 0, 0]] >= 253 && image[[0, 1, 1]] <= 2 && image[[0, 1, 2]] <= 2, "{image:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = raw("bayer_rggb8", [2, 1, 0], &[0; 6]).unwrap_err();
        assert!(message.contains("bayer_rggb8") && message.contains("mono8"), "{message}");
        for (sizes, bytes) in
            [([2, 2, 0], 11), ([0, 2, 0], 11), ([2, 1, 5], 99), ([2, 3, usize::MAX], 99), ([90_000, 1, 0], 9)]
        {
            assert!(raw("rgb8", sizes, &vec![0; bytes]).is_err(), "{sizes:?}");
        }
    }
}
