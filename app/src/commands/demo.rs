//! `demo`: the built-in road through its shipped model, live.

use std::io::IsTerminal;

use anyhow::bail;

use crate::cli::DemoArgs;
use crate::drive::{interrupted, watch};
use crate::pipeline::{FrameResult, Pace, Pipeline, Settings};
use crate::say;
use crate::session::{RunOptions, Session};
use crate::terminal::{Screen, View};

/// Runs `demo`.
///
/// # Errors
/// A `--seconds` that is no time, a model that cannot be loaded, or a stage that failed.
pub fn run(args: &DemoArgs) -> anyhow::Result<()> {
    if !(args.seconds.is_finite() && args.seconds > 0.0) {
        bail!("--seconds is {}; expected a number above zero", args.seconds);
    }
    let source = format!("road:{},seconds={}", args.seed, args.seconds);
    if !args.terminal && window_shown(args, &source)? {
        return Ok(());
    }
    interrupted();
    let session = Session::open(&source, &RunOptions { model: args.model.clone(), ..RunOptions::default() })?;
    let settings = Settings {
        thresholds: Some(session.thresholds),
        shadow_dense: true,
        pace: Some(Pace::Times(1.0)),
        playing: true,
        ..Settings::default()
    };
    let title = format!("deltasteer · {} · model {}", session.info.name, session.model.name());
    let pipeline = Pipeline::start(session.source, session.model, settings)?;
    let last = if std::io::stdout().is_terminal() {
        let screen = Screen::open()?;
        let mut view = View::new(title);
        watch(&pipeline, |frame| {
            let (columns, rows) = screen.size();
            Ok(screen.show(&view.draw(frame, columns, rows))?)
        })?
    } else {
        say!("{title}")?;
        watch(&pipeline, |frame| {
            if frame.index.is_multiple_of(20) {
                say!("{}", line(frame))?;
            }
            Ok(())
        })?
    };
    if let Some(frame) = last {
        say!("{}", line(&frame))?;
    }
    Ok(())
}

/// Opens the window and returns true when it has been closed; says why there is none and returns false otherwise.
#[cfg(feature = "window")]
fn window_shown(args: &DemoArgs, source: &str) -> anyhow::Result<bool> {
    use crate::window::{self, Place, Presentation, Start};
    let start = Start {
        source: source.to_owned(),
        model: args.model.clone().map_or_else(|| crate::shipped::for_source(source), Ok)?,
        theta_x: None,
        theta_h: None,
        pace: Pace::Times(1.0),
        playing: true,
        place: Place::Frame(0),
    };
    let shown = window::run_view(start, Presentation { lecture: args.lecture, tour: true });
    if let Err(error) = &shown {
        crate::warn!("{error:#}; showing the drive in the terminal");
    }
    Ok(shown.is_ok())
}

/// This build has no window.
#[cfg(not(feature = "window"))]
fn window_shown(_args: &DemoArgs, _source: &str) -> anyhow::Result<bool> {
    Ok(false)
}

/// One frame in one line.
fn line(frame: &FrameResult) -> String {
    let degrees = |angle: Option<f32>| angle.map_or("    -".to_owned(), |angle| format!("{:+5.1}", angle.to_degrees()));
    format!(
        "{:6.2} s  driver {} deg  network {} deg  columns sent {:3} + {:3}  {:.1}x fewer RNN multiplications so far",
        frame.time_s,
        degrees(frame.steering_true_rad),
        degrees(Some(frame.steering_rad)),
        frame.count.columns_x,
        frame.count.columns_h,
        frame.totals.savings(),
    )
}
