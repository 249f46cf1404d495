//! Recordings of named topics: one camera and one steering signal are chosen of them and become a drive.
//!
//! - [`Container`]: what a file format must offer: its topics, their messages in order, and one message again
//! - [`schema`]: fields of messages by their path, in ROS's encodings ([`ros`]), Protocol Buffers and JSON
//! - [`known`]: types of messages that are known by name
//! - [`choice`]: which topics are read, by the user's word or by name
//! - [`collect`]: times and angles of all frames
//! - [`picture`]: pictures in messages

mod choice;
mod collect;
mod cursor;
mod known;
mod picture;
mod ros;
pub(crate) mod schema;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use choice::rank_of_camera;

use std::path::Path;
use std::sync::Arc;

use ndarray::Array3;

use self::choice::Choice;
use self::schema::Schema;
use crate::folder::bad_file;
use crate::recorded::pictures::Pictures;
use crate::selection::Selection;
use crate::{DataError, Source};

/// A topic of a recording.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    /// Its name, such as `/camera/front`.
    pub name: String,
    /// The type of its messages, such as `sensor_msgs/msg/Image`.
    pub kind: String,
    /// How they are read, or a fragment that says why they are not.
    pub schema: Result<Schema, String>,
    /// How many there are, where that is known.
    pub count: Option<u64>,
}

/// Where a message is; the numbers mean what the container wants them to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    /// Of several files.
    pub file: usize,
    /// In the file.
    pub position: u64,
    /// In a chunk.
    pub offset: u64,
}

/// A message as a container gives it.
pub(crate) struct Seen<'m> {
    /// Place in the list of topics.
    pub topic: usize,
    pub at: At,
    /// When it was recorded, nanoseconds of any origin.
    pub log_ns: u64,
    pub data: &'m [u8],
}

/// Takes messages.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(Seen<'_>);

/// A file or a row of files with messages of named topics.
pub(crate) trait Container: Send + Sync + 'static {
    /// All topics.
    fn topics(&self) -> &[Topic];

    /// Hands every message of the topics `wanted[topic]` to `visit`, and adds what was found damaged to `notes`.
    ///
    /// # Errors
    /// A fragment, where nothing can be read.
    fn read(&self, wanted: &[bool], visit: Visit<'_>, notes: &mut Vec<String>) -> Result<(), String>;

    /// A message again.
    ///
    /// # Errors
    /// A fragment.
    fn message(&self, at: At) -> Result<Vec<u8>, String>;

    /// Why nothing more can be read, where a failed network and no damage is the reason.
    fn failure(&self) -> Option<String> {
        None
    }
}

/// Makes a drive of a recording; `format` in plain words.
///
/// # Errors
/// [`DataError::BadSpec`] for a topic or field that the recording does not have, with those that it has;
/// [`DataError::BadFile`] for a recording without pictures.
pub(crate) fn open(
    name: &str,
    path: &Path,
    format: &'static str,
    container: Box<dyn Container>,
    selection: &Selection,
) -> Result<Box<dyn Source>, DataError> {
    selection.refuse_episode(path)?;
    let choice = Choice::of(container.topics(), selection)
        .map_err(|refused| refused.into_error(path, format!("{format} with a topic of pictures")))?;
    let found = collect::collect(container.as_ref(), &choice, format)
        .map_err(|problem| bad_file(path, problem, format!("{format} that can be read")))?;
    if let Some(steering) = choice.steering.as_ref().filter(|steering| steering.asked && found.angles == 0) {
        return Err(choice::no_number(&container.topics()[steering.topic], &steering.text));
    }
    let images = found.images;
    let pictures = TopicPictures { container, camera: choice.camera, images };
    found.facts.into_source(name, path, Arc::new(pictures))
}

/// The pictures of a topic.
struct TopicPictures {
    container: Box<dyn Container>,
    camera: usize,
    images: Vec<At>,
}

impl Pictures for TopicPictures {
    fn picture(&self, index: usize, rows_of_480: [u32; 2]) -> Result<Array3<u8>, String> {
        let bytes = self.container.message(self.images[index])?;
        let schema = self.container.topics()[self.camera].schema.as_ref().map_err(Clone::clone)?;
        picture::picture(&schema.read(&bytes)?, rows_of_480)
    }

    fn failure(&self) -> Option<String> {
        self.container.failure()
    }
}

