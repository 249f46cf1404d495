//! From the command line's words to checked settings: source, model, thresholds and range.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use deltasteer_data::{Source, SourceInfo};
use deltasteer_perception::Device;
use deltasteer_temporal::Thresholds;

use crate::cli::{DriveArgs, RunArgs};
use crate::model::{self, Model};
use crate::pipeline::FrameRange;

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
    /// The frames to run; `None`: all.
    pub range: Option<FrameRange>,
}

impl Session {
    /// Opens and checks everything that `args` names.
    ///
    /// # Errors
    /// The first thing that is wrong, named by file or option.
    pub fn open(args: &DriveArgs) -> anyhow::Result<Self> {
        let opened = Self::open_source(&args.source, &args.run)?;
        let model = load_model(args.run.model.as_deref(), &args.source)?;
        Self::with(opened, &args.run, Arc::new(model))
    }

    /// As [`Session::open`], with a model that is already loaded.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_with(source: &str, run: &RunArgs, model: Arc<Model>) -> anyhow::Result<Self> {
        Self::with(Self::open_source(source, run)?, run, model)
    }

    /// The cheap checks come first: a model takes a moment to load.
    fn open_source(source: &str, run: &RunArgs) -> anyhow::Result<(Box<dyn Source>, Option<FrameRange>)> {
        check_threshold("--theta-x", run.theta_x)?;
        check_threshold("--theta-h", run.theta_h)?;
        let source = deltasteer_data::open(&run.camera.spec(source))?;
        let range = frame_range(source.info(), run.from, run.to)?;
        Ok((source, range))
    }

    fn with(
        (source, range): (Box<dyn Source>, Option<FrameRange>),
        run: &RunArgs,
        model: Arc<Model>,
    ) -> anyhow::Result<Self> {
        let thresholds = thresholds(run, &model)?;
        Ok(Self { info: source.info().clone(), source, model, thresholds, device: run.device, range })
    }
}

/// The thresholds asked for, or else the model's own.
///
/// # Errors
/// A threshold that is negative or not finite.
pub fn thresholds(run: &RunArgs, model: &Model) -> anyhow::Result<Thresholds> {
    let stored = model.thresholds();
    Ok(Thresholds::new(run.theta_x.unwrap_or(stored.theta_x), run.theta_h.unwrap_or(stored.theta_h))?)
}

/// The model named, or else the shipped one that fits the source.
///
/// # Errors
/// As [`Model::load`].
pub fn load_model(folder: Option<&Path>, source: &str) -> anyhow::Result<Model> {
    match folder {
        Some(folder) => Model::load(folder),
        None => Model::load(&model::shipped(source)?),
    }
}

/// Refuses a threshold that is negative or not finite, and names the option.
///
/// # Errors
/// See above.
pub fn check_threshold(option: &str, value: Option<f32>) -> anyhow::Result<()> {
    match value {
        Some(value) if !value.is_finite() || value < 0.0 => {
            bail!("{option} is {value}; expected a finite number of zero or more")
        }
        _ => Ok(()),
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
        bail!("--from {from} is past the end of {}, whose last frame lies at {last_s:.3} s", info.name);
    }
    let first = info.times_s.partition_point(|&time_s| time_s < from);
    let end = to.map_or(info.times_s.len(), |to| info.times_s.partition_point(|&time_s| time_s < to));
    if first >= end {
        bail!("--from {from} --to {} leaves no frame of {}", to.unwrap_or(last_s), info.name);
    }
    Ok(Some(FrameRange { first, end }))
}
