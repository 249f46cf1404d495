//! ROS 2 bags: a folder with `metadata.yaml` and `.mcap` or `.db3` files (SQLite) that continue each other, or a `.db3` file.
//!
//! Messages that were compressed one by one (zstd) are unpacked; files that were compressed as a whole are refused.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, limits::Limit};

use super::{Opened, mcap};
use crate::DataError;
use crate::drive_folder::DriveFolder;
use crate::folder::{bad_file, files_in, name_of, sort_naturally};
use crate::recorded::Tally;
use crate::selection::Selection;
use crate::topics::schema::Schema;
use crate::topics::{self, At, Container, Files, Seen, Topic, Visit};

/// What [`recognise`] looks for, for error messages.
pub(super) const LOOKED_FOR: &str = "ROS 2 bag: metadata.yaml with .mcap or .db3 files";
const METADATA: &str = "metadata.yaml";
/// The largest message, and the largest when it is unpacked.
const MAX_MESSAGE_BYTES: i32 = 256 << 20;

/// True if `folder` is a bag.
pub(super) fn recognise(folder: &Path) -> bool {
    let is_bag = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == "db3" || suffix == "mcap");
    folder.join(METADATA).is_file() && files_in(folder).is_ok_and(|files| files.iter().any(is_bag) || is_packed(&files))
}

fn is_packed(files: &[PathBuf]) -> bool {
    files.iter().any(|path| [".db3.zstd", ".mcap.zstd"].iter().any(|suffix| name_of(path).ends_with(suffix)))
}

/// Opens a bag's folder.
///
/// # Errors
/// [`DataError::BadFile`] for a bag without a file that can be read, [`DataError::Io`], and those of [`topics::open`].
pub(super) fn open(name: &str, drive: &DriveFolder, selection: &Selection) -> Opened {
    let path = drive.join(METADATA);
    let metadata = Metadata::parse(&drive.read_text(&path)?);
    if metadata.packed_files {
        let expected = "files that are not compressed as a whole: unpack them (zstd -d) and run ros2 bag reindex";
        return Err(bad_file(&path, "the bag's files are compressed as a whole", expected));
    }
    let paths = if metadata.files.is_empty() { listed(drive.path())? } else { metadata.files };
    let (mut files, mut missing): (Vec<Box<dyn Container>>, _) = (Vec::new(), Tally::default());
    for listed in &paths {
        // Bags from before 2020 name their files with the folder before them.
        let last = listed.rsplit('/').next().unwrap_or(listed);
        let found = drive.find(listed).or_else(|_| drive.find(last)).map_err(|reason| reason.reason().to_owned());
        match found.and_then(|path| open_file(&path)) {
            Ok(file) => files.push(file),
            Err(reason) => missing.add(|| format!("{listed}: {reason}")),
        }
    }
    let mut notes = Vec::new();
    missing.note("files of the bag cannot be read; what they hold is lost", &mut notes);
    if files.is_empty() {
        return Err(bad_file(
            &path,
            format!("none of its {} files can be read: {}", paths.len(), notes.join("")),
            LOOKED_FOR,
        ));
    }
    let files = Bag { files: Files::new(files), packed: metadata.packed_messages, notes };
    topics::open(name, drive.path(), "ROS 2 bag", Box::new(files), selection)
}

/// Opens a `.db3` file by itself.
///
/// # Errors
/// As [`open`].
pub(super) fn open_database(name: &str, path: &Path, selection: &Selection) -> Opened {
    let file = Database::open(path).map_err(|problem| bad_file(path, problem, "a file of a ROS 2 bag (SQLite)"))?;
    topics::open(name, path, "ROS 2 bag", Box::new(file), selection)
}

fn open_file(path: &Path) -> Result<Box<dyn Container>, String> {
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("mcap") => Ok(Box::new(mcap::McapFile::open(path)?)),
        Some("db3") => Ok(Box::new(Database::open(path)?)),
        _ => Err("neither .mcap nor .db3".to_owned()),
    }
}

