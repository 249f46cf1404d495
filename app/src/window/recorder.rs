//! Recording a live feed, from a button's press on or the minute before it: MCAP, and an MP4 where OpenCV is built in.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded};
use deltasteer_data::SourceInfo;
use ndarray::Array3;

use super::whatif::track::{Point, Track};
use crate::drive::Drive;
use crate::export::{Exports, Outputs, Written, jpeg};
use crate::model::Model;
use crate::pipeline::{FrameResult, QueueLengths, SeenFrame, StageTimes};

/// How much of the past can be saved.
pub const KEPT_S: f64 = 60.0;
/// Frames that may wait for the recorder; more are lost, and counted.
const QUEUE: usize = 64;
/// The status is told this often.
const EVERY: Duration = Duration::from_millis(500);

/// How the recording goes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Status {
    /// Frames and seconds recorded so far, while a recording runs.
    pub recording: Option<(usize, f64)>,
    /// Seconds of the past that can be saved.
    pub kept_s: f64,
    /// Frames that came faster than they could be written.
    pub lost: usize,
}

/// What the recorder tells.
#[derive(Debug)]
pub enum News {
    /// How it goes.
    Status(Status),
    /// Files that are complete.
    Saved(Vec<PathBuf>),
    /// Why there is no file, or none any more.
    Failed(String),
}

/// What the recorder is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Record into this folder.
    Start(PathBuf),
    /// Complete the files.
    Stop,
    /// Save the past into this folder.
    SaveLast(PathBuf),
    /// Keep the past, or not: it takes a few milliseconds a frame.
    Keep(bool),
}

enum Message {
    Frame(Box<FrameResult>),
    Order(Order),
}

/// The recorder's thread. [`Recorder::finish`] ends it and completes the files.
pub struct Recorder {
    to: Sender<Message>,
    thread: JoinHandle<()>,
    lost: usize,
}

/// Called with news, from the recorder's threads.
pub type Tell = Arc<dyn Fn(News) + Send + Sync>;

impl Recorder {
    /// Starts the thread for a feed.
    ///
    /// # Errors
    /// No thread to be had.
    pub fn start(info: Arc<SourceInfo>, model: Arc<Model>, tell: Tell) -> std::io::Result<Self> {
        let (to, messages) = bounded(QUEUE);
        let tape = Tape { info, model, tell, keep: true, kept: VecDeque::new(), open: None, lost: 0 };
        let thread = std::thread::Builder::new().name("record".to_owned()).spawn(move || tape.run(&messages))?;
        Ok(Self { to, thread, lost: 0 })
    }

    /// Takes in an answered frame; never waits.
    pub fn frame(&mut self, frame: &SeenFrame, point: &Point, dense_rad: Option<f32>, track: &Track) {
        let frame = FrameResult { dropped: self.lost, ..result(frame, point, dense_rad, track) };
        self.lost += usize::from(self.to.try_send(Message::Frame(Box::new(frame))).is_err());
    }

    /// Passes an order on.
    pub fn order(&self, order: Order) {
        // A recorder that has ended has said why.
        let _ = self.to.send(Message::Order(order));
    }

    /// Ends the thread once the files are complete.
    pub fn finish(self) {
        drop(self.to);
        let _ = self.thread.join();
    }
}

/// A frame of the past, its picture as JPEG.
#[derive(Clone)]
struct Kept {
    frame: Box<FrameResult>,
    jpeg: Arc<[u8]>,
}

/// Files in the making.
struct Open {
    exports: Exports,
    frames: usize,
    first_s: f64,
}

/// What the thread holds.
struct Tape {
    info: Arc<SourceInfo>,
    model: Arc<Model>,
    tell: Tell,
    keep: bool,
    kept: VecDeque<Kept>,
    open: Option<Open>,
    lost: usize,
}

