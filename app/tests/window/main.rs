//! The window, driven by its labels as a screen reader would drive it: real pipelines on the built-in road, no display.

mod drive;
mod model;
mod screenshots;