/// The files of a folder whose metadata names none.
fn listed(folder: &Path) -> Result<Vec<String>, DataError> {
    let mut files = files_in(folder)?;
    files.retain(|path| path.extension().is_some_and(|suffix| suffix == "db3" || suffix == "mcap"));
    sort_naturally(&mut files);
    Ok(files.iter().map(|path| name_of(path)).collect())
}

/// What is needed of `metadata.yaml`.
#[derive(Debug, Default, PartialEq)]
struct Metadata {
    /// In the order of time.
    files: Vec<String>,
    packed_files: bool,
    packed_messages: bool,
}

impl Metadata {
    /// Reads the few lines that count, as rosbag2 and rosbags write them: a key and a value on a line, a list with a dash for
    /// each line or in brackets.
    fn parse(text: &str) -> Self {
        let plain = |value: &str| value.trim().trim_matches(['"', '\'']).to_owned();
        let mut metadata = Self::default();
        let (mut mode, mut in_files) = (String::new(), false);
        for line in text.lines().map(str::trim) {
            if let Some(item) = line.strip_prefix("- ").filter(|_| in_files) {
                metadata.files.push(plain(item));
                continue;
            }
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            in_files = key == "relative_file_paths" && value.trim().is_empty();
            match key {
                "relative_file_paths" => {
                    let list = value.trim().trim_start_matches('[').trim_end_matches(']');
                    metadata.files.extend(list.split(',').map(plain).filter(|file| !file.is_empty()));
                }
                "compression_mode" => mode = plain(value).to_ascii_lowercase(),
                _ => {}
            }
        }
        Self { packed_files: mode == "file", packed_messages: mode == "message", ..metadata }
    }
}

/// The files of a bag, whose messages may be compressed one by one.
struct Bag {
    files: Files,
    packed: bool,
    /// Found when the files were opened.
    notes: Vec<String>,
}

impl Container for Bag {
    fn topics(&self) -> &[Topic] {
        self.files.topics()
    }

    fn read(&self, wanted: &[bool], visit: Visit<'_>, notes: &mut Vec<String>) -> Result<(), String> {
        notes.extend(self.notes.clone());
        if !self.packed {
            return self.files.read(wanted, visit, notes);
        }
        let mut damaged = Tally::default();
        let mut unpacked = |seen: Seen<'_>| match unpack(seen.data) {
            Ok(data) => visit(Seen { data: &data, ..seen }),
            Err(reason) => damaged.add(|| reason),
        };
        self.files.read(wanted, &mut unpacked, notes)?;
        damaged.note("compressed messages are damaged and are left out", notes);
        Ok(())
    }

    fn message(&self, at: At) -> Result<Vec<u8>, String> {
        let message = self.files.message(at)?;
        if self.packed { unpack(&message) } else { Ok(message) }
    }
}

fn unpack(data: &[u8]) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let limit = MAX_MESSAGE_BYTES as u64;
    let mut unpacked = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(data).map_err(|e| e.to_string())?;
    decoder.take(limit + 1).read_to_end(&mut unpacked).map_err(|e| e.to_string())?;
    if unpacked.len() as u64 > limit { Err(format!("a message over {limit} bytes")) } else { Ok(unpacked) }
}

/// A `.db3` file.
struct Database {
    connection: Mutex<Connection>,
    /// Each with its number in the file.
    ids: Vec<i64>,
    topics: Vec<Topic>,
}

impl Database {
    fn open(path: &Path) -> Result<Self, String> {
        let plain = |error: rusqlite::Error| error.to_string();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(plain)?;
        // The file may be anybody's: nothing in it is run, and no value is larger than a message.
        connection.pragma_update(None, "trusted_schema", false).map_err(plain)?;
        connection.pragma_update(None, "cell_size_check", true).map_err(plain)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_MESSAGE_BYTES).map_err(plain)?;
        for table in ["topics", "messages"] {
            if !is_table(&connection, table)? {
                return Err(format!("it has no table {table:?}"));
            }
        }
        let definitions = definitions(&connection).map_err(plain)?;
        let (ids, topics) = list(&connection, &definitions).map_err(plain)?;
        Ok(Self { connection: Mutex::new(connection), ids, topics })
    }
}

