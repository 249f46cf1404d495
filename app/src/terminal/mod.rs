//! A live view of a pipeline in a text terminal: the picture in half blocks, the wheel, the work; and progress bars.

mod picture;
mod progress;
mod screen;
mod view;

pub use progress::progress_bar;
pub use screen::Screen;
pub use view::View;
