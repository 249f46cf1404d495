//! Occlusion saliency: grey out one patch of the crop after another and see how far the CNN's own angle moves.
//!
//! It runs on a thread of its own and rests twice as long as it works while frames flow, so that the main path keeps
//! its time. The CNN's single-frame angle is used, because the RNN's depends on all frames before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use deltasteer_perception::{Device, FeatureExtractor};
use ndarray::{Array3, s};

use super::whatif::Wake;
use crate::model::Model;

/// Patches across and down the crop.
const COLUMNS: usize = 14;
/// See [`COLUMNS`].
const ROWS: usize = 6;

/// Where a picture would be most sensitive: `[rows][columns]`, 0 to 1, over the crop.
#[derive(Debug, Clone, PartialEq)]
pub struct SaliencyMap {
    /// The frame it was computed for.
    pub index: usize,
    /// Patches across.
    pub columns: usize,
    /// Patches down.
    pub rows: usize,
    /// Row after row; 1 is the patch that matters most.
    pub values: Vec<f32>,
    /// How far the angle moves when that patch is covered, in radians.
    pub largest_rad: f32,
    /// `x, y, width, height` of the crop in pixels of the frame.
    pub crop: [usize; 4],
}

/// A frame to look at.
struct Job {
    index: usize,
    image: Arc<Array3<u8>>,
}

/// The thread's owner. Dropping it ends the thread after the patch in hand.
pub struct Saliency {
    jobs: Sender<Job>,
    waiting: Receiver<Job>,
    maps: Receiver<Result<SaliencyMap, String>>,
    hurried: Arc<AtomicBool>,
}

impl Saliency {
    /// Starts the thread with a CNN of its own.
    pub fn start(model: Arc<Model>, wake: Wake) -> std::io::Result<Self> {
        let (jobs, waiting) = bounded::<Job>(1);
        let (done, maps) = bounded(2);
        let hurried = Arc::new(AtomicBool::new(false));
        let (work, busy) = (waiting.clone(), hurried.clone());
        std::thread::Builder::new().name("saliency".to_owned()).spawn(move || {
            let mut perception = match model.extractor(Device::Cpu) {
                Ok(perception) => perception,
                Err(error) => {
                    let _ = done.send(Err(format!("{error:#}")));
                    return wake();
                }
            };
            for job in &work {
                let result = map(&mut perception, &job, &busy).map_err(|error| error.to_string());
                if done.send(result).is_err() {
                    return;
                }
                wake();
            }
        })?;
        Ok(Self { jobs, waiting, maps, hurried })
    }

    /// Asks for the map of a frame; one that still waits is given up for it.
    pub fn ask(&self, index: usize, image: &Arc<Array3<u8>>) {
        let mut job = Job { index, image: image.clone() };
        while let Err(TrySendError::Full(back)) = self.jobs.try_send(job) {
            let _ = self.waiting.try_recv();
            job = back;
        }
    }

    /// While frames flow the thread rests between patches.
    pub fn set_playing(&self, playing: bool) {
        self.hurried.store(!playing, Ordering::Relaxed);
    }

    /// The newest map, or what went wrong; `None` if there is no news.
    pub fn poll(&self) -> Option<Result<SaliencyMap, String>> {
        let mut newest = None;
        loop {
            match self.maps.try_recv() {
                Ok(map) => newest = Some(map),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return newest,
            }
        }
    }
}

fn map(perception: &mut FeatureExtractor, job: &Job, hurried: &AtomicBool) -> anyhow::Result<SaliencyMap> {
    let (height, width, _) = job.image.dim();
    let crop = perception.crop_rect(width, height);
    let mut angle = |image: &Array3<u8>| -> anyhow::Result<f32> {
        let features = perception.features(image.view())?;
        Ok(perception.single_frame_steering_rad(features.view()))
    };
    let whole = angle(&job.image)?;
    let grey = ndarray::arr1(&mean_colour(&job.image, crop));
    let mut values = Vec::with_capacity(COLUMNS * ROWS);
    let mut covered = Array3::clone(&job.image);
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let started = Instant::now();
            let [x0, y0, x1, y1] = patch(crop, column, row);
            covered.slice_mut(s![y0..y1, x0..x1, ..]).assign(&grey);
            values.push((angle(&covered)? - whole).abs());
            covered.slice_mut(s![y0..y1, x0..x1, ..]).assign(&job.image.slice(s![y0..y1, x0..x1, ..]));
            if !hurried.load(Ordering::Relaxed) {
                std::thread::sleep((2 * started.elapsed()).min(Duration::from_millis(100)));
            }
        }
    }
    let largest_rad = values.iter().copied().fold(0.0, f32::max);
    if largest_rad > 0.0 {
        values.iter_mut().for_each(|value| *value /= largest_rad);
    }
    Ok(SaliencyMap { index: job.index, columns: COLUMNS, rows: ROWS, values, largest_rad, crop })
}

/// `x0, y0, x1, y1` of a patch: twice as wide and high as its cell, so that neighbours overlap.
fn patch(crop: [usize; 4], column: usize, row: usize) -> [usize; 4] {
    let side = |start: usize, length: usize, cell: usize, cells: usize| {
        let step = length as f32 / cells as f32;
        let from = (cell as f32 - 0.5) * step;
        let to = (cell as f32 + 1.5) * step;
        (start + from.max(0.0) as usize, start + (to as usize).min(length))
    };
    let (x0, x1) = side(crop[0], crop[2], column, COLUMNS);
    let (y0, y1) = side(crop[1], crop[3], row, ROWS);
    [x0, y0, x1, y1]
}

fn mean_colour(image: &Array3<u8>, [x, y, w, h]: [usize; 4]) -> [u8; 3] {
    let mut sums = [0_u64; 3];
    for pixel in image.slice(s![y..y + h, x..x + w, ..]).rows() {
        (0..3).for_each(|channel| sums[channel] += u64::from(pixel[channel]));
    }
    sums.map(|sum| (sum / ((w * h) as u64).max(1)) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_cover_the_crop_and_stay_within_it() {
        let crop = [10, 20, 141, 67];
        let mut hits = vec![0_u32; 200 * 100];
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let [x0, y0, x1, y1] = patch(crop, column, row);
                assert!(x0 >= 10 && y0 >= 20 && x1 <= 151 && y1 <= 87 && x0 < x1 && y0 < y1);
                (y0..y1).for_each(|y| (x0..x1).for_each(|x| hits[y * 200 + x] += 1));
            }
        }
        for y in 20..87 {
            assert!((10..151).all(|x| hits[y * 200 + x] > 0), "row {y} is not covered");
        }
    }

    #[test]
    fn the_mean_colour_is_that_of_the_rectangle() {
        let image = Array3::from_shape_fn((4, 8, 3), |(row, column, k)| (3 * (8 * row + column) + k) as u8);
        assert_eq!(mean_colour(&image, [0, 0, 1, 1]), [0, 1, 2]);
        assert_eq!(mean_colour(&image, [2, 1, 3, 1]), [33, 34, 35]);
    }
}
