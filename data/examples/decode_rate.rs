//! How fast a recorded drive is read, next to OpenCV's own reading of the same images if this build has it:
//! `cargo run --release -p deltasteer-data --features opencv --example decode_rate -- FOLDER [FRAMES]`.
//!
//! The two take turns, a few hundred frames each, so that whatever else the machine does falls on both.

use std::error::Error;
use std::time::Instant;

/// Frames that each reads before it is the other's turn.
const TURN: usize = 250;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("usage: decode_rate SOURCE [FRAMES]")?;
    let limit: usize = arguments.next().map_or(Ok(2000), |text| text.parse())?;
    let mut source = deltasteer_data::open(&name)?;
    let info = source.info().clone();
    let mut others = peer::images(&name, info.frame_count.unwrap_or(0).min(limit))?;
    let (mut frames, mut seconds, mut peer_frames, mut peer_seconds) = (0, 0.0, 0, 0.0);
    while frames < limit {
        let start = Instant::now();
        let before = frames;
        while frames < limit && frames < before + TURN && source.next_frame()?.is_some() {
            frames += 1;
        }
        seconds += start.elapsed().as_secs_f64();
        let start = Instant::now();
        peer_frames += peer::read(&mut others, frames - before)?;
        peer_seconds += start.elapsed().as_secs_f64();
        if frames == before {
            break;
        }
    }
    println!("{}: {}, {}x{}", info.name, info.format, info.width, info.height);
    println!("deltasteer: {:.0} frames/s ({frames} frames in {seconds:.2} s)", frames as f64 / seconds);
    match peer_frames {
        0 => println!("OpenCV: not in this build (--features opencv), or the source is no Udacity folder"),
        n => {
            println!("OpenCV, one thread: {:.0} frames/s ({n} frames in {peer_seconds:.2} s)", n as f64 / peer_seconds)
        }
    }
    println!("{} cores", std::thread::available_parallelism()?);
    Ok(())
}

/// OpenCV reading the images of `center/`, which it wants numbered without gaps: links in a folder of our own do that.
#[cfg(all(feature = "opencv", unix))]
mod peer {
    use std::error::Error;
    use std::path::Path;

    use opencv::core::Mat;
    use opencv::videoio::{CAP_IMAGES, VideoCapture, VideoCaptureTrait};

    pub type Images = Option<(tempfile::TempDir, VideoCapture)>;

    pub fn images(name: &str, count: usize) -> Result<Images, Box<dyn Error>> {
        let Ok(entries) = std::fs::read_dir(Path::new(name).join("center")) else { return Ok(None) };
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let links = tempfile::tempdir()?;
        for (i, file) in files.iter().take(count).enumerate() {
            std::os::unix::fs::symlink(file.canonicalize()?, links.path().join(format!("{i:06}.jpg")))?;
        }
        let video = VideoCapture::from_file(links.path().join("%06d.jpg"), CAP_IMAGES)?;
        Ok(Some((links, video)))
    }

    pub fn read(images: &mut Images, count: usize) -> Result<usize, Box<dyn Error>> {
        let Some((_, video)) = images else { return Ok(0) };
        let mut picture = Mat::default();
        let mut read = 0;
        while read < count && video.read(&mut picture)? {
            read += 1;
        }
        Ok(read)
    }
}

#[cfg(not(all(feature = "opencv", unix)))]
mod peer {
    use std::error::Error;

    /// Nothing: this build has no OpenCV.
    pub struct Images;

    pub fn images(_name: &str, _count: usize) -> Result<Images, Box<dyn Error>> {
        Ok(Images)
    }

    pub fn read(_images: &mut Images, _count: usize) -> Result<usize, Box<dyn Error>> {
        Ok(0)
    }
}
