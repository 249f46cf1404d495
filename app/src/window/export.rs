//! Writes a range of the drive, or all of it, in the formats of `replay`: on a thread of its own, with a pipeline of its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use crossbeam_channel::{Receiver, Sender, unbounded};
use deltasteer_data::rgb_bytes;
use deltasteer_temporal::{Thresholds, Totals};
use serde::{Deserialize, Serialize};

use super::view::ExportProgress;
use super::whatif::Wake;
use crate::drive::Drive;
use crate::export::{Exports, Outputs};
use crate::model::Model;
use crate::pipeline::{Event, FrameRange, FrameResult, Pipeline, Settings};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One line per frame.
    Csv,
    /// The same columns as Parquet.
    Parquet,
    /// Pictures, angles and work for Foxglove and Rerun.
    Mcap,
    /// The video with paths, angles and savings drawn in.
    Video,
    /// A page of HTML that needs no network.
    Report,
    /// Every frame as a PNG.
    Pictures,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Csv, Self::Parquet, Self::Mcap, Self::Video, Self::Report, Self::Pictures];

    /// Its name on the checkbox, and what it is for.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Csv => ("CSV", "one line per frame"),
            Self::Parquet => ("Parquet", "the same columns, for many drives"),
            Self::Mcap => ("MCAP", "pictures, angles and work for Foxglove and Rerun"),
            Self::Video => ("MP4", "the video with paths, angles and savings drawn in"),
            Self::Report => ("HTML", "a page of figures and pictures that needs no network"),
            Self::Pictures => ("PNG", "every frame as it was recorded"),
        }
    }

    /// Whether this build can write it.
    pub fn is_available(self) -> bool {
        self != Self::Video || cfg!(feature = "opencv")
    }
}

/// What to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// As `deltasteer_data::open` names it.
    pub source: String,
    /// The model folder.
    pub model: PathBuf,
    /// The thresholds to run with.
    pub thresholds: Thresholds,
    /// Frames to write.
    pub range: FrameRange,
    /// The files to write.
    pub kinds: BTreeSet<Kind>,
    /// The folder that the result's folder is made in.
    pub into: PathBuf,
}

/// How it goes.
pub enum News {
    /// So many frames are done.
    Progress(ExportProgress),
    /// The finished folder.
    Done(PathBuf),
    /// Why nothing was written.
    Failed(String),
}

/// A running export. Dropping it stops it and leaves no half-written folder.
pub struct Export {
    news: Receiver<News>,
    cancelled: Arc<AtomicBool>,
}

impl Export {
    /// Starts writing.
    pub fn start(request: Request, wake: Wake) -> std::io::Result<Self> {
        let (tell, news) = unbounded();
        let cancelled = Arc::new(AtomicBool::new(false));
        let stop = cancelled.clone();
        std::thread::Builder::new().name("export".to_owned()).spawn(move || {
            let teller = Teller { tell, wake };
            match write(&request, &teller, &stop) {
                Ok(folder) => teller.tell(News::Done(folder)),
                Err(error) => teller.tell(News::Failed(format!("{error:#}"))),
            }
        })?;
        Ok(Self { news, cancelled })
    }

