//! FFmpeg's demuxers: packets of the video stream of a file or URL, in bounded time and memory.
//!
//! The crate `ffmpeg-next` wraps nearly all that is needed. What it does not (an interrupt that sees how much was read, a flag of
//! packets) is here, and so is all `unsafe` of this crate.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use ffmpeg_next::codec::packet::Ref as _;
use ffmpeg_next::format::context::{Input, StreamIo};
use ffmpeg_next::software::scaling;
use ffmpeg_next::util::interrupt;
use ffmpeg_next::{Dictionary, Error, Packet, Rational, Stream, codec, error, ffi, format, log, media, packet};

use crate::remote::{self, RemoteFile};
use crate::upright::Upright;

/// The most bytes that are read between two packets of a stream: an endless one must not fill the memory.
const MAX_BETWEEN_PACKETS: i64 = 64 << 20;

/// Ends a read that lasts too long, takes too much, or that nobody waits for any more. Shared with the thread that reads.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    started: Instant,
    /// Milliseconds after `started` at which the read in progress ends; 0 for never.
    deadline_ms: AtomicU64,
    too_much: AtomicBool,
    /// Something came.
    answered: AtomicBool,
}

impl Watch {
    /// A watch that ends every read once `stop` is set.
    pub(super) fn new(stop: Arc<AtomicBool>) -> Arc<Self> {
        let [too_much, answered] = [const { AtomicBool::new(false) }; 2];
        Arc::new(Self { stop, started: Instant::now(), deadline_ms: AtomicU64::new(0), too_much, answered })
    }

    /// Gives the reads from now on this long.
    fn allow(&self, time: Option<Duration>) {
        let deadline = time.map_or(0, |time| (self.started.elapsed() + time).as_millis() as u64);
        self.deadline_ms.store(deadline, Ordering::Relaxed);
    }

    fn late(&self) -> bool {
        let deadline = self.deadline_ms.load(Ordering::Relaxed);
        deadline > 0 && self.started.elapsed().as_millis() as u64 > deadline
    }

    /// True to end the read in progress, in which `bytes` were read so far.
    fn interrupts(&self, bytes: i64) -> bool {
        self.answered.fetch_or(bytes > 0, Ordering::Relaxed);
        if self.deadline_ms.load(Ordering::Relaxed) > 0 && bytes > MAX_BETWEEN_PACKETS {
            self.too_much.store(true, Ordering::Relaxed);
        }
        self.stop.load(Ordering::Relaxed) || self.too_much.load(Ordering::Relaxed) || self.late()
    }

    /// What an error of a read means, as a plain fragment.
    fn explain(&self, error: Error) -> String {
        match error {
            _ if self.too_much.load(Ordering::Relaxed) => {
                format!("one frame of more than {} MiB", MAX_BETWEEN_PACKETS >> 20)
            }
            Error::Exit if self.late() => "no answer in time".to_owned(),
            Error::Exit => "stopped".to_owned(),
            error => plain(error),
        }
    }
}

/// A packet of the video stream.
pub(super) struct VideoPacket {
    /// The packet itself.
    pub packet: Packet,
    /// False where the container says that it is only needed to decode others, such as frames cut off by an edit list.
    pub shown: bool,
}

/// An open file or URL, read packet by packet.
pub(super) struct Demuxer {
    input: Input,
    stream: usize,
    watch: Arc<Watch>,
    /// How long each read may last.
    patience: Option<Duration>,
    /// What `Counter` has seen when the last packet came.
    counted: Arc<AtomicU64>,
    /// The file, where it is on a server.
    remote: Option<Arc<RemoteFile>>,
}

/// The context under construction, for the interrupt.
struct Counter(*mut ffi::AVFormatContext);

// SAFETY: FFmpeg calls the interrupt on the very thread that uses the context, which is the only one that follows the pointer.
unsafe impl Send for Counter {}

impl Counter {
    /// Bytes that the protocol has delivered so far.
    fn bytes(&self) -> i64 {
        // SAFETY: the context is alive while FFmpeg reads through it, and `pb` is null or valid then.
        unsafe { (*self.0).pb.as_ref().map_or(0, |pb| pb.bytes_read) }
    }
}

