//! Any field of a ROS message, found by the text of its definition.
//!
//! ROS 2 stores messages as CDR (the OMG's Common Data Representation, version 1): four bytes that state the byte order, then the
//! fields in order, each aligned to its own size. ROS 1 stores them without those bytes and without alignment.

use super::cursor::Cursor;
use super::schema::{Field, Step};

/// The most types of one definition, and the deepest nesting.
const MAX_TYPES: usize = 1000;
const MAX_DEPTH: usize = 16;
/// The longest fixed array, so that no product of lengths overflows.
const MAX_FIXED: usize = 1 << 24;

/// How the values are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// CDR with its encapsulation header.
    Cdr,
    /// ROS 1: little-endian, unaligned.
    Ros1,
}

/// A message type with all types that it uses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Definition {
    /// The message itself is the first.
    types: Vec<Type>,
}

#[derive(Debug, Clone, PartialEq)]
struct Type {
    /// `package/Name`, without `msg`.
    name: String,
    fields: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq)]
struct Member {
    name: String,
    kind: Kind,
    many: Many,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Number(Number),
    Text,
    /// Place in [`Definition::types`].
    Type(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Many {
    One,
    Fixed(usize),
    Sequence,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Number {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "bool" | "boolean" => Self::Bool,
            "int8" => Self::I8,
            "uint8" | "byte" | "char" => Self::U8,
            "int16" => Self::I16,
            "uint16" => Self::U16,
            "int32" => Self::I32,
            "uint32" => Self::U32,
            "int64" => Self::I64,
            "uint64" => Self::U64,
            "float32" => Self::F32,
            "float64" => Self::F64,
            _ => return None,
        })
    }

    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// Types that definitions leave out, and `time` and `duration` of ROS 1, which are no types of their own there.
const COMMON: [(&str, &str); 3] = [
    ("builtin_interfaces/Time", "int32 sec\nuint32 nanosec"),
    ("builtin_interfaces/Duration", "int32 sec\nuint32 nanosec"),
    ("std_msgs/Header", "builtin_interfaces/Time stamp\nstring frame_id"),
];

impl Definition {
    /// Parses the text of a definition: the message's own fields, then, each after a line of `=`, `MSG: package/Name` with the
    /// fields of a type that it uses.
    ///
    /// # Errors
    /// A fragment that names the line or the type that is not understood.
    pub(super) fn parse(name: &str, text: &str, wire: Wire) -> Result<Self, String> {
        let mut parts = vec![(plain_name(name), Vec::new())];
        let mut expects_name = false;
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.starts_with("====") {
                expects_name = true;
            } else if let Some(named) = line.strip_prefix("MSG:").filter(|_| expects_name) {
                parts.push((plain_name(named.trim()), Vec::new()));
                expects_name = false;
            } else if let Some(last) = parts.last_mut().filter(|_| !line.is_empty()) {
                last.1.push(line);
            }
        }
        if parts.len() > MAX_TYPES {
            return Err(format!("its definition has {} types; at most {MAX_TYPES} are read", parts.len()));
        }
        for (name, fields) in COMMON {
            if !parts.iter().any(|(known, _)| known == name) {
                parts.push((name.to_owned(), fields.lines().collect()));
            }
        }
        let names: Vec<String> = parts.iter().map(|(name, _)| name.clone()).collect();
        let types = parts
            .into_iter()
            .map(|(name, lines)| {
                let lines = lines.into_iter().filter_map(|line| member(line, &name, &names, wire).transpose());
                Ok(Type { fields: lines.collect::<Result<_, String>>()?, name })
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { types })
    }

