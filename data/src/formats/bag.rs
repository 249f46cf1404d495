//! ROS bags (`.bag`, version 2.0) of Udacity's challenge: `sensor_msgs/CompressedImage` of the centre camera and
//! `dbw_mkz_msgs/SteeringReport`.
//!
//! The report's first value is `steering_wheel_angle`: radians of the steering wheel, positive to the left. It comes at its
//! own rate and is interpolated linearly at the time stamps of the images' headers. Compressed chunks (lz4, bz2) are
//! unpacked again for each image: uncompressed bags play fastest.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use ndarray::Array3;
use rosbag::record_types::Chunk;
use rosbag::{ChunkRecord, IndexRecord, MessageRecord, RosBag};

use super::Opened;
use super::ros_messages::{compressed_image, stamp_ns, steering_comes_first, steering_wheel_angle_rad};
use crate::folder::bad_file;
use crate::recorded::pictures::Pictures;
use crate::recorded::recording::Facts;
use crate::recorded::{Tally, decode};
use crate::signal::Signal;
use crate::{CameraGeometry, SkipReport, SteeringUnit};

const EXPECTED: &str = "an indexed ROS bag (version 2.0) with compressed images of a camera";
const IMAGE_TYPE: &str = "sensor_msgs/CompressedImage";
const STEERING_TYPE: &str = "dbw_mkz_msgs/SteeringReport";

/// Opens a bag.
///
/// # Errors
/// [`BadFile`](crate::DataError::BadFile) for a file that is no bag, was never indexed, or holds no compressed image.
pub(super) fn open(name: &str, path: &Path) -> Opened {
    let bad = |problem: String| bad_file(path, problem, EXPECTED);
    check_index(path).map_err(bad)?;
    let (bag, contents) = guarded(|| {
        let bag = RosBag::new(path).map_err(|e| e.to_string())?;
        let topics = Topics::of(&bag)?;
        let contents = Contents::of(&bag, topics)?;
        Ok((bag, contents))
    })
    .map_err(bad)?;
    let images = contents.images.clone();
    contents.into_facts().into_source(name, path, Arc::new(BagPictures { bag, images }))
}

/// Runs code over a bag that may be damaged: the crate trusts some positions in the file, so that a wrong one is a panic.
fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err("its records contradict each other".to_owned()))
}

/// Finds out beforehand whether the index is where the header says, which is what goes wrong most.
fn check_index(path: &Path) -> Result<(), String> {
    let mut front = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    file.take(4096).read_to_end(&mut front).map_err(|e| e.to_string())?;
    if !front.starts_with(b"#ROSBAG V2.0\n") {
        return Err("the signature of a ROS bag is missing".to_owned());
    }
    const KEY: &[u8] = b"index_pos=";
    let value = front.windows(KEY.len()).position(|w| w == KEY).map(|at| &front[at + KEY.len()..]);
    let bytes = value.and_then(|value| value.first_chunk::<8>()).ok_or("its header names no index")?;
    match u64::from_le_bytes(*bytes) {
        0 => Err("it was never indexed: the recording was cut off (mend it with: rosbag reindex)".to_owned()),
        at if at > length => Err(format!("it is cut short: {length} bytes, its index is at {at}")),
        _ => Ok(()),
    }
}

/// The connections that are read, by their numbers.
struct Topics {
    images: BTreeSet<u32>,
    steering: BTreeSet<u32>,
    notes: Vec<String>,
}

impl Topics {
    /// Chooses the centre camera, or else the first camera.
    fn of(bag: &RosBag) -> Result<Self, String> {
        let mut cameras: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        let mut topics = Self { images: BTreeSet::new(), steering: BTreeSet::new(), notes: Vec::new() };
        let mut others = BTreeSet::new();
        for record in bag.index_records() {
            let IndexRecord::Connection(connection) = record.map_err(|e| e.to_string())? else { continue };
            match connection.tp {
                IMAGE_TYPE => {
                    cameras.entry(connection.topic.to_owned()).or_default().insert(connection.id);
                }
                STEERING_TYPE if steering_comes_first(connection.message_definition) => {
                    topics.steering.insert(connection.id);
                }
                STEERING_TYPE => topics.notes.push(format!("{} has an unknown definition: not used", connection.topic)),
                other => {
                    others.insert(other.to_owned());
                }
            }
        }
        let chosen = cameras.keys().find(|topic| topic.contains("center")).or(cameras.keys().next()).cloned();
        let Some(chosen) = chosen else {
            let others: Vec<_> = others.into_iter().take(8).collect();
            return Err(format!("it holds no {IMAGE_TYPE} (it holds: {})", others.join(", ")));
        };
        topics.images = cameras.remove(&chosen).unwrap_or_default();
        topics.notes.push(format!("images of {chosen}"));
        if !cameras.is_empty() {
            let others: Vec<_> = cameras.into_keys().collect();
            topics.notes.push(format!("other cameras are not used: {}", others.join(", ")));
        }
        Ok(topics)
    }
}

