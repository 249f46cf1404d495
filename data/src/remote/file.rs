//! A file behind http(s) as `Read + Seek`: range requests, a bounded cache of blocks, and repeated tries.
//!
//! Every answer must be of the same file: its length, and its ETag or its time, may not change. A failure that lasts is kept in
//! the file, so that no reader can take it for the end of the file or for damage.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::request::{Answer, Failure, get, header};

/// Bytes of a block of the cache.
const BLOCK: u64 = 256 << 10;
/// The most blocks of one request; a reader that reads on gets twice as many each time.
const MOST_AHEAD: u64 = 16;
/// Blocks that are kept: 64 MiB. Less in tests, so that small files are read again.
const KEPT: usize = if cfg!(test) { 16 } else { 256 };
/// Pauses before a request is sent again, milliseconds.
const PAUSES_MS: [u64; 5] = [0, 250, 500, 1000, 2000];

/// What a server has under an address.
pub(super) enum Found {
    /// A file, sent in the ranges that are asked for.
    File(RemoteFile),
    /// A file that is only sent as a whole.
    WholeOnly,
    /// Something without a length.
    Stream,
}

/// A file behind http(s).
#[derive(Debug)]
pub(crate) struct RemoteFile {
    url: String,
    length: u64,
    version: Option<Version>,
    blocks: Mutex<Blocks>,
    failure: OnceLock<String>,
}

/// What changes when a file does.
#[derive(Debug, PartialEq, Eq)]
enum Version {
    Etag(String),
    Modified(String),
}

impl Version {
    fn of(answer: &Answer) -> Option<Self> {
        let etag = header(answer, "etag").map(|etag| Self::Etag(etag.to_owned()));
        etag.or_else(|| header(answer, "last-modified").map(|time| Self::Modified(time.to_owned())))
    }

    fn text(&self) -> &str {
        match self {
            Self::Etag(text) | Self::Modified(text) => text,
        }
    }
}

#[derive(Debug, Default)]
struct Blocks {
    /// By number, each with the time of its last use.
    kept: HashMap<u64, (u64, Arc<[u8]>)>,
    clock: u64,
}

impl Blocks {
    fn get(&mut self, number: u64) -> Option<Arc<[u8]>> {
        self.clock += 1;
        let (used, block) = self.kept.get_mut(&number)?;
        *used = self.clock;
        Some(Arc::clone(block))
    }

    fn keep(&mut self, number: u64, block: Arc<[u8]>) {
        self.clock += 1;
        self.kept.insert(number, (self.clock, block));
        if self.kept.len() > KEPT
            && let Some(oldest) = self.kept.iter().min_by_key(|(_, (used, _))| *used).map(|(number, _)| *number)
        {
            self.kept.remove(&oldest);
        }
    }
}

/// Asks a server for one byte, to find out what it has.
///
/// # Errors
/// A connection that fails, or a server that refuses.
pub(super) fn find(url: &str) -> Result<Found, Failure> {
    let answer = get(url, &(0..1))?;
    let stated = header(&answer, "content-length").and_then(|length| length.parse::<u64>().ok());
    let length = match answer.status().as_u16() {
        206 => content_range(&answer).map(|(_, length)| length).ok_or_else(|| {
            Failure::lasting("the server sends a part of the file without its length (Content-Range)")
        })?,
        416 => return Err(Failure::lasting("the file is empty")),
        200 => match stated.filter(|_| !is_multipart(&answer)) {
            Some(length) if header(&answer, "accept-ranges") == Some("bytes") => length,
            Some(_) => return Ok(Found::WholeOnly),
            None => return Ok(Found::Stream),
        },
        status => return Err(Failure::of_status(status)),
    };
    let version = Version::of(&answer);
    let blocks = Mutex::default();
    Ok(Found::File(RemoteFile { url: url.to_owned(), length, version, blocks, failure: OnceLock::new() }))
}

/// A camera that sends pictures one after the other.
fn is_multipart(answer: &Answer) -> bool {
    header(answer, "content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/"))
}

/// The range that an answer holds, and the length of the whole file: `bytes 0-99/1234`.
fn content_range(answer: &Answer) -> Option<(Range<u64>, u64)> {
    parse_range(header(answer, "content-range")?)
}

fn parse_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, length) = text.strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    (first <= last).then_some((first..last.checked_add(1)?, length.parse().ok()?))
}

impl RemoteFile {
    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// ETag or time of the last change, as the server gives them; empty if it gives none.
    pub(super) fn version(&self) -> &str {
        self.version.as_ref().map_or("", Version::text)
    }

    /// Why nothing more can be read of it.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }

    /// A reader at the beginning.
    pub(crate) fn reader(self: &Arc<Self>) -> RemoteReader {
        RemoteReader { file: Arc::clone(self), position: 0, current: None, expected: 0, ahead: 1 }
    }

