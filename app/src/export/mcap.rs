//! An MCAP file: pictures, angles and work of every frame, for Foxglove and Rerun.

use std::collections::BTreeMap;
use std::path::Path;

use ::mcap::records::MessageHeader;
use ::mcap::write::NoSeek;
use ::mcap::{WriteOptions, Writer};
use anyhow::Context;
use deltasteer_data::rgb_bytes;
use image::codecs::jpeg::JpegEncoder;
use prost::Message;
use prost_types::Timestamp;

use super::kind::Export;
use super::messages::{self, CompressedImage, Schema, Steering, Work};
use crate::drive::Drive;
use crate::output::OutputFile;
use crate::pipeline::FrameResult;

/// Quality of the pictures: they are decoded frames, so they are coded once more.
const JPEG_QUALITY: u8 = 85;

/// The file, written from its beginning to its end: it may be a pipe.
type Sink = NoSeek<OutputFile>;

/// The MCAP file being written.
pub(super) struct Mcap {
    writer: Writer<Sink>,
    image: u16,
    steering: u16,
    work: u16,
    count: u32,
}

impl Mcap {
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = OutputFile::create(path)?;
        let library = concat!("deltasteer ", env!("CARGO_PKG_VERSION"));
        let options = WriteOptions::new().compression(None).library(library).disable_seeking(true);
        let mut writer = options.create(NoSeek::new(file)).with_context(|| path.display().to_string())?;
        let image = channel(&mut writer, "/camera", &messages::compressed_image())?;
        let steering = channel(&mut writer, "/steering", &messages::steering())?;
        let work = channel(&mut writer, "/work", &messages::work())?;
        Ok(Self { writer, image, steering, work, count: 0 })
    }

    fn write(&mut self, channel_id: u16, time_ns: u64, message: &impl Message) -> anyhow::Result<()> {
        let header = MessageHeader { channel_id, sequence: self.count, log_time: time_ns, publish_time: time_ns };
        Ok(self.writer.write_to_known_channel(&header, &message.encode_to_vec())?)
    }
}

impl Export for Mcap {
    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        let time_ns = (result.time_s.max(0.0) * 1e9).round() as u64;
        let nanos = (time_ns % 1_000_000_000) as i32;
        let timestamp = Some(Timestamp { seconds: (time_ns / 1_000_000_000) as i64, nanos });
        let image = CompressedImage {
            timestamp,
            data: jpeg(result)?,
            format: "jpeg".to_owned(),
            frame_id: "camera".to_owned(),
        };
        let steering = Steering {
            timestamp,
            steering_rad: result.steering_rad.into(),
            steering_true_rad: result.steering_true_rad.map(f64::from),
            steering_dense_rad: result.steering_dense_rad.map(f64::from),
        };
        let work = Work {
            timestamp,
            columns_x: result.count.columns_x,
            columns_h: result.count.columns_h,
            macs: result.count.macs,
            macs_dense: result.totals.macs_dense / result.totals.steps.max(1),
            savings_so_far: result.totals.savings(),
        };
        self.write(self.image, time_ns, &image)?;
        self.write(self.steering, time_ns, &steering)?;
        self.write(self.work, time_ns, &work)?;
        self.count = self.count.wrapping_add(1);
        Ok(())
    }

    fn finish(mut self: Box<Self>, _drive: &Drive) -> anyhow::Result<()> {
        self.writer.finish()?;
        self.writer.into_inner().into_inner().finish()
    }
}

fn channel(writer: &mut Writer<Sink>, topic: &str, schema: &Schema) -> anyhow::Result<u16> {
    let schema = writer.add_schema(&schema.name, "protobuf", &schema.data)?;
    Ok(writer.add_channel(schema, topic, "protobuf", &BTreeMap::new())?)
}

/// A frame's picture as JPEG.
///
/// # Errors
/// A picture that cannot be coded.
pub fn jpeg(result: &FrameResult) -> anyhow::Result<Vec<u8>> {
    let (height, width, _) = result.image.dim();
    let mut data = Vec::new();
    JpegEncoder::new_with_quality(&mut data, JPEG_QUALITY)
        .encode(rgb_bytes(&result.image), width as u32, height as u32, image::ExtendedColorType::Rgb8)
        .with_context(|| format!("frame {}: as a JPEG", result.index))?;
    Ok(data)
}
