//! Read sentences through a bidirectional delta GRU with CTC over phones: speechocean762, 5,000 English sentences by 250
//! non-native speakers, in its published split without common speakers. No language model.
//!
//! ```sh
//! cargo run --release -p deltasteer-temporal --example read_speech -- test|develop SPEECHOCEAN762 OUT [FIRST-LAST]
//! ```
//!
//! `develop` measures on every tenth training speaker, who then trains nothing; `test` on the published test speakers. FIRST-LAST
//! are seeds, 1-3 unless given. OUT keeps checkpoints and finished seeds, so that an interrupted run goes on.

#[path = "../common/mod.rs"]
mod common;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use common::audio::{log_mel, read_wav};
use common::{Arguments, Recipe, Split, keep_last, picture, table};
use deltasteer_temporal::train::ctc::{edit_distance, frames_needed, greedy};
use deltasteer_temporal::train::{Ctc, DeltaSettings, OptimiserSettings, TrainSettings};
use deltasteer_temporal::{HeadConfig, Pooling, Thresholds};
use ndarray::{ArcArray2, Axis};

/// The 39 phones of the CMU dictionary, without stress. Output 0 is CTC's blank, phone i is output i + 1.
const PHONES: [&str; 39] = [
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
];
const BATCH: usize = 16;
/// Epochs of the dense and of the delta training.
const EPOCHS: [u64; 2] = [22, 10];

struct Sentence {
    features: ArcArray2<f32>,
    phones: Vec<usize>,
    speaker: String,
}

fn main() -> anyhow::Result<()> {
    let Arguments { task: part, folder, out, seeds, range } =
        Arguments::read("test|develop SPEECHOCEAN762 OUT [FIRST-LAST]")?;
    let (part, folder, out) = (part.as_str(), folder.as_path(), out.as_path());
    let mut training = sentences(folder, "train")?;
    let speakers: BTreeSet<&String> = training.iter().map(|s| &s.speaker).collect();
    let developing: BTreeSet<String> = speakers.into_iter().skip(9).step_by(10).cloned().collect();
    let (develop, rest): (Vec<_>, Vec<_>) = training.drain(..).partition(|s| developing.contains(&s.speaker));
    let tested = match part {
        "develop" => develop,
        "test" => sentences(folder, "test")?,
        other => bail!("{other}: expected test or develop"),
    };
    let mut rows = Vec::new();
    for seed in range {
        rows.extend(split(part, &rest, &tested, seed, out)?);
        table::write(&out.join(format!("{part}-seeds{seeds}.csv")), &rows)?;
    }
    table::print(&rows);
    let title = format!("Read speech, {part}: phone errors against savings, seeds {seeds}");
    picture::draw(&rows, &title, &out.join(format!("{part}.svg")))?;
    Ok(())
}

/// Trains on the training speakers but those that develop, and measures on `tested`.
fn split(
    part: &str,
    training: &[Sentence],
    tested: &[Sentence],
    seed: u64,
    out: &Path,
) -> anyhow::Result<Vec<table::Row>> {
    let labels = |all: &[Sentence]| all.iter().map(|s| s.phones.clone()).collect::<Vec<_>>();
    let loss = Ctc::new(PHONES.len() + 1, labels(training), Vec::new())?;
    let expected = labels(tested);
    let errors = |outputs: &[ndarray::Array2<f32>]| {
        let distances = outputs.iter().zip(&expected).map(|(y, phones)| edit_distance(&greedy(y.view()), phones));
        (distances.sum(), expected.iter().map(Vec::len).sum())
    };
    let features = |all: &[Sentence]| all.iter().map(|s| s.features.clone()).collect();
    let recipe = recipe(training.len());
    let (training, test) = (features(training), features(tested));
    let mut split = Split { name: part.to_owned(), training, test, loss: &loss, errors: &errors };
    common::run(&mut split, &recipe, seed, out)
}