    /// Bytes of the file, tried several times.
    fn fetch(&self, range: Range<u64>) -> Result<Vec<u8>, String> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        let mut pauses = PAUSES_MS.iter();
        loop {
            let from = range.start + bytes.len() as u64;
            if from >= range.end {
                return Ok(bytes);
            }
            let Err(failure) = self.fetch_part(from..range.end, &mut bytes) else { continue };
            match pauses.next().filter(|_| failure.transient) {
                Some(pause) => std::thread::sleep(Duration::from_millis(*pause)),
                None => {
                    let tries =
                        if failure.transient { format!(", {} times", PAUSES_MS.len() + 1) } else { String::new() };
                    let reason = format!("byte {from} of {} cannot be read{tries}: {}", self.length, failure.reason);
                    return Err(self.failure.get_or_init(|| reason).clone());
                }
            }
        }
    }

    /// Appends what one request brings of `range`, which may be less.
    fn fetch_part(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        let answer = get(&self.url, &range)?;
        let sent = self.check(&answer, range.start)?;
        let wanted = sent.end.min(range.end) - range.start;
        let before = bytes.len() as u64;
        let read = answer.into_body().into_reader().take(wanted).read_to_end(bytes);
        read.map_err(|error| Failure::of_io(&error))?;
        if bytes.len() as u64 - before < wanted {
            return Err(Failure::passing("the connection was cut"));
        }
        Ok(())
    }

    /// Refuses an answer that is of another file, or not from byte `start` on.
    fn check(&self, answer: &Answer, start: u64) -> Result<Range<u64>, Failure> {
        let changed = |now: String| Failure::lasting(format!("the file changed while it was read: {now}"));
        match answer.status().as_u16() {
            206 => {}
            200 => {
                return Err(Failure::lasting("the server does not answer range requests (status 200 instead of 206)"));
            }
            416 => return Err(changed("it has become shorter".to_owned())),
            status => return Err(Failure::of_status(status)),
        }
        let (range, length) = content_range(answer).filter(|(range, _)| range.start == start).ok_or_else(|| {
            Failure::lasting(format!("the server sent another part of the file than the one from byte {start}"))
        })?;
        if length != self.length {
            return Err(changed(format!("{length} bytes, before {}", self.length)));
        }
        match (&self.version, Version::of(answer)) {
            (Some(before), Some(now)) if *before != now => {
                Err(changed(format!("its version is {}, before {}", now.text(), before.text())))
            }
            _ => Ok(range),
        }
    }

    fn blocks(&self) -> std::sync::MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a file from one place on.
pub(crate) struct RemoteReader {
    file: Arc<RemoteFile>,
    position: u64,
    /// The block that was read last.
    current: Option<(u64, Arc<[u8]>)>,
    /// The block that follows the last request.
    expected: u64,
    /// Blocks of the next request, if it is for that block.
    ahead: u64,
}

impl RemoteReader {
    fn block(&mut self, number: u64) -> Result<Arc<[u8]>, String> {
        if let Some((_, block)) = self.current.as_ref().filter(|(current, _)| *current == number) {
            return Ok(Arc::clone(block));
        }
        let kept = self.file.blocks().get(number);
        let block = match kept {
            Some(block) => block,
            None => self.fetch(number)?,
        };
        self.current = Some((number, Arc::clone(&block)));
        Ok(block)
    }

    /// Fetches a block, and more of those behind it the longer the reader reads on.
    fn fetch(&mut self, number: u64) -> Result<Arc<[u8]>, String> {
        self.ahead = if number == self.expected { (2 * self.ahead).min(MOST_AHEAD) } else { 1 };
        self.expected = number + self.ahead;
        let bytes = self.file.fetch(number * BLOCK..(self.expected * BLOCK).min(self.file.length))?;
        let mut blocks = self.file.blocks();
        for (number, block) in (number..).zip(bytes.chunks(BLOCK as usize)) {
            blocks.keep(number, Arc::from(block));
        }
        blocks.get(number).ok_or_else(|| "nothing was read".to_owned())
    }
}

impl Read for RemoteReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.file.length || buffer.is_empty() {
            return Ok(0);
        }
        let block = self.block(self.position / BLOCK).map_err(io::Error::other)?;
        let rest = block.get((self.position % BLOCK) as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for RemoteReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.file.length.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_parsed() {
        assert_eq!(parse_range("bytes 0-0/1234"), Some((0..1, 1234)));
        assert_eq!(parse_range("bytes 5-9/10"), Some((5..10, 10)));
        for text in ["bytes */10", "bytes 0-0/*", "bytes 9-5/10", "0-0/1", "bytes 0/1", ""] {
            assert_eq!(parse_range(text), None, "{text}");
        }
    }

    #[test]
    fn the_cache_keeps_what_was_used_last() {
        let mut blocks = Blocks::default();
        for number in 0..=KEPT as u64 {
            blocks.keep(number, Arc::from([1u8]));
            assert!(blocks.get(0).is_some());
        }
        assert!(blocks.kept.len() == KEPT && blocks.get(1).is_none() && blocks.get(2).is_some());
    }
}