impl Demuxer {
    /// Opens a file or URL and finds its video stream; no read lasts longer than `patience`.
    ///
    /// # Errors
    /// A plain fragment.
    pub(super) fn open(url: &str, patience: Option<Duration>, watch: &Arc<Watch>) -> Result<Self, String> {
        be_quiet();
        let options: Dictionary<'_> = [("rtsp_transport", "tcp")].iter().collect();
        watch.allow(patience);
        let counted = Arc::new(AtomicU64::new(0));
        let input = open_watched(url, options, watch, &counted).map_err(|error| match error {
            // What a server sends that is no video ends like this as well.
            Error::Other { errno: error::EIO } if watch.answered.load(Ordering::Relaxed) => plain(Error::InvalidData),
            error => watch.explain(error),
        })?;
        Ok(Self { stream: video_in(&input)?, input, watch: Arc::clone(watch), patience, counted, remote: None })
    }

    /// Opens a file on a server.
    ///
    /// # Errors
    /// A plain fragment.
    pub(super) fn open_remote(file: &Arc<RemoteFile>) -> Result<Self, String> {
        be_quiet();
        // What the file names, such as the parts of a playlist, is not fetched.
        let options: Dictionary<'_> = [("protocol_whitelist", "none")].iter().collect();
        let name = remote::file_name(file.url());
        let opened = StreamIo::from_read_seek(file.reader())
            .and_then(|stream| format::input_from_stream(stream, name, Some(options)));
        let input = opened.map_err(|error| file.failure().unwrap_or_else(|| plain(error)))?;
        let (watch, counted, remote) = (Watch::new(Arc::default()), Arc::default(), Some(Arc::clone(file)));
        Ok(Self { stream: video_in(&input)?, input, watch, patience: None, counted, remote })
    }

    /// The next packet of the video stream; `None` at the end.
    ///
    /// # Errors
    /// A plain fragment; nothing more can be read then.
    pub(super) fn next(&mut self) -> Result<Option<VideoPacket>, String> {
        let packet = self.read();
        // A demuxer may take a failure of the network for the end of the file, or for damage.
        match self.remote.as_ref().and_then(|file| file.failure()) {
            Some(failure) => Err(failure),
            None => packet,
        }
    }

