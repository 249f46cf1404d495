//! Runs a whole drive through the pipeline and keeps what the tables need.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::{Context, bail};
use deltasteer_perception::CnnWork;
use deltasteer_temporal::{StepCount, Totals};
use indicatif::{ProgressBar, ProgressStyle};

use crate::metrics::{ErrorFigures, rms_step_deg};
use crate::pipeline::{Event, FrameResult, Pipeline, RunEnd, Settings, StageTimes};
use crate::session::Session;

/// One frame of a drive, without its picture.
#[derive(Debug, Clone)]
pub struct Row {
    /// Place in the source.
    pub index: usize,
    /// Seconds from the source's first frame.
    pub time_s: f64,
    /// The human driver's angle.
    pub steering_true_rad: Option<f32>,
    /// The delta GRU's angle.
    pub steering_rad: f32,
    /// The dense GRU's angle from the same weights.
    pub steering_dense_rad: f32,
    /// The CNN's own angle.
    pub steering_single_frame_rad: f32,
    /// The delta step's work.
    pub count: StepCount,
    /// The CNN's work.
    pub cnn_work: CnnWork,
    /// Time in each stage.
    pub times: StageTimes,
    /// The RNN's input, `[inputs]`.
    pub features: Vec<f32>,
}

/// A drive that has been run.
pub struct Drive {
    /// Every frame, in order.
    pub rows: Vec<Row>,
    /// The RNN's work over all of them.
    pub totals: Totals,
    /// What was skipped.
    pub end: RunEnd,
    /// Wall-clock time.
    pub seconds: f64,
}

/// Runs the session's frames, unpaced, with the dense GRU beside, and shows progress; each result passes through `each`.
///
/// Ctrl-C ends a live source, which has no other end; in a recording it is an error.
///
/// # Errors
/// A stage that failed, an error of `each`, Ctrl-C, or a drive without a single readable frame.
pub fn run(session: Session, mut each: impl FnMut(&FrameResult) -> anyhow::Result<()>) -> anyhow::Result<Drive> {
    let count = match session.range {
        Some(range) => Some(range.end - range.first),
        None => session.info.frame_count,
    };
    let bar = progress_bar(count);
    let drive = run_quietly(session, |result| {
        bar.inc(1);
        each(result)
    });
    bar.finish_and_clear();
    drive
}

/// As [`run`], without a picture of the progress.
///
/// # Errors
/// As [`run`].
pub fn run_quietly(
    session: Session,
    mut each: impl FnMut(&FrameResult) -> anyhow::Result<()>,
) -> anyhow::Result<Drive> {
    let settings = Settings {
        thresholds: Some(session.thresholds),
        device: session.device,
        shadow_dense: true,
        range: session.range,
        playing: true,
        ..Settings::default()
    };
    let start = Instant::now();
    let pipeline = Pipeline::start(session.source, session.model, settings)?;
    let mut drive = Drive { rows: Vec::new(), totals: Totals::default(), end: RunEnd::default(), seconds: 0.0 };
    let stop = interrupted();
    loop {
        if stop.load(Ordering::Relaxed) {
            if session.info.live && !drive.rows.is_empty() {
                break;
            }
            bail!("interrupted after {} frames", drive.rows.len());
        }
        match pipeline.next_event().context("the pipeline stopped without a word")? {
            Event::Frame(result) => {
                each(&result)?;
                drive.totals = result.totals;
                drive.rows.push(Row::of(&result));
                // What a live source is known to have lost, should nothing come after this frame.
                drive.end.skipped.count = result.skipped;
                drive.end.dropped = result.dropped;
            }
            Event::Ended(end) => {
                drive.end = end;
                break;
            }
            Event::Failed(failure) => return Err(failure.into()),
            Event::Refused { command, reason } => bail!("{command}: {reason}"),
            Event::Seen(_) | Event::Opened(_) | Event::ModelReady(_) | Event::Waiting(_) => {}
        }
    }
    drive.seconds = start.elapsed().as_secs_f64();
    if drive.rows.is_empty() {
        let why = drive.end.skipped.examples.first().or(drive.end.refused.examples.first());
        bail!(
            "{}: not one frame could be read{}",
            session.info.name,
            why.map_or(String::new(), |why| format!("; the first: {why}"))
        );
    }
    Ok(drive)
}

impl Row {
    fn of(result: &FrameResult) -> Self {
        Self {
            index: result.index,
            time_s: result.time_s,
            steering_true_rad: result.steering_true_rad,
            steering_rad: result.steering_rad,
            steering_dense_rad: result.steering_dense_rad.unwrap_or(f32::NAN),
            steering_single_frame_rad: result.steering_single_frame_rad,
            count: result.count,
            cnn_work: result.cnn_work,
            times: result.times,
            features: result.features.clone(),
        }
    }
}

impl Drive {
    /// Error figures of the angle that `angle` picks; `None` without labels.
    pub fn errors(&self, angle: impl Fn(&Row) -> f32) -> Option<ErrorFigures> {
        let pairs: Vec<_> = self.rows.iter().filter_map(|row| Some((angle(row), row.steering_true_rad?))).collect();
        ErrorFigures::of(&pairs)
    }

    /// Smoothness of the delta GRU's angle; see [`rms_step_deg`].
    pub fn rms_step_deg(&self) -> Option<f64> {
        let angles: Vec<_> = self.rows.iter().map(|row| (row.index, row.steering_rad)).collect();
        rms_step_deg(&angles)
    }

    /// The CNN's work over the whole drive.
    pub fn cnn_work(&self) -> CnnWork {
        self.rows.iter().fold(CnnWork::default(), |sum, row| CnnWork {
            macs_dense: sum.macs_dense + row.cnn_work.macs_dense,
            macs: sum.macs + row.cnn_work.macs,
        })
    }
}

/// A bar on standard error; with an unknown length it only counts. Nothing is drawn where no terminal listens.
pub fn progress_bar(length: Option<usize>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (ProgressBar::new(length as u64), "{bar:40.cyan/blue} {pos}/{len} {per_sec} {eta} left  {msg}"),
        None => (ProgressBar::no_length(), "{spinner} {pos} {per_sec}  {msg}"),
    };
    // A template that cannot be read leaves the bar in its plain style.
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The flag that the first Ctrl-C sets; work stops at its next safe place. A second Ctrl-C ends the program at once.
pub fn interrupted() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let seen = flag.clone();
        // Without a handler Ctrl-C ends the program at once, which leaves no half-written file either.
        let _ = ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        });
        flag
    })
}
