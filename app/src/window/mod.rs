//! The window. Panels read [`view::View`] and return [`command::Command`]s; [`shell::Window`] carries them out.
//!
//! - [`run_view`], [`screenshot`]: what the commands call
//! - [`shell`], [`requests`]: the window, and what it does about each request; [`layout`]: where the panels go
//! - [`view`], [`lane`], [`history`], [`sent`]: what there is to show, kept up to date by the pipeline's events
//! - [`panels`]: one file a panel; [`textures`], [`theme`], [`icons`], [`crate::text`]: what they are made of
//! - [`engine`]: the only place that starts pipelines; [`saliency`], [`export`]: work on threads of their own
//! - [`offscreen`]: painting without a display; [`settings`]: what is remembered; [`keys`]: the keys

pub mod command;
pub mod engine;
mod export;
mod history;
mod icons;
mod keys;
mod lane;
mod layout;
pub mod offscreen;
mod panels;
mod rate;
mod requests;
mod run;
mod saliency;
mod sent;
pub mod settings;
pub mod shell;
mod textures;
mod theme;
pub mod view;

pub use command::Overlay;
pub use engine::{Place, Start};
pub use run::{Screenshot, has_display, run_view, screenshot};