    fn read(&mut self) -> Result<Option<VideoPacket>, String> {
        /// Reads in a row that may fail before the file counts as ended.
        const ATTEMPTS: usize = 1000;
        let mut failures = 0;
        loop {
            self.watch.allow(self.patience);
            // SAFETY: only the address is taken.
            let context = Counter(unsafe { self.input.as_mut_ptr() });
            self.counted.store(context.bytes() as u64, Ordering::Relaxed);
            let mut packet = Packet::empty(); // a fresh one: reading does not release what the last one held
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() == self.stream => {
                    let shown = !is_discarded(&packet);
                    return Ok(Some(VideoPacket { packet, shown }));
                }
                Ok(()) => {}
                Err(Error::Eof) => return Ok(None),
                Err(Error::InvalidData | Error::Other { errno: error::EAGAIN }) if failures < ATTEMPTS => failures += 1,
                Err(error) => return Err(self.watch.explain(error)),
            }
        }
    }

    /// Goes to the last key frame that is stamped `pts` or before, as far as the container's index allows. False if it cannot.
    pub(super) fn seek(&mut self, pts: i64) -> bool {
        let base = self.stream().time_base();
        let microseconds = pts as f64 * f64::from(base.numerator()) / f64::from(base.denominator()) * 1e6;
        self.watch.allow(self.patience);
        let latest = microseconds.ceil() as i64;
        self.input.seek(latest, ..latest).is_ok()
    }

    /// The video stream.
    pub(super) fn stream(&self) -> Stream<'_> {
        self.input.streams().nth(self.stream).expect("the stream was found when the file was opened")
    }

    /// How many video streams there are beside the one that is read, pictures attached to the file left out.
    pub(super) fn other_videos(&self) -> usize {
        let attached = ffmpeg_next::format::stream::Disposition::ATTACHED_PIC;
        let is_video =
            |s: &Stream<'_>| s.parameters().medium() == media::Type::Video && !s.disposition().contains(attached);
        self.input.streams().filter(|s| is_video(s) && s.index() != self.stream).count()
    }

    /// False for bare streams (`.h264`, `.mjpeg`): their time stamps are FFmpeg's assumption.
    pub(super) fn has_times(&self) -> bool {
        // SAFETY: demuxers are static.
        let flags = unsafe { (*self.input.format().as_ptr()).flags };
        flags & ffi::AVFMT_NOTIMESTAMPS == 0
    }

    /// Frames a second as the stream states or FFmpeg guesses them.
    pub(super) fn rate_hz(&self) -> Option<f64> {
        let stream = self.stream();
        [stream.avg_frame_rate(), stream.rate()].into_iter().map(f64::from).find(|hz| (0.1..=1000.0).contains(hz))
    }

    /// Frames that the container announces.
    pub(super) fn announced(&self) -> Option<usize> {
        usize::try_from(self.stream().frames()).ok().filter(|count| *count > 0)
    }

    /// Stamps by position in the file, from the index at the end of an AVI file. Its demuxer counts the frames that it meets
    /// instead, so that a lost one would move all that follow.
    pub(super) fn avi_stamps(&self) -> HashMap<i64, i64> {
        /// A chunk's name and size, between the place that the index names and the packet.
        const CHUNK_HEADER: i64 = 8;
        if self.input.format().name() != "avi" {
            return HashMap::new();
        }
        let stream = self.stream();
        // SAFETY: the stream lives as long as the borrow of `self`, and its entries are counted first.
        unsafe {
            let stream = stream.as_ptr().cast_mut();
            let entries =
                (0..ffi::avformat_index_get_entries_count(stream)).map(|i| ffi::avformat_index_get_entry(stream, i));
            entries
                .filter_map(|entry| entry.as_ref())
                .map(|entry| (entry.pos + CHUNK_HEADER, entry.timestamp))
                .collect()
        }
    }

    /// Which way up the stream is shown.
    pub(super) fn upright(&self) -> Upright {
        let stream = self.stream();
        let matrix = stream.side_data().find(|data| data.kind() == packet::side_data::Type::DisplayMatrix);
        matrix.and_then(|matrix| display_matrix(matrix.data())).map_or(Upright::default(), Upright::of_display_matrix)
    }

    /// Width over height of one stored pixel.
    pub(super) fn pixel_aspect(&self) -> f64 {
        // SAFETY: the parameters belong to the stream, which lives as long as the borrow of `self`.
        let aspect = unsafe { (*self.stream().parameters().as_ptr()).sample_aspect_ratio };
        if aspect.num > 0 && aspect.den > 0 { f64::from(Rational::from(aspect)) } else { 1.0 }
    }

    /// Frames that may be stored in another order than they are shown.
    pub(super) fn reorders(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.stream().parameters().as_ptr()).video_delay > 0 }
    }

    /// What the container stores once for all packets.
    pub(super) fn extra_data(&self) -> Vec<u8> {
        let parameters = self.stream().parameters();
        // SAFETY: the parameters are valid as long as the stream, and the data lie within them with that size.
        unsafe {
            let parameters = &*parameters.as_ptr();
            let size = usize::try_from(parameters.extradata_size).unwrap_or(0);
            if parameters.extradata.is_null() { &[] } else { std::slice::from_raw_parts(parameters.extradata, size) }
                .to_vec()
        }
    }

    /// The codec of the stream.
    pub(super) fn codec(&self) -> codec::Id {
        self.stream().parameters().id()
    }
}

/// FFmpeg writes to standard error otherwise.
fn be_quiet() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| log::set_level(log::Level::Quiet));
}

