//! Recordings whose frames can be fetched by index: what every file format becomes.
//!
//! - [`decode`]: JPEG and PNG bytes to a picture
//! - `turbo`: JPEG through libjpeg-turbo, where the build has it
//! - [`pictures`]: pictures by index, and those that are files
//! - [`recording`]: a list of frames with times and angles, which a format fills in
//! - [`part`]: a stretch of a longer source
//! - [`plausible`]: angles that cannot be
//! - [`timeline`]: rate, gaps and troubles of a list of time stamps
//! - [`read_ahead`]: threads that decode the next frames, in order
//! - [`player`]: the [`Source`](crate::Source) over all of it

pub(crate) mod decode;
pub(crate) mod part;
pub(crate) mod pictures;
pub(crate) mod plausible;
pub(crate) mod player;
mod read_ahead;
pub(crate) mod recording;
pub(crate) mod timeline;
#[cfg(feature = "turbojpeg")]
mod turbo;

pub(crate) use recording::{RecordedFrame, Recording, Tally};
