//! One evaluated drive, as `--json` prints it and as a results folder keeps it.

use anyhow::Context;
use deltasteer_data::{SourceInfo, SteeringUnit};
use deltasteer_perception::{CnnSchedule, Device};
use deltasteer_temporal::Totals;
use serde::{Deserialize, Serialize};

use super::drives::Asked;
use super::time::DriveTimes;
use crate::drive::Drive;
use crate::metrics::BandError;
use crate::model::Model;
use crate::session::RunOptions;

/// How a drive was run: two reports of one drive with the same run are the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`Model::fingerprint`].
    pub weights: String,
    /// Seconds from the drive's first frame; `None`: from its beginning.
    pub from_s: Option<f64>,
    /// As `from_s`; `None`: to its end.
    pub to_s: Option<f64>,
    /// Thresholds that the RNN ran with.
    pub thresholds: [f32; 2],
    /// Where the CNN ran.
    pub device: Device,
    /// The frames that it ran on.
    #[serde(default)]
    pub schedule: CnnSchedule,
}

/// What is known of one drive. Angles in radians.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// How it was run.
    #[serde(flatten)]
    pub run: Run,
    /// [`Fingerprint::content`](crate::fingerprint::Fingerprint) of the drive's files.
    #[serde(default)]
    pub files: String,
    /// Of the program that evaluated it.
    #[serde(default)]
    pub version: String,
    /// Frames with a true angle among those that went through the network.
    pub labelled_frames: usize,
    /// Frames that could not be read.
    pub skipped_frames: usize,
    /// Frames whose features were not finite; the RNN did not see them.
    pub refused_frames: usize,
    /// Where the recording only knows a command from -1 to 1: the radians that stand for 1.
    #[serde(default)]
    pub full_scale_rad: Option<f32>,
    /// What the drive's reader found wrong.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Errors and work of one drive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The drive as the user named it.
    pub source: String,
    /// The model's folder as the user named it.
    pub model: String,
    /// Frames that went through the network.
    pub frames: usize,
    /// Error of always predicting zero.
    pub zero_rmse_rad: f64,
    /// Error of the delta GRU.
    pub rmse_rad: f64,
    /// Its mean absolute error.
    pub mae_rad: f64,
    /// Its explained variance.
    pub eva: Option<f64>,
    /// Its smoothness.
    pub rms_step_deg: Option<f64>,
    /// Its error by |true angle|.
    pub by_angle: Vec<BandError>,
    /// The same weights, run densely.
    pub dense: Dense,
    /// The RNN's work.
    pub rnn: Rnn,
    /// The CNN's work.
    pub cnn: Cnn,
    /// Both.
    pub network: Macs,
}

/// The same weights at theta 0, run by the dense step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    /// Its error.
    pub rmse_rad: f64,
}

/// Sums are over the whole drive, the first frame included. Times are means of the RNN stage alone; they are null where several
/// drives ran at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub struct Rnn {
    pub theta_x: f32,
    pub theta_h: f32,
    pub macs_dense: u64,
    pub macs_delta: u64,
    pub savings: f64,
    pub occupancy_x: f64,
    pub occupancy_h: f64,
    pub weight_bytes_dense: u64,
    pub weight_bytes_delta: u64,
    #[serde(default)]
    pub step_us_dense: Option<f64>,
    #[serde(default)]
    pub step_us_delta: Option<f64>,
}

/// The CNN's part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Cnn {
    pub macs_per_frame: u64,
    pub ms_per_frame: f64,
    /// Frames that it ran on.
    #[serde(default)]
    pub looked_frames: usize,
}

/// Multiplications of a whole drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Macs {
    pub macs_dense: u64,
    pub macs_delta: u64,
}

impl Run {
    /// The run that the options ask for.
    ///
    /// # Errors
    /// A threshold that is negative or not finite.
    pub fn of(options: &RunOptions, model: &Model) -> anyhow::Result<Self> {
        let thresholds = options.thresholds(model)?;
        Ok(Self {
            weights: model.fingerprint()?,
            from_s: options.from_s,
            to_s: options.to_s,
            thresholds: [thresholds.theta_x, thresholds.theta_h],
            device: options.device,
            schedule: model.schedule(options.cnn)?,
        })
    }

