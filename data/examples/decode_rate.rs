//! How fast a recorded drive is read: `cargo run --release -p deltasteer-data --example decode_rate -- FOLDER [FRAMES]`.

use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("usage: decode_rate SOURCE [FRAMES]")?;
    let limit: usize = arguments.next().map_or(Ok(2000), |text| text.parse())?;
    let mut source = deltasteer_data::open(&name)?;
    let (mut frames, start) = (0, Instant::now());
    while frames < limit && source.next_frame()?.is_some() {
        frames += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let info = source.info();
    let cores = std::thread::available_parallelism()?;
    println!("{}: {}", info.name, info.format);
    println!(
        "{frames} frames of {}x{} in {seconds:.2} s: {:.0} frames/s on {cores} cores",
        info.width,
        info.height,
        frames as f64 / seconds
    );
    Ok(())
}
