//! Source, model, thresholds and range, opened and checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use deltasteer_data::{Frame, Source, SourceInfo};
use deltasteer_perception::{CnnSchedule, Device};
use deltasteer_temporal::Thresholds;

use crate::model::Model;
use crate::pipeline::FrameRange;
use crate::shipped;

/// How a drive is to be run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunOptions {
    /// The model folder; `None`: the shipped model that fits the source.
    pub model: Option<PathBuf>,
    /// The threshold of the features; `None`: the model's own.
    pub theta_x: Option<f32>,
    /// The threshold of the hidden state; `None`: the model's own.
    pub theta_h: Option<f32>,
    /// Where the CNN runs.
    pub device: Device,
    /// The frames that it runs on; `None`: the model's own setting.
    pub cnn: Option<CnnSchedule>,
    /// Start, in seconds from the first frame.
    pub from_s: Option<f64>,
    /// End, in seconds from the first frame.
    pub to_s: Option<f64>,
}

/// A drive ready to run.
pub struct Session {
    /// The open source.
    pub source: Box<dyn Source>,
    /// What it says of itself.
    pub info: SourceInfo,
    /// The loaded model.
    pub model: Arc<Model>,
    /// The thresholds to run with.
    pub thresholds: Thresholds,
    /// Where the CNN runs.
    pub device: Device,
    /// The frames that it runs on.
    pub cnn: CnnSchedule,
    /// The frames to run; `None`: all.
    pub range: Option<FrameRange>,
}

impl RunOptions {
    /// Refuses thresholds that are negative or not finite.
    ///
    /// # Errors
    /// Names the option.
    pub fn check_thresholds(&self) -> anyhow::Result<()> {
        for (option, value) in [("--theta-x", self.theta_x), ("--theta-h", self.theta_h)] {
            if let Some(value) = value.filter(|value| !value.is_finite() || *value < 0.0) {
                bail!("{option} is {value}; expected a finite number of zero or more");
            }
        }
        Ok(())
    }

    /// First and last second; `None`: the drive's own.
    pub fn range_s(&self) -> [Option<f64>; 2] {
        [self.from_s, self.to_s]
    }

    /// The thresholds asked for, or else the model's own.
    ///
    /// # Errors
    /// A threshold that is negative or not finite.
    pub fn thresholds(&self, model: &Model) -> anyhow::Result<Thresholds> {
        let own = model.thresholds();
        Ok(Thresholds::new(self.theta_x.unwrap_or(own.theta_x), self.theta_h.unwrap_or(own.theta_h))?)
    }
}

impl Session {
    /// Opens and checks a drive; `source` is the text that `deltasteer_data::open` takes.
    ///
    /// # Errors
    /// The first thing that is wrong, named by file or option.
    pub fn open(source: &str, run: &RunOptions) -> anyhow::Result<Self> {
        // The cheap checks come first: a model takes a moment to load.
        let opened = open_source(source, run)?;
        let model = load_model(run.model.as_deref(), source)?;
        Self::with(opened, run, Arc::new(model))
    }

    /// As [`Session::open`], with a model that is already loaded.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_with(source: &str, run: &RunOptions, model: Arc<Model>) -> anyhow::Result<Self> {
        Self::with(open_source(source, run)?, run, model)
    }

    fn with(
        (source, range): (Box<dyn Source>, Option<FrameRange>),
        run: &RunOptions,
        model: Arc<Model>,
    ) -> anyhow::Result<Self> {
        let thresholds = run.thresholds(&model)?;
        let cnn = model.schedule(run.cnn)?;
        Ok(Self { info: source.info().clone(), source, model, thresholds, device: run.device, cnn, range })
    }

    /// Says that nobody looks at the pictures but the network: rows that it does not read need not be decoded.
    pub fn for_numbers(mut self) -> Self {
        self.source.look_at_rows(self.model.config().perception.rows_of_480());
        self
    }

    /// Refuses a camera or stream where only a recording will do.
    ///
    /// # Errors
    /// Names the source.
    pub fn refuse_live(&self) -> anyhow::Result<()> {
        refuse_live(&self.info)
    }
}

/// As [`Session::refuse_live`].
///
/// # Errors
/// Names the source.
pub fn refuse_live(info: &SourceInfo) -> anyhow::Result<()> {
    if info.live {
        bail!("{}: a live source has no true angles to compare with; expected a recorded drive", info.name);
    }
    Ok(())
}

fn open_source(source: &str, run: &RunOptions) -> anyhow::Result<(Box<dyn Source>, Option<FrameRange>)> {
    run.check_thresholds()?;
    let source = deltasteer_data::open(source)?;
    let range = frame_range(source.info(), run.from_s, run.to_s)?;
    Ok((source, range))
}

/// The model named, or else the shipped one that fits the source.
///
/// # Errors
/// As [`Model::load`].
pub fn load_model(folder: Option<&Path>, source: &str) -> anyhow::Result<Model> {
    match folder {
        Some(folder) => Model::load(folder),
        None => Model::load(&shipped::for_source(source)?),
    }
}

/// The frames whose time lies in `from..to` seconds; `None` where neither is given.
///
/// # Errors
/// Names the option that is no time, lies past the end, or leaves no frame; or a source without times.
pub fn frame_range(info: &SourceInfo, from: Option<f64>, to: Option<f64>) -> anyhow::Result<Option<FrameRange>> {
    if from.is_none() && to.is_none() {
        return Ok(None);
    }
    for (option, value) in [("--from", from), ("--to", to)] {
        if value.is_some_and(|value| !value.is_finite() || value < 0.0) {
            bail!("{option} is {}; expected seconds from the first frame, zero or more", value.unwrap_or_default());
        }
    }
    let last_s = *info
        .times_s
        .last()
        .with_context(|| format!("--from and --to need a recording with known times, and {} is none", info.name))?;
    let from = from.unwrap_or(0.0);
    if from > last_s {
        bail!("--from {from} is past the end of {}, whose last frame is at {last_s:.3} s", info.name);
    }
    let first = info.times_s.partition_point(|&time_s| time_s < from);
    let end = to.map_or(info.times_s.len(), |to| info.times_s.partition_point(|&time_s| time_s < to));
    if first >= end {
        bail!("--from {from} --to {} leaves no frame of {}", to.unwrap_or(last_s), info.name);
    }
    Ok(Some(FrameRange { first, end }))
}

/// Passes the frames of `range` to `each`, until the end or until `each` returns false.
///
/// # Errors
/// A source that fails, an error of `each`, or `stop`, with the words of `interrupted`.
pub fn read_frames(
    source: &mut dyn Source,
    range: FrameRange,
    (stop, interrupted): (&AtomicBool, &'static str),
    mut each: impl FnMut(Frame) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    source.seek(range.first)?;
    while let Some(frame) = source.next_frame()?.filter(|frame| frame.index < range.end) {
        if stop.load(Ordering::Relaxed) {
            bail!("{interrupted}");
        }
        if !each(frame)? {
            break;
        }
    }
    Ok(())
}
