//! From cached trunk outputs to what the two trainers take.

use std::sync::atomic::AtomicBool;

use anyhow::Context;
use deltasteer_perception::motion::MotionConfig;
use deltasteer_perception::train::Pca;
use deltasteer_perception::{CnnSchedule, CnnScheduler, FeatureExtractor};
use half::f16;
use ndarray::{ArcArray2, Array2, ArrayView2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::motion::{self, DriveMotion};
use super::part::Part;
use super::pooling::{Done, Pooled};
use super::targets::DriveAngles;
use crate::view::TrainingView;

/// Every n-th frame is enough to find the principal components: neighbours are alike.
const BASIS_STRIDE: usize = 7;

/// How drives become coordinates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DriveSettings {
    /// Versions of each training drive: 1 is as recorded, 2 adds its mirror image, more are altered at random.
    pub versions: usize,
    /// Principal components that trunk outputs are reduced to while the feature layer is trained.
    pub components: usize,
    /// An altered frame's angle turns right by this for each pixel by which the picture was moved to the right.
    pub rad_per_px: f32,
    /// Seeds the alterations; apart from the training's seed, so that trainings of several seeds share the cache.
    pub seed: u64,
}

impl Default for DriveSettings {
    fn default() -> Self {
        Self { versions: 8, components: 384, rad_per_px: 0.003, seed: 1 }
    }
}

/// One version of a drive: as recorded, or altered.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionCoordinates {
    /// `[frames, components]` of the [`Pca`]; a frame that the CNN does not run on has those of the last one.
    pub coordinates: Array2<f16>,
    /// Whether the CNN runs on a frame.
    pub looked: Vec<bool>,
    /// `[frames, motion values]`; without columns where the RNN takes features alone.
    pub motion: ArcArray2<f32>,
    /// One angle a frame, radians, positive to the left, corrected for the alteration; NaN where there is none.
    pub steering_rad: Vec<f32>,
}

/// All versions of one drive; all have the same number of frames.
#[derive(Debug, Clone, PartialEq)]
pub struct DriveCoordinates {
    /// For messages.
    pub name: String,
    /// Rows after which time jumps.
    pub gaps_after: Vec<usize>,
    /// Version 0 is the drive as recorded.
    pub versions: Vec<VersionCoordinates>,
}

/// A drive with frozen features.
pub struct FeatureDrive {
    /// Name, gaps and angles.
    pub angles: DriveAngles,
    /// `[frames, features]`, one array for each version of the angles.
    pub features: Vec<ArcArray2<f32>>,
}

/// Training and validation drives, their trunk outputs cached.
pub struct Parts {
    /// To learn from, in all versions.
    pub training: Vec<Part>,
    /// To choose by, as recorded.
    pub validation: Vec<Part>,
    cache: Cache,
    settings: DriveSettings,
    /// The frames that the CNN runs on.
    schedule: CnnSchedule,
    /// With the scale that belongs to the training drives.
    motion: Option<MotionConfig>,
    /// Of the training and of the validation drives.
    measured: [Vec<DriveMotion>; 2],
}

impl Parts {
    /// How the first training drive shows the road.
    pub fn view(&self) -> Option<TrainingView> {
        self.training.first().map(|part| TrainingView::of(&part.info))
    }

    /// Opens the drives.
    ///
    /// # Errors
    /// A drive that cannot be used.
    pub fn open(
        training: &[String],
        validation: &[String],
        cache: Cache,
        settings: &DriveSettings,
    ) -> anyhow::Result<Self> {
        let open = |names: &[String]| names.iter().map(|name| Part::open(name)).collect::<anyhow::Result<Vec<_>>>();
        Ok(Self {
            training: open(training)?,
            validation: open(validation)?,
            cache,
            settings: settings.clone(),
            schedule: CnnSchedule::default(),
            motion: None,
            measured: Default::default(),
        })
    }

    /// Frames of all versions, and of the motion sensor: what [`Parts::fill`] has to do.
    pub fn frames(&self) -> usize {
        let motion = usize::from(self.motion.is_some());
        self.training.iter().map(|part| part.frames() * (self.versions() + motion)).sum::<usize>()
            + self.validation.iter().map(|part| part.frames() * (1 + motion)).sum::<usize>()
    }

    /// Adds ego-motion to the inputs; comes before [`Parts::fill`].
    ///
    /// # Errors
    /// A field of the configuration.
    pub fn with_motion(self, config: Option<&MotionConfig>) -> anyhow::Result<Self> {
        config.map_or(Ok(()), MotionConfig::validate)?;
        Ok(Self { motion: config.cloned(), ..self })
    }

