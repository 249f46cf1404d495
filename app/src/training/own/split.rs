//! The drives behind what the user names, and which seconds of them validate.

use std::path::Path;

use anyhow::{Context, bail};
use deltasteer_data::SourceInfo;

use crate::training::part::{self, Part};

/// Share of each drive, at its end, that validates where the user names no drive for it.
const HELD_OUT: f64 = 0.2;
/// Seconds between training and validation, whose pictures look alike; less in a short drive.
const GAP_S: f64 = 5.0;
/// The same as a share of the drive at most.
const GAP_SHARE: f64 = 0.05;
/// A drive that is shorter is not split.
const SHORTEST_S: f64 = 10.0;

/// What is trained on and what validates, each as `SOURCE:FROM-TO`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Split {
    /// To learn from.
    pub training: Vec<String>,
    /// To choose and to measure by.
    pub validation: Vec<String>,
    /// What the last training is on, once everything is chosen: the drives as named, or the same as `training` where validation
    /// drives were named.
    pub last: Vec<String>,
    /// Frames to learn from.
    pub frames: usize,
}

impl Split {
    /// Of the drives in their order. `validation` drives are taken as they are; without one, the last fifth of each drive by time
    /// validates.
    ///
    /// # Errors
    /// A drive that cannot be opened, has no labels or is too short; a drive on both sides.
    pub fn of(drives: &[String], validation: &[String]) -> anyhow::Result<Self> {
        if !validation.is_empty() {
            let open = |names: &[String]| names.iter().map(|name| Part::open(name)).collect::<anyhow::Result<Vec<_>>>();
            let parts = open(drives)?;
            check_overlap(&parts, &open(validation)?)?;
            let frames = parts.iter().map(Part::frames).sum();
            let last = drives.to_vec();
            return Ok(Self { training: drives.to_vec(), validation: validation.to_vec(), last, frames });
        }
        let mut split = Self { last: drives.to_vec(), ..Self::default() };
        for drive in drives {
            let (training, validation, frames) = halves(drive)?;
            split.training.push(training);
            split.validation.push(validation);
            split.frames += frames;
        }
        Ok(split)
    }
}

/// Refuses frames that are learned from and validate too: their error would mean nothing.
fn check_overlap(training: &[Part], validation: &[Part]) -> anyhow::Result<()> {
    for one in training {
        for other in validation {
            let overlaps = one.range.first < other.range.end && other.range.first < one.range.end;
            if one.files == other.files && overlaps {
                let source = part::split(&one.name).0;
                bail!(
                    "{} is trained on and --val {} validates: they share frames, and an error on learned frames says \
                     nothing; expected other drives, or parts of time such as {source}:0-60 and {source}:65-80",
                    one.name,
                    other.name,
                );
            }
        }
    }
    Ok(())
}

/// The part of a drive to learn from, the one that validates, and the frames of the first.
fn halves(drive: &str) -> anyhow::Result<(String, String, usize)> {
    let part = Part::open(drive)?;
    let times_s = &part.info.times_s[part.range.first..part.range.end];
    let (from_s, to_s) = (times_s.first().copied().unwrap_or(0.0), times_s.last().copied().unwrap_or(0.0));
    let length_s = to_s - from_s;
    if length_s < SHORTEST_S {
        bail!(
            "{drive}: {length_s:.1} s are too short to keep a fifth of them for validation; expected {SHORTEST_S} s or more, \
             or another drive to validate on (--val)"
        );
    }
    let held_s = from_s + (1.0 - HELD_OUT) * length_s;
    let gap_s = GAP_S.min(GAP_SHARE * length_s);
    let spec = part::split(drive).0;
    // The end is exclusive: a moment later, so that the last frame is in.
    let (training, validation) = (held_s - gap_s, to_s + 0.01);
    let frames = times_s.partition_point(|&time_s| time_s < training);
    Ok((format!("{spec}:{from_s:.2}-{training:.2}"), format!("{spec}:{held_s:.2}-{validation:.2}"), frames))
}

/// What the user has named, drive by drive.
#[derive(Debug, Default, PartialEq)]
pub struct Expanded {
    /// The drives, each with its camera.
    pub drives: Vec<String>,
    /// What lies in a named folder and is not used, with the reason.
    pub passed_over: Vec<String>,
}