/// Several files that continue each other, as one.
pub(crate) struct Files {
    topics: Vec<Topic>,
    /// Each file with the place of each of its topics in the list of all.
    files: Vec<(Box<dyn Container>, Vec<usize>)>,
}

impl Files {
    /// In the order of time.
    pub(crate) fn new(files: Vec<Box<dyn Container>>) -> Self {
        let mut topics: Vec<Topic> = Vec::new();
        let mut place = |topic: &Topic| {
            let same = topics.iter().position(|known| known.name == topic.name && known.kind == topic.kind);
            if let Some(at) = same {
                topics[at].count = topics[at].count.zip(topic.count).map(|(a, b)| a.saturating_add(b));
                return at;
            }
            topics.push(topic.clone());
            topics.len() - 1
        };
        let files = files
            .into_iter()
            .map(|file| {
                let places = file.topics().iter().map(&mut place).collect();
                (file, places)
            })
            .collect();
        Self { topics, files }
    }
}

impl Container for Files {
    fn topics(&self) -> &[Topic] {
        &self.topics
    }

    fn read(&self, wanted: &[bool], visit: Visit<'_>, notes: &mut Vec<String>) -> Result<(), String> {
        for (file, (container, places)) in self.files.iter().enumerate() {
            let wanted: Vec<bool> = places.iter().map(|place| wanted[*place]).collect();
            let mut named =
                |seen: Seen<'_>| visit(Seen { topic: places[seen.topic], at: At { file, ..seen.at }, ..seen });
            container.read(&wanted, &mut named, notes)?;
        }
        Ok(())
    }

    fn message(&self, at: At) -> Result<Vec<u8>, String> {
        self.files[at.file].0.message(at)
    }
}

/// The parsers of this folder, for fuzzing.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn targets() -> Vec<crate::fuzz::Target> {
    use crate::fuzz::{Target, text};
    vec![
        Target::new(
            "ROS definition",
            &["std_msgs/Header header\nfloat32[3] a 1.0 # x\nuint8 ON=1\nB[<=4] b\n====\nMSG: test/B\nstring<=9 s\nbool[] c\n"],
            |bytes| {
                if let Ok(definition) = ros::Definition::parse("test/msg/A", &text(bytes), ros::Wire::Cdr) {
                    let _ = definition.numbers(40);
                    for path in ["a[2]", "b[1].s", "header.stamp.sec", "b[0].c[3]"] {
                        let path = schema::parse_path(path).unwrap_or_default();
                        let _ = definition.find(&bytes[..bytes.len().min(64)], &path, ros::Wire::Cdr);
                    }
                }
            },
        ),
        Target::new(
            "CDR message",
            &[&b"\0\x01\0\0\x05\0\0\0\x07\0\0\0\x04\0\0\0cam\0\x05\0\0\0jpeg\0\0\0\0\x02\0\0\0ab"[..]],
            |bytes| read_known("cdr", "sensor_msgs/msg/CompressedImage", "", bytes),
        ),
        Target::new(
            "image message",
            &[&b"\0\x01\0\0\x05\0\0\0\x07\0\0\0\x04\0\0\0cam\0\x01\0\0\0\x02\0\0\0\x05\0\0\0rgb8\0\0\0\0\x06\0\0\0\x06\0\0\0abcdef"[..]],
            |bytes| read_known("cdr", "sensor_msgs/msg/Image", "", bytes),
        ),
        Target::new(
            "JSON message",
            &[r#"{"timestamp": {"sec": 5, "nsec": 7}, "data": "AAAA", "encoding": "rgb8", "width": 1, "height": 1}"#],
            |bytes| read_known("json", "foxglove.RawImage", "jsonschema", bytes),
        ),
        Target::new("path", &["drive.angle[3].x"], |bytes| {
            let _ = schema::parse_path(&text(bytes));
        }),
    ]
}

/// Reads a message of a known type as every frame is read.
#[cfg(any(test, feature = "fuzzing"))]
fn read_known(message_encoding: &str, kind: &str, encoding: &str, bytes: &[u8]) {
    let Ok(schema) = Schema::new(message_encoding, kind, encoding, &[]) else { return };
    if let Ok(message) = schema.read(bytes) {
        let _ = (message.stamp_ns(), picture::picture(&message, crate::recorded::decode::ALL_ROWS));
    }
}
