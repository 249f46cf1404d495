//! A live view of a pipeline in a text terminal: the picture in half blocks, the wheel, the work.

mod picture;
mod screen;
mod view;

pub use screen::Screen;
pub use view::View;
