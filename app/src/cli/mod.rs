//! The command line as typed. Nothing is checked here that needs a file; `commands` turns it into checked settings.
//!
//! - `train`: training, of an own model and for research
//! - `drive`: what the commands share: a drive, how to run it, its camera, and the files to write

mod drive;
mod train;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::drive::{CameraArgs, DriveArgs, ExportArgs, RunArgs};
pub use self::train::{OwnModelArgs, PurposeArg, ResearchArgs, TrainArgs, TrainCommand, TrainRnnArgs};

/// Predicts steering-wheel angles from a car camera's video with a network that computes only with what has changed.
#[derive(Debug, Parser)]
#[command(name = "deltasteer", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a drive through a model as fast as possible; write CSV, Parquet, MCAP, video or an HTML page
    Replay(ReplayArgs),
    /// Error and savings of a model on drives with known angles
    Eval(EvalArgs),
    /// Describe a source or a model folder
    Info(InfoArgs),
    /// Play the built-in road through its model
    Demo(DemoArgs),
    /// Show a drive in a window, or paint that window into a PNG without a display
    View(ViewArgs),
    /// Error against savings of several models at many thresholds: a CSV and a picture of it
    Sweep(SweepArgs),
    /// Draw a sweep's picture again from its CSV
    Figures(FiguresArgs),
    /// Train a model on your own drives
    Train(TrainArgs),
    /// Measure this machine
    #[command(subcommand)]
    Bench(BenchCommand),
}

/// `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// What to run.
    #[command(flatten)]
    pub drive: DriveArgs,
    /// What to write.
    #[command(flatten)]
    pub export: ExportArgs,
}

/// `eval`.
#[derive(Debug, Clone, Args)]
pub struct EvalArgs {
    /// Drives: dataset folders, videos, or road:SEED for the built-in road
    #[arg(value_name = "SOURCE", required_unless_present_any = ["drives", "failed"])]
    pub sources: Vec<String>,
    /// A file that names further drives, or - for standard input: one a line (lines that are empty or begin with # do not count), or a
    /// CSV or Parquet table with a column path or url, and columns that are called like this command's options, such as fov, from and to
    #[arg(long, value_name = "FILE|-")]
    pub drives: Option<PathBuf>,
    /// How to run each of them.
    #[command(flatten)]
    pub run: RunArgs,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub json: bool,
    /// Keep each finished drive's result in this folder and reuse the results that are there; several processes may share it
    #[arg(long, value_name = "FOLDER")]
    pub results: Option<PathBuf>,
    /// List the drives that failed in the runs that share the results folder, and why, and those not evaluated yet; evaluate none
    #[arg(long, requires = "results", conflicts_with = "parquet")]
    pub failed: bool,
    /// Write every frame's figures into this folder, one Parquet file a drive
    #[arg(long, value_name = "FOLDER")]
    pub parquet: Option<PathBuf>,
    /// Drives to run in parallel; the default is the number of cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

/// `info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// A source, or a model folder
    pub what: String,
    /// Of a recorded drive: find the row of the horizon in how the pictures move, a few seconds of work
    #[arg(long, conflicts_with_all = ["fov", "horizon", "crop"])]
    pub find_horizon: bool,
    /// The source's camera.
    #[command(flatten)]
    pub camera: CameraArgs,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Seed of the road; the same seed is the same drive
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Stop after this many seconds
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    pub seconds: f64,
    /// Model folder; without it the shipped model of the built-in road
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Play in the terminal, even where a window could be opened
    #[arg(long)]
    pub terminal: bool,
    /// Begin in lecture mode: large type and everyday words
    #[arg(long)]
    pub lecture: bool,
}

/// `view`.
#[derive(Debug, Args)]
pub struct ViewArgs {
    /// A dataset folder, a video, or road:SEED for the built-in road
    pub source: String,
    /// Model folder; without it the shipped model that fits the source
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Threshold of the features, in their standard deviations, instead of the model's own
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub theta_x: Option<f32>,
    /// Threshold of the hidden state, instead of the model's own
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub theta_h: Option<f32>,
    /// The source's camera.
    #[command(flatten)]
    pub camera: CameraArgs,
    /// Start here, in seconds from the first frame
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub at: Option<f64>,
    /// Open paused
    #[arg(long)]
    pub paused: bool,
    /// Begin in lecture mode: large type and everyday words
    #[arg(long)]
    pub lecture: bool,
    /// Pace of the recording: 0.1 to 10, or max
    #[arg(long, value_name = "TIMES", default_value = "1", value_parser = parse_speed)]
    pub speed: f32,
    /// Paint the window into this PNG instead of opening it
    #[arg(long, value_name = "FILE.png")]
    pub screenshot: Option<PathBuf>,
    /// Size of the picture in pixels
    #[arg(long, value_name = "WxH", default_value = "1280x720", value_parser = parse_size, requires = "screenshot")]
    pub size: [usize; 2],
    /// Colours of the picture
    #[arg(long, value_enum, default_value_t = Theme::Dark, requires = "screenshot")]
    pub theme: Theme,
    /// Overlays of the picture, separated by commas
    #[arg(long, value_name = "NAMES", value_enum, value_delimiter = ',', requires = "screenshot",
          default_values_t = [OverlayName::Predicted, OverlayName::True, OverlayName::Wheels])]
    pub overlays: Vec<OverlayName>,
    /// Show a second pair of thresholds beside the first in the picture
    #[arg(long, requires = "screenshot")]
    pub compare: bool,
}

