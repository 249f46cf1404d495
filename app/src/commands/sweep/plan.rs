//! What a sweep is asked for, opened and checked before any work.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use deltasteer_data::{Source, SourceInfo};
use deltasteer_temporal::Thresholds;

use super::technique::{seed, technique};
use crate::cli::SweepArgs;
use crate::figures::results::Row;
use crate::fingerprint::Fingerprint;
use crate::model::{Model, ModelParts};
use crate::pipeline::FrameRange;
use crate::session::{frame_range, refuse_live};
use crate::training::cache::trunk_hash;

/// A sweep.
pub struct Plan {
    /// The open drive.
    pub source: Box<dyn Source>,
    /// What it says of itself.
    pub info: SourceInfo,
    /// The frames to run; `None`: all.
    pub range: Option<FrameRange>,
    /// The same in the words of the results.
    pub part: Part,
    /// The models.
    pub candidates: Vec<Candidate>,
}

/// A part of a drive as it stands in the results.
pub struct Part {
    /// The drive's absolute path.
    pub source: String,
    /// [`Fingerprint::sizes`] of it.
    pub files: String,
    /// Start in seconds, as asked for.
    pub from_s: Option<f64>,
    /// End in seconds, as asked for.
    pub to_s: Option<f64>,
}

/// One model of the sweep.
pub struct Candidate {
    /// The loaded model.
    pub model: Arc<Model>,
    /// Its folder's name.
    pub name: String,
    /// How it was trained.
    pub technique: String,
    /// The training's seed.
    pub seed: Option<u64>,
    /// Start of the hash of both its files.
    pub weights: String,
    /// Hash of trunk and pre-processing: models that agree in it see the same.
    pub trunk: Vec<u8>,
    /// The thresholds to run with.
    pub settings: Vec<Thresholds>,
}

impl Plan {
    /// Opens and checks everything that `args` names.
    ///
    /// # Errors
    /// The first thing that is wrong, named by file or option.
    pub fn of(args: &SweepArgs) -> anyhow::Result<Self> {
        let grid = grid(args)?;
        let source = deltasteer_data::open(&args.source)?;
        let info = source.info().clone();
        refuse_live(&info)?;
        let range = frame_range(&info, args.from, args.to)?;
        let mut candidates: Vec<Candidate> = Vec::new();
        for folder in &args.model {
            let candidate = Candidate::load(folder, grid.as_deref(), &args.scale)?;
            if candidates.iter().any(|other| other.name == candidate.name) {
                bail!(
                    "--model {}: there is another model named {}; each needs its own name",
                    folder.display(),
                    candidate.name
                );
            }
            candidates.push(candidate);
        }
        let part = Part {
            source: full_name(&args.source),
            files: Fingerprint::of(&args.source)?.sizes,
            from_s: args.from,
            to_s: args.to,
        };
        Ok(Self { source, info, range, part, candidates })
    }
}

impl Part {
    /// Whether a row tells of this part of this drive.
    pub fn covers(&self, row: &Row) -> bool {
        row.source == self.source && row.files == self.files && (row.from_s, row.to_s) == (self.from_s, self.to_s)
    }
}

impl Candidate {
    fn load(folder: &Path, grid: Option<&[Thresholds]>, scales: &[f32]) -> anyhow::Result<Self> {
        let model = Arc::new(Model::load(folder)?);
        let parts = ModelParts::load(folder)?;
        let weights = model.fingerprint()?;
        let settings = match grid {
            Some(grid) => grid.to_vec(),
            None => around(model.thresholds(), scales)?,
        };
        Ok(Self {
            name: model.name(),
            technique: technique(model.config()),
            seed: seed(model.config()),
            weights,
            trunk: trunk_hash(&parts.tensors, &parts.config.perception)?,
            settings,
            model,
        })
    }

    /// Whether a row was computed with these very weights.
    pub fn is_model_of(&self, row: &Row) -> bool {
        row.model == self.name && row.weights == self.weights
    }
}

/// Every threshold on x with every one on h; `None` where neither list is given.
fn grid(args: &SweepArgs) -> anyhow::Result<Option<Vec<Thresholds>>> {
    check("--theta-x", &args.theta_x)?;
    check("--theta-h", &args.theta_h)?;
    check("--scale", &args.scale)?;
    match (args.theta_x.is_empty(), args.theta_h.is_empty()) {
        (true, true) => return Ok(None),
        (true, false) => bail!("--theta-h needs --theta-x beside it"),
        (false, true) => bail!("--theta-x needs --theta-h beside it"),
        (false, false) => {}
    }
    let mut grid = Vec::new();
    for &theta_x in &args.theta_x {
        for &theta_h in &args.theta_h {
            add(&mut grid, Thresholds::new(theta_x, theta_h)?);
        }
    }
    Ok(Some(grid))
}

/// A model's own thresholds times each of `scales`; without any, its own.
fn around(own: Thresholds, scales: &[f32]) -> anyhow::Result<Vec<Thresholds>> {
    let mut settings = Vec::new();
    for scale in if scales.is_empty() { &[1.0] } else { scales } {
        add(&mut settings, Thresholds::new(own.theta_x * scale, own.theta_h * scale)?);
    }
    Ok(settings)
}

fn add(settings: &mut Vec<Thresholds>, thresholds: Thresholds) {
    if !settings.contains(&thresholds) {
        settings.push(thresholds);
    }
}

fn check(option: &str, values: &[f32]) -> anyhow::Result<()> {
    match values.iter().find(|value| !value.is_finite() || **value < 0.0) {
        Some(value) => bail!("{option} holds {value}; expected finite numbers of zero or more"),
        None => Ok(()),
    }
}

/// The absolute path of a source that is a file or folder. The folder of recorded drives is replaced by the variable that names
/// it, because results are for other machines too.
fn full_name(source: &str) -> String {
    let Ok(full) = Path::new(source).canonicalize() else { return source.to_owned() };
    let data = std::env::var_os("DELTASTEER_DATA").and_then(|data| Path::new(&data).canonicalize().ok());
    match data.as_deref().and_then(|data| full.strip_prefix(data).ok()) {
        Some(inside) => format!("$DELTASTEER_DATA/{}", inside.display()),
        None => full.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_thresholds_are_scaled_once_each() {
        let own = Thresholds { theta_x: 1.0, theta_h: 0.5 };
        assert_eq!(around(own, &[]).unwrap(), [own]);
        let scaled = around(own, &[0.5, 1.0, 0.5]).unwrap();
        assert_eq!(scaled, [Thresholds { theta_x: 0.5, theta_h: 0.25 }, own]);
        // A dense-trained model's own thresholds are zero, and zero times anything is the same run.
        assert_eq!(around(Thresholds::ZERO, &[0.9, 1.0, 1.1]).unwrap(), [Thresholds::ZERO]);
    }

    #[test]
    fn drives_of_one_name_in_two_folders_are_two_drives() {
        let folder = tempfile::tempdir().unwrap();
        let drives = ["a/hmb3", "b/hmb3", "b/../a/hmb3/"].map(|name| folder.path().join(name));
        drives[..2].iter().for_each(|drive| std::fs::create_dir_all(drive).unwrap());
        let names = drives.map(|drive| full_name(&drive.display().to_string()));
        assert!(names[0] != names[1] && names[0] == names[2] && names[0].ends_with("a/hmb3"), "{names:?}");
        assert_eq!(full_name("road:7,seconds=3"), "road:7,seconds=3");
    }
}
