//! Writes frames of a source as PNG files.
//!
//! `cargo run --release -p deltasteer-data --example road_frames -- SPEC FOLDER INDEX...`

use deltasteer_data::{open, rgb_bytes};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [spec, folder, indices @ ..] = arguments.as_slice() else {
        return Err("usage: road_frames SPEC FOLDER INDEX...".into());
    };
    let mut source = open(spec)?;
    std::fs::create_dir_all(folder)?;
    for index in indices {
        source.seek(index.parse()?)?;
        let Some(frame) = source.next_frame()? else { continue };
        let name = format!("{}_{:05}.png", spec.replace([':', ',', '='], "_"), frame.index);
        let image = frame.image;
        image::save_buffer(
            Path::new(folder).join(&name),
            rgb_bytes(&image),
            image.dim().1 as u32,
            image.dim().0 as u32,
            image::ExtendedColorType::Rgb8,
        )?;
        println!("{name}: {:.1} s, {:+.3} rad", frame.time_s, frame.steering_true_rad.unwrap_or(f32::NAN));
    }
    Ok(())
}
