//! Runs a whole drive through the pipeline and keeps what the tables need: sums, whose memory does not grow with the drive.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use deltasteer_data::SkipReport;
use deltasteer_perception::CnnWork;
use deltasteer_temporal::Totals;
use hdrhistogram::Histogram;

pub use crate::interrupt::interrupted;
use crate::metrics::{Errors, Smoothness};
use crate::pipeline::{Command, Event, FrameResult, Pipeline, RunEnd, Settings, StageTimes};
use crate::session::Session;
pub use crate::terminal::progress_bar;
use crate::text;

/// A drive that has been run.
#[derive(Default)]
pub struct Drive {
    /// Frames that went through the network.
    pub frames: usize,
    /// The RNN's work over all of them.
    pub totals: Totals,
    /// The work of CNN and motion sensor.
    pub cnn_work: CnnWork,
    /// Frames that the CNN ran on.
    pub looked: usize,
    /// Time of CNN and motion sensor over all frames, microseconds.
    pub cnn_us: f64,
    /// Errors of the delta GRU.
    pub delta: Errors,
    /// Errors of the dense GRU with the same weights.
    pub dense: Errors,
    /// Errors of the CNN's own output.
    pub single_frame: Errors,
    /// Smoothness of the delta GRU's angle.
    pub smoothness: Smoothness,
    /// Time in each stage.
    pub times: StageQuantiles,
    /// What was skipped, dropped and noted.
    pub end: RunEnd,
    /// Times when a live feed sent nothing, each with its reason.
    pub stalls: SkipReport,
    /// Time in those stalls.
    pub stalled: Duration,
    /// Wall-clock time.
    pub seconds: f64,
}

/// Quantiles of the time that each stage takes for a frame, to three digits.
#[derive(Default)]
pub struct StageQuantiles {
    /// Reading and decoding.
    pub decode: Quantiles,
    /// The CNN.
    pub cnn: Quantiles,
    /// The delta step.
    pub step_delta: Quantiles,
    /// The dense step.
    pub step_dense: Quantiles,
}

/// A distribution of times.
pub struct Quantiles(Histogram<u64>);

impl Default for Quantiles {
    fn default() -> Self {
        #[allow(clippy::expect_used)] // three digits are always a valid precision
        Self(Histogram::new(3).expect("a histogram of three digits"))
    }
}

impl Quantiles {
    fn add_us(&mut self, us: f32) {
        // A histogram that grows by itself takes any value.
        let _ = self.0.record((f64::from(us) * 1e3) as u64);
    }

    /// Microseconds below which `share` (0 to 1) of the frames are; 0 without frames.
    pub fn us(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 * 1e-3
    }

    /// Mean microseconds.
    pub fn mean_us(&self) -> f64 {
        self.0.mean() * 1e-3
    }
}

/// Runs the session's frames, unpaced, with the dense GRU beside the delta GRU, and shows progress; `each` gets every result.
///
/// A signal ends a live source, which has no other end; in a recording it is an error.
///
/// # Errors
/// A stage that failed, an error of `each`, a signal, or a drive without a single readable frame.
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

/// As [`run`], without a progress bar.
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
        schedule: Some(session.cnn),
        shadow_dense: true,
        range: session.range,
        playing: true,
        ..Settings::default()
    };
    let view_note = session.model.view_note(&session.info);
    let start = Instant::now();
    let pipeline = Pipeline::start(session.source, session.model, settings)?;
    let mut drive = Drive::default();
    let mut last_frame = Instant::now();
    let mut stalled = false;
    let mut ending = false;
    loop {
        if interrupted().load(Ordering::Relaxed) && !ending {
            if !session.info.live || drive.frames == 0 {
                bail!("interrupted after {} frames", drive.frames);
            }
            // What has been read goes through the stages, then comes the end with what was lost.
            ending = pipeline.send(Command::End);
        }
        match pipeline.next_event().context("the pipeline stopped without a reason")? {
            Event::Frame(result) => {
                if stalled {
                    drive.stalled += last_frame.elapsed();
                }
                (last_frame, stalled) = (Instant::now(), false);
                each(&result)?;
                drive.add(&result);
            }
            Event::Waiting(reason) if !stalled && !ending => {
                stalled = true;
                drive.stalls.add(format!("after {}: {reason}", text::clock(start.elapsed().as_secs_f64())));
            }
            Event::Ended(end) => {
                drive.end = end;
                drive.end.notes.extend(view_note);
                break;
            }
            Event::Failed(failure) => return Err(failure.into()),
            Event::Refused { command, reason } => bail!("{command}: {reason}"),
            Event::Seen(_) | Event::Opened(_) | Event::ModelReady(_) | Event::Waiting(_) => {}
        }
    }
    drive.seconds = start.elapsed().as_secs_f64();
    if drive.frames == 0 {
        let why = drive.end.skipped.examples.first().or(drive.end.refused.examples.first());
        bail!(
            "{}: not one frame could be read{}",
            session.info.name,
            why.map_or(String::new(), |why| format!("; the first: {why}"))
        );
    }
    Ok(drive)
}

/// What a pipeline says until it ends or a signal comes; `each` gets every frame, and the last one is handed back.
///
/// # Errors
/// A stage that failed, a refused command, or an error of `each`.
pub fn watch(
    pipeline: &Pipeline,
    mut each: impl FnMut(&FrameResult) -> anyhow::Result<()>,
) -> anyhow::Result<Option<Arc<FrameResult>>> {
    let mut last = None;
    while !interrupted().load(Ordering::Relaxed) {
        match pipeline.next_event().context("the pipeline stopped without a reason")? {
            Event::Frame(frame) => {
                each(&frame)?;
                last = Some(frame);
            }
            Event::Ended(_) => break,
            Event::Failed(failure) => return Err(failure.into()),
            Event::Refused { command, reason } => bail!("{command}: {reason}"),
            Event::Seen(_) | Event::Opened(_) | Event::ModelReady(_) | Event::Waiting(_) => {}
        }
    }
    Ok(last)
}

impl Drive {
    /// Adds a frame.
    pub(crate) fn add(&mut self, result: &FrameResult) {
        self.frames += 1;
        self.totals = result.totals;
        self.cnn_work.macs_dense += result.cnn_work.macs_dense;
        self.cnn_work.macs += result.cnn_work.macs;
        self.looked += usize::from(result.looked);
        self.cnn_us += f64::from(result.times.cnn_us);
        self.smoothness.add(result.index, result.steering_rad);
        if let Some(truth) = result.steering_true_rad {
            self.delta.add(result.steering_rad, truth);
            self.single_frame.add(result.steering_single_frame_rad, truth);
            if let Some(dense) = result.steering_dense_rad {
                self.dense.add(dense, truth);
            }
        }
        self.times.add(&result.times);
    }
}

impl StageQuantiles {
    fn add(&mut self, times: &StageTimes) {
        self.decode.add_us(times.decode_us);
        self.cnn.add_us(times.cnn_us);
        self.step_delta.add_us(times.step_us_delta);
        if let Some(us) = times.step_us_dense {
            self.step_dense.add_us(us);
        }
    }
}
