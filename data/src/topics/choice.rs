//! Which topics of a recording are read: what the user names, else what is known by name.

use std::path::Path;

use super::schema::{Step, parse_path};
use super::{Topic, known};
use crate::DataError;
use crate::folder::{bad_file, printable};
use crate::selection::{Scale, Selection, Side, Unit, bad};
use crate::table::shorten;

/// How many topics and fields a message lists.
const MOST: usize = 40;

/// The topics that are read.
#[derive(Debug)]
pub(super) struct Choice {
    /// The topic with the pictures.
    pub camera: usize,
    /// Where the angles are, if anywhere.
    pub steering: Option<Steering>,
    /// What was chosen and why.
    pub notes: Vec<String>,
}

/// Where the angles are.
#[derive(Debug)]
pub(super) struct Steering {
    pub topic: usize,
    pub path: Vec<Step>,
    /// Topic and path as the user would write them.
    pub text: String,
    pub scale: Scale,
    /// The angles are those of the road wheels.
    pub road_wheels: bool,
    /// The user named it.
    pub asked: bool,
}

/// Why nothing is read.
#[derive(Debug)]
pub(super) enum Refused {
    /// An option names what is not there.
    Option(DataError),
    /// The recording lacks something.
    Recording(String),
}

impl Refused {
    pub(super) fn into_error(self, path: &Path, expected: String) -> DataError {
        match self {
            Self::Option(error) => error,
            Self::Recording(problem) => bad_file(path, problem, expected),
        }
    }
}

impl Choice {
    /// Of the topics of a recording.
    pub(super) fn of(topics: &[Topic], selection: &Selection) -> Result<Self, Refused> {
        let mut notes = Vec::new();
        let camera = camera(topics, selection, &mut notes)?;
        let steering = steering(topics, selection, &mut notes).map_err(Refused::Option)?;
        notes.push(format!("topics: {}", list(topics)));
        Ok(Self { camera, steering, notes })
    }
}

/// The topic with the pictures.
fn camera(topics: &[Topic], selection: &Selection, notes: &mut Vec<String>) -> Result<usize, Refused> {
    let is_camera = |topic: &Topic| known::is_picture(&topic.kind);
    if let Some(asked) = &selection.camera {
        let at = topics.iter().position(|topic| topic.name == *asked && is_camera(topic));
        let expected = || format!("a topic with pictures, one of: {}", list_some(topics, is_camera));
        return at.ok_or_else(|| Refused::Option(bad("camera", asked, expected())));
    }
    let mut cameras: Vec<usize> = (0..topics.len()).filter(|at| is_camera(&topics[*at])).collect();
    // A topic that cannot be read, or that is empty, is the last that is wanted.
    cameras.sort_by_key(|at| {
        let topic = &topics[*at];
        (topic.schema.is_err() || topic.count == Some(0), rank_of_camera(&topic.name), topic.name.clone())
    });
    let Some((&chosen, others)) = cameras.split_first() else {
        return Err(Refused::Recording(format!("no topic holds pictures (it holds: {})", list(topics))));
    };
    if let Err(reason) = &topics[chosen].schema {
        return Err(Refused::Recording(format!(
            "the pictures of {} are not read: {reason}",
            shown(&topics[chosen].name)
        )));
    }
    notes.push(format!("images of {}", shown(&topics[chosen].name)));
    if !others.is_empty() {
        let names: Vec<_> = others.iter().take(MOST).map(|at| shown(&topics[*at].name)).collect();
        notes.push(format!(
            "other cameras are not used (camera=TOPIC or --camera-topic reads one): {}",
            names.join(", ")
        ));
    }
    Ok(chosen)
}

/// A camera that looks ahead comes before others, by its name alone.
pub(crate) fn rank_of_camera(name: &str) -> usize {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let aside = has(&["left", "right", "rear", "back", "depth", "cabin", "driver"]);
    match (has(&["center", "centre", "front", "forward"]), aside) {
        (true, false) => 0,
        (true, true) => 1,
        (false, false) => 2,
        (false, true) => 3,
    }
}

