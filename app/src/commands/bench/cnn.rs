//! `bench cnn`: the frozen CNN, block by block.

use std::time::Instant;

use deltasteer_perception::{CellExtractor, Device, InstructionSet, PerceptionConfig};
use ndarray::Array3;
use serde::Serialize;

use crate::cli::BenchCnnArgs;
use crate::model::Model;
use crate::shipped;

/// Frames that each row is timed on.
const FRAMES: usize = 200;
/// Frames in a row before the next extractor takes its turn.
const TURN: usize = 10;

/// The times of the extractor up to one block.
#[derive(Debug, Serialize)]
struct Row {
    /// What the row adds, such as `block 3`; the first row is pre-processing, stem and first block.
    layer: String,
    /// Multiply-accumulates that it adds.
    macs: u64,
    /// Fastest frame of everything up to here, microseconds.
    fastest_us: f64,
    /// Median frame of everything up to here, microseconds.
    median_us: f64,
}

/// Fastest and median frame of the whole network on one instruction set.
#[derive(Debug, Serialize)]
struct Set {
    instruction_set: InstructionSet,
    fastest_us: f64,
    median_us: f64,
}

/// Runs it.
///
/// # Errors
/// A model that cannot be loaded, or standard output that cannot be written.
pub fn run(args: &BenchCnnArgs) -> anyhow::Result<()> {
    let folder = args.model.clone().map_or_else(|| shipped::for_source(""), Ok)?;
    let model = Model::load(&folder)?;
    let (tensors, config) = (model.tensors(), &model.config().perception);
    let mut blocks = Vec::new();
    for count in 1..=config.trunk_blocks {
        let part = PerceptionConfig { trunk_blocks: count, cells_across: 1, cells_down: 1, ..config.clone() };
        blocks.push(CellExtractor::load(tensors, &part, Device::Cpu)?);
    }
    let sets: Vec<_> = InstructionSet::available().into_iter().chain(InstructionSet::bf16()).collect();
    let load = |&set: &InstructionSet| CellExtractor::load_for(tensors, config, Device::Cpu, set);
    let mut whole = sets.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    let (block_times, set_times) = (time(&mut blocks)?, time(&mut whole)?);

    let mut before = 0;
    let rows: Vec<Row> = blocks
        .iter()
        .zip(&block_times)
        .enumerate()
        .map(|(index, (extractor, times))| {
            let macs: u64 = extractor.macs_by_layer().iter().map(|(_, macs)| macs).sum();
            let layer = if index == 0 { "to block 0".to_owned() } else { format!("block {index}") };
            let row = Row { layer, macs: macs - before, fastest_us: times[0], median_us: times[FRAMES / 2] };
            before = macs;
            row
        })
        .collect();
    let set = |(set, times): (&InstructionSet, &Vec<f64>)| Set {
        instruction_set: *set,
        fastest_us: times[0],
        median_us: times[FRAMES / 2],
    };
    let sets: Vec<Set> = sets.iter().zip(&set_times).map(set).collect();
    if args.json {
        crate::say!("{}", serde_json::json!({ "blocks": rows, "instruction_sets": sets }))?;
        return Ok(());
    }
    crate::say!("one 640x480 frame on one thread     MACs   fastest us  median us (up to and with the row)")?;
    for row in &rows {
        crate::say!("{:<32} {:>9} {:>10.0} {:>10.0}", row.layer, row.macs, row.fastest_us, row.median_us)?;
    }
    for set in &sets {
        crate::say!(
            "whole, {:<35} {:>10.0} {:>10.0}",
            format!("{:?}", set.instruction_set),
            set.fastest_us,
            set.median_us
        )?;
    }
    Ok(())
}

/// Sorted times of each extractor's frames, microseconds. In turns, so that whatever else the machine does strikes all alike.
fn time(extractors: &mut [CellExtractor]) -> anyhow::Result<Vec<Vec<f64>>> {
    let frame = Array3::from_shape_fn((480, 640, 3), |(y, x, c)| ((x * 3 + y * 5 + c * 40) % 256) as u8);
    let mut times = vec![Vec::with_capacity(FRAMES); extractors.len()];
    for _ in 0..FRAMES / TURN {
        for (extractor, times) in extractors.iter_mut().zip(&mut times) {
            extractor.cells(frame.view())?;
            for _ in 0..TURN {
                let start = Instant::now();
                extractor.cells(frame.view())?;
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    times.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
    Ok(times)
}