    /// The next message that is there already.
    pub fn poll(&self) -> Option<News> {
        self.news.try_recv().ok()
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

struct Teller {
    tell: Sender<News>,
    wake: Wake,
}

impl Teller {
    fn tell(&self, news: News) {
        let _ = self.tell.send(news);
        (self.wake)();
    }
}

/// Runs the drive up to the range's end and writes the range into a folder that gets its final name when it is complete.
fn write(request: &Request, teller: &Teller, stop: &AtomicBool) -> anyhow::Result<PathBuf> {
    let FrameRange { first, end } = request.range;
    if first >= end {
        bail!("the range {first}..{end} holds no frame");
    }
    let model = Arc::new(Model::load(&request.model)?);
    let source = deltasteer_data::open(&request.source)?;
    let final_name = free_name(&request.into, &request.source, request.range)?;
    let beside = tempfile::Builder::new()
        .prefix(".deltasteer-export-")
        .tempdir_in(&request.into)
        .with_context(|| request.into.display().to_string())?;
    let wanted = |kind: Kind, name: &str| request.kinds.contains(&kind).then(|| beside.path().join(name));
    let outputs = Outputs {
        csv: wanted(Kind::Csv, "drive.csv"),
        parquet: wanted(Kind::Parquet, "drive.parquet"),
        mcap: wanted(Kind::Mcap, "drive.mcap"),
        video: wanted(Kind::Video, "drive.mp4"),
        report: wanted(Kind::Report, "drive.html"),
    };
    let pictures = wanted(Kind::Pictures, "frames");
    if let Some(folder) = &pictures {
        std::fs::create_dir(folder).with_context(|| folder.display().to_string())?;
    }
    let mut exports = Exports::open(&outputs, source.info(), &model)?;
    // From the drive's start: what is exported is what the full run gives.
    let range = Some(FrameRange { first: 0, end });
    let thresholds = Some(request.thresholds);
    let settings = Settings { thresholds, shadow_dense: true, range, playing: true, ..Settings::default() };
    let rnn = model.rnn();
    let pipeline = Pipeline::start(source, model, settings)?;
    let mut drive = Drive::default();
    let mut totals = Totals::default();
    while let Some(event) = pipeline.next_event() {
        if stop.load(Ordering::Relaxed) {
            bail!("stopped; nothing was written");
        }
        match event {
            Event::Frame(frame) => {
                teller.tell(News::Progress(ExportProgress { done: frame.index + 1, total: end }));
                if frame.index < first {
                    continue;
                }
                totals.add(&frame.count, &rnn.dense_count());
                let frame = FrameResult { totals, ..(*frame).clone() };
                exports.frame(&frame);
                drive.add(&frame);
                if let Some(folder) = &pictures {
                    write_png(&folder.join(format!("{:06}.png", frame.index)), &frame)?;
                }
            }
            Event::Ended(ended) => {
                drive.end = ended;
                break;
            }
            Event::Refused { command, reason } => bail!("{command}: {reason}"),
            Event::Failed(failure) => bail!("{failure}"),
            Event::Seen(_) | Event::Opened(_) | Event::ModelReady(_) | Event::Waiting(_) => {}
        }
    }
    if drive.frames == 0 {
        bail!("frames {first} to {end} hold nothing that can be read; nothing was written");
    }
    let written = exports.finish(&drive);
    if let Some(lost) = written.lost.first() {
        bail!("{lost}; nothing was written");
    }
    std::fs::rename(beside.keep(), &final_name).with_context(|| final_name.display().to_string())?;
    Ok(final_name)
}

fn write_png(path: &Path, frame: &FrameResult) -> anyhow::Result<()> {
    let (height, width, _) = frame.image.dim();
    let pixels = rgb_bytes(&frame.image);
    image::save_buffer(path, pixels, width as u32, height as u32, image::ExtendedColorType::Rgb8)
        .with_context(|| path.display().to_string())
}

/// A source's short name in letters that every file system takes.
pub(super) fn plain_name(source: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    super::panels::top::short(source).chars().map(plain).collect()
}

/// A folder name that is not taken yet.
fn free_name(into: &Path, source: &str, range: FrameRange) -> anyhow::Result<PathBuf> {
    let drive = plain_name(source);
    let stem = format!("{drive}-frames-{}-{}", range.first, range.end - 1);
    let names = std::iter::once(stem.clone()).chain((2..1000).map(|number| format!("{stem}-{number}")));
    names
        .map(|name| into.join(name))
        .find(|path| !path.exists())
        .with_context(|| format!("{}: a thousand exports of these frames are there already", into.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_never_takes_the_place_of_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let range = FrameRange { first: 3, end: 8 };
        let first = free_name(folder.path(), "road:7,seconds=3", range).unwrap();
        assert_eq!(first, folder.path().join("road-7-seconds-3-frames-3-7"));
        std::fs::create_dir(&first).unwrap();
        let second = free_name(folder.path(), "road:7,seconds=3", range).unwrap();
        assert_eq!(second, folder.path().join("road-7-seconds-3-frames-3-7-2"));
    }
}
