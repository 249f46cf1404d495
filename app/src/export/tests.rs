//! Every file is read back by a reader that is not ours.

use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use prost::Message;

use super::messages::{CompressedImage, Steering, Work};
use super::{Exports, Outputs};
use crate::drive::{self, Drive};
use crate::model::Model;
use crate::pipeline::FrameRange;
use crate::pipeline::FrameResult;
use crate::session::{Session, load_model};

const FRAMES: usize = 30;

/// Runs the first frames of the built-in road into the files of `outputs`; the drive and its frames.
fn run(outputs: &Outputs) -> anyhow::Result<(Drive, Vec<FrameResult>)> {
    let source = deltasteer_data::open("road:3,seconds=3")?;
    let info = source.info().clone();
    let model: Arc<Model> = Arc::new(load_model(None, "road:3,seconds=3")?);
    let session = Session {
        source,
        info: info.clone(),
        model: model.clone(),
        thresholds: model.thresholds(),
        device: deltasteer_perception::Device::Cpu,
        cnn: deltasteer_perception::CnnSchedule::default(),
        range: Some(FrameRange { first: 0, end: FRAMES }),
    };
    let (mut exports, mut frames) = (Exports::open(outputs, &info, &model)?, Vec::new());
    let drive = drive::run(session, |result| {
        exports.frame(result);
        frames.push(result.clone());
        Ok(())
    })?;
    let written = exports.finish(&drive);
    assert_eq!(
        (written.complete, written.lost),
        (outputs.paths().iter().map(|path| path.to_path_buf()).collect(), Vec::new())
    );
    Ok((drive, frames))
}

/// A frame of the built-in road.
pub(super) fn frame() -> FrameResult {
    let (_, frames) = run(&Outputs::default()).unwrap();
    frames.into_iter().next().unwrap()
}

#[test]
fn an_mcap_file_holds_every_frame_in_order_with_its_angle_and_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.mcap");
    let (_, frames) = run(&Outputs { mcap: Some(path.clone()), ..Outputs::default() }).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let (mut pictures, mut angles, mut works) = (0, 0, 0);
    for message in ::mcap::MessageStream::new(&bytes).unwrap() {
        let message = message.unwrap();
        let schema = message.channel.schema.as_ref().unwrap();
        assert_eq!(schema.encoding, "protobuf");
        let described = prost_types::FileDescriptorSet::decode(&schema.data[..]).unwrap();
        let described = &described.file.last().unwrap().message_type[0];
        let time_s = message.log_time as f64 * 1e-9;
        match message.channel.topic.as_str() {
            "/camera" => {
                let image = CompressedImage::decode(&message.data[..]).unwrap();
                let picture = image::load_from_memory(&image.data).unwrap();
                assert_eq!((picture.width(), picture.height(), image.format.as_str()), (320, 160, "jpeg"));
                pictures += 1;
            }
            "/steering" => {
                let steering = Steering::decode(&message.data[..]).unwrap();
                let row = &frames[angles];
                assert_eq!(steering.steering_rad as f32, row.steering_rad);
                assert_eq!(steering.steering_true_rad.map(|rad| rad as f32), row.steering_true_rad);
                assert!((time_s - row.time_s).abs() < 1e-8);
                assert_eq!(described.field.len(), 4);
                angles += 1;
            }
            _ => {
                let work = Work::decode(&message.data[..]).unwrap();
                assert_eq!(work.macs, frames[works].count.macs);
                assert_eq!(described.field.len(), 6);
                works += 1;
            }
        }
    }
    assert_eq!((pictures, angles, works), (FRAMES, FRAMES, FRAMES));
}

#[test]
fn an_mcap_file_opens_again_as_a_drive_with_its_times_and_true_angles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.mcap");
    let (_, frames) = run(&Outputs { mcap: Some(path.clone()), ..Outputs::default() }).unwrap();
    let mut source = deltasteer_data::open(&path.display().to_string()).unwrap();
    for expected in &frames {
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((frame.index, frame.steering_true_rad), (expected.index, expected.steering_true_rad));
        assert!((frame.time_s - expected.time_s).abs() < 1e-9 && frame.image.dim() == expected.image.dim());
        let differs = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b));
        let mean = frame.image.iter().zip(expected.image.iter()).map(differs).sum::<f64>() / frame.image.len() as f64;
        assert!(mean < 8.0, "a JPEG of the same picture, not {mean} off");
    }
    assert!(source.next_frame().unwrap().is_none());
    let spec = format!("steering=/steering.steering_left,source={}", path.display());
    let message = deltasteer_data::open(&spec).err().unwrap().to_string();
    assert!(message.contains("steering_true_rad (double)"), "{message}");
}