    /// Holds features as `schedule` says; comes after [`Parts::with_motion`].
    ///
    /// # Errors
    /// A rule that needs motion where there is none.
    pub fn with_schedule(self, schedule: CnnSchedule) -> anyhow::Result<Self> {
        anyhow::ensure!(self.motion.is_some() || !schedule.needs_motion(), "cnn {schedule} needs motion in the recipe");
        Ok(Self { schedule, ..self })
    }

    /// Whether the CNN runs on each frame of version `version`, whose motion values are `[frames, values]`. Versions start at
    /// different places of a fixed interval, so that training knows features of every age at every place.
    fn looked(&self, motion: ArrayView2<'_, f32>, version: usize) -> Vec<bool> {
        let longest = match self.schedule {
            CnnSchedule::Every(n) | CnnSchedule::Adaptive { at_most: n, .. } => n,
        };
        let mut scheduler = CnnScheduler::with_phase(self.schedule, version * longest / self.versions());
        motion.rows().into_iter().map(|row| scheduler.due(row)).collect()
    }

    /// Fits the scale of the motion values to the training drives. Returns the configuration with its scale.
    ///
    /// # Errors
    /// A window in which nothing moves.
    pub fn fit_motion(&mut self) -> anyhow::Result<Option<MotionConfig>> {
        if let Some(config) = &mut self.motion {
            *config = motion::fit_scale(config, self.measured[0].iter())?;
        }
        Ok(self.motion.clone())
    }

    /// Motion values of version `version` of training (0) or validation (1) drive `drive`, for the frames of `index`.
    fn motion_of(
        &self,
        [set, drive, version]: [usize; 3],
        index: &[u32],
        name: &str,
    ) -> anyhow::Result<ArcArray2<f32>> {
        let Some(config) = &self.motion else { return Ok(Array2::zeros((index.len(), 0)).into_shared()) };
        let measured = &self.measured[set][drive];
        motion::same_frames(measured, index, name)?;
        Ok(motion::version(config, measured, version).into_shared())
    }

    /// Computes what the cache does not hold yet. `done` is told the frames that are done.
    ///
    /// # Errors
    /// A drive that cannot be read, or `stop`; what is complete stays in the cache.
    pub fn fill(&mut self, stop: &AtomicBool, done: Done<'_>) -> anyhow::Result<()> {
        let versions = self.versions();
        self.training.iter_mut().try_for_each(|part| self.cache.fill(part, versions, stop, done))?;
        self.validation.iter_mut().try_for_each(|part| self.cache.fill(part, 1, stop, done))?;
        self.fill_motion(stop, done)
    }

    /// The motion alone, which takes a small part of the time.
    ///
    /// # Errors
    /// As [`Parts::fill`].
    pub fn fill_motion(&mut self, stop: &AtomicBool, done: Done<'_>) -> anyhow::Result<()> {
        if let Some(config) = &self.motion {
            for (measured, parts) in self.measured.iter_mut().zip([&mut self.training, &mut self.validation]) {
                let measure = |part: &mut Part| self.cache.motion(part, config, stop, done);
                *measured = parts.iter_mut().map(measure).collect::<anyhow::Result<_>>()?;
            }
        }
        Ok(())
    }

    /// The training drives, then the validation drives, each with its motion in rad/s once that is filled.
    pub fn with_measured(&self) -> impl Iterator<Item = (&Part, &DriveMotion)> {
        let [training, validation] = &self.measured;
        self.training.iter().zip(training).chain(self.validation.iter().zip(validation))
    }

    /// Principal components of the training drives' trunk outputs.
    ///
    /// # Errors
    /// A cache file that is damaged, or too few frames.
    pub fn pca(&self, seed: u64) -> anyhow::Result<Pca> {
        let (mut plain, mut varied) = (Vec::new(), Vec::new());
        for part in &self.training {
            for version in 0..self.versions() {
                let cells = self.cache.read(part, version)?.values;
                let rows = cells.slice(s![..;BASIS_STRIDE, ..]).to_owned();
                if version == 0 {
                    plain.push(rows.clone());
                }
                varied.push(rows);
            }
        }
        let plain: Vec<ArrayView2<f16>> = plain.iter().map(|rows| rows.view()).collect();
        let varied: Vec<ArrayView2<f16>> = varied.iter().map(|rows| rows.view()).collect();
        Pca::fit(&plain, &varied, self.settings.components, seed).context("principal components")
    }

