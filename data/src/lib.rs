//! Sources of frames with time stamps and, where known, the true steering angle.
//!
//! - [`source`]: the [`Source`] trait and what a source says about itself
//! - [`image`]: the picture type, `ndarray::Array3<u8>`
//! - [`camera`]: [`CameraGeometry`], where a point of the road falls in the picture
//! - [`error`]: [`DataError`], each naming the file or option and what was expected
//! - [`road`]: the built-in road, a seeded procedural drive rendered on the CPU
//! - `formats`: one module a format of recorded drives (the table of formats and units is in `data/FORMATS.md`)
//! - `topics`: recordings of named topics, whatever file holds them
//! - [`selection`]: which topics, columns and episodes of a recording are read
//! - `drive_folder`: which names and symbolic links of a drive's folder are read
//! - [`framing`]: [`Framing`], another car's camera, cut so that its picture meets a model half-way
//! - `recorded`: what every format becomes: frames by index, decoded ahead, in order
//! - `remote`: recorded files behind http(s)
//! - `video`: video files and streams through FFmpeg, cameras through OpenCV
//! - [`open()`]: finds out what a source is and opens it; [`Inputs`]: the files behind its text

pub mod camera;
mod drive_folder;
pub mod error;
mod folder;
mod formats;
pub mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod image;
mod inputs;
mod open;
mod recorded;
mod remote;
pub mod road;
pub mod selection;
mod signal;
pub mod source;
mod table;
mod topics;
mod upright;
mod video;

pub use camera::CameraGeometry;
pub use error::DataError;
pub use framing::Framing;
pub use image::rgb_bytes;
pub use inputs::Inputs;
pub use open::open;
pub use remote::{RemoteState, file_name as url_file_name, remote_state};
pub use selection::Selection;
pub use source::{Frame, Gap, LiveHealth, SkipReport, Source, SourceInfo, SteeringUnit};
#[cfg(feature = "opencv")]
pub use video::VideoWriter;
