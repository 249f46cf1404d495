//! FFmpeg's decoders: packets in, upright RGB pictures out, none of them damaged.

use std::collections::{BTreeMap, BTreeSet};

use ffmpeg_next::codec::Id;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Error, codec, decoder, error, frame, threading};
use ndarray::Array3;

use super::ffmpeg::{Converter, Demuxer, VideoPacket, display_matrix, plain};
use super::h264::FrameNumbers;
use crate::recorded::decode::{MAX_PIXELS, MAX_SIDE};
use crate::upright::Upright;

/// How a decoder works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Care {
    /// Several threads, which cannot tell which packet an error belongs to.
    pub threads: bool,
    /// The least error costs the frame. Some cameras' streams break the standard in every frame.
    pub strict: bool,
}

/// What a decoder gives.
pub(super) enum Decoded {
    /// A sound frame, and the number of the packet that held it.
    Frame(usize),
    /// A frame is damaged or cannot be decoded, or follows from one that is.
    Damage,
}

/// A decoder. Each packet gets a number, which comes back with its frame whatever the order in which they are shown.
pub(super) struct Decoder {
    decoder: decoder::Video,
    care: Care,
    /// How the stream is to be turned, unless a frame says otherwise.
    upright: Upright,
    frame: frame::Video,
    converter: Option<Converter>,
    /// Stamps of the packets in the decoder.
    stamps: BTreeMap<usize, Option<i64>>,
    /// The last key packets and their stamps.
    keys: BTreeMap<usize, Option<i64>>,
    /// Damaged packets since those.
    damaged: BTreeSet<usize>,
    /// Packets before which others are missing.
    lost_before: BTreeSet<usize>,
    /// The numbering of pictures, where the codec has one.
    numbers: Option<FrameNumbers>,
    ended: bool,
}

impl Decoder {
    /// A decoder for the stream of `demuxer`.
    ///
    /// # Errors
    /// A plain fragment.
    pub(super) fn new(demuxer: &Demuxer, care: Care) -> Result<Self, String> {
        let stream = demuxer.stream();
        let mut context = codec::Context::from_parameters(stream.parameters()).map_err(plain)?;
        // FFmpeg 5.1 aborts the process where damage meets threads in MPEG-4's decoder, so only those that are worth it have some.
        let worth = matches!(demuxer.codec(), Id::H264 | Id::HEVC | Id::VP8 | Id::VP9 | Id::AV1 | Id::MJPEG);
        let care = Care { threads: care.threads && worth, ..care };
        let kind = if care.threads { threading::Type::Frame } else { threading::Type::None };
        context.set_threading(threading::Config { kind, ..threading::Config::count(usize::from(!care.threads)) });
        let mut decoder = context.decoder();
        decoder.set_packet_time_base(stream.time_base());
        if care.strict {
            decoder.check(codec::decoder::Check::EXPLODE);
        }
        let codec = decoder::find(demuxer.codec()).ok_or("FFmpeg has no decoder for it")?;
        let options = [("max_pixels", MAX_PIXELS.to_string())];
        let options = options.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let decoder = decoder.open_as_with(codec, options).and_then(|opened| opened.video()).map_err(plain)?;
        let upright = demuxer.upright();
        Ok(Self {
            decoder,
            care,
            upright,
            frame: frame::Video::empty(),
            converter: None,
            stamps: BTreeMap::new(),
            keys: BTreeMap::new(),
            damaged: BTreeSet::new(),
            lost_before: BTreeSet::new(),
            numbers: (demuxer.codec() == Id::H264).then(|| FrameNumbers::new(&demuxer.extra_data())),
            ended: false,
        })
    }

    /// How this decoder works.
    pub(super) fn care(&self) -> Care {
        self.care
    }

    /// Forgets what it holds, before packets from another place in the file.
    pub(super) fn flush(&mut self) {
        self.decoder.flush();
        self.stamps.clear();
        self.keys.clear();
        self.damaged.clear();
        self.lost_before.clear();
        self.numbers.iter_mut().for_each(FrameNumbers::jump);
        self.ended = false;
    }

    /// Hands over packet `number`; `None` is the end. What comes of it, [`Decoder::receive`] says. False if it is damaged.
    pub(super) fn send(&mut self, number: usize, packet: Option<VideoPacket>) -> bool {
        let Some(VideoPacket { mut packet, .. }) = packet else {
            self.ended = true;
            let _ = self.decoder.send_eof(); // only fails if it was sent before
            return true;
        };
        keep_last(&mut self.stamps, 64, number, packet.pts());
        if packet.is_key() {
            keep_last(&mut self.keys, 16, number, packet.pts());
        }
        // A demuxer that has lost something says so with the packet before; whether that one is whole, the decoder will say.
        if packet.is_corrupt() {
            self.lost_before.insert(number + 1);
        }
        if !self.numbers.as_mut().is_none_or(|numbers| numbers.follow(packet.data().unwrap_or_default())) {
            self.lost_before.insert(number);
        }
        packet.set_pts(Some(number as i64));
        packet.set_dts(None);
        // Some decoders make nothing of such a packet and do not say so.
        let sent = !is_blank(packet.data().unwrap_or_default()) && self.decoder.send_packet(&packet).is_ok();
        if !sent {
            self.damage(number);
        }
        sent
    }

