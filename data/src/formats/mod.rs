//! One module a format of recorded drives; the table of formats, units and signs is in `data/FORMATS.md`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::drive_folder::DriveFolder;
use crate::folder::bad_file;
use crate::remote::RemoteFile;
use crate::selection::Selection;
use crate::{DataError, Source};

mod bag;
mod clock;
mod comma2016;
mod comma2k19;
mod donkeycar;
mod images;
mod lerobot;
mod mcap;
mod model_car;
mod npy;
#[cfg(test)]
pub(crate) mod recordings_tests;
#[cfg(test)]
mod remote_tests;
mod ros_messages;
mod rosbag2;
mod simulator;
mod sullychen;
mod udacity;

pub(crate) use model_car::{FULL_LOCK_RAD, UNIT as ROAD_WHEEL_UNIT, simulator_camera as camera_of_road_wheels};

/// What opening gives.
type Opened = Result<Box<dyn Source>, DataError>;

/// A layout that a folder may have.
struct Layout {
    /// What is looked for, for error messages.
    looked_for: &'static str,
    /// True if the folder looks like it.
    recognise: fn(&Path) -> bool,
    /// Opens it under the name that the user gave.
    open: Open<DriveFolder>,
}

/// How a recording is opened: a folder or a file.
enum Open<P: ?Sized> {
    /// There is one drive in it.
    Plain(fn(&str, &P) -> Opened),
    /// There is something to choose.
    Chosen(fn(&str, &P, &Selection) -> Opened),
}

impl<P: ?Sized> Open<P> {
    fn run(&self, name: &str, path: &P, selection: &Selection) -> Opened {
        match self {
            Self::Plain(open) => selection.refuse(name).and_then(|()| open(name, path)),
            Self::Chosen(open) => open(name, path, selection),
        }
    }
}

/// The known layouts, most telling first: the first that recognises a folder opens it.
const LAYOUTS: &[Layout] = &[
    Layout { looked_for: udacity::LOOKED_FOR, recognise: udacity::recognise, open: Open::Plain(udacity::open) },
    Layout { looked_for: donkeycar::LOOKED_FOR, recognise: donkeycar::recognise, open: Open::Plain(donkeycar::open) },
    Layout { looked_for: simulator::LOOKED_FOR, recognise: simulator::recognise, open: Open::Plain(simulator::open) },
    Layout { looked_for: sullychen::LOOKED_FOR, recognise: sullychen::recognise, open: Open::Plain(sullychen::open) },
    Layout { looked_for: comma2k19::LOOKED_FOR, recognise: comma2k19::recognise, open: Open::Plain(comma2k19::open) },
    Layout { looked_for: comma2016::LOOKED_FOR, recognise: comma2016::recognise, open: Open::Plain(comma2016::open) },
    Layout { looked_for: rosbag2::LOOKED_FOR, recognise: rosbag2::recognise, open: Open::Chosen(rosbag2::open) },
    Layout { looked_for: lerobot::LOOKED_FOR, recognise: lerobot::recognise, open: Open::Chosen(lerobot::open) },
    Layout { looked_for: images::LOOKED_FOR, recognise: images::recognise, open: Open::Plain(images::open) },
];

/// How deep below an unknown folder a known layout is looked for.
const HINT_DEPTH: usize = 4;
/// In how many folders it is looked for at most.
const HINT_FOLDERS: usize = 200;

/// Opens a folder in whichever known layout it has.
///
/// # Errors
/// [`DataError::Io`] for a folder that may not be read, [`DataError::BadFile`] that says which layouts are known and what was
/// looked for, or what the reader finds wrong.
pub(crate) fn open_folder(name: &str, folder: &Path, selection: &Selection) -> Opened {
    std::fs::read_dir(folder).map_err(|source| DataError::Io { path: folder.to_owned(), source })?;
    match LAYOUTS.iter().find(|layout| (layout.recognise)(folder)) {
        Some(layout) => layout.open.run(name, &DriveFolder::new(folder, selection.links()), selection),
        None => Err(unknown_layout(folder)),
    }
}

/// Opens a file that is a whole recording, by its suffix; `None` if it has none of those suffixes.
pub(crate) fn open_container(name: &str, path: &Path, selection: &Selection) -> Option<Opened> {
    let open = match path.extension()?.to_ascii_lowercase().to_str()? {
        "bag" => Open::Plain(bag::open),
        "h5" | "hdf5" => {
            let allowed = selection.refuse(name);
            return Some(allowed.and_then(|()| comma2016::open_drive(name, path, selection.links())));
        }
        "mcap" => Open::Chosen(mcap::open),
        "db3" => Open::Chosen(rosbag2::open_database),
        _ => return None,
    };
    Some(open.run(name, path, selection))
}

/// Opens an MCAP file on a server.
pub(crate) fn open_remote_mcap(name: &str, file: &Arc<RemoteFile>, selection: &Selection) -> Opened {
    mcap::open_remote(name, file, selection)
}

