//! What every kind of output file does.

use crate::drive::Drive;
use crate::pipeline::FrameResult;

/// A file being written. Dropped before [`Export::finish`], it leaves nothing behind.
pub trait Export: Send {
    /// Takes in the next frame.
    ///
    /// # Errors
    /// What keeps the file from being written.
    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()>;

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// As [`Export::frame`].
    fn finish(self: Box<Self>, drive: &Drive) -> anyhow::Result<()>;
}