fn recipe(sentences: usize) -> Recipe {
    let steps = |epochs: u64| epochs * sentences.div_ceil(BATCH) as u64;
    let dense = TrainSettings {
        hidden_size: 128,
        num_layers: 2,
        bidirectional: true,
        head: HeadConfig { output_size: PHONES.len() + 1, fc_size: None, pooling: Pooling::None },
        steps: steps(EPOCHS[0]),
        batch: BATCH,
        window: None,
        input_dropout: 0.1,
        layer_dropout: 0.2,
        optimiser: OptimiserSettings {
            learning_rate: 2e-3,
            warmup_steps: 500,
            weight_decay: 0.01,
            ..OptimiserSettings::default()
        },
        validation: keep_last(),
        ..TrainSettings::default()
    };
    let delta = TrainSettings {
        steps: steps(EPOCHS[1]),
        // Of 144 combinations on the speakers that develop, with a delta network: these save most for what they cost.
        thresholds: vec![Thresholds { theta_x: 0.25, theta_h: 0.28 }, Thresholds { theta_x: 0.4, theta_h: 0.45 }],
        // A cost that rises until a target is met drives CTC to blanks in stages as short as these.
        delta: Some(DeltaSettings { l1_x: 0.06, l1_h: 0.06, ..DeltaSettings::default() }),
        optimiser: OptimiserSettings { learning_rate: 1e-3, warmup_steps: 50, ..dense.optimiser.clone() },
        ..dense.clone()
    };
    Recipe { dense, delta: ("delta", delta), scales: vec![0.4, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25] }
}

/// Lines of a Kaldi list: a key and the rest.
fn list(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let pair = |line: &str| {
        let (key, rest) = line.split_once(char::is_whitespace)?;
        Some((key.to_owned(), rest.trim().to_owned()))
    };
    text.lines()
        .map(|line| pair(line).with_context(|| format!("{}: expected a key and a value: {line}", path.display())))
        .collect()
}

/// The sentences of one part, those shorter than their phones need left out and counted.
fn sentences(folder: &Path, part: &str) -> anyhow::Result<Vec<Sentence>> {
    let mut phones: HashMap<String, Vec<usize>> = HashMap::new();
    // One line a word, `SENTENCE.WORD<tab>PHONE_POSITION ...`, in order.
    for (key, text) in list(&folder.join("resource/text-phone"))? {
        let sentence = key.rsplit_once('.').map_or(key.as_str(), |(sentence, _)| sentence).to_owned();
        let word: Vec<usize> = text.split_whitespace().map(|p| phone(p, &key)).collect::<anyhow::Result<_>>()?;
        phones.entry(sentence).or_default().extend(word);
    }
    let speakers: HashMap<String, String> = list(&folder.join(part).join("utt2spk"))?.into_iter().collect();
    let (mut sentences, mut short) = (Vec::new(), 0);
    for (key, file) in list(&folder.join(part).join("wav.scp"))? {
        let mut features = log_mel(&read_wav(&folder.join(file), 16_000)?, 16_000);
        // Each sentence's own mean is taken away: it tells of the speaker and the microphone, not of the phones.
        if let Some(mean) = features.mean_axis(Axis(0)) {
            features -= &mean;
        }
        let features = features.into_shared();
        let phones = phones.remove(&key).with_context(|| format!("sentence {key} has no phones"))?;
        if features.nrows() < frames_needed(&phones) {
            short += 1;
            continue;
        }
        let speaker = speakers.get(&key).with_context(|| format!("sentence {key} has no speaker"))?.clone();
        sentences.push(Sentence { features, phones, speaker });
    }
    ensure!(!sentences.is_empty(), "{}: no sentences in {part}", folder.display());
    println!("{part}: {} sentences; left out: {short} shorter than their phones need", sentences.len());
    Ok(sentences)
}

/// `IY0_E` to the output of IY.
fn phone(text: &str, key: &str) -> anyhow::Result<usize> {
    let name = text.split('_').next().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit());
    let place = PHONES.iter().position(|phone| *phone == name);
    place.map(|place| place + 1).with_context(|| format!("{key}: phone {text} is not in the set of 39"))
}
