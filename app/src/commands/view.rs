//! `view`: the window on a drive, or a picture of it.

use anyhow::bail;

use crate::cli::{OverlayName, Theme, ViewArgs};
use crate::pipeline::Pace;
use crate::session::RunOptions;
use crate::shipped;
use crate::window::{self, Overlay, Place, Presentation, Screenshot, Start};

/// Runs `view`.
///
/// # Errors
/// An option that is wrong, a source or model that cannot be opened, no display, or a picture that cannot be written.
pub fn run(args: &ViewArgs) -> anyhow::Result<()> {
    RunOptions { theta_x: args.theta_x, theta_h: args.theta_h, ..RunOptions::default() }.check_thresholds()?;
    let at_s = args.at.unwrap_or(0.0);
    if !(at_s.is_finite() && at_s >= 0.0) {
        bail!("--at is {at_s}; expected seconds from the first frame, zero or more");
    }
    let model = match &args.model {
        Some(folder) => folder.clone(),
        None => shipped::for_source(&args.source)?,
    };
    let start = Start {
        source: args.camera.spec(&args.source),
        model,
        theta_x: args.theta_x,
        theta_h: args.theta_h,
        pace: if args.speed.is_finite() { Pace::Times(args.speed) } else { Pace::Unpaced },
        playing: !args.paused,
        place: Place::Seconds(at_s),
    };
    let Some(file) = &args.screenshot else {
        return window::run_view(start, Presentation { lecture: args.lecture, tour: false });
    };
    let picture = Screenshot {
        file: file.clone(),
        at_s,
        size: args.size,
        dark: args.theme == Theme::Dark,
        overlays: args.overlays.iter().copied().map(overlay).collect(),
        compare: args.compare,
        lecture: args.lecture,
    };
    window::screenshot(start, &picture)
}

fn overlay(name: OverlayName) -> Overlay {
    match name {
        OverlayName::Predicted => Overlay::PredictedPath,
        OverlayName::True => Overlay::TruePath,
        OverlayName::Wheels => Overlay::Wheels,
        OverlayName::Crop => Overlay::Crop,
        OverlayName::Saliency => Overlay::Saliency,
    }
}