/// Where an image is: the position of its chunk in the file, and its number among the records of the chunk.
#[derive(Debug, Clone, Copy)]
struct ImageAt {
    chunk_pos: u64,
    record: usize,
    stamp_ns: u64,
}

/// What a pass over the whole bag finds.
struct Contents {
    /// In the order of time.
    images: Vec<ImageAt>,
    /// Nanoseconds and radians.
    steering: Vec<(u64, f32)>,
    missing: SkipReport,
    notes: Vec<String>,
}

impl Contents {
    fn of(bag: &RosBag, topics: Topics) -> Result<Self, String> {
        let mut contents =
            Self { images: Vec::new(), steering: Vec::new(), missing: SkipReport::default(), notes: Vec::new() };
        let mut damaged = Tally::default();
        let mut positions = BTreeSet::new();
        for record in bag.index_records() {
            if let IndexRecord::ChunkInfo(chunk) = record.map_err(|e| e.to_string())? {
                positions.insert(chunk.chunk_pos);
            }
        }
        for chunk_pos in positions {
            match chunk_at(bag, chunk_pos).and_then(|chunk| contents.add_chunk(&chunk, chunk_pos, &topics)) {
                Ok(()) => {}
                Err(reason) => damaged.add(|| format!("at byte {chunk_pos}: {reason}")),
            }
        }
        contents.notes = topics.notes;
        damaged.note("chunks of the bag are damaged; what they hold is lost", &mut contents.notes);
        if contents.steering.is_empty() {
            contents.notes.push(format!("no {STEERING_TYPE}: replay without true angles"));
        }
        contents.images.sort_by_key(|image| image.stamp_ns);
        Ok(contents)
    }

    fn add_chunk(&mut self, chunk: &Chunk<'_>, chunk_pos: u64, topics: &Topics) -> Result<(), String> {
        for (record, message) in chunk.messages().enumerate() {
            let MessageRecord::MessageData(message) = message.map_err(|e| e.to_string())? else { continue };
            let stamp_ns = stamp_ns(message.data).unwrap_or(message.time);
            if topics.images.contains(&message.conn_id) {
                self.images.push(ImageAt { chunk_pos, record, stamp_ns });
            } else if topics.steering.contains(&message.conn_id) {
                self.steering.extend(steering_wheel_angle_rad(message.data).map(|angle| (stamp_ns, angle)));
            }
        }
        Ok(())
    }

    fn into_facts(mut self) -> Facts {
        let first_ns = self.images.first().map_or(0, |image| image.stamp_ns);
        let seconds = |ns: u64| (i128::from(ns) - i128::from(first_ns)) as f64 * 1e-9;
        let steering = Signal::new(self.steering.iter().map(|(ns, angle)| (seconds(*ns), f64::from(*angle))));
        let raw_times_s: Vec<f64> = self.images.iter().map(|image| seconds(image.stamp_ns)).collect();
        Facts {
            format: "ROS bag (Udacity Challenge 2)",
            steering_true_rad: steering.at_frames(&raw_times_s, "angles", &mut self.notes),
            raw_times_s,
            assumed_hz: 20.0,
            steering_unit: SteeringUnit::Radians,
            missing: self.missing,
            notes: self.notes,
            camera: CameraGeometry::assumed,
        }
    }
}

/// The chunk at a position, unpacked.
fn chunk_at(bag: &RosBag, chunk_pos: u64) -> Result<Chunk<'_>, String> {
    let mut records = bag.chunk_records();
    records.seek(chunk_pos).map_err(|e| e.to_string())?;
    match records.next() {
        Some(Ok(ChunkRecord::Chunk(chunk))) => Ok(chunk),
        Some(Err(e)) => Err(e.to_string()),
        _ => Err("there is no chunk".to_owned()),
    }
}

/// The images of a bag.
struct BagPictures {
    bag: RosBag,
    images: Vec<ImageAt>,
}

impl Pictures for BagPictures {
    fn picture(&self, index: usize, rows_of_480: [u32; 2]) -> Result<Array3<u8>, String> {
        let at = self.images[index];
        guarded(|| {
            let chunk = chunk_at(&self.bag, at.chunk_pos)?;
            match chunk.messages().nth(at.record) {
                Some(Ok(MessageRecord::MessageData(message))) => {
                    let bytes = compressed_image(message.data).ok_or("the message is cut short")?;
                    decode::image_bytes(bytes, rows_of_480)
                }
                _ => Err("the message cannot be read again".to_owned()),
            }
        })
        .map_err(|reason| format!("image stamped {} ns: {reason}", at.stamp_ns))
    }
}
