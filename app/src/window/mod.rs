//! The window. Panels read [`view::View`] and return [`command::Command`]s; [`shell::Window`] carries them out.
//!
//! - [`run_view`], [`screenshot`]: what the commands call
//! - [`shell`], [`requests`]: the window, and what it does about each request; [`layout`]: where the panels go
//! - [`whatif`]: the engine: runs the drive and answers every wish over all seen frames, on a thread of its own
//! - [`view`], [`lane`], [`notices`], [`times`]: what there is to show, kept up to date by the engine's updates
//! - [`panels`]: one file a panel; [`textures`], [`theme`], [`icons`], [`crate::text`]: what they are made of
//! - [`live`], [`recorder`]: how a camera or stream fares, and writing it down
//! - [`models`]: the model folders at hand
//! - [`hotspots`], [`trained`]: where a setting errs most, and where errors mean little
//! - [`saliency`], [`export`]: work on threads of their own; [`clipboard`]: what is copied
//! - [`measure`]: how the window fares on a display
//! - [`offscreen`]: painting without a display; [`settings`]: what is remembered; [`keys`]: the keys

mod clipboard;
pub mod command;
pub mod export;
pub mod hotspots;
mod icons;
mod keys;
mod lane;
pub mod layout;
pub mod live;
mod measure;
mod models;
mod notices;
pub mod offscreen;
mod panels;
mod rate;
pub mod recorder;
mod requests;
mod run;
mod saliency;
pub mod settings;
pub mod shell;
mod textures;
mod theme;
mod times;
pub mod trained;
pub mod view;
pub mod whatif;

pub use command::Overlay;
pub use measure::{Phase, measure};
pub use panels::readout::words as readout;
pub use panels::tour::{CAPTION_S, CAPTIONS};
pub use run::{Screenshot, has_display, run_view, screenshot};
pub use shell::Presentation;
pub use whatif::{Place, Start};
