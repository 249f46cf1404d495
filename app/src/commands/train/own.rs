//! `train DRIVE... --out DIR`: an own model from own drives, with a report at the end.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use deltasteer_perception::{Device, PerceptionConfig};
use deltasteer_temporal::train::{Parameters, Progress, TrainSettings};
use serde_json::json;

use super::shared::{Checkpoints, command_line, filled, measured, train_phase, trunk, with_entry};
use crate::cli::{OwnModelArgs, PurposeArg};
use crate::drive::{self, Drive};
use crate::metrics::ErrorFigures;
use crate::model::{Model, ModelParts, is_model_folder};
use crate::session::{RunOptions, Session};
use crate::training::cache::Cache;
use crate::training::data::Parts;
use crate::training::joint::JointInputs;
use crate::training::own::choose::{self, Point};
use crate::training::own::findings::Figures;
use crate::training::own::history::{History, Row};
use crate::training::own::labels::{self, Fault};
use crate::training::own::page::Report;
use crate::training::own::purpose::Purpose;
use crate::training::own::split::{self, Split};
use crate::training::part::{self, Part};
use crate::training::recipe::{self, RnnRecipe};
use crate::training::together::{Prepared, joint_config};
use crate::view::TrainingView;
use crate::{horizon, output, say, shipped, text};

/// Runs `train`.
///
/// # Errors
/// Drives that cannot be used, labels that do not belong to the pictures, a finished model in the way, or a signal; the same
/// command goes on.
pub fn run(args: &OwnModelArgs) -> anyhow::Result<()> {
    let out = args.out.as_deref().context("--out DIR: expected the model folder to write")?;
    let purpose = Purpose::from(args.purpose);
    let budget = purpose.budget(args.savings)?;
    if is_model_folder(out) && !Checkpoints::of(out).exists() && !args.force {
        bail!("{}: holds a finished model; expected another folder, or --force to replace it", out.display());
    }
    let split = find_drives(args)?;
    let (mut parts, recipe, trunk) = open(args, purpose, budget, &split)?;
    let label_words = check_labels(&mut parts, args.trust_labels)?;
    tell_views(&mut parts)?;
    let checkpoints = Checkpoints::open(out)?;
    let mut history = History::open(&checkpoints.file("history.csv"))?;
    let mut parts = filled(parts)?;
    let models = train(&mut parts, &recipe, &trunk, &checkpoints, &mut history)?;

    let around = recipe.phases.iter().rev().find_map(|phase| phase.rnn.thresholds.first().copied()).unwrap_or_default();
    let points = choose::points(&models, around, &parts)?;
    let (kept, _) = choose::choose(&points, budget).context("no validation frame has an angle")?;
    let mut measured = models.into_iter().nth(kept.phase).context("a phase without a model")?;
    finish_config(&mut measured, kept, &recipe, [&split.training, &split.validation], &parts)?;
    let folder = checkpoints.file("measured");
    measured.save(&folder)?;
    let figures = measure(&folder, &parts, budget)?;
    let model = if args.val.is_empty() { on_all(args, &split, &recipe, kept, &trunk, &checkpoints)? } else { measured };
    model.save(out)?;
    let report = Report {
        model: out.display().to_string(),
        command: command_line(),
        drives: [&split.training, &split.validation],
        on_all: args.val.is_empty(),
        labels: &label_words,
        figures: &figures,
        points: &points,
        kept,
        history: &history,
        commands: &commands(out, &split),
    };
    output::write_whole(&out.join("report.html"), report.html()?.as_bytes())?;
    output::write_whole(&out.join("CARD.md"), report.card().as_bytes())?;
    print(out, &report)?;
    say!("cache        {}", Cache::contents(&args.cache)?)?;
    checkpoints.finish(false)
}

/// The drives that were named, with their camera, split by time.
fn find_drives(args: &OwnModelArgs) -> anyhow::Result<Split> {
    let spec = |source: &str| args.camera.spec(source);
    let found = split::expand(&args.drives, spec)?;
    found.passed_over.iter().try_for_each(|reason| say!("not used     {}", text::one_line(reason)))?;
    let validation = split::expand(&args.val, spec)?;
    validation.passed_over.iter().try_for_each(|reason| say!("not used     {}", text::one_line(reason)))?;
    Split::of(&found.drives, &validation.drives)
}

/// The parts with the recipe and the trunk's tensors.
fn open(
    args: &OwnModelArgs,
    purpose: Purpose,
    budget: f64,
    split: &Split,
) -> anyhow::Result<(Parts, RnnRecipe, Trunk)> {
    let recipe = recipe::with(purpose.recipe(budget, args.seed, split.frames)?, &args.set)?;
    recipe.phases.iter().try_for_each(|phase| phase.rnn.check())?;
    let (trunk, config) = trunk(&shipped::for_source("")?, &recipe.backbone)?;
    let config = joint_config(&recipe, config)?;
    let trunk = Trunk { tensors: trunk, config };
    let parts = parts_of(args, &recipe, &trunk, &split.training, &split.validation)?;
    Ok((parts, recipe, trunk))
}

