//! `SOURCE[:FROM-TO]`: a drive, or a part of it in seconds from its first frame.

use deltasteer_data::{Source, SourceInfo};

use crate::fingerprint::Fingerprint;
use crate::pipeline::FrameRange;
use crate::session::frame_range;

/// A source, open, with the frames that are meant.
pub struct Part {
    /// As the user wrote it.
    pub name: String,
    /// The open source.
    pub source: Box<dyn Source>,
    /// What it says of itself.
    pub info: SourceInfo,
    /// The frames meant.
    pub range: FrameRange,
    /// What the drive's pictures are made from: [`Fingerprint::content`].
    pub files: String,
}

impl Part {
    /// Opens what `text` names.
    ///
    /// # Errors
    /// Whatever the source or the range finds wrong; a source without known frames or angles.
    pub fn open(text: &str) -> anyhow::Result<Self> {
        let (spec, times) = split(text);
        let source = deltasteer_data::open(spec)?;
        let info = source.info().clone();
        let Some(count) = info.frame_count.filter(|_| !info.live && !info.times_s.is_empty()) else {
            anyhow::bail!("{spec}: training needs a recording with known times");
        };
        let range = match times {
            Some((from, to)) => frame_range(&info, Some(from), Some(to))?,
            None => None,
        };
        let range = range.unwrap_or(FrameRange { first: 0, end: count });
        let labelled = info.steering_true_rad.get(range.first..range.end).unwrap_or_default();
        if labelled.iter().flatten().next().is_none() {
            let notes = info.notes.iter().map(|note| format!("; {note}")).collect::<String>();
            anyhow::bail!("{text}: no frame has a true angle to learn from{notes}");
        }
        Ok(Self { name: text.to_owned(), source, info, range, files: Fingerprint::of(spec)?.content })
    }

    /// Number of frames meant.
    pub fn frames(&self) -> usize {
        self.range.end - self.range.first
    }
}

/// Source and seconds; what follows the last colon is a range only if it is two numbers with a dash between.
pub(crate) fn split(text: &str) -> (&str, Option<(f64, f64)>) {
    let range = |tail: &str| {
        let (from, to) = tail.split_once('-')?;
        Some((from.parse::<f64>().ok()?, to.parse::<f64>().ok()?))
    };
    match text.rsplit_once(':') {
        Some((spec, tail)) => match range(tail) {
            Some(times) => (spec, Some(times)),
            None => (text, None),
        },
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_two_numbers_after_the_last_colon() {
        assert_eq!(split("road:7"), ("road:7", None));
        assert_eq!(split("road:7:0-12.5"), ("road:7", Some((0.0, 12.5))));
        assert_eq!(split("a:b/c"), ("a:b/c", None));
        assert_eq!(split("drives/x:170-199"), ("drives/x", Some((170.0, 199.0))));
        assert_eq!(split("drive-2"), ("drive-2", None));
    }
}
