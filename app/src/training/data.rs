//! From cached trunk outputs to what the two trainers take.

use std::sync::Arc;

use anyhow::Context;
use deltasteer_perception::train::{Basis, Drive, Version};
use deltasteer_perception::{Perception, PerceptionConfig};
use deltasteer_temporal::train::{DriveLabels, FeatureDrive, Labels};
use half::f16;

use super::cache::Cache;
use super::part::Part;
use super::pooling::Pooled;
use super::recipe::DriveSettings;
use crate::drive::{interrupted, progress_bar};

/// Every n-th frame is enough to find the principal components: neighbours are alike.
const BASIS_STRIDE: usize = 7;

/// Training and validation drives, their trunk outputs cached.
pub struct Parts {
    /// To learn from, in all versions.
    pub training: Vec<Part>,
    /// To choose by, as recorded.
    pub validation: Vec<Part>,
    cache: Cache,
    settings: DriveSettings,
}

impl Parts {
    /// Opens the drives and fills the cache.
    ///
    /// # Errors
    /// A drive that cannot be used, or an interruption; what is complete stays in the cache.
    pub fn open(
        training: &[String],
        validation: &[String],
        cache: Cache,
        settings: &DriveSettings,
    ) -> anyhow::Result<Self> {
        let open = |names: &[String]| names.iter().map(|name| Part::open(name)).collect::<anyhow::Result<Vec<_>>>();
        let mut parts =
            Self { training: open(training)?, validation: open(validation)?, cache, settings: settings.clone() };
        parts.fill()?;
        Ok(parts)
    }