#[test]
fn a_parquet_file_has_the_columns_of_the_csv_with_types_and_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let (path, table) = (folder.path().join("drive.parquet"), folder.path().join("drive.csv"));
    let args = Outputs { parquet: Some(path.clone()), csv: Some(table.clone()), ..Outputs::default() };
    let (_, frames) = run(&args).unwrap();
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), FRAMES);
    let names: Vec<String> = rows[0].get_column_iter().map(|(name, _)| name.clone()).collect();
    let mut csv = csv::Reader::from_path(table).unwrap();
    let header: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(names[..2], ["drive", "model"]);
    assert_eq!(names[2..], header);
    assert_eq!(csv.records().count(), FRAMES);
    for (row, expected) in rows.iter().zip(&frames) {
        let same = row.says(expected);
        assert!(same, "{row}");
    }
}

/// Compares a row that was read back with what was run.
trait Same {
    fn says(&self, expected: &FrameResult) -> bool;
}

impl Same for parquet::record::Row {
    fn says(&self, expected: &FrameResult) -> bool {
        use parquet::record::RowAccessor;
        self.get_long(2).unwrap() == expected.index as i64
            && self.get_float(5).unwrap() == expected.steering_rad
            && self.get_float(4).ok() == expected.steering_true_rad
            && self.get_long(9).unwrap() == expected.count.macs as i64
    }
}

#[test]
fn a_report_holds_its_figures_and_pictures_and_asks_for_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.html");
    let (drive, _) = run(&Outputs { report: Some(path.clone()), ..Outputs::default() }).unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    let rmse = drive.delta.figures().unwrap().rmse_rad;
    assert!(page.contains(&format!("<td>{rmse:.4}</td>")));
    assert_eq!((page.matches("<svg").count(), page.matches("data:image/jpeg;base64,").count()), (2, 3));
    // The one address is the name of SVG's language, which is never fetched.
    let addresses = page.matches("http").count() - page.matches("http://www.w3.org/2000/svg").count();
    assert_eq!(addresses, 0, "the page needs a network");
    assert_eq!(super::report::escaped("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
}

#[cfg(feature = "opencv")]
#[test]
fn a_video_has_as_many_frames_as_were_replayed_and_shows_the_overlays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.mp4");
    run(&Outputs { video: Some(path.clone()), ..Outputs::default() }).unwrap();
    let mut video = deltasteer_data::open(path.to_str().unwrap()).unwrap();
    assert!((video.info().rate_hz - 20.0).abs() < 0.01);
    let mut frames = Vec::new();
    while let Some(frame) = video.next_frame().unwrap() {
        frames.push(frame.image);
    }
    assert_eq!((frames.len(), frames[0].dim()), (FRAMES, (160, 320, 3)));
    let mut road = deltasteer_data::open("road:3,seconds=3").unwrap();
    let plain = road.next_frame().unwrap().unwrap().image;
    let brightness = |picture: &ndarray::Array3<u8>| {
        picture.slice(ndarray::s![..10, .., ..]).iter().map(|&v| u64::from(v)).sum::<u64>()
    };
    assert!(3 * brightness(&frames[0]) < 2 * brightness(&plain), "no dark plate behind the caption");
}

#[cfg(not(feature = "opencv"))]
#[test]
fn a_video_without_opencv_says_how_to_build_it() {
    let args = Outputs { video: Some("drive.mp4".into()), ..Outputs::default() };
    let message = format!("{:#}", run(&args).err().unwrap());
    assert!(message.contains("--video") && message.contains("--features opencv"), "{message}");
}

#[test]
fn a_missing_folder_is_named_before_the_work_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/drive.parquet");
    let message = format!("{:#}", run(&Outputs { parquet: Some(path), ..Outputs::default() }).err().unwrap());
    assert!(message.contains("drive.parquet"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