/// The number of the video stream.
fn video_in(input: &Input) -> Result<usize, String> {
    let stream = input.streams().best(media::Type::Video).map(|stream| stream.index());
    stream.ok_or_else(|| "FFmpeg finds no video in it".to_owned())
}

/// The nine numbers of a display matrix, in the machine's byte order.
pub(super) fn display_matrix(data: &[u8]) -> Option<[i32; 9]> {
    let numbers = data.as_chunks::<4>().0.iter().map(|bytes| i32::from_ne_bytes(*bytes)).collect::<Vec<_>>();
    numbers.try_into().ok()
}

/// `avformat_open_input` and `avformat_find_stream_info` under a watch.
fn open_watched(
    url: &str,
    options: Dictionary<'_>,
    watch: &Arc<Watch>,
    counted: &Arc<AtomicU64>,
) -> Result<Input, Error> {
    let url = std::ffi::CString::new(url).map_err(|_| Error::Other { errno: error::EINVAL })?;
    // SAFETY: the context is made here and handed over to exactly one owner: to FFmpeg, which frees it when opening fails, or to
    // `Input`, which closes it and then drops the interrupt's closure.
    unsafe {
        let mut context = ffi::avformat_alloc_context();
        if context.is_null() {
            return Err(Error::Other { errno: error::ENOMEM });
        }
        let (counter, watch, counted) = (Counter(context), Arc::clone(watch), Arc::clone(counted));
        let interrupt = interrupt::new(Box::new(move || {
            let counter = &counter;
            watch.interrupts(counter.bytes() - counted.load(Ordering::Relaxed) as i64)
        }));
        (*context).interrupt_callback = interrupt.interrupt;
        let mut options = options.disown();
        let opened = ffi::avformat_open_input(&mut context, url.as_ptr(), std::ptr::null(), &mut options);
        drop(Dictionary::own(options));
        if opened < 0 {
            return Err(Error::from(opened));
        }
        let input = Input::wrap_with_interrupt(context, interrupt.guard);
        match ffi::avformat_find_stream_info(context, std::ptr::null_mut()) {
            found if found < 0 => Err(Error::from(found)),
            _ => Ok(input),
        }
    }
}

/// True for a packet that is decoded but not shown.
fn is_discarded(packet: &Packet) -> bool {
    // SAFETY: the packet is valid as long as the reference.
    unsafe { (*packet.as_ptr()).flags & ffi::AV_PKT_FLAG_DISCARD != 0 }
}

/// FFmpeg's converter between pixel formats.
pub(super) struct Converter(pub scaling::Context);

// SAFETY: the context has no tie to the thread that made it, and `&mut` is needed to use it.
unsafe impl Send for Converter {}

/// What an error of FFmpeg means, as a plain fragment.
pub(super) fn plain(error: Error) -> String {
    match error {
        Error::Other { errno: error::ECONNREFUSED } => "the connection was refused: nobody listens there".to_owned(),
        Error::Other { errno: error::ETIMEDOUT } => "no answer in time".to_owned(),
        Error::Other { errno: error::EHOSTUNREACH | error::ENETUNREACH } => "that machine cannot be reached".to_owned(),
        Error::Other { errno: error::ECONNRESET } => "the connection was cut".to_owned(),
        Error::Other { errno: error::EIO } => "no such machine, or it broke off".to_owned(),
        Error::HttpBadRequest => "the server does not understand the request (400)".to_owned(),
        Error::HttpUnauthorized => "the server wants another user name and password (401)".to_owned(),
        Error::HttpForbidden => "the server forbids it (403)".to_owned(),
        Error::HttpNotFound => "the server has nothing under that address (404)".to_owned(),
        Error::HttpOther4xx => "the server refused the request (4xx)".to_owned(),
        Error::HttpServerError => "the server failed (5xx)".to_owned(),
        Error::InvalidData => "FFmpeg finds no video in it".to_owned(),
        Error::ProtocolNotFound => "FFmpeg knows no such protocol".to_owned(),
        Error::DecoderNotFound => "FFmpeg has no decoder for it".to_owned(),
        error => format!("FFmpeg: {error}"),
    }
}
