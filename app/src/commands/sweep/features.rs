//! The drive through the CNN, once for all models that share a trunk.

use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use crossbeam_channel::bounded;
use deltasteer_data::Frame;
use deltasteer_perception::motion::MotionSensor;
use deltasteer_perception::{CnnScheduler, Device, FeatureExtractor};
use ndarray::{Array2, Axis, aview1};

use super::plan::{Candidate, Plan};
use crate::commands::summary::print_notes;
use crate::drive::{interrupted, progress_bar};
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

/// One model's CNN.
struct Eye {
    extractor: FeatureExtractor,
    motion: Option<MotionSensor>,
    scheduler: CnnScheduler,
    /// `[1, features]` of the last frame that the CNN ran on.
    features: Array2<f32>,
    /// The first model with the same trunk, whose trunk output is used.
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
        let (extractor, motion) = (candidate.model.extractor(Device::Cpu)?, candidate.model.motion_sensor(&plan.info)?);
        let scheduler = CnnScheduler::new(candidate.model.schedule(None)?);
        let features = Array2::zeros((1, extractor.feature_count()));
        Ok(Eye { extractor, motion, scheduler, features, trunk_of: first.unwrap_or(place) })
    };
    plan.candidates.iter().enumerate().map(eye).collect()
}

fn see(eyes: &mut [Eye], frame: &Frame, out: &mut Features) -> anyhow::Result<()> {
    let mut cells = vec![None; eyes.len()];
    for place in 0..eyes.len() {
        let (eye, seen) = (&mut eyes[place], &mut out.models[place]);
        let mut motion = Vec::new();
        if let Some(sensor) = &mut eye.motion {
            let step = sensor.step(frame.image.view(), frame.time_s)?;
            motion.extend(step.values);
            seen.cnn_macs += step.macs;
        }
        if eye.scheduler.due(aview1(&motion)) {
            let trunk = eye.trunk_of;
            if cells[trunk].is_none() {
                let found = eyes[trunk].extractor.cell_extractor().cells(frame.image.view())?;
                cells[trunk] = Some(found.insert_axis(Axis(0)));
            }
            let eye = &mut eyes[place];
            let cells = cells[trunk].as_ref().context("a trunk that did not run")?;
            eye.features = eye.extractor.features_from_cells(cells.view())?;
            seen.cnn_macs += eye.extractor.macs_per_frame();
        }
        let (eye, seen) = (&eyes[place], &mut out.models[place]);
        seen.single_frame_rad.push(eye.extractor.single_frame_steering_rad(eye.features.row(0)));
        seen.features.extend(&eye.features);
        seen.features.extend(motion);
        seen.cnn_macs_dense += eye.extractor.macs_per_frame();
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