/// The frozen network in front.
struct Trunk {
    tensors: Vec<u8>,
    config: PerceptionConfig,
}

fn parts_of(
    args: &OwnModelArgs,
    recipe: &RnnRecipe,
    trunk: &Trunk,
    training: &[String],
    validation: &[String],
) -> anyhow::Result<Parts> {
    let cache = Cache::open(&args.cache, &trunk.tensors, &trunk.config, Device::Cpu, recipe.drives.seed)?;
    let parts = Parts::open(training, validation, cache, &recipe.drives)?;
    parts.with_motion(recipe.motion.as_ref())?.with_schedule(recipe.cnn)
}

/// Measures the motion in the pictures and compares it with the labels. Returns a line for each drive.
fn check_labels(parts: &mut Parts, trust: bool) -> anyhow::Result<Vec<String>> {
    let mut faults: Vec<Fault> =
        parts.training.iter().chain(&parts.validation).filter_map(labels::check_labels).collect();
    let mut words = Vec::new();
    if faults.is_empty() {
        measured(parts)?;
        for (part, motion) in parts.with_measured() {
            match labels::check_motion(part, motion) {
                Ok(agreement) => words.push(labels::words(part, agreement.as_ref())),
                Err(fault) => faults.push(fault),
            }
        }
    }
    words.iter().try_for_each(|line| say!("labels       {}", text::one_line(line)))?;
    let found: Vec<String> = faults.iter().map(|fault| text::one_line(&fault.to_string())).collect();
    if !found.is_empty() && !trust {
        bail!("{}; or pass --trust-labels if the labels are right", found.join("\n"));
    }
    for fault in found {
        say!("labels       {fault}")?;
        words.push(format!("trusted in spite of this: {fault}"));
    }
    Ok(words)
}

/// Says how each drive's camera sees the road, each drive once: where the horizon lies, and what is unlike the network's input.
fn tell_views(parts: &mut Parts) -> anyhow::Result<()> {
    let mut told = BTreeSet::new();
    for part in parts.training.iter_mut().chain(&mut parts.validation) {
        let drive = part::split(&part.name).0.to_owned();
        if !told.insert(drive.clone()) {
            continue;
        }
        let known = part.info.camera.known;
        let found = if known { None } else { horizon::find(part.source.as_mut())? };
        let drive = text::one_line(&drive);
        if !known {
            say!("horizon      {drive}: {}", horizon::words(found, &part.info))?;
        }
        if let Some(note) = TrainingView::default().difference(&part.info) {
            say!("note         {drive}: {note}")?;
            found.map_or(Ok(()), |found| say!("             {}", horizon::advice(found, &part.info)))?;
        }
    }
    Ok(())
}

/// Trains every phase; what each has learned, as a model.
fn train(
    parts: &mut Parts,
    recipe: &RnnRecipe,
    trunk: &Trunk,
    checkpoints: &Checkpoints,
    history: &mut History,
) -> anyhow::Result<Vec<ModelParts>> {
    let prepared = Prepared::of(parts, recipe, trunk.config.clone())?;
    let mut train =
        |number: usize, settings: &TrainSettings, initial: Option<&Parameters>, inputs: &mut JointInputs<'_>| {
            let mut failed = None;
            let mut note = |progress: &Progress<'_>| {
                let validation = progress.validation.map(|validation| (validation.error, validation.savings));
                let row = Row { loss: progress.loss, validation };
                failed = history.add(number, progress.step, row).err().or(failed.take());
            };
            let trained = train_phase(number, settings, initial, inputs, &prepared.targets, checkpoints, &mut note)?;
            failed.map_or(Ok(trained), Err)
        };
    let mut models = Vec::new();
    prepared.train(recipe, &mut train, &mut |number, layer, trained| {
        models.push(prepared.model(&trunk.tensors, layer, trained, &recipe.phases[number].rnn)?);
        Ok(())
    })?;
    Ok(models)
}

/// The same training once more, up to the phase that is kept, on the whole drives: the frames that validated, and those between, are
/// too good to be lost.
/// Its error cannot be measured any more; that of the training before stands for it.
fn on_all(
    args: &OwnModelArgs,
    split: &Split,
    recipe: &RnnRecipe,
    kept: Point,
    trunk: &Trunk,
    checkpoints: &Checkpoints,
) -> anyhow::Result<ModelParts> {
    let before = recipe.phases.len();
    let mut recipe = RnnRecipe { phases: recipe.phases[..=kept.phase].to_vec(), ..recipe.clone() };
    recipe.phases.iter_mut().for_each(|phase| phase.rnn.validation.keep_last = true);
    let mut parts = filled(parts_of(args, &recipe, trunk, &split.last, &[])?)?;
    let prepared = Prepared::of(&mut parts, &recipe, trunk.config.clone())?;
    let mut train =
        |number: usize, settings: &TrainSettings, initial: Option<&Parameters>, inputs: &mut JointInputs<'_>| {
            train_phase(before + number, settings, initial, inputs, &prepared.targets, checkpoints, &mut |_| {})
        };
    let mut model = None;
    prepared.train(&recipe, &mut train, &mut |number, layer, trained| {
        model = Some(prepared.model(&trunk.tensors, layer, trained, &recipe.phases[number].rnn)?);
        Ok(())
    })?;
    let mut model = model.context("no phase was trained")?;
    finish_config(&mut model, kept, &recipe, [&split.last, &[]], &parts)?;
    Ok(model)
}

