//! A drive on the command line: source, model, part, camera, and the files to write.

use std::path::PathBuf;

use clap::Args;
use deltasteer_data::Framing;
use deltasteer_data::selection::{Links, Selection, Side, Unit};
use deltasteer_perception::{CnnSchedule, Device};

use crate::export::Outputs;
use crate::session::RunOptions;

/// One drive and how to run it.
#[derive(Debug, Clone, Args)]
pub struct DriveArgs {
    /// A dataset folder, a video, the URL of a video or MCAP file, a stream, or road:SEED for the built-in road
    pub source: String,
    /// How to run it.
    #[command(flatten)]
    pub run: RunArgs,
}

impl DriveArgs {
    /// The source with its camera, as `deltasteer_data::open` takes it.
    pub fn spec(&self) -> String {
        self.run.camera.spec(&self.source)
    }
}

/// A model, and the part of a drive to run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Model folder; without it the shipped model that fits the source
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Threshold of the features, in their standard deviations, instead of the model's own
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub theta_x: Option<f32>,
    /// Threshold of the hidden state, instead of the model's own
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub theta_h: Option<f32>,
    /// Where the CNN runs: cpu, cpu:bf16 (16-bit products, needs AVX512-BF16: faster, other in the third digit), cuda:N or metal
    /// (the last two in builds with that cargo feature)
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: Device,
    /// The frames that the CNN runs on, instead of the model's own setting: every:N, or adaptive:CHANGE:N (when a motion value has
    /// moved by CHANGE, at the latest after N frames)
    #[arg(long, value_name = "RULE")]
    pub cnn: Option<CnnSchedule>,
    /// Start here, in seconds from the first frame; the RNN starts cold
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub from: Option<f64>,
    /// End here, in seconds from the first frame
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub to: Option<f64>,
    /// The source's camera.
    #[command(flatten)]
    pub camera: CameraArgs,
}

impl RunArgs {
    /// All but the camera, which is part of the source's text.
    pub fn options(&self) -> RunOptions {
        let Self { model, theta_x, theta_h, device, cnn, from, to, camera: _ } = self.clone();
        RunOptions { model, theta_x, theta_h, device, cnn, from_s: from, to_s: to }
    }
}

/// What is read of the source, and how its camera looks where it is not the one that the model was trained on.
#[derive(Debug, Clone, Default, Args)]
pub struct CameraArgs {
    /// The source's camera: angle of view across the frame
    #[arg(long, value_name = "DEG", allow_negative_numbers = true)]
    pub fov: Option<f32>,
    /// The source's camera: row of the horizon, in pixels of its frames
    #[arg(long, value_name = "ROW", allow_negative_numbers = true)]
    pub horizon: Option<f32>,
    /// The part of the source's frames to use, in pixels, instead of the one that follows from --fov and --horizon
    #[arg(long, value_name = "LEFT:TOP:WIDTH:HEIGHT", value_parser = parse_crop, allow_hyphen_values = true)]
    pub crop: Option<[i32; 4]>,
    /// Which topic (MCAP, ROS 2) or column (LeRobot) holds the pictures, instead of the one that looks ahead by its name
    #[arg(long, value_name = "TOPIC")]
    pub camera_topic: Option<String>,
    /// Where the recording holds the steering angle: a topic and a field of its messages (/vehicle/steering.angle), or a column
    /// (action.steering)
    #[arg(long, value_name = "TOPIC.FIELD")]
    pub steering: Option<String>,
    /// The unit of that angle: rad, deg, or command (from -1 to 1)
    #[arg(long, value_name = "UNIT")]
    pub steering_unit: Option<Unit>,
    /// The side to which positive values of that angle steer: left or right
    #[arg(long, value_name = "SIDE")]
    pub steering_positive: Option<Side>,
    /// The episode of a LeRobot data set
    #[arg(long, value_name = "N")]
    pub episode: Option<u32>,
    /// Read symbolic links that lead out of the drive's folder as well
    #[arg(long)]
    pub follow_links: bool,
}

impl CameraArgs {
    /// These options, and those of `other` where these are not given.
    pub fn or(self, other: &Self) -> Self {
        let other = other.clone();
        Self {
            fov: self.fov.or(other.fov),
            horizon: self.horizon.or(other.horizon),
            crop: self.crop.or(other.crop),
            camera_topic: self.camera_topic.or(other.camera_topic),
            steering: self.steering.or(other.steering),
            steering_unit: self.steering_unit.or(other.steering_unit),
            steering_positive: self.steering_positive.or(other.steering_positive),
            episode: self.episode.or(other.episode),
            follow_links: self.follow_links || other.follow_links,
        }
    }

    /// The source as `deltasteer_data::open` names it with this camera.
    pub fn spec(&self, source: &str) -> String {
        let (fov_deg, horizon_row, crop) = (self.fov, self.horizon, self.crop);
        let selection = Selection {
            camera: self.camera_topic.clone(),
            steering: self.steering.clone(),
            unit: self.steering_unit,
            sign: self.steering_positive,
            episode: self.episode,
            links: self.follow_links.then_some(Links::Follow),
        };
        Framing { source: source.to_owned(), fov_deg, horizon_row, centre_column: None, crop, selection }.spec()
    }
}

/// `LEFT:TOP:WIDTH:HEIGHT`; the source checks the values.
fn parse_crop(text: &str) -> Result<[i32; 4], String> {
    let sides: Option<Vec<i32>> = text.split(':').map(|side| side.parse().ok()).collect();
    sides
        .and_then(|sides| sides.try_into().ok())
        .ok_or_else(|| "expected LEFT:TOP:WIDTH:HEIGHT in pixels, such as 160:40:960:720".to_owned())
}

/// The files that `replay` writes.
#[derive(Debug, Clone, Default, Args)]
pub struct ExportArgs {
    /// Write one line per frame
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the same columns as Parquet, for many drives
    #[arg(long, value_name = "FILE")]
    pub parquet: Option<PathBuf>,
    /// Write pictures, angles and work for Foxglove and Rerun
    #[arg(long, value_name = "FILE")]
    pub mcap: Option<PathBuf>,
    /// Write the video with paths, angles and savings drawn in (needs OpenCV)
    #[arg(long, value_name = "FILE.mp4")]
    pub video: Option<PathBuf>,
    /// Write a page of figures and pictures that needs no network
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
}

impl ExportArgs {
    /// The same without the command line.
    pub fn outputs(&self) -> Outputs {
        let Self { csv, parquet, mcap, video, report } = self.clone();
        Outputs { csv, parquet, mcap, video, report }
    }
}