/// True for a label file that stands for its whole folder.
pub(crate) fn is_label_file(path: &Path) -> bool {
    const NAMES: [&str; 6] =
        ["metadata.yaml", "interpolated.csv", "manifest.json", "driving_log.csv", "data.txt", "labels.csv"];
    let name = crate::folder::name_of(path);
    NAMES.iter().chain(&udacity::TEST_SET_LABELS).any(|known| *known == name)
}

/// True for the video of a comma2k19 segment, whose logs lie beside it.
pub(crate) fn is_segment_video(folder: &Path, video: &Path) -> bool {
    comma2k19::recognise(folder) && crate::folder::name_of(video) == comma2k19::VIDEO
}

/// The error for a folder in no known layout, with a hint if a folder below it has one.
fn unknown_layout(folder: &Path) -> DataError {
    let known: Vec<_> = LAYOUTS.iter().map(|layout| layout.looked_for).collect();
    let hint = recognised_below(folder)
        .map(|below| format!(" (a recording is in {}: give that folder)", below.display()))
        .unwrap_or_default();
    bad_file(folder, format!("a folder in no known layout{hint}"), format!("one of: {}", known.join("; ")))
}

/// The first folder below `folder` that has a known layout, looked for level by level.
fn recognised_below(folder: &Path) -> Option<PathBuf> {
    let mut level = vec![folder.to_owned()];
    let mut looked_at = 0;
    for _ in 0..HINT_DEPTH {
        let mut next: Vec<PathBuf> = level.iter().flat_map(|f| subfolders(f)).collect();
        next.sort();
        next.truncate(HINT_FOLDERS - looked_at);
        looked_at += next.len();
        if let Some(found) = next.iter().find(|below| LAYOUTS.iter().any(|layout| (layout.recognise)(below))) {
            return Some(found.clone());
        }
        level = next;
    }
    None
}

/// The folders directly in `folder`; none if it cannot be read.
fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_folder = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.flatten().filter(is_folder).take(HINT_FOLDERS).map(|entry| entry.path()).collect()
}

/// The parsers of this folder, for fuzzing.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn targets() -> Vec<crate::fuzz::Target> {
    use crate::fuzz::{Target, text};
    let mut targets = crate::topics::targets();
    targets.extend([
        Target::new("MCAP records", &mcap::seeds(), mcap::fuzz),
        Target::new("info.json", &[lerobot::SEED], |bytes| lerobot::fuzz(&text(bytes))),
        Target::new("ROS 2 bag metadata", &[rosbag2::SEED], |bytes| rosbag2::fuzz(&text(bytes))),
        Target::new(
            "labels.csv",
            &["file,time_s,steering_rad\n1.jpg,0.5,-0.1\n", "file;steering_deg\nb/1.jpg;1,5\n"],
            |bytes| {
                images::fuzz(&text(bytes));
            },
        ),
        Target::new(
            "interpolated.csv",
            &[
                "index,timestamp,width,height,frame_id,filename,angle,torque,speed\nx,10,1,1,center_camera,center/10.jpg,0.1,0,9\n",
                "frame_id,steering_angle,public\n10,0.1,1\n",
            ],
            |bytes| udacity::fuzz(&text(bytes)),
        ),
        Target::new(
            "driving_log.csv",
            &[
                "center,left,right,steering,throttle,brake,speed\nIMG/c.jpg,l,r,0.5,0,0,9\n",
                "c.jpg, l, r, 0,5, 0,1, 0, 12,1\n",
            ],
            |bytes| simulator::fuzz(&text(bytes)),
        ),
        Target::new("data.txt", &["7.jpg 90.0\n8.jpg -18,2018-07-01 17:09:44:912\n"], |bytes| {
            sullychen::fuzz(&text(bytes))
        }),
        Target::new(
            "catalog",
            &[
                r#"{"_index": 3, "_timestamp_ms": 1500, "cam/image_array": "3.jpg", "user/angle": NaN, "user/mode": "user"}"#,
                r#"{"paths": ["catalog_0.catalog"], "current_index": 4, "deleted_indexes": [1]}"#,
            ],
            |bytes| donkeycar::fuzz(&text(bytes)),
        ),
        Target::new("date", &["2018-07-01 17:09:44:912", "center_2016_12_01_13_30_48_287.jpg"], |bytes| {
            let _ = clock::seconds(&text(bytes));
        }),
        Target::new("NumPy array", &[npy::npy_of(&[1.0, 2.0])], |bytes| {
            let _ = npy::parse(bytes);
        }),
        Target::new(
            "ROS messages",
            &[&b"\x01\0\0\0\x02\0\0\0\x03\0\0\0\x03\0\0\0car\x04\0\0\0jpeg\x02\0\0\0ab"[..]],
            |bytes| {
                let _ = ros_messages::stamp_ns(bytes);
                let _ = (ros_messages::compressed_image(bytes), ros_messages::steering_wheel_angle_rad(bytes));
                let _ = ros_messages::steering_comes_first(&text(bytes));
            },
        ),
    ]);
    targets
}
