//! How the messages of a topic are read, whatever they are encoded in: fields by their path.

use std::borrow::Cow;

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage, Value};

use super::ros::{Definition, Wire};

/// The longest text of a description that is read.
const MAX_SCHEMA_BYTES: usize = 4 << 20;

/// One part of a path: a name, and for lists an index (`angle`, `position[2]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub name: String,
    pub index: Option<usize>,
}

/// A path as people write it, such as `drive.steering_angle` or `position[2]`; `None` if it is none.
pub(crate) fn parse_path(text: &str) -> Option<Vec<Step>> {
    let step = |part: &str| {
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, Some(index.strip_suffix(']')?.parse().ok()?)),
            None => (part, None),
        };
        (!name.is_empty()).then(|| Step { name: name.to_owned(), index })
    };
    text.split('.').map(step).collect()
}

/// What stands in a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field<'m> {
    Number(f64),
    Text(Cow<'m, str>),
    Bytes(Cow<'m, [u8]>),
}

/// How the messages of a topic are encoded.
#[derive(Debug, Clone)]
pub(crate) enum Schema {
    /// ROS, with the definition of its type.
    Ros(Definition, Wire),
    /// Protocol Buffers.
    Protobuf(MessageDescriptor),
    /// JSON, which needs no description.
    Json,
}

impl Schema {
    /// The schema of a topic whose messages are encoded as `message_encoding` (`cdr`, `ros1`, `protobuf`, `json`) and described
    /// by `data` in the language `encoding`.
    ///
    /// # Errors
    /// A fragment that says what is not understood.
    pub(crate) fn new(message_encoding: &str, name: &str, encoding: &str, data: &[u8]) -> Result<Self, String> {
        if data.len() > MAX_SCHEMA_BYTES {
            return Err(format!("its description has {} bytes; at most {MAX_SCHEMA_BYTES} are read", data.len()));
        }
        let text = || String::from_utf8_lossy(data);
        match (message_encoding, encoding) {
            ("cdr", "ros2msg") => Ok(Self::Ros(Definition::parse(name, &text(), Wire::Cdr)?, Wire::Cdr)),
            ("ros1", "ros1msg") => Ok(Self::Ros(Definition::parse(name, &text(), Wire::Ros1)?, Wire::Ros1)),
            ("cdr", described) => match super::known::definition(name) {
                Some(text) => Ok(Self::Ros(Definition::parse(name, text, Wire::Cdr)?, Wire::Cdr)),
                None if described.is_empty() => Err("the recording does not hold its definition".to_owned()),
                None => Err(format!("its definition is written in {described}, not in ros2msg")),
            },
            ("protobuf", "protobuf") => protobuf(name, data).map(Self::Protobuf),
            ("json", _) => Ok(Self::Json),
            (other, _) => Err(format!("messages encoded as {other:?} are not read (cdr, ros1, protobuf and json are)")),
        }
    }

    /// Begins to read a message.
    ///
    /// # Errors
    /// A fragment for a message that is damaged.
    pub(super) fn read<'m>(&'m self, bytes: &'m [u8]) -> Result<Message<'m>, String> {
        Ok(match self {
            Self::Ros(definition, wire) => Message::Ros(definition, *wire, bytes),
            Self::Protobuf(descriptor) => {
                let decoded = DynamicMessage::decode(descriptor.clone(), bytes);
                Message::Protobuf(Box::new(decoded.map_err(|e| e.to_string())?))
            }
            Self::Json => Message::Json(serde_json::from_slice(bytes).map_err(|e| e.to_string())?),
        })
    }

    /// The paths of the numbers in a message, at most `most`, each with its type; JSON does not tell.
    pub(super) fn numbers(&self, most: usize) -> Vec<String> {
        match self {
            Self::Ros(definition, _) => definition.numbers(most),
            Self::Protobuf(descriptor) => protobuf_numbers(descriptor, most),
            Self::Json => Vec::new(),
        }
    }
}

/// A message.
pub(super) enum Message<'m> {
    Ros(&'m Definition, Wire, &'m [u8]),
    Protobuf(Box<DynamicMessage>),
    Json(serde_json::Value),
}