/// True for an ordinary table: a view or a virtual one could make rows without end.
fn is_table(connection: &Connection, name: &str) -> Result<bool, String> {
    let sql = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1 AND sql LIKE 'CREATE TABLE%' \
               AND sql NOT LIKE '%GENERATED%' AND sql NOT LIKE '% AS %'";
    let found: Result<i64, _> = connection.query_row(sql, [name], |row| row.get(0));
    found.map(|count| count > 0).map_err(|error| error.to_string())
}

/// Type, language and text of the definitions that the file holds; files from before 2023 hold none.
fn definitions(connection: &Connection) -> rusqlite::Result<Vec<(String, String, String)>> {
    if !is_table(connection, "message_definitions").unwrap_or(false) {
        return Ok(Vec::new());
    }
    let sql = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

fn list(connection: &Connection, definitions: &[(String, String, String)]) -> rusqlite::Result<(Vec<i64>, Vec<Topic>)> {
    let mut statement = connection.prepare("SELECT id, name, type, serialization_format FROM topics ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        let (name, kind, encoding): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let defined = definitions.iter().find(|(named, ..)| *named == kind);
        let (language, text) = defined.map_or(("", ""), |(_, language, text)| (language, text));
        let schema = Schema::new(&encoding, &kind, language, text.as_bytes());
        Ok((row.get(0)?, Topic { name, kind, schema, count: None }))
    })?;
    let rows: Vec<(i64, Topic)> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(rows.into_iter().unzip())
}

impl Container for Database {
    fn topics(&self) -> &[Topic] {
        &self.topics
    }

    fn read(&self, wanted: &[bool], visit: Visit<'_>, notes: &mut Vec<String>) -> Result<(), String> {
        let plain = |error: rusqlite::Error| error.to_string();
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement =
            connection.prepare("SELECT id, topic_id, timestamp, data FROM messages ORDER BY id").map_err(plain)?;
        let mut rows = statement.query([]).map_err(plain)?;
        let mut damaged = Tally::default();
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                Err(error) => {
                    notes.push(format!("the file is damaged or cut short; what follows is lost ({error})"));
                    break;
                }
            };
            let Some(topic) = row.get(1).ok().and_then(|id: i64| self.ids.iter().position(|known| *known == id)) else {
                continue;
            };
            if !wanted[topic] {
                continue;
            }
            let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, i64)> { Ok((row.get(0)?, row.get(2)?)) };
            match (read(row), row.get_ref(3).map(|value| value.as_blob())) {
                (Ok((id, log_ns)), Ok(Ok(data))) => {
                    let at = At { file: 0, position: id.unsigned_abs(), offset: 0 };
                    visit(Seen { topic, at, log_ns: log_ns.max(0).unsigned_abs(), data });
                }
                _ => damaged.add(|| "a row of messages".to_owned()),
            }
        }
        damaged.note("messages of the bag are damaged and are left out", notes);
        Ok(())
    }

    fn message(&self, at: At) -> Result<Vec<u8>, String> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare("SELECT data FROM messages WHERE id = ?1").map_err(|e| e.to_string())?;
        statement.query_row([at.position as i64], |row| row.get(0)).map_err(|e| e.to_string())
    }
}

/// Reads a bag's metadata, for fuzzing.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzz(text: &str) {
    let _ = Metadata::parse(text);
}

/// A bag's metadata.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) const SEED: &str = "rosbag2_bagfile_information:\n  version: 5\n  storage_identifier: sqlite3\n  relative_file_paths:\n    \
    - bag_0.db3\n    - \"bag_1.db3\"\n  compression_format: ''\n  compression_mode: MESSAGE\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_in_both_styles() {
        let read = Metadata::parse(SEED);
        assert_eq!((read.files, read.packed_messages), (vec!["bag_0.db3".to_owned(), "bag_1.db3".to_owned()], true));
        let read = Metadata::parse(
            "  relative_file_paths: [a/b.mcap, 'c.mcap']\n  compression_mode: \"FILE\"\n  files:\n  - path: x\n",
        );
        assert_eq!((read.files, read.packed_files), (vec!["a/b.mcap".to_owned(), "c.mcap".to_owned()], true));
    }
}