    fn fill(&mut self) -> anyhow::Result<()> {
        let versions = self.versions();
        let count = self.training.iter().map(|part| part.frames() * versions).sum::<usize>()
            + self.validation.iter().map(Part::frames).sum::<usize>();
        let bar = progress_bar(Some(count)).with_message("frames through the trunk");
        let stop = interrupted();
        for part in &mut self.training {
            self.cache.fill(part, versions, stop, &bar)?;
        }
        for part in &mut self.validation {
            self.cache.fill(part, 1, stop, &bar)?;
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Principal components of the training drives' trunk outputs.
    ///
    /// # Errors
    /// A cache file that is damaged, or too few frames.
    pub fn basis(&self, config: &PerceptionConfig, seed: u64) -> anyhow::Result<Basis> {
        let inputs = config.pooled_count();
        let (mut plain, mut varied) = (Vec::new(), Vec::new());
        for part in &self.training {
            for version in 0..self.versions() {
                let rows = thinned(&self.cache.read(part, version)?, inputs);
                if version == 0 {
                    plain.push(rows.clone());
                }
                varied.push(rows);
            }
        }
        let plain: Vec<&[f16]> = plain.iter().map(Vec::as_slice).collect();
        let varied: Vec<&[f16]> = varied.iter().map(Vec::as_slice).collect();
        Basis::fit(&plain, &varied, inputs, self.settings.components, seed).context("principal components")
    }

    /// Coordinates and angles of the training and validation drives, each with the rows after which time jumps.
    ///
    /// # Errors
    /// A cache file that is damaged.
    #[allow(clippy::type_complexity)] // two lists of the same kind need no name
    pub fn coordinates(&self, basis: &Basis) -> anyhow::Result<(Vec<(Drive, Vec<usize>)>, Vec<(Drive, Vec<usize>)>)> {
        let drive = |part: &Part, versions: usize| -> anyhow::Result<(Drive, Vec<usize>)> {
            let (mut all, mut gaps_after) = (Vec::new(), Vec::new());
            for version in 0..versions {
                let pooled = self.cache.read(part, version)?;
                let coordinates = basis.project(&pooled.values)?;
                all.push(Version { coordinates, steering_rad: self.angles(part, version, &pooled) });
                gaps_after = gaps(part, &pooled);
            }
            Ok((Drive { name: part.name.clone(), versions: all }, gaps_after))
        };
        let training = self.training.iter().map(|part| drive(part, self.versions())).collect::<anyhow::Result<_>>()?;
        let validation = self.validation.iter().map(|part| drive(part, 1)).collect::<anyhow::Result<_>>()?;
        Ok((training, validation))
    }

    /// Sequences of a trained model's frozen features.
    ///
    /// # Errors
    /// A cache file that is damaged.
    pub fn feature_sequences(
        &self,
        perception: &mut Perception,
    ) -> anyhow::Result<(Vec<FeatureDrive>, Vec<FeatureDrive>)> {
        let (inputs, outputs) = (perception.pooled_count(), perception.feature_count());
        self.sequences(|pooled| {
            let mut features = vec![0.0; pooled.index.len() * outputs];
            for (row, features) in pooled.values.chunks_exact(inputs).zip(features.chunks_exact_mut(outputs)) {
                let row: Vec<f32> = row.iter().map(|value| value.to_f32()).collect();
                perception.features_from_pooled(&row, features)?;
            }
            Ok(features)
        })
    }

    fn sequences(
        &self,
        mut rows_of: impl FnMut(&Pooled) -> anyhow::Result<Vec<f32>>,
    ) -> anyhow::Result<(Vec<FeatureDrive>, Vec<FeatureDrive>)> {
        let mut drive = |part: &Part, versions: usize| -> anyhow::Result<FeatureDrive> {
            let (mut labels, mut features, mut gaps_after) = (Vec::new(), Vec::<Arc<[f32]>>::new(), Vec::new());
            for version in 0..versions {
                let pooled = self.cache.read(part, version)?;
                labels.push(Labels { steering_rad: self.angles(part, version, &pooled).into(), teacher_rad: None });
                features.push(rows_of(&pooled)?.into());
                gaps_after = gaps(part, &pooled);
            }
            Ok(FeatureDrive { labels: DriveLabels { name: part.name.clone(), gaps_after, versions: labels }, features })
        };
        let mut training = Vec::new();
        for part in &self.training {
            training.push(drive(part, self.versions())?);
        }
        let mut validation = Vec::new();
        for part in &self.validation {
            validation.push(drive(part, 1)?);
        }
        Ok((training, validation))
    }

    fn versions(&self) -> usize {
        self.settings.versions.max(1)
    }

    /// The angle of each row, corrected for its alteration; NaN where the drive has none.
    fn angles(&self, part: &Part, version: usize, pooled: &Pooled) -> Vec<f32> {
        let augmentation = self.cache.augmentation(part, version);
        let angle = |&index: &u32| {
            let index = index as usize;
            let recorded = part.info.steering_true_rad.get(index).copied().flatten();
            recorded.map_or(f32::NAN, |angle| augmentation.view(index).steering_rad(angle, self.settings.rad_per_px))
        };
        pooled.index.iter().map(angle).collect()
    }
}

/// Rows of every n-th frame.
fn thinned(pooled: &Pooled, inputs: usize) -> Vec<f16> {
    pooled.values.chunks_exact(inputs).step_by(BASIS_STRIDE).flatten().copied().collect()
}

/// Rows after which time jumps: unreadable frames, and the recording's own gaps.
fn gaps(part: &Part, pooled: &Pooled) -> Vec<usize> {
    let jump =
        |pair: &[u32]| pair[1] != pair[0] + 1 || part.info.gaps.iter().any(|gap| gap.after_index == pair[0] as usize);
    pooled.index.windows(2).enumerate().filter(|(_, pair)| jump(pair)).map(|(row, _)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_frame_is_a_gap() {
        let part = Part::open("road:1,seconds=2").unwrap();
        let pooled = Pooled { index: vec![0, 1, 2, 5, 6], values: Vec::new() };
        assert_eq!(gaps(&part, &pooled), [2]);
    }
}