    /// Coordinates and angles of the training and validation drives.
    ///
    /// # Errors
    /// A cache file that is damaged.
    pub fn coordinates(&self, pca: &Pca) -> anyhow::Result<(Vec<DriveCoordinates>, Vec<DriveCoordinates>)> {
        let drive = |(set, number, part): (usize, usize, &Part), count: usize| -> anyhow::Result<DriveCoordinates> {
            let (mut versions, mut gaps_after) = (Vec::new(), Vec::new());
            for version in 0..count {
                let pooled = self.cache.read(part, version)?;
                let mut coordinates = pca.project(pooled.values.view())?;
                let motion = self.motion_of([set, number, version], &pooled.index, &part.name)?;
                let looked = self.looked(motion.view(), version);
                hold(&mut coordinates, &looked);
                versions.push(VersionCoordinates {
                    coordinates,
                    looked,
                    motion,
                    steering_rad: self.angles(part, version, &pooled),
                });
                gaps_after = gaps(part, &pooled);
            }
            Ok(DriveCoordinates { name: part.name.clone(), gaps_after, versions })
        };
        let training = numbered(0, &self.training).map(|part| drive(part, self.versions()));
        let validation = numbered(1, &self.validation).map(|part| drive(part, 1));
        Ok((training.collect::<anyhow::Result<_>>()?, validation.collect::<anyhow::Result<_>>()?))
    }

    /// Sequences of a trained model's frozen features.
    ///
    /// # Errors
    /// A cache file that is damaged.
    pub fn feature_sequences(
        &self,
        extractor: &FeatureExtractor,
    ) -> anyhow::Result<(Vec<FeatureDrive>, Vec<FeatureDrive>)> {
        let training = numbered(0, &self.training).map(|part| self.features_of(extractor, part, self.versions()));
        Ok((training.collect::<anyhow::Result<_>>()?, self.validation_features(extractor)?))
    }

    /// The same of the validation drives alone.
    ///
    /// # Errors
    /// A cache file that is damaged.
    pub fn validation_features(&self, extractor: &FeatureExtractor) -> anyhow::Result<Vec<FeatureDrive>> {
        numbered(1, &self.validation).map(|part| self.features_of(extractor, part, 1)).collect()
    }

    fn features_of(
        &self,
        extractor: &FeatureExtractor,
        (set, number, part): (usize, usize, &Part),
        versions: usize,
    ) -> anyhow::Result<FeatureDrive> {
        let (mut steering_rad, mut features, mut gaps_after) = (Vec::new(), Vec::new(), Vec::new());
        for version in 0..versions {
            let pooled = self.cache.read(part, version)?;
            steering_rad.push(self.angles(part, version, &pooled));
            let cells = pooled.values.mapv(f16::to_f32);
            let motion = self.motion_of([set, number, version], &pooled.index, &part.name)?;
            let mut own = extractor.features_from_cells(cells.view())?;
            hold(&mut own, &self.looked(motion.view(), version));
            features.push(concatenate(Axis(1), &[own.view(), motion.view()])?.into_shared());
            gaps_after = gaps(part, &pooled);
        }
        Ok(FeatureDrive { angles: DriveAngles { name: part.name.clone(), gaps_after, steering_rad }, features })
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

/// Parts with their set and their place in it.
fn numbered(set: usize, parts: &[Part]) -> impl Iterator<Item = (usize, usize, &Part)> {
    parts.iter().enumerate().map(move |(number, part)| (set, number, part))
}

/// Replaces each row of a frame that was not looked at by the one before it.
fn hold<T: Copy>(rows: &mut Array2<T>, looked: &[bool]) {
    for frame in (1..looked.len()).filter(|&frame| !looked[frame]) {
        let (before, mut row) = rows.multi_slice_mut((s![frame - 1, ..], s![frame, ..]));
        row.assign(&before);
    }
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
    fn frames_that_are_not_looked_at_have_the_last_features() {
        let mut rows = ndarray::arr2(&[[1.0], [2.0], [3.0], [4.0], [5.0]]);
        hold(&mut rows, &[true, false, false, true, false]);
        assert_eq!(rows.column(0).to_vec(), [1.0, 1.0, 1.0, 4.0, 4.0]);
    }

    #[test]
    fn a_missing_frame_is_a_gap() {
        let part = Part::open("road:1,seconds=2").unwrap();
        let pooled = Pooled { index: vec![0, 1, 2, 5, 6], values: Array2::zeros((5, 0)) };
        assert_eq!(gaps(&part, &pooled), [2]);
    }
}
