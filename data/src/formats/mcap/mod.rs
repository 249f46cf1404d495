//! MCAP files (`.mcap`): chunks of messages of named topics, each topic with the description of its messages.
//!
//! A whole file ends with a summary: topics, counts, and where the chunks are. Without one, as in a file that was cut off, the
//! records are read from the beginning for as long as they make sense.
//!
//! - [`records`]: records in bytes, and what chunks hold

mod records;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use mcap::records::{Record, op};
use mcap::{MAGIC, parse_record};

use self::records::{each_record_of, split_record, unpack};
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use self::records::{fuzz, seeds};
use super::Opened;
use crate::folder::bad_file;
use crate::recorded::Tally;
use crate::remote::RemoteFile;
use crate::selection::Selection;
use crate::topics::schema::Schema;
use crate::topics::{self, At, Container, Seen, Topic, Visit};

const EXPECTED: &str = "an MCAP file with a topic of pictures";
/// The largest record, and the largest chunk when it is unpacked.
const MAX_BYTES: u64 = 256 << 20;
/// The most topics of one file.
const MAX_TOPICS: usize = 10_000;
/// Operation code and length before each record.
const HEAD: u64 = 9;
/// Unpacked chunks that are kept, and their bytes in all: threads that decode ahead take pictures of one chunk in turn.
const KEPT: (usize, usize) = (8, 64 << 20);
/// [`At::offset`] of a message outside of chunks.
const NO_CHUNK: u64 = u64::MAX;

/// Opens an MCAP file.
///
/// # Errors
/// [`DataError::BadFile`](crate::DataError::BadFile) for a file that is no MCAP file or has no pictures, and those of
/// [`topics::open`].
pub(super) fn open(name: &str, path: &Path, selection: &Selection) -> Opened {
    let file = McapFile::open(path).map_err(|problem| bad_file(path, problem, EXPECTED))?;
    topics::open(name, path, "MCAP", Box::new(file), selection)
}

/// Opens an MCAP file on a server.
///
/// # Errors
/// As [`open`].
pub(super) fn open_remote(name: &str, file: &Arc<RemoteFile>, selection: &Selection) -> Opened {
    let path = Path::new(file.url());
    let bytes =
        Bytes { reader: Mutex::new(Box::new(file.reader())), length: file.length(), remote: Some(Arc::clone(file)) };
    let file = McapFile::of(bytes).map_err(|problem| bad_file(path, problem, EXPECTED))?;
    topics::open(name, path, "MCAP", Box::new(file), selection)
}

/// Bytes that can be read at any place.
trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// The bytes of a file.
struct Bytes {
    reader: Mutex<Box<dyn ReadSeek>>,
    length: u64,
    /// The file, where it is on a server.
    remote: Option<Arc<RemoteFile>>,
}

/// An MCAP file.
pub(super) struct McapFile {
    bytes: Bytes,
    topics: Vec<Topic>,
    /// The topic of each channel.
    channels: BTreeMap<u16, usize>,
    /// In the order of the file.
    records: Vec<RecordAt>,
    /// What is wrong with the file as a whole.
    note: Option<String>,
    /// Chunks that were unpacked last, with their positions.
    cache: Mutex<VecDeque<(u64, Arc<Vec<u8>>)>>,
}

/// Where a chunk is, or a message outside of chunks.
struct RecordAt {
    position: u64,
    chunk: bool,
    /// The channels in a chunk, where the file tells.
    channels: Vec<u16>,
}

/// What a file says of itself.
#[derive(Default)]
struct Described {
    /// Name, language and text.
    schemas: BTreeMap<u16, (String, String, Vec<u8>)>,
    /// Schema, topic and encoding.
    channels: BTreeMap<u16, (u16, String, String)>,
    counts: Option<BTreeMap<u16, u64>>,
    chunks: Vec<RecordAt>,
}

impl Described {
    fn add(&mut self, record: Record<'_>) {
        match record {
            Record::Schema { header, data } if self.schemas.len() < MAX_TOPICS => {
                self.schemas.entry(header.id).or_insert_with(|| (header.name, header.encoding, data.into_owned()));
            }
            Record::Channel(channel) if self.channels.len() < MAX_TOPICS => {
                let described = (channel.schema_id, channel.topic, channel.message_encoding);
                self.channels.entry(channel.id).or_insert(described);
            }
            Record::Statistics(statistics) => self.counts = Some(statistics.channel_message_counts),
            Record::ChunkIndex(index) => self.chunks.push(RecordAt {
                position: index.chunk_start_offset,
                chunk: true,
                channels: index.message_index_offsets.into_keys().collect(),
            }),
            Record::Message { header, .. } => {
                *self.counts.get_or_insert_default().entry(header.channel_id).or_default() += 1;
            }
            _ => {}
        }
    }

