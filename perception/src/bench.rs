//! Measured times of the front end, layer by layer, for `deltasteer bench cnn`; and the other half of the comparison with
//! other runtimes, which takes turns with them in one run.

use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::feature::FeatureLayer;
use crate::kernels::InstructionSet;
use crate::perception::Front;
use crate::preprocess::Preprocessor;
use crate::trunk::{Meter, layout};
use crate::weights::Weights;
use serde::Serialize;
use std::io::{BufRead, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Times of one instruction set and number of threads.
#[derive(Debug, Clone, Serialize)]
pub struct FrontTime {
    /// What the kernels were compiled for.
    pub instruction_set: InstructionSet,
    /// 1 or 2.
    pub threads: usize,
    /// Fastest frame through trunk and averaging, milliseconds.
    pub fastest_ms: f64,
    /// Median frame, milliseconds.
    pub median_ms: f64,
}

/// Time and work of one layer, on one thread.
#[derive(Debug, Clone, Serialize)]
pub struct LayerTime {
    /// For example `block1.expand`.
    pub layer: String,
    /// Multiply-accumulates a frame.
    pub macs: u64,
    /// Microseconds a frame, median.
    pub median_us: f64,
}

/// What [`measure`] found.
#[derive(Debug, Clone, Serialize)]
pub struct CnnTimes {
    /// Trunk and averaging, every instruction set of this CPU.
    pub trunk: Vec<FrontTime>,
    /// Layer by layer on one thread with the widest instruction set, pre-processing of a 640x480 frame first and the
    /// feature layer (where the weights hold one) last.
    pub layers: Vec<LayerTime>,
}

/// Times `rounds` frames for every instruction set and thread count, in turns, and every layer.
///
/// # Errors
/// As [`Front::load`].
pub fn measure(tensors: &[u8], config: &PerceptionConfig, rounds: usize) -> Result<CnnTimes, PerceptionError> {
    let picture = test_picture(config);
    let mut pooled = vec![0.0; config.pooled_count()];
    let mut runs = Vec::new();
    for set in InstructionSet::available() {
        for threads in 1..=2 {
            let mut front = Front::load_for(tensors, config, set)?;
            front.set_threads(threads)?;
            runs.push((set, threads, front, Vec::with_capacity(rounds)));
        }
    }
    // In turns, so that whatever else the machine does strikes all alike; a few at a time, so that caches are warm.
    for _ in 0..rounds.div_ceil(TURN) {
        for (_, _, front, times) in &mut runs {
            front.pooled_from_picture(&picture, &mut pooled)?;
            for _ in 0..TURN {
                let start = Instant::now();
                front.pooled_from_picture(&picture, &mut pooled)?;
                times.push(start.elapsed());
            }
        }
    }
    let time = |(set, threads, _, mut times): (InstructionSet, usize, Front, Vec<Duration>)| {
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        FrontTime { instruction_set: set, threads, fastest_ms: ms(times[0]), median_ms: ms(times[times.len() / 2]) }
    };
    let trunk = runs.into_iter().map(time).collect();
    Ok(CnnTimes { trunk, layers: measure_layers(tensors, config, rounds)? })
}

/// Frames in a row before the next takes its turn.
const TURN: usize = 10;

/// Times `rounds` frames layer by layer: see [`CnnTimes::layers`].
///
/// # Errors
/// As [`Front::load`].
pub fn measure_layers(
    tensors: &[u8],
    config: &PerceptionConfig,
    rounds: usize,
) -> Result<Vec<LayerTime>, PerceptionError> {
    let (set, rounds) = (InstructionSet::best(), rounds.max(1));
    let mut front = Front::load_for(tensors, config, set)?;
    let (mut preprocessor, rgb) = (Preprocessor::new(config, set), vec![99; 640 * 480 * 3]);
    let mut picture = test_picture(config);
    let mut layer = FeatureLayer::load(&Weights::parse(tensors)?, config, set).ok();
    let pooled = vec![0.5; config.pooled_count()];
    let mut features = vec![0.0; config.feature_count];
    let names = layout::macs_by_layer(config);
    let mut times = vec![Vec::with_capacity(rounds); names.len() + 2];
    for _ in 0..rounds {
        let start = Instant::now();
        preprocessor.run(&rgb, 640, 480, &mut picture, config.input_width * 3)?;
        times[0].push(start.elapsed());
        let meter = Clock::default();
        front.run_metered(&meter);
        let spent = meter.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        times[1..].iter_mut().zip(spent).for_each(|(times, spent)| times.push(spent));
        let start = Instant::now();
        if let Some(layer) = &mut layer {
            layer.run(&pooled, &mut features);
        }
        times[names.len() + 1].push(start.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    };
    let mut rows = vec![LayerTime { layer: "pre-processing".into(), macs: 0, median_us: median(&mut times[0]) }];
    for ((name, macs), times) in names.iter().zip(&mut times[1..]) {
        rows.push(LayerTime { layer: name.clone(), macs: *macs, median_us: median(times) });
    }
    if let (Some(layer), Some(times)) = (&layer, times.last_mut()) {
        rows.push(LayerTime { layer: "feature".into(), macs: layer.macs(), median_us: median(times) });
    }
    Ok(rows)
}

/// Sums the time of each layer.
#[derive(Default)]
struct Clock(Mutex<[Duration; 16]>);

impl Meter for Clock {
    type Point = Instant;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn add(&self, layer: usize, start: Instant) -> Instant {
        let now = Instant::now();
        if let Ok(mut times) = self.0.lock() {
            times[layer] += now - start;
        }
        now
    }
}

/// The picture that every runtime gets: `[input_height][input_width][3]`, normalised.
pub fn test_picture(config: &PerceptionConfig) -> Vec<f32> {
    let mut picture = Vec::with_capacity(config.input_width * config.input_height * 3);
    for y in 0..config.input_height {
        for x in 0..config.input_width {
            let colours = [(x * 3 + y) % 256, (x * y / 7) % 256, (x / 16 * 40 + y / 16 * 90) % 256];
            picture.extend(colours.map(|colour| (colour as f32 - config.pixel_mean) / config.pixel_scale));
        }
    }
    picture
}

/// Takes turns with another runtime: for each line `THREADS FRAMES` of `requests` it runs the test picture that often and
/// answers with one line of JSON, `{"ms": [...], "pooled": [...]}`.
///
/// # Errors
/// As [`Front::load`], or [`PerceptionError::File`] for a request that is no two numbers or a reply that is not taken.
pub fn take_turns(
    tensors: &[u8],
    config: &PerceptionConfig,
    requests: impl BufRead,
    mut replies: impl Write,
) -> Result<(), PerceptionError> {
    let picture = test_picture(config);
    let mut pooled = vec![0.0; config.pooled_count()];
    let mut fronts = [Front::load(tensors, config)?, Front::load(tensors, config)?];
    fronts[1].set_threads(2)?;
    let bad = |reason: String| PerceptionError::File { path: "standard input or output".into(), reason };
    for line in requests.lines() {
        let line = line.map_err(|error| bad(error.to_string()))?;
        let numbers: Vec<usize> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [threads @ 1..=2, frames] = numbers[..] else {
            return Err(bad(format!("\"{line}\", expected 1 or 2 threads and a number of frames")));
        };
        let mut ms = Vec::with_capacity(frames);
        for _ in 0..frames {
            let start = Instant::now();
            fronts[threads - 1].pooled_from_picture(&picture, &mut pooled)?;
            ms.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let reply = serde_json::json!({ "ms": ms, "pooled": pooled });
        writeln!(replies, "{reply}").and_then(|()| replies.flush()).map_err(|error| bad(error.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUNK: &[u8] = include_bytes!("../../models/trunk/efficientnet-lite0.safetensors");

    #[test]
    fn every_layer_and_thread_count_is_timed() {
        let times = measure(TRUNK, &PerceptionConfig::default(), 3).unwrap();
        assert_eq!(times.trunk.len(), 2 * InstructionSet::available().len());
        let layers: Vec<&str> = times.layers.iter().map(|layer| layer.layer.as_str()).collect();
        assert_eq!(layers[..4], ["pre-processing", "stem", "block0.depthwise", "block0.project"]);
        assert_eq!((layers.len(), layers[15]), (16, "block4.project"));
        assert!(times.layers.iter().all(|layer| layer.median_us > 0.0), "{:?}", times.layers);
    }

    #[test]
    fn turns_are_taken_and_nonsense_is_refused() {
        let mut replies = Vec::new();
        take_turns(TRUNK, &PerceptionConfig::default(), &b"1 2\n2 3\n"[..], &mut replies).unwrap();
        let lines: Vec<serde_json::Value> =
            replies.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        assert_eq!([0, 1].map(|i: usize| lines[i]["ms"].as_array().unwrap().len()), [2, 3]);
        assert_eq!(lines[0]["pooled"], lines[1]["pooled"]);
        let error = take_turns(TRUNK, &PerceptionConfig::default(), &b"3 1\n"[..], Vec::new()).unwrap_err();
        assert!(error.to_string().contains("1 or 2 threads"), "{error}");
    }
}
