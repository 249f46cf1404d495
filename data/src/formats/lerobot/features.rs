//! The columns and cameras of a data set, and which of them are read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::DataError;
use crate::folder::printable;
use crate::selection::{Scale, Selection, Side, Unit, bad};
use crate::table::shorten;
use crate::topics::rank_of_camera;

/// How many columns a message lists.
const MOST: usize = 60;
/// The longest list in a column of numbers that is named element by element.
const MAX_ELEMENTS: usize = 1000;

/// What a data set holds, by name.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Features(BTreeMap<String, Feature>);

#[derive(Debug, Deserialize)]
struct Feature {
    dtype: String,
    #[serde(default)]
    shape: Vec<u64>,
    /// A list, or an object that holds one.
    #[serde(default)]
    names: Value,
}

/// Where the angles are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Steering {
    /// The column.
    pub feature: String,
    /// Place in the column's list.
    pub element: usize,
    pub scale: Scale,
}

/// A number in every row: its column, its place there, and what it is called.
struct Number<'f> {
    feature: &'f str,
    element: usize,
    text: String,
}

impl Features {
    /// The camera that is read.
    ///
    /// # Errors
    /// [`DataError::BadSpec`] with those that there are.
    pub(super) fn camera(&self, selection: &Selection, notes: &mut Vec<String>) -> Result<String, DataError> {
        let mut cameras: Vec<&str> = self.of_type("video").collect();
        cameras.sort_by_key(|name| (rank_of_camera(name), *name));
        let pictures = self.of_type("image").next();
        let Some(&best) = cameras.first() else {
            let found =
                pictures.map_or("no video".to_owned(), |name| format!("{}: pictures in the table", shown(name)));
            return Err(bad("camera", &found, "a data set whose pictures are videos"));
        };
        let listed = || cameras.iter().take(MOST).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
        let Some(asked) = &selection.camera else {
            notes.push(format!("images of {}", shown(best)));
            if cameras.len() > 1 {
                notes.push(format!("cameras (camera=NAME or --camera-topic reads another): {}", listed()));
            }
            return Ok(best.to_owned());
        };
        let ends =
            |name: &&&str| name.strip_suffix(asked.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let found = cameras.iter().find(ends);
        found.map(|name| (*name).to_owned()).ok_or_else(|| bad("camera", asked, format!("one of: {}", listed())))
    }

    fn of_type<'f>(&'f self, dtype: &'static str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(_, feature)| feature.dtype == dtype).map(|(name, _)| name.as_str())
    }

    /// Where the angles are; `None`, noted, where no name says so.
    ///
    /// # Errors
    /// [`DataError::BadSpec`] with the columns that there are.
    pub(super) fn steering(
        &self,
        selection: &Selection,
        notes: &mut Vec<String>,
    ) -> Result<Option<Steering>, DataError> {
        let numbers = self.numbers();
        let listed = || {
            let more = if numbers.len() > MOST { ", ..." } else { "" };
            numbers.iter().take(MOST).map(|number| shown(&number.text)).collect::<Vec<_>>().join(", ") + more
        };
        let found = match &selection.steering {
            Some(asked) => {
                let found = numbers.iter().find(|number| {
                    number.text == *asked || format!("{}[{}]", number.feature, number.element) == *asked
                });
                Some(found.ok_or_else(|| bad("steering", asked, format!("one of the columns {}", listed())))?)
            }
            // What was measured before what was asked for.
            None => numbers
                .iter()
                .filter(|number| number.text.to_ascii_lowercase().contains("steer"))
                .min_by_key(|number| (!number.text.starts_with("observation"), number.text.len())),
        };
        let Some(Number { feature, element, text }) = found else {
            notes.push(format!(
                "no column is called steering: replay without true angles (steering=COLUMN or --steering names one of: {})",
                listed()
            ));
            return Ok(None);
        };
        let unit = selection.unit.unwrap_or_else(|| unit_of(text));
        let side = selection.sign.unwrap_or(Side::Left);
        let assumed = match (selection.unit, selection.sign) {
            (Some(_), Some(_)) => "",
            (_, None) => "; the data set states no sign: compare it with the picture, and say sign=left or sign=right",
            (None, _) => ", by its name; unit=rad|deg|command says otherwise",
        };
        notes.push(format!("angles of {} ({}, positive {}{assumed})", shown(text), unit.in_words(), side.in_words()));
        let scale = Scale::new(unit, side);
        Ok(Some(Steering { feature: (*feature).to_owned(), element: *element, scale }))
    }

    /// All numbers, with the names that a user gives them.
    fn numbers(&self) -> Vec<Number<'_>> {
        const COUNTED: [&str; 5] = ["timestamp", "frame_index", "episode_index", "index", "task_index"];
        let mut numbers = Vec::new();
        for (feature, found) in &self.0 {
            let is_number = ["float", "int", "bool"].iter().any(|kind| found.dtype.contains(kind));
            if !is_number || found.shape.len() > 1 || COUNTED.contains(&feature.as_str()) {
                continue;
            }
            let count = found.shape.first().copied().unwrap_or(1).min(MAX_ELEMENTS as u64) as usize;
            let names = found.names();
            for element in 0..count {
                let text = match names.get(element).and_then(|name| name.as_str()) {
                    _ if count == 1 && names.is_empty() => feature.clone(),
                    Some(name) => format!("{feature}.{name}"),
                    None => format!("{feature}[{element}]"),
                };
                numbers.push(Number { feature, element, text });
            }
        }
        numbers
    }
}

impl Feature {
    /// The names of the elements; none if it does not say.
    fn names(&self) -> &[Value] {
        match &self.names {
            Value::Array(names) => names,
            Value::Object(held) => held.values().find_map(Value::as_array).map_or(&[], Vec::as_slice),
            _ => &[],
        }
    }
}

/// The unit that a name states; without one, the commands from -1 to 1 that such data sets hold.
fn unit_of(name: &str) -> Unit {
    let name = name.to_ascii_lowercase();
    let says = |words: &[&str]| name.split(|c: char| !c.is_ascii_alphabetic()).any(|part| words.contains(&part));
    match (says(&["deg", "degs", "degree", "degrees"]), says(&["rad", "rads", "radian", "radians"])) {
        (true, _) => Unit::Deg,
        (_, true) => Unit::Rad,
        _ => Unit::Command,
    }
}

fn shown(text: &str) -> String {
    printable(&shorten(text, 100))
}