    /// The field at `path` of a message; `None` if the message has none there.
    ///
    /// # Errors
    /// A fragment: the message is cut short or contradicts its definition.
    pub(super) fn find<'m>(&self, message: &'m [u8], path: &[Step], wire: Wire) -> Result<Option<Field<'m>>, String> {
        let mut cursor = Cursor::new(message, wire)?;
        self.find_in(&mut cursor, 0, path, 0)
    }

    fn find_in<'m>(
        &self,
        cursor: &mut Cursor<'m>,
        of: usize,
        path: &[Step],
        depth: usize,
    ) -> Result<Option<Field<'m>>, String> {
        let Some((step, rest)) = path.split_first() else { return Ok(None) };
        for member in &self.types[of].fields {
            if member.name != step.name {
                self.skip(cursor, member, depth)?;
                continue;
            }
            let index = match (member.many, step.index) {
                (Many::One, None) => None,
                (Many::One, Some(_)) => return Ok(None),
                (many, index) => {
                    let count = cursor.count(many)?;
                    match index {
                        Some(index) if index < count => Some(index),
                        None if member.kind == Kind::Number(Number::U8) => {
                            return Ok(Some(Field::Bytes(cursor.bytes(count)?.into())));
                        }
                        _ => return Ok(None),
                    }
                }
            };
            return match member.kind {
                Kind::Number(number) => {
                    cursor.align(number.size());
                    cursor.bytes(index.unwrap_or(0).saturating_mul(number.size()))?;
                    let value = cursor.number(number)?;
                    Ok(rest.is_empty().then_some(Field::Number(value)))
                }
                Kind::Text => {
                    for _ in 0..index.unwrap_or(0) {
                        cursor.text()?;
                    }
                    let text = String::from_utf8_lossy(cursor.text()?);
                    Ok(rest.is_empty().then_some(Field::Text(text)))
                }
                Kind::Type(inner) => {
                    for _ in 0..index.unwrap_or(0) {
                        self.skip_type(cursor, inner, depth + 1)?;
                    }
                    self.find_in(cursor, inner, rest, deeper(depth)?)
                }
            };
        }
        Ok(None)
    }

    fn skip(&self, cursor: &mut Cursor<'_>, member: &Member, depth: usize) -> Result<(), String> {
        let count = cursor.count(member.many)?;
        match member.kind {
            Kind::Number(number) if count > 0 => {
                cursor.align(number.size());
                cursor.bytes(count.saturating_mul(number.size())).map(|_| ())
            }
            Kind::Number(_) => Ok(()),
            Kind::Text => (0..count).try_for_each(|_| cursor.text().map(|_| ())),
            Kind::Type(inner) => (0..count).try_for_each(|_| self.skip_type(cursor, inner, deeper(depth)?)),
        }
    }

    fn skip_type(&self, cursor: &mut Cursor<'_>, of: usize, depth: usize) -> Result<(), String> {
        let fields = &self.types[of].fields;
        if fields.is_empty() && cursor.wire == Wire::Cdr {
            // A type without fields is stored as one byte, and so every element of a list takes some of the message.
            return cursor.bytes(1).map(|_| ());
        }
        if fields.is_empty() {
            return Err(format!("{} has no fields", self.types[of].name));
        }
        fields.iter().try_for_each(|member| self.skip(cursor, member, depth))
    }

    /// The paths of the numbers in a message, at most `most`, each with its type.
    pub(super) fn numbers(&self, most: usize) -> Vec<String> {
        let mut found = Vec::new();
        // A type may hold itself many times over.
        let mut looked_at = 0..20 * most;
        self.numbers_in(0, "", &mut looked_at, &mut found);
        found.truncate(most);
        found
    }

    fn numbers_in(&self, of: usize, before: &str, looked_at: &mut std::ops::Range<usize>, found: &mut Vec<String>) {
        for member in &self.types[of].fields {
            if looked_at.next().is_none() || before.len() > 200 {
                return;
            }
            let list = if member.many == Many::One { "" } else { "[0]" };
            let path = format!("{before}{}{list}", member.name);
            match member.kind {
                Kind::Number(number) => found.push(format!("{path} ({})", format!("{number:?}").to_lowercase())),
                Kind::Type(inner) if !self.types[inner].name.ends_with("/Header") => {
                    self.numbers_in(inner, &format!("{path}."), looked_at, found);
                }
                _ => {}
            }
        }
    }
}

fn deeper(depth: usize) -> Result<usize, String> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err("its definition is nested too deeply".to_owned()) }
}

/// `package/msg/Name` as `package/Name`.
pub(super) fn plain_name(name: &str) -> String {
    name.replace("/msg/", "/")
}

/// A line of a definition: `None` for a constant.
fn member(line: &str, within: &str, types: &[String], wire: Wire) -> Result<Option<Member>, String> {
    let wrong = || format!("its definition has the line {:?}", crate::table::shorten(line, 60));
    let (kind, rest) = line.split_once(char::is_whitespace).ok_or_else(wrong)?;
    // What follows the name is a default value; a constant has `=` behind its name.
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    if behind.trim_start().starts_with('=') {
        return Ok(None);
    }
    if name.is_empty() {
        return Err(wrong());
    }
    let (kind, many) = match kind.split_once('[') {
        None => (kind, Many::One),
        Some((kind, length)) => match length.trim_end_matches(']') {
            "" => (kind, Many::Sequence),
            bounded if bounded.starts_with("<=") => (kind, Many::Sequence),
            fixed => {
                let length: usize = fixed.parse().map_err(|_| wrong())?;
                (kind, Many::Fixed(Some(length).filter(|n| (1..=MAX_FIXED).contains(n)).ok_or_else(wrong)?))
            }
        },
    };
    let kind = kind.split("<=").next().unwrap_or(kind);
    let kind =
        match kind {
            "string" => Kind::Text,
            _ => match Number::parse(kind) {
                Some(number) => Kind::Number(number),
                None => Kind::Type(place_of(kind, within, types, wire).ok_or_else(|| {
                    format!("its definition does not say what {:?} is", crate::table::shorten(kind, 60))
                })?),
            },
        };
    Ok(Some(Member { name: name.to_owned(), kind, many }))
}

/// The place of the type that a field names: `package/Name`, or a name alone for the same package.
fn place_of(kind: &str, within: &str, types: &[String], wire: Wire) -> Option<usize> {
    let kind = plain_name(kind);
    let kind = match (kind.as_str(), wire) {
        ("Header", _) => "std_msgs/Header".to_owned(),
        ("time", Wire::Ros1) => "builtin_interfaces/Time".to_owned(),
        ("duration", Wire::Ros1) => "builtin_interfaces/Duration".to_owned(),
        (name, _) if !name.contains('/') => format!("{}/{name}", within.split('/').next().unwrap_or_default()),
        _ => kind,
    };
    types.iter().position(|name| *name == kind)
}