/// Thresholds, view and origin of the model; `drives` are those that it learned from and those that validated.
fn finish_config(
    model: &mut ModelParts,
    kept: Point,
    recipe: &RnnRecipe,
    [training, validation]: [&[String]; 2],
    parts: &Parts,
) -> anyhow::Result<()> {
    if let Some(temporal) = &mut model.config.temporal {
        temporal.thresholds = vec![kept.thresholds];
    }
    model.config.view = parts.view();
    let entry = json!({
        "command": command_line(),
        "train": training,
        "val": validation,
        "recipe": recipe,
        "reached": {
            "validation_rmse_rad": kept.rmse_rad, "validation_savings": kept.savings, "phase": kept.phase
        },
    });
    model.config.training = with_entry(model.config.training.take(), entry);
    Ok(())
}

/// Runs the saved model over the validation drives as `eval` does.
fn measure(folder: &Path, parts: &Parts, budget: f64) -> anyhow::Result<Figures> {
    let model = Arc::new(Model::load(folder)?);
    let (mut all, mut macs, mut macs_dense) = (Drive::default(), 0, 0);
    for part in &parts.validation {
        let (source, seconds) = part::split(&part.name);
        let (from_s, to_s) = seconds.unzip();
        let options = RunOptions { from_s, to_s, ..RunOptions::default() };
        let one = drive::run(Session::open_with(source, &options, model.clone())?, |frame| {
            all.add(frame);
            Ok(())
        })?;
        // A frame holds its own drive's totals.
        (macs, macs_dense) = (macs + one.totals.macs, macs_dense + one.totals.macs_dense);
    }
    let labelled = |part: &Part| part.info.steering_true_rad[part.range.first..part.range.end].iter().flatten().count();
    let angles = parts.training.iter().flat_map(|part| &part.info.steering_true_rad[part.range.first..part.range.end]);
    let training =
        ErrorFigures::of(angles.flatten().map(|&truth| (0.0, truth))).context("no training frame has an angle")?;
    let nothing = "no validation frame has an angle";
    Ok(Figures {
        delta: all.delta.figures().context(nothing)?,
        dense: all.dense.figures().context(nothing)?,
        single_frame: all.single_frame.figures().context(nothing)?,
        savings: macs_dense as f64 / macs.max(1) as f64,
        network_savings: (macs_dense + all.cnn_work.macs_dense) as f64 / (macs + all.cnn_work.macs).max(1) as f64,
        budget,
        training_minutes: parts
            .training
            .iter()
            .map(|part| labelled(part) as f64 / part.info.rate_hz.max(1.0))
            .sum::<f64>()
            / 60.0,
        training_bands: training.by_angle.iter().map(|band| band.frames).collect(),
    })
}

/// What shows the model at work.
fn commands(out: &Path, split: &Split) -> Vec<String> {
    let Some(drive) = split.validation.first() else { return Vec::new() };
    let (source, seconds) = part::split(drive);
    let from = seconds.map_or(String::new(), |(from_s, _)| format!(" --from {from_s}"));
    let (source, out) = (text::shell_word(source), text::shell_word(&out.display().to_string()));
    vec![
        format!("deltasteer view {source} --model {out}{from}"),
        format!("deltasteer eval {source} --model {out}{from}"),
    ]
}

/// The report in words.
fn print(out: &Path, report: &Report<'_>) -> anyhow::Result<()> {
    let figures = report.figures;
    say!("result       {}", figures.sentence())?;
    say!("             {}", figures.verdict())?;
    say!("             whole network {} fewer multiplications", text::times(figures.network_savings, 1.0))?;
    say!("             {}", report.measured_on())?;
    figures.advice().iter().try_for_each(|advice| say!("advice       {advice}"))?;
    say!("written      {} (model, report.html, CARD.md)", out.display())?;
    report.commands.iter().try_for_each(|command| say!("look at it   {command}"))?;
    Ok(())
}

impl From<PurposeArg> for Purpose {
    fn from(purpose: PurposeArg) -> Self {
        match purpose {
            PurposeArg::Accuracy => Self::Accuracy,
            PurposeArg::Balance => Self::Balance,
            PurposeArg::Savings => Self::Savings,
        }
    }
}