    /// The next frame, if one is ready. `None` means that more packets are needed, or that all is given where the end was sent.
    pub(super) fn receive(&mut self) -> Option<Decoded> {
        match self.decoder.receive_frame(&mut self.frame) {
            Ok(()) => {}
            Err(Error::Eof | Error::Other { errno: error::EAGAIN }) => return None,
            Err(_) => {
                self.damage(self.newest());
                return Some(Decoded::Damage);
            }
        }
        let number = self.frame.pts().map_or_else(|| self.newest(), |number| number.max(0) as usize);
        if self.frame.is_corrupt() || self.frame.has_decode_errors() {
            self.damage(number);
        }
        Some(if self.usable(number) { Decoded::Frame(number) } else { Decoded::Damage })
    }

    /// True if the frame of packet `number` is sound although no frame came of the packets `missing`. HEVC's decoder says nothing
    /// of packets that it can make nothing of, and predicts the next pictures from grey ones.
    pub(super) fn follows(&mut self, number: usize, missing: impl Iterator<Item = usize>) -> bool {
        if self.decoder.id() != Id::HEVC {
            return true;
        }
        missing.for_each(|missing| self.damage(missing));
        self.usable(number)
    }

    /// True once the end was sent.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    fn newest(&self) -> usize {
        self.stamps.last_key_value().map_or(0, |(number, _)| *number)
    }

    fn damage(&mut self, number: usize) {
        let oldest = self.keys.first_key_value().map_or(0, |(number, _)| *number);
        self.damaged.retain(|damaged| *damaged >= oldest);
        self.lost_before.retain(|next| *next >= oldest);
        self.damaged.insert(number);
    }

    /// True for a frame that does not depend on a damaged one: from the key frame before it on, all packets were sound. What is
    /// predicted from a damaged picture shows a mixture of old and new.
    fn usable(&self, number: usize) -> bool {
        let mut keys = self.keys.range(..=number).rev();
        let key = keys.next();
        let own = self.stamps.get(&number).copied().flatten();
        // Frames stored after a key frame and shown before it are predicted from both sides.
        let leads = own.zip(key.and_then(|(_, stamp)| *stamp)).is_some_and(|(own, key)| own < key);
        let first = if leads { keys.next() } else { key };
        let first = first.map_or(0, |(number, _)| *number);
        let sound = self.damaged.range(first..=number).next().is_none();
        sound && self.lost_before.range(first + 1..=number.max(first + 1)).next().is_none_or(|next| *next > number)
    }

    /// The frame that was received last, as an upright RGB picture.
    ///
    /// # Errors
    /// A plain fragment.
    pub(super) fn picture(&mut self) -> Result<Array3<u8>, String> {
        let (width, height, format) = (self.frame.width(), self.frame.height(), self.frame.format());
        if width as usize > MAX_SIDE || height as usize > MAX_SIDE {
            return Err(format!("a picture of {width}x{height}; at most {MAX_SIDE} on a side was expected"));
        }
        let wanted = scaling::context::Definition { format, width, height };
        if self.converter.as_ref().is_none_or(|converter| *converter.0.input() != wanted) {
            let flags = scaling::Flags::BICUBIC;
            let converter = scaling::Context::get(format, width, height, Pixel::RGB24, width, height, flags);
            self.converter = Some(Converter(converter.map_err(plain)?));
        }
        let converter = self.converter.as_mut().ok_or("no converter")?;
        let mut rgb = frame::Video::empty();
        converter.0.run(&self.frame, &mut rgb).map_err(plain)?;
        let (width, height) = (width as usize, height as usize);
        let mut pixels = Vec::with_capacity(3 * width * height);
        for row in rgb.data(0).chunks(rgb.stride(0)).take(height) {
            pixels.extend_from_slice(row.get(..3 * width).ok_or("a picture cut short")?);
        }
        let image = Array3::from_shape_vec((height, width, 3), pixels).map_err(|e| format!("{width}x{height}: {e}"))?;
        let own = self.frame.side_data(frame::side_data::Type::DisplayMatrix);
        let own = own.and_then(|matrix| display_matrix(matrix.data())).map(Upright::of_display_matrix);
        Ok(own.unwrap_or(self.upright).apply(image))
    }
}

/// Adds an entry and drops the first ones beyond `count`.
fn keep_last(entries: &mut BTreeMap<usize, Option<i64>>, count: usize, number: usize, stamp: Option<i64>) {
    entries.insert(number, stamp);
    while entries.len() > count {
        entries.pop_first();
    }
}

/// True for a packet that was overwritten with zeros, as a sector that cannot be read is.
pub(super) fn is_blank(data: &[u8]) -> bool {
    /// The fewest bytes, zeros after the first four, that are no picture of any codec.
    const BLANK: usize = 12;
    data.len() >= BLANK && data[4..].iter().all(|byte| *byte == 0)
}
