//! Everything a user can ask of the window: what panels return and keys stand for.

use std::path::PathBuf;

use deltasteer_temporal::Thresholds;

use super::export::Kind;
use super::hotspots::Filter;
pub use super::whatif::Lane;
use crate::pipeline::{FrameRange, Pace};

/// What can be drawn over the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Overlay {
    /// The path that the network's angle leads along.
    PredictedPath,
    /// The path that the human driver's angle leads along.
    TruePath,
    /// A steering wheel for each angle.
    Wheels,
    /// The part of the frame that the CNN sees.
    Crop,
    /// Where covering the picture would move the angle.
    Saliency,
}

impl Overlay {
    /// Every overlay, in the order of their keys 1 to 5.
    pub const ALL: [Self; 5] = [Self::PredictedPath, Self::TruePath, Self::Wheels, Self::Crop, Self::Saliency];

    /// Its name on the button.
    pub fn label(self) -> &'static str {
        match self {
            Self::PredictedPath => "Predicted path",
            Self::TruePath => "True path",
            Self::Wheels => "Wheels",
            Self::Crop => "CNN crop",
            Self::Saliency => "Saliency",
        }
    }

    /// What it shows, for the tooltip.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::PredictedPath => {
                "Where the delta RNN would steer: a bicycle model turns the wheel's angle into a path on level road."
            }
            Self::TruePath => "Where the human driver steered, by the same model.",
            Self::Wheels => "The steering wheel as predicted and as it was.",
            Self::Crop => "The part of the frame that the CNN sees; the rest is cut away.",
            Self::Saliency => {
                "How far the CNN's own angle moves when a patch is greyed out. Computed now and then in the background."
            }
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Play or pause.
    TogglePlay,
    /// This many frames on (back, if negative), and stop.
    StepFrames(i64),
    /// This many seconds on (back, if negative).
    StepSeconds(f64),
    /// Show this frame.
    Seek(usize),
    /// Show the last frame.
    SeekEnd,
    /// The next of the worst places in the order of the drive, or the one before.
    SeekHotspot {
        /// Towards the end.
        forward: bool,
    },
    /// Which places may be among the worst.
    FilterHotspots(Filter),
    /// The list of the worst places.
    ToggleHotspots,
    /// New pace.
    SetPace(Pace),
    /// The next pace up or down the list.
    ChangePace(i32),
    /// Start again at the end, of the range if one is chosen.
    ToggleLoop,
    /// New thresholds, used from the next frame on.
    SetThresholds(Lane, Thresholds),
    /// Change theta_x and theta_h by this many small steps.
    NudgeThresholds(Lane, i32, i32),
    /// The model's own thresholds.
    ResetThresholds(Lane),
    /// Open a folder, a file or a source's name.
    OpenSource(String),
    /// Open a model folder.
    OpenModel(Lane, PathBuf),
    /// The dense RNN beside the delta RNN.
    ToggleDense,
    /// A second setting beside the first.
    ToggleCompare,
    /// The chosen range starts, or ends, at the frame shown.
    MarkStart,
    /// See [`Command::MarkStart`].
    MarkEnd,
    /// Choose a range, or none.
    SetRange(Option<FrameRange>),
    /// What to export, and where to.
    ToggleExport,
    /// Write a kind of file, or not.
    ToggleKind(Kind),
    /// Exports and recordings go into this folder.
    SetExportFolder(PathBuf),
    /// Write the chosen range, or the whole drive.
    Export,
    /// Stop writing.
    CancelExport,
    /// Record a live feed, or stop.
    ToggleRecording,
    /// Save the last minute of a live feed.
    SaveLast,
    /// Keep the last minute of a live feed, or not.
    ToggleKeepLast,
    /// Draw an overlay, or not.
    ToggleOverlay(Overlay),
    /// Dark or light.
    ToggleTheme,
    /// Full screen, or not.
    ToggleFullScreen,
    /// Everything larger or smaller by so many steps; 0: as at first.
    Zoom(i32),
    /// Large type and everyday words, for a talk; or not.
    ToggleLecture,
    /// Show this caption of the tour; `None` ends it.
    ShowCaption(Option<usize>),
    /// The list of keys.
    ToggleHelp,
    /// The list of models.
    ToggleModels,
    /// The health panel.
    ToggleHealth,
    /// The dialog for sources and models.
    ToggleOpen,
    /// Charts follow the frame shown, or stay.
    ToggleFollow,
    /// Charts show this stretch of time; `None`: they follow the frame shown.
    LookAt(Option<[f64; 2]>),
    /// Close whatever lies on top.
    CloseTop,
    /// Take the messages away.
    DismissNotices,
    /// Ask the system for a folder or a file.
    Browse(Browse),
    /// Row of the horizon, as a share of the frame's height, for sources that do not know it.
    SetHorizon(f32),
    /// Put something of a frame, or of the one shown, on the clipboard.
    Copy(Copied, Option<usize>),
    /// A message of the window's own.
    Say(String),
    /// End the program.
    Quit,
}

/// What can be put on the clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// The delta RNN's angle in degrees.
    Angle,
    /// The frame's row with the names of its columns, as the CSV has it.
    Row,
    /// The picture that is shown.
    Picture,
    /// A command that opens the window as it is now.
    CommandLine,
}

/// What the system's dialog is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Browse {
    /// A folder with a drive.
    SourceFolder,
    /// A file with a drive.
    SourceFile,
    /// A model folder.
    ModelFolder(Lane),
    /// The folder that exports go into.
    ExportFolder,
}

/// The paces on offer, slowest first.
pub const PACES: [Pace; 8] = [
    Pace::Times(0.1),
    Pace::Times(0.25),
    Pace::Times(0.5),
    Pace::Times(1.0),
    Pace::Times(2.0),
    Pace::Times(4.0),
    Pace::Times(10.0),
    Pace::Unpaced,
];

/// A pace as it is written on its button.
pub fn pace_label(pace: Pace) -> String {
    match pace {
        Pace::Times(factor) => format!("{factor}×"),
        Pace::Unpaced => "max".to_owned(),
    }
}
