//! Pictures that can be fetched by index.

use std::path::PathBuf;

use ndarray::Array3;

use super::decode;

/// Where pictures are fetched from by index, from several threads at once.
pub(crate) trait Pictures: Send + Sync + 'static {
    /// Decodes picture `index`, of which rows outside `rows_of_480` may be left black; the error is a plain fragment that names the picture and what is wrong.
    fn picture(&self, index: usize, rows_of_480: [u32; 2]) -> Result<Array3<u8>, String>;

    /// Why no more pictures can be had, where a failed network and no damage is the reason.
    fn failure(&self) -> Option<String> {
        None
    }
}

/// Image files, one a frame.
pub(super) struct ImageFiles {
    /// Removed from the names in messages.
    pub folder: PathBuf,
    /// In the order of replay.
    pub files: Vec<PathBuf>,
}

impl Pictures for ImageFiles {
    fn picture(&self, index: usize, rows_of_480: [u32; 2]) -> Result<Array3<u8>, String> {
        let path = &self.files[index];
        decode::image_file(path, rows_of_480)
            .map_err(|reason| format!("{}: {reason}", path.strip_prefix(&self.folder).unwrap_or(path).display()))
    }
}