/// Colours of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Theme {
    /// Light on dark.
    Dark,
    /// Dark on light.
    Light,
}

/// What can be drawn over a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OverlayName {
    /// The predicted path
    Predicted,
    /// The driver's path
    True,
    /// A steering wheel for each
    Wheels,
    /// What the CNN sees
    Crop,
    /// Where covering the picture moves the angle
    Saliency,
}

/// `1280x720`.
fn parse_size(text: &str) -> Result<[usize; 2], String> {
    let sides = text.split_once(['x', 'X']).and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    sides.ok_or_else(|| "expected WIDTHxHEIGHT, such as 1280x720".to_owned())
}

/// Times the recording's own pace; infinite for as fast as it goes.
fn parse_speed(text: &str) -> Result<f32, String> {
    if text == "max" {
        return Ok(f32::INFINITY);
    }
    let speed = text.parse::<f32>().ok().filter(|speed| (0.05..=100.0).contains(speed));
    speed.ok_or_else(|| "expected a number from 0.05 to 100, or max".to_owned())
}

/// `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// A dataset folder, a video, or road:SEED for the built-in road
    pub source: String,
    /// Start here, in seconds from the first frame; the RNN starts cold
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub from: Option<f64>,
    /// End here, in seconds from the first frame
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub to: Option<f64>,
    /// One or more model folders; those that differ only by their training's seed become one line
    #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
    pub model: Vec<PathBuf>,
    /// Thresholds of the features, such as 0.5,1,2; each is combined with each of --theta-h
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_negative_numbers = true)]
    pub theta_x: Vec<f32>,
    /// Thresholds of the hidden state
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_negative_numbers = true)]
    pub theta_h: Vec<f32>,
    /// Instead of the two lists above: factors on each model's own thresholds, such as 0.9,1,1.1
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_negative_numbers = true, conflicts_with_all = ["theta_x", "theta_h"])]
    pub scale: Vec<f32>,
    /// The CSV; rows that it already has are kept and not computed again
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Draw the whole CSV as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Draw the whole CSV as PNG
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
}

/// `figures`.
#[derive(Debug, Args)]
pub struct FiguresArgs {
    /// The CSV of a sweep
    pub results: PathBuf,
    /// Write the picture as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write the picture as PNG
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
}

/// `bench`.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Time of a delta step and of a dense step against occupancy, size and storage
    Rnn(BenchArgs),
    /// Time of the CNN, block by block
    Cnn(BenchCnnArgs),
    /// Rate of the whole chain and of each stage alone
    Pipeline(BenchPipelineArgs),
    /// Time until the window has answered a new threshold over all seen frames
    WhatIf(BenchWhatIfArgs),
    /// Frames, redraws and processor time of the window, on a display
    Window(BenchWindowArgs),
}

/// `bench rnn`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub json: bool,
}

/// `bench cnn`.
#[derive(Debug, Args)]
pub struct BenchCnnArgs {
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub json: bool,
    /// Model folder whose CNN is measured; without it the shipped model that fits
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
}

/// `bench pipeline`.
#[derive(Debug, Args)]
pub struct BenchPipelineArgs {
    /// What to run.
    #[command(flatten)]
    pub drive: DriveArgs,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub json: bool,
}

/// `bench window`.
#[derive(Debug, Args)]
pub struct BenchWindowArgs {
    /// The drive that is played
    pub source: String,
    /// Model folder; without it the shipped model that fits the source
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Length of each phase: playing, with a slider dragged all the time, and paused
    #[arg(long, value_name = "S", default_value_t = 20.0)]
    pub seconds: f64,
    /// Print one JSON array and nothing else
    #[arg(long)]
    pub json: bool,
}

/// `bench what-if`.
#[derive(Debug, Args)]
pub struct BenchWhatIfArgs {
    /// The drive that was seen
    pub source: String,
    /// Model folder; without it the shipped model that fits the source
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Frames seen; a shorter drive is read forwards and backwards in turn
    #[arg(long, value_name = "N", default_value_t = 4000)]
    pub frames: usize,
    /// An untrained RNN of this many units instead of the model's own
    #[arg(long, value_name = "N")]
    pub hidden: Option<usize>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub json: bool,
}