/// The drives that `named` stands for: each source itself, and of a folder that is no drive, the drives and videos in it, by
/// name; `spec` gives a source its camera.
///
/// # Errors
/// A source that cannot be opened, or a folder in which no drive lies.
pub fn expand(named: &[String], spec: impl Fn(&str) -> String) -> anyhow::Result<Expanded> {
    let mut all = Expanded::default();
    for name in named {
        let (source, seconds) = part::split(name);
        match deltasteer_data::open(&spec(source)) {
            Err(error) if Path::new(source).is_dir() && seconds.is_none() => {
                let before = all.drives.len();
                inside(Path::new(source), &spec, &mut all).with_context(|| source.to_owned())?;
                if all.drives.len() == before {
                    let passed_over = all.passed_over.join("; ");
                    return Err(error)
                        .context(format!("{source}: no drive, and none with labels in it: {passed_over}"));
                }
            }
            // The seconds stay where they were.
            opened => opened.map(|_| all.drives.push(spec(source) + &name[source.len()..]))?,
        }
    }
    Ok(all)
}

/// Adds the drives directly inside a folder: what opens and has labels.
fn inside(folder: &Path, spec: &impl Fn(&str) -> String, all: &mut Expanded) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for path in entries.into_iter().map(|entry| entry.path()) {
        // Labels lie beside what they belong to, and are read with it.
        if path.extension().is_some_and(|suffix| suffix == "csv") {
            continue;
        }
        let name = path.display().to_string();
        let drive = spec(&name);
        match deltasteer_data::open(&drive) {
            Ok(source) if has_labels(source.info()) => all.drives.push(drive),
            Ok(_) => all.passed_over.push(format!("{name}: it has no angles to learn from")),
            Err(error) => all.passed_over.push(error.to_string()),
        }
    }
    Ok(())
}

fn has_labels(info: &SourceInfo) -> bool {
    info.steering_true_rad.iter().any(Option::is_some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_last_fifth_validates_behind_a_gap() {
        let split = Split::of(&texts(&["road:1,seconds=100,size=64x48", "road:2,seconds=40,size=64x48:10-30"]), &[]);
        let split = split.unwrap();
        assert_eq!(
            split.training,
            ["road:1,seconds=100,size=64x48:0.00-74.96", "road:2,seconds=40,size=64x48:10.00-24.96"]
        );
        let frames = |text: &String| Part::open(text).unwrap().range;
        let (training, validation) = (frames(&split.training[0]), frames(&split.validation[0]));
        assert_eq!((training.first, training.end), (0, 1500));
        assert_eq!((validation.first, validation.end), (1600, 2000));
        let message = Split::of(&texts(&["road:1,seconds=3"]), &[]).unwrap_err().to_string();
        assert!(message.contains("too short") && message.contains("--val"), "{message}");
    }

    #[test]
    fn what_is_learned_does_not_validate() {
        let road = "road:1,seconds=60,size=64x48";
        let both = |train: &str, val: &str| Split::of(&texts(&[train]), &texts(&[val]));
        let message = both(road, &format!("{road}:50-60")).unwrap_err().to_string();
        assert!(message.contains("share frames") && message.contains(road), "{message}");
        both(&format!("{road}:0-45"), &format!("{road}:50-60")).unwrap();
        both(road, "road:2,seconds=10,size=64x48").unwrap();
    }

    #[test]
    fn a_folder_stands_for_the_drives_in_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            let drive = folder.path().join(name);
            std::fs::create_dir(&drive).unwrap();
            for index in 0..3 {
                image::RgbImage::new(160, 120).save(drive.join(format!("{index}.png"))).unwrap();
            }
            std::fs::write(drive.join("labels.csv"), "file,steering_rad\n0.png,0.1\n1.png,0.2\n2.png,0.1\n").unwrap();
        }
        std::fs::write(folder.path().join("notes.txt"), "nothing").unwrap();
        let named = folder.path().display().to_string();
        let found = expand(std::slice::from_ref(&named), |source| format!("fov=90,source={source}")).unwrap();
        assert_eq!(found.drives, [format!("fov=90,source={named}/a"), format!("fov=90,source={named}/b")]);
        assert!(found.passed_over.len() == 1 && found.passed_over[0].contains("notes.txt"), "{:?}", found.passed_over);
        let empty = tempfile::tempdir().unwrap();
        let message = format!("{:#}", expand(&[empty.path().display().to_string()], str::to_owned).unwrap_err());
        assert!(message.contains("no drive, and none"), "{message}");
        assert!(expand(&texts(&["/no/such"]), str::to_owned).is_err());
    }
}