impl Tape {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut told = Instant::now();
        for message in messages {
            let urgent = matches!(message, Message::Order(_));
            let result = match message {
                Message::Frame(frame) => self.frame(frame),
                Message::Order(order) => self.obey(order),
            };
            if let Err(error) = result {
                self.open = None;
                (self.tell)(News::Failed(format!("Recording stopped: {error:#}")));
            }
            if urgent || told.elapsed() >= EVERY {
                told = Instant::now();
                (self.tell)(News::Status(self.status()));
            }
        }
        self.stop();
    }

    fn status(&self) -> Status {
        let newest = self.kept.back().map_or(0.0, |kept| kept.frame.time_s);
        let oldest = self.kept.front().map_or(newest, |kept| kept.frame.time_s);
        let recording = self.open.as_ref().map(|open| (open.frames, (newest - open.first_s).max(0.0)));
        Status { recording, kept_s: newest - oldest, lost: self.lost }
    }

    fn frame(&mut self, mut frame: Box<FrameResult>) -> anyhow::Result<()> {
        self.lost = std::mem::take(&mut frame.dropped);
        if let Some(open) = &mut self.open {
            if open.frames == 0 {
                open.first_s = frame.time_s;
            }
            open.exports.frame(&frame);
            open.frames += 1;
        }
        if self.keep {
            let jpeg = jpeg(&frame)?.into();
            frame.image = Arc::new(Array3::zeros((0, 0, 3)));
            let oldest = frame.time_s - KEPT_S;
            self.kept.push_back(Kept { frame, jpeg });
            while self.kept.front().is_some_and(|kept| kept.frame.time_s < oldest) {
                self.kept.pop_front();
            }
        }
        Ok(())
    }

    fn obey(&mut self, order: Order) -> anyhow::Result<()> {
        match order {
            Order::Start(folder) => {
                self.stop();
                let exports = begin(&folder, "recording", &self.info, &self.model)?;
                self.open = Some(Open { exports, frames: 0, first_s: 0.0 });
            }
            Order::Stop => self.stop(),
            Order::Keep(keep) => {
                self.keep = keep;
                self.kept.clear();
            }
            Order::SaveLast(folder) => self.save_last(folder)?,
        }
        Ok(())
    }

    fn stop(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.frames == 0 {
            return (self.tell)(News::Failed("Nothing was recorded: no frame came.".to_owned()));
        }
        tell_written(&self.tell, open.exports.finish(&Drive::default()));
    }

    /// On a thread of its own: painting a minute of video takes a while.
    fn save_last(&self, folder: PathBuf) -> anyhow::Result<()> {
        anyhow::ensure!(!self.kept.is_empty(), "nothing of the past is kept");
        let kept: Vec<Kept> = self.kept.iter().cloned().collect();
        let (info, model, tell) = (self.info.clone(), self.model.clone(), self.tell.clone());
        std::thread::Builder::new().name("save-last".to_owned()).spawn(move || {
            match write_kept(&folder, kept, &info, &model) {
                Ok(written) => tell_written(&tell, written),
                Err(error) => tell(News::Failed(format!("The last {KEPT_S:.0} s could not be saved: {error:#}"))),
            }
        })?;
        Ok(())
    }
}

fn tell_written(tell: &Tell, written: Written) {
    if !written.complete.is_empty() {
        tell(News::Saved(written.complete));
    }
    written.lost.into_iter().for_each(|words| tell(News::Failed(words)));
}

fn write_kept(folder: &Path, kept: Vec<Kept>, info: &SourceInfo, model: &Model) -> anyhow::Result<Written> {
    let mut exports = begin(folder, "last", info, model)?;
    for Kept { mut frame, jpeg } in kept {
        let picture = image::load_from_memory(&jpeg)?.into_rgb8();
        let shape = (picture.height() as usize, picture.width() as usize, 3);
        frame.image = Arc::new(Array3::from_shape_vec(shape, picture.into_raw())?);
        exports.frame(&frame);
    }
    Ok(exports.finish(&Drive::default()))
}

/// Begins files with names that are not taken: `<drive>-<kind>-<number>`.
fn begin(folder: &Path, kind: &str, info: &SourceInfo, model: &Model) -> anyhow::Result<Exports> {
    let stem = super::export::plain_name(&info.name);
    let named = |number: u32, ending: &str| folder.join(format!("{stem}-{kind}-{number}.{ending}"));
    let free = |number: &u32| ["mcap", "mp4"].iter().all(|ending| !named(*number, ending).exists());
    let number = (1..100_000).find(free).context("a hundred thousand recordings are there already")?;
    let video = cfg!(feature = "opencv").then(|| named(number, "mp4"));
    let outputs = Outputs { mcap: Some(named(number, "mcap")), video, ..Outputs::default() };
    Exports::open(&outputs, info, model)
}

/// A frame with the main setting's answer, as files have it.
fn result(frame: &SeenFrame, point: &Point, dense_rad: Option<f32>, track: &Track) -> FrameResult {
    let times = StageTimes { decode_us: frame.decode_us, cnn_us: frame.cnn_us, ..StageTimes::default() };
    FrameResult {
        index: frame.index,
        time_s: frame.time_s,
        image: frame.image.clone(),
        steering_true_rad: frame.steering_true_rad,
        steering_rad: point.steering_rad,
        steering_dense_rad: dense_rad,
        steering_single_frame_rad: frame.steering_single_frame_rad,
        thresholds: track.thresholds,
        count: point.count,
        sent_x: Vec::new(),
        sent_h: Vec::new(),
        features: Vec::new(),
        hidden: Vec::new(),
        looked: frame.looked,
        cnn_work: frame.cnn_work,
        read_at: frame.read_at,
        times,
        queues: QueueLengths { to_cnn: frame.to_cnn, to_rnn: 0 },
        skipped: frame.skipped,
        dropped: frame.dropped,
        health: frame.health.clone(),
        totals: track.figures().work,
    }
}