    /// The topics, and the topic of each channel.
    fn topics(&self) -> (Vec<Topic>, BTreeMap<u16, usize>) {
        let mut topics: Vec<Topic> = Vec::new();
        let mut channels = BTreeMap::new();
        let none = (String::new(), String::new(), Vec::new());
        for (id, (schema_id, name, encoding)) in &self.channels {
            let (kind, language, data) = self.schemas.get(schema_id).unwrap_or(&none);
            let count = self.counts.as_ref().map(|counts| counts.get(id).copied().unwrap_or(0));
            // Several publishers of a topic have a channel each.
            let same = topics.iter().position(|topic| topic.name == *name && topic.kind == *kind);
            channels.insert(*id, same.unwrap_or(topics.len()));
            match same {
                Some(at) => topics[at].count = topics[at].count.zip(count).map(|(a, b)| a.saturating_add(b)),
                None => topics.push(Topic {
                    name: name.clone(),
                    kind: kind.clone(),
                    schema: Schema::new(encoding, kind, language, data),
                    count,
                }),
            }
        }
        (topics, channels)
    }
}

impl McapFile {
    /// Reads what the file says of itself.
    ///
    /// # Errors
    /// A fragment.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        let length = file.metadata().map_err(|e| e.to_string())?.len();
        Self::of(Bytes { reader: Mutex::new(Box::new(file)), length, remote: None })
    }

    fn of(bytes: Bytes) -> Result<Self, String> {
        let mut opened = Self {
            bytes,
            topics: Vec::new(),
            channels: BTreeMap::new(),
            records: Vec::new(),
            note: None,
            cache: Mutex::default(),
        };
        let magic = opened.bytes(0, MAGIC.len() as u64).ok();
        opened.check_network()?;
        if magic.as_deref() != Some(MAGIC) {
            return Err("the signature of an MCAP file is missing".to_owned());
        }
        let mut described = opened.summary().unwrap_or_default();
        described.chunks.sort_by_key(|chunk| chunk.position);
        opened.records = std::mem::take(&mut described.chunks);
        if opened.records.is_empty() {
            opened.list_records();
        }
        if described.channels.is_empty() {
            described.counts = None;
            opened.each_record(|_| true, &mut |record, _| described.add(record), &mut Vec::new());
        }
        (opened.topics, opened.channels) = described.topics();
        opened.check_network()?;
        Ok(opened)
    }

    /// An error where what seemed damaged or cut short was only not to be had.
    fn check_network(&self) -> Result<(), String> {
        self.failure().map_or(Ok(()), Err)
    }

    /// The summary at the end of the file; `None` if it has none or it is damaged.
    fn summary(&self) -> Option<Described> {
        const FOOTER: u64 = HEAD + 8 + 8 + 4;
        let footer_at = self.bytes.length.checked_sub(FOOTER + MAGIC.len() as u64)?;
        let end = self.bytes(footer_at, self.bytes.length - footer_at).ok()?;
        let (footer, magic) = end.split_at(FOOTER as usize);
        let Ok(Record::Footer(found)) = parse_record(footer[0], &footer[HEAD as usize..]) else { return None };
        if magic != MAGIC || found.summary_start == 0 || found.summary_start > footer_at {
            return None;
        }
        let bytes = self.bytes(found.summary_start, footer_at - found.summary_start).ok()?;
        let mut described = Described::default();
        each_record_of(&bytes, &mut |record, _| described.add(record)).ok()?;
        Some(described)
    }

    /// Finds the chunks of a file that does not say where they are.
    fn list_records(&mut self) {
        let mut position = MAGIC.len() as u64;
        loop {
            match self.head(position) {
                Ok((op::FOOTER | op::DATA_END, _)) => return,
                Ok((code, length)) if code > 0 => {
                    if matches!(code, op::CHUNK | op::SCHEMA | op::CHANNEL | op::MESSAGE) {
                        self.records.push(RecordAt { position, chunk: code == op::CHUNK, channels: Vec::new() });
                    }
                    position += HEAD + length;
                }
                _ => {
                    self.note = Some(format!(
                        "the file has no summary and is cut short or damaged: what follows byte {position} of {} is lost",
                        self.bytes.length
                    ));
                    return;
                }
            }
        }
    }

    /// Bytes of the file.
    fn bytes(&self, position: u64, count: u64) -> Result<Vec<u8>, String> {
        if position.checked_add(count).is_none_or(|end| end > self.bytes.length) {
            return Err("the file is cut short".to_owned());
        }
        if count > MAX_BYTES {
            return Err(format!("a record of {count} bytes; at most {MAX_BYTES} are read"));
        }
        let mut reader = self.bytes.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = vec![0; count as usize];
        reader
            .seek(SeekFrom::Start(position))
            .and_then(|_| reader.read_exact(&mut bytes))
            .map_err(|e| e.to_string())?;
        Ok(bytes)
    }

    /// The operation code of the record at a position, and the length of its content.
    fn head(&self, position: u64) -> Result<(u8, u64), String> {
        let head = self.bytes(position, HEAD)?;
        let length = head[1..].first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        match length.checked_add(position + HEAD) {
            Some(end) if end <= self.bytes.length => Ok((head[0], length)),
            _ => Err("the file is cut short".to_owned()),
        }
    }

    /// A record with its head.
    fn record(&self, position: u64) -> Result<Vec<u8>, String> {
        let (_, length) = self.head(position)?;
        self.bytes(position, HEAD + length)
    }

    /// Hands over what is in the chunks that `wanted` takes, and what is outside of chunks.
    fn each_record(
        &self,
        wanted: impl Fn(&RecordAt) -> bool,
        visit: &mut dyn FnMut(Record<'_>, At),
        notes: &mut Vec<String>,
    ) {
        let mut damaged = Tally::default();
        for at in self.records.iter().filter(|at| wanted(at)) {
            let position = at.position;
            let read = if at.chunk {
                self.chunk(position).and_then(|bytes| {
                    each_record_of(&bytes, &mut |record, offset| visit(record, At { file: 0, position, offset }))
                })
            } else {
                self.record(position).and_then(|bytes| {
                    each_record_of(&bytes, &mut |record, _| visit(record, At { file: 0, position, offset: NO_CHUNK }))
                })
            };
            if let Err(reason) = read {
                damaged.add(|| format!("at byte {position}: {reason}"));
            }
        }
        notes.extend(self.note.clone());
        damaged.note("chunks of the file are damaged; what they hold is lost", notes);
    }

    /// The records in a chunk.
    fn chunk(&self, position: u64) -> Result<Arc<Vec<u8>>, String> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, kept)) = cache.iter().find(|(at, _)| *at == position) {
            return Ok(Arc::clone(kept));
        }
        let record = self.record(position)?;
        let Ok(Record::Chunk { header, data }) = parse_record(record[0], &record[HEAD as usize..]) else {
            return Err("there is no chunk".to_owned());
        };
        let unpacked = unpack(&header.compression, &data, header.uncompressed_size)?;
        if header.uncompressed_crc != 0 && crc32fast::hash(&unpacked) != header.uncompressed_crc {
            return Err("its checksum is wrong".to_owned());
        }
        let unpacked = Arc::new(unpacked);
        cache.push_back((position, Arc::clone(&unpacked)));
        while cache.len() > 1
            && (cache.len() > KEPT.0 || cache.iter().map(|(_, kept)| kept.len()).sum::<usize>() > KEPT.1)
        {
            cache.pop_front();
        }
        Ok(unpacked)
    }
}