impl Message<'_> {
    /// What stands at a path; `None` if nothing is there.
    ///
    /// # Errors
    /// A fragment for a message that is damaged.
    pub(super) fn get(&self, path: &[Step]) -> Result<Option<Field<'_>>, String> {
        match self {
            Self::Ros(definition, wire, bytes) => definition.find(bytes, path, *wire),
            Self::Protobuf(message) => Ok(protobuf_field(message, path)),
            Self::Json(value) => Ok(json_field(value, path)),
        }
    }

    fn field(&self, path: &str) -> Option<Field<'_>> {
        self.get(&parse_path(path)?).ok().flatten()
    }

    /// The number at a path, for fields that may be missing.
    pub(super) fn number(&self, path: &str) -> Option<f64> {
        match self.field(path)? {
            Field::Number(value) => Some(value),
            _ => None,
        }
    }

    /// The text at a path.
    pub(super) fn text(&self, path: &str) -> Option<Cow<'_, str>> {
        match self.field(path)? {
            Field::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes at a path; JSON holds them as base64.
    pub(super) fn bytes(&self, path: &str) -> Option<Cow<'_, [u8]>> {
        use base64::Engine;
        match self.field(path)? {
            Field::Bytes(bytes) => Some(bytes),
            Field::Text(text) => base64::engine::general_purpose::STANDARD.decode(text.as_bytes()).ok().map(Cow::Owned),
            Field::Number(_) => None,
        }
    }

    /// The stamp that the message itself bears, nanoseconds.
    pub(super) fn stamp_ns(&self) -> Option<u64> {
        const STAMPS: [&str; 3] = ["header.stamp", "stamp", "timestamp"];
        const UNITS: [(&str, &str); 4] = [("sec", "nanosec"), ("sec", "nsec"), ("seconds", "nanos"), ("secs", "nsecs")];
        let whole = |path: String| self.number(&path).filter(|value| *value >= 0.0).map(|value| value as u64);
        STAMPS.iter().find_map(|at| {
            UNITS.iter().find_map(|(seconds, nanoseconds)| {
                let seconds = whole(format!("{at}.{seconds}"))?;
                seconds.checked_mul(1_000_000_000)?.checked_add(whole(format!("{at}.{nanoseconds}"))?)
            })
        })
    }
}

/// The type `name` of a `FileDescriptorSet`.
fn protobuf(name: &str, data: &[u8]) -> Result<MessageDescriptor, String> {
    let pool = DescriptorPool::decode(data).map_err(|e| format!("its description is damaged: {e}"))?;
    pool.get_message_by_name(name).ok_or_else(|| "its description does not hold its type".to_owned())
}

/// A field that its description lets be absent, and that is, is `None`; others have their default.
fn protobuf_field(message: &DynamicMessage, path: &[Step]) -> Option<Field<'static>> {
    let (step, rest) = path.split_first()?;
    let field = message.descriptor().get_field_by_name(&step.name)?;
    if field.supports_presence() && !message.has_field(&field) {
        return None;
    }
    let value = message.get_field(&field);
    let value = match (value.as_ref(), step.index) {
        (Value::List(list), Some(index)) => list.get(index)?,
        (Value::List(_), None) | (_, Some(_)) => return None,
        (value, None) => value,
    };
    let number = match value {
        Value::Message(inner) => return protobuf_field(inner, rest),
        Value::String(text) => return rest.is_empty().then(|| Field::Text(text.clone().into())),
        Value::Bytes(bytes) => return rest.is_empty().then(|| Field::Bytes(bytes.to_vec().into())),
        Value::F64(value) => *value,
        Value::F32(value) => f64::from(*value),
        Value::I32(value) | Value::EnumNumber(value) => f64::from(*value),
        Value::U32(value) => f64::from(*value),
        Value::I64(value) => *value as f64,
        Value::U64(value) => *value as f64,
        Value::Bool(value) => f64::from(u8::from(*value)),
        _ => return None,
    };
    rest.is_empty().then_some(Field::Number(number))
}

fn protobuf_numbers(descriptor: &MessageDescriptor, most: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = std::collections::VecDeque::from([(String::new(), descriptor.clone())]);
    // A type may hold itself.
    for _ in 0..most {
        let Some((before, descriptor)) = waiting.pop_front() else { break };
        for field in descriptor.fields() {
            let path = format!("{before}{}{}", field.name(), if field.is_list() { "[0]" } else { "" });
            match field.kind() {
                Kind::Message(inner) if waiting.len() < most && !field.is_map() => {
                    waiting.push_back((format!("{path}."), inner));
                }
                Kind::Message(_) | Kind::String | Kind::Bytes => {}
                kind => found.push(format!("{path} ({kind:?})").to_lowercase()),
            }
        }
    }
    found.truncate(most);
    found
}

fn json_field<'m>(value: &'m serde_json::Value, path: &[Step]) -> Option<Field<'m>> {
    let mut value = value;
    for step in path {
        value = value.get(&step.name)?;
        if let Some(index) = step.index {
            value = value.get(index)?;
        }
    }
    match value {
        serde_json::Value::Number(number) => number.as_f64().map(Field::Number),
        serde_json::Value::String(text) => Some(Field::Text(text.into())),
        _ => None,
    }
}
