//! The drive through the CNN, once for all models that share a trunk.

use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use crossbeam_channel::bounded;
use deltasteer_data::Frame;
use deltasteer_perception::Device;
use ndarray::{Array2, Axis};

use super::plan::{Candidate, Plan};
use crate::commands::summary::print_notes;
use crate::drive::{interrupted, progress_bar};
use crate::front_end::FrontEnd;
use crate::pipeline::FrameRange;
use crate::say;
use crate::session::read_frames;

/// What all models saw, frame after frame.
pub struct Features {
    /// The human driver's angle.
    pub steering_true_rad: Vec<Option<f32>>,
    /// One entry a model, in the plan's order.
    pub models: Vec<Seen>,
}

/// What one model saw.
#[derive(Default)]
pub struct Seen {
    /// The RNN's inputs, `[frames][inputs]`.
    pub features: Vec<f32>,
    /// The CNN's own angle, `[frames]`.
    pub single_frame_rad: Vec<f32>,
    /// Multiply-accumulates of CNN and motion sensor, all frames.
    pub cnn_macs: u64,
    /// Multiply-accumulates of a CNN that runs on every frame.
    pub cnn_macs_dense: u64,
}

/// One model's front end.
struct Eye {
    front_end: FrontEnd,
    /// The first model with the same trunk, which has the same cells.
    trunk_of: usize,
}

/// Runs the plan's frames.
///
/// # Errors
/// A drive that fails, holds no readable or labelled frame, or an interruption.
pub fn compute(plan: &mut Plan) -> anyhow::Result<Features> {
    let mut eyes = eyes(plan)?;
    let mut features =
        Features { steering_true_rad: Vec::new(), models: eyes.iter().map(|_| Seen::default()).collect() };
    let range = plan.range.unwrap_or(FrameRange { first: 0, end: plan.info.frame_count.unwrap_or(usize::MAX) });
    let bar =
        progress_bar(plan.info.frame_count.map(|_| range.end - range.first)).with_message("frames through the CNN");
    let (sender, frames) = bounded::<Frame>(8);
    let stop: (&AtomicBool, _) = (interrupted(), "interrupted before the first row; the same command starts over");
    let source = plan.source.as_mut();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let reader = std::thread::Builder::new()
            .name("read".into())
            // Where nobody takes a frame any more, the CNN has failed with an error of its own.
            .spawn_scoped(scope, move || read_frames(source, range, stop, |frame| Ok(sender.send(frame).is_ok())))
            .context("thread read")?;
        for frame in frames {
            see(&mut eyes, &frame, &mut features)?;
            bar.inc(1);
        }
        reader.join().map_err(|_| anyhow::anyhow!("the thread that reads frames stopped by a fault"))?
    })?;
    bar.finish_and_clear();
    report_skipped(plan)?;
    if features.steering_true_rad.iter().flatten().next().is_none() {
        bail!("{}: no frame of this part has a true angle to compare with", plan.info.name);
    }
    Ok(features)
}

fn eyes(plan: &Plan) -> anyhow::Result<Vec<Eye>> {
    let eye = |(place, candidate): (usize, &Candidate)| {
        let first = plan.candidates.iter().position(|other| other.trunk == candidate.trunk);
        let model = &candidate.model;
        let front_end = FrontEnd::new(model, &plan.info, model.schedule(None)?, Device::Cpu)?;
        Ok(Eye { front_end, trunk_of: first.unwrap_or(place) })
    };
    plan.candidates.iter().enumerate().map(eye).collect()
}

fn see(eyes: &mut [Eye], frame: &Frame, out: &mut Features) -> anyhow::Result<()> {
    let image = frame.image.view();
    let mut cells: Vec<Option<Array2<f32>>> = vec![None; eyes.len()];
    for (Eye { front_end, trunk_of }, seen) in eyes.iter_mut().zip(&mut out.models) {
        seen.cnn_macs += front_end.see_by(image, frame.time_s, |extractor| {
            let cells = match &mut cells[*trunk_of] {
                Some(cells) => cells,
                none => none.insert(extractor.cell_extractor().cells(image)?.insert_axis(Axis(0))),
            };
            Ok(extractor.features_from_cells(cells.view())?.row(0).to_owned())
        })?;
        seen.cnn_macs_dense += front_end.cnn_macs();
        seen.single_frame_rad.push(front_end.single_frame_steering_rad());
        seen.features.extend(front_end.inputs());
    }
    out.steering_true_rad.push(frame.steering_true_rad);
    Ok(())
}

fn report_skipped(plan: &Plan) -> anyhow::Result<()> {
    let skipped = plan.source.skipped();
    if let Some(first) = skipped.examples.first() {
        say!("skipped      {} frames; the first: {first}", skipped.count)?;
    }
    Ok(print_notes(&plan.source.info().notes)?)
}