/// Where the angles are.
fn steering(topics: &[Topic], selection: &Selection, notes: &mut Vec<String>) -> Result<Option<Steering>, DataError> {
    let Some(asked) = &selection.steering else {
        let best = topics.iter().enumerate().filter_map(|(at, topic)| {
            let (rank, known) = known::steering(&topic.kind)?;
            topic.schema.is_ok().then_some((rank, &topic.name, at, known))
        });
        let best = best.min_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        let Some((_, name, topic, known)) = best else {
            notes.push(
                "no topic of a type whose steering is known: replay without true angles (steering=TOPIC.FIELD or --steering \
                 names one)"
                    .to_owned(),
            );
            return Ok(None);
        };
        let text = format!("{name}.{}", known.field);
        return Ok(Some(Steering::new(topic, &text, known.field, Some(known), selection, notes)?));
    };
    // The longest name, where one begins like another.
    let topic = (0..topics.len())
        .filter(|at| asked.strip_prefix(&topics[*at].name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
        .max_by_key(|at| topics[*at].name.len());
    let Some(topic) = topic else {
        return Err(bad("steering", asked, format!("TOPIC.FIELD of one of the topics: {}", list(topics))));
    };
    let Topic { name, kind, schema, .. } = &topics[topic];
    if let Err(reason) = schema {
        return Err(bad("steering", asked, format!("a topic that can be read; {} is not: {reason}", shown(name))));
    }
    let known = known::steering(kind).map(|(_, known)| known);
    let field = match (asked[name.len()..].strip_prefix('.'), known) {
        (Some(field), _) => field,
        (None, Some(known)) => known.field,
        (None, None) => return Err(no_number(&topics[topic], asked)),
    };
    let known = known.filter(|known| known.field == field);
    Ok(Some(Steering { asked: true, ..Steering::new(topic, asked, field, known, selection, notes)? }))
}

impl Steering {
    fn new(
        topic: usize,
        text: &str,
        field: &str,
        known: Option<known::KnownSteering>,
        selection: &Selection,
        notes: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        let path = parse_path(field).ok_or_else(|| {
            bad("steering", text, "TOPIC.FIELD, such as /vehicle/steering.angle or /joints.position[2]")
        })?;
        let unit = selection.unit.or(known.map(|known| known.unit)).unwrap_or(Unit::Rad);
        let side = selection.sign.or(known.map(|known| known.positive)).unwrap_or(Side::Left);
        if known.is_none() && (selection.unit.is_none() || selection.sign.is_none()) {
            notes.push(format!(
                "{}: taken as {}, positive {}; unit=rad|deg|command and sign=left|right say otherwise",
                shown(text),
                unit.in_words(),
                side.in_words()
            ));
        } else {
            notes.push(format!("angles of {} ({}, positive {})", shown(text), unit.in_words(), side.in_words()));
        }
        let road_wheels = known.is_some_and(|known| known.road_wheels);
        if road_wheels {
            notes.push(
                "these are angles of the road wheels, not of the steering wheel, which turns some 12 to 20 times as far".to_owned(),
            );
        }
        Ok(Self { topic, path, text: text.to_owned(), scale: Scale::new(unit, side), road_wheels, asked: false })
    }
}

/// The error for a field that holds no number.
pub(super) fn no_number(topic: &Topic, asked: &str) -> DataError {
    let numbers = topic.schema.as_ref().map(|schema| schema.numbers(MOST)).unwrap_or_default();
    let numbers: Vec<_> = numbers.iter().map(|number| shown(number)).collect();
    let expected = match numbers.is_empty() {
        true => {
            format!("a field that holds a number in the messages of {} ({})", shown(&topic.name), shown(&topic.kind))
        }
        false => format!("a field of {} ({}): {}", shown(&topic.name), shown(&topic.kind), numbers.join(", ")),
    };
    bad("steering", asked, expected)
}

/// Topics with their types.
fn list(topics: &[Topic]) -> String {
    list_some(topics, |_| true)
}

fn list_some(topics: &[Topic], which: impl Fn(&Topic) -> bool) -> String {
    let mut named: Vec<&Topic> = topics.iter().filter(|topic| which(topic)).collect();
    named.sort_by(|a, b| a.name.cmp(&b.name));
    let more = if named.len() > MOST { format!(", and {} more", named.len() - MOST) } else { String::new() };
    let one = |topic: &&Topic| match topic.count {
        Some(count) => format!("{} ({}, {count})", shown(&topic.name), shown(&topic.kind)),
        None => format!("{} ({})", shown(&topic.name), shown(&topic.kind)),
    };
    let listed: Vec<_> = named.iter().take(MOST).map(one).collect();
    if listed.is_empty() { "none".to_owned() } else { listed.join(", ") + &more }
}

fn shown(text: &str) -> String {
    printable(&shorten(text, 100))
}
