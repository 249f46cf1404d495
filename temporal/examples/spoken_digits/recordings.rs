//! The two sets of recordings. Speakers are numbers here: no name is printed or written.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use ndarray::{ArcArray2, Array2};
use sha2::{Digest, Sha256};

use crate::common::audio::{log_mel, read_wav};

/// Groups of DSPSpeech-20's speakers.
pub const TRAIN: usize = 0;
/// The speakers that development may look at.
pub const DEVELOP: usize = 1;
/// The speakers that are kept for the end.
pub const TEST: usize = 2;

/// A recording of one word.
pub struct Recording {
    pub features: ArcArray2<f32>,
    pub class: usize,
    /// Number of the speaker, or of the speaker's group.
    speaker: usize,
    take: usize,
}

impl Recording {
    /// The fold by take (five takes each), or the speaker (or group of speakers).
    pub fn group(&self, task: &str) -> usize {
        if task == "folds" { self.take / 5 } else { self.speaker }
    }
}

/// Files of a folder with this ending, in the order of their names.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The Free Spoken Digit Dataset: `DIGIT_SPEAKER_TAKE.wav`, 8 kHz, trimmed of silence as published.
pub fn fsdd(folder: &Path) -> anyhow::Result<Vec<Recording>> {
    let (mut recordings, mut speakers) = (Vec::new(), Vec::new());
    for path in files(folder)? {
        let name = stem(&path);
        let parts: Vec<&str> = name.split('_').collect();
        let [digit, speaker, take] = parts[..] else {
            bail!("{}: expected DIGIT_SPEAKER_TAKE.wav", path.display());
        };
        let class: usize = digit.parse().with_context(|| format!("{}: label {digit}", path.display()))?;
        ensure!(class < 10, "{}: label {class} is not in the set; expected 0 to 9", path.display());
        let place = speakers.iter().position(|s| s == speaker).unwrap_or_else(|| {
            speakers.push(speaker.to_owned());
            speakers.len() - 1
        });
        let take = take.parse().with_context(|| format!("{}: take {take}", path.display()))?;
        let features = log_mel(&read_wav(&path, 8000)?, 8000).into_shared();
        recordings.push(Recording { features, class, speaker: place, take });
    }
    ensure!(!recordings.is_empty(), "{}: no recordings", folder.display());
    Ok(recordings)
}

/// DSPSpeech-20: a folder a speaker with `SPEAKER-WORD-TAKE.wav`, 16 kHz. Byte copies of another take and silent files are left out and
/// counted; silence at both ends is trimmed. Speakers in the order of the SHA-256 of their folder's name: the first 22 train, the
/// next 4 develop, the last 8 test.
pub fn words(folder: &Path) -> anyhow::Result<Vec<Recording>> {
    let mut folders = files(folder)?;
    folders.sort_by_key(|path| Sha256::digest(stem(path)).to_vec());
    let (mut recordings, mut seen, mut copies, mut silent) = (Vec::new(), HashSet::new(), 0, 0);
    for (place, folder) in folders.iter().enumerate() {
        let speaker = [TRAIN, DEVELOP, TEST][usize::from(place >= 22) + usize::from(place >= 26)];
        for path in files(folder)? {
            let name = stem(&path);
            let parts: Vec<&str> = name.split('-').collect();
            let [_, word, take] = parts[..] else {
                bail!("a recording of speaker {place}: expected SPEAKER-WORD-TAKE.wav");
            };
            let class: usize = word.parse().with_context(|| format!("speaker {place}: label {word}"))?;
            ensure!(class < 20, "speaker {place}: label {class} is not in the set; expected 0 to 19");
            let bytes = std::fs::read(&path)?;
            if !seen.insert(Sha256::digest(&bytes).to_vec()) {
                copies += 1;
                continue;
            }
            let samples = read_wav(&path, 16_000)?;
            if samples.iter().all(|sample| sample.abs() < 1e-3) {
                silent += 1;
                continue;
            }
            let features = without_silence(&log_mel(&samples, 16_000)).into_shared();
            recordings.push(Recording { features, class, speaker, take: take.parse().unwrap_or(0) });
        }
    }
    ensure!(!recordings.is_empty(), "{}: no recordings", folder.display());
    println!("{} recordings; left out: {copies} byte copies, {silent} silent", recordings.len());
    Ok(recordings)
}

/// The frames from the first to the last that is at most 30 dB below the loudest: silence at the ends would flatter savings.
fn without_silence(features: &Array2<f32>) -> Array2<f32> {
    let energies: Vec<f32> = features.rows().into_iter().map(|row| row.iter().map(|x| x.exp()).sum()).collect();
    let loud = energies.iter().fold(0.0f32, |max, e| max.max(*e)) * 1e-3;
    let first = energies.iter().position(|e| *e >= loud).unwrap_or(0);
    let last = energies.iter().rposition(|e| *e >= loud).unwrap_or(energies.len() - 1);
    features.slice(ndarray::s![first..=last, ..]).to_owned()
}