impl Container for McapFile {
    fn topics(&self) -> &[Topic] {
        &self.topics
    }

    fn read(&self, wanted: &[bool], visit: Visit<'_>, notes: &mut Vec<String>) -> Result<(), String> {
        let topic_of = |channel: u16| self.channels.get(&channel).copied().filter(|topic| wanted[*topic]);
        let mut seen = 0;
        let in_chunk =
            |at: &RecordAt| at.channels.is_empty() || at.channels.iter().any(|channel| topic_of(*channel).is_some());
        let mut message = |record: Record<'_>, at: At| {
            if let Record::Message { header, data } = record
                && let Some(topic) = topic_of(header.channel_id)
            {
                seen += 1;
                visit(Seen { topic, at, log_ns: header.log_time, data: &data });
            }
        };
        self.each_record(in_chunk, &mut message, notes);
        self.check_network()?;
        let counts = self.topics.iter().zip(wanted).filter(|(_, wanted)| **wanted).filter_map(|(topic, _)| topic.count);
        let counted = counts.fold(0, u64::saturating_add);
        if counted > seen {
            notes.push(format!("{} of the {counted} messages that the file counts are not there", counted - seen));
        }
        Ok(())
    }

    fn message(&self, at: At) -> Result<Vec<u8>, String> {
        let (bytes, offset) = match at.offset {
            NO_CHUNK => (Arc::new(self.record(at.position)?), 0),
            offset => (self.chunk(at.position)?, offset as usize),
        };
        let (code, content, _) = split_record(bytes.get(offset..).unwrap_or_default())?;
        match parse_record(code, content) {
            Ok(Record::Message { data, .. }) => Ok(data.into_owned()),
            _ => Err("the message cannot be read again".to_owned()),
        }
    }

    fn failure(&self) -> Option<String> {
        self.bytes.remote.as_ref().and_then(|file| file.failure())
    }
}