    /// The same for a drive of which only a stretch is asked for.
    pub fn of_drive(&self, drive: &Asked) -> Self {
        Self { from_s: drive.run.from_s, to_s: drive.run.to_s, ..self.clone() }
    }

    /// First and last second; `None`: the drive's own.
    pub fn range_s(&self) -> [Option<f64>; 2] {
        [self.from_s, self.to_s]
    }

    /// The first field in which two runs differ, with both values.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let fields = |run: &Self| {
            [
                ("weights", run.weights.clone()),
                ("from_s", format!("{:?}", run.from_s)),
                ("to_s", format!("{:?}", run.to_s)),
                ("thresholds", format!("{:?}", run.thresholds)),
                ("device", run.device.to_string()),
                ("schedule", run.schedule.to_string()),
            ]
        };
        let pairs = fields(self).into_iter().zip(fields(other));
        pairs
            .filter(|(mine, theirs)| mine.1 != theirs.1)
            .map(|((name, mine), (_, theirs))| format!("{name} is {mine}, and of this run {theirs}"))
            .next()
    }
}

impl Report {
    /// Everything that is known of a finished drive.
    ///
    /// # Errors
    /// A drive without a true angle.
    pub fn of(info: &SourceInfo, files: String, run: Run, model: &Model, drive: &Drive) -> anyhow::Result<Self> {
        let no_labels = || format!("{}: no frame has a true angle to compare with; use replay instead", info.name);
        let delta = drive.delta.figures().with_context(no_labels)?;
        let dense = drive.dense.figures().with_context(no_labels)?;
        let (totals, cnn) = (&drive.totals, drive.cnn_work);
        let figures = Figures {
            source: info.name.clone(),
            model: model.folder().display().to_string(),
            frames: drive.frames,
            zero_rmse_rad: delta.zero_rmse_rad,
            rmse_rad: delta.rmse_rad,
            mae_rad: delta.mae_rad,
            eva: delta.eva,
            rms_step_deg: drive.smoothness.rms_step_deg(),
            by_angle: delta.by_angle,
            dense: Dense { rmse_rad: dense.rmse_rad },
            rnn: Rnn::of(&run, totals),
            cnn: Cnn {
                macs_per_frame: cnn.macs / drive.frames as u64,
                ms_per_frame: drive.cnn_us / 1e3 / drive.frames as f64,
                looked_frames: drive.looked,
            },
            network: Macs { macs_dense: cnn.macs_dense + totals.macs_dense, macs_delta: cnn.macs + totals.macs },
        };
        Ok(Self {
            figures,
            run,
            files,
            version: crate::VERSION.to_owned(),
            labelled_frames: delta.frames,
            skipped_frames: drive.end.skipped.count,
            refused_frames: drive.end.refused.count,
            full_scale_rad: match info.steering_unit {
                SteeringUnit::Radians => None,
                SteeringUnit::Normalised { full_scale_rad } => Some(full_scale_rad),
            },
            notes: drive.end.notes.clone(),
        })
    }

    /// With the RNN stage's times.
    pub fn with_times(mut self, times: &DriveTimes) -> Self {
        self.figures.rnn.step_us_dense = Some(times.step_us_dense);
        self.figures.rnn.step_us_delta = Some(times.step_us_delta);
        self
    }
}

impl Rnn {
    fn of(run: &Run, totals: &Totals) -> Self {
        Self {
            theta_x: run.thresholds[0],
            theta_h: run.thresholds[1],
            macs_dense: totals.macs_dense,
            macs_delta: totals.macs,
            savings: totals.savings(),
            occupancy_x: totals.occupancy_x(),
            occupancy_h: totals.occupancy_h(),
            weight_bytes_dense: totals.weight_bytes_dense,
            weight_bytes_delta: totals.weight_bytes,
            step_us_dense: None,
            step_us_delta: None,
        }
    }
}
