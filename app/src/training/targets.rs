//! Angles as targets of the RNN's training: radians become its numbers here.

use deltasteer_temporal::train::{Regression, Sequence, TrainError};
use ndarray::{ArcArray2, Array1, Axis};

/// The angles of a drive.
pub struct DriveAngles {
    /// Name for messages.
    pub name: String,
    /// Rows after which time jumps.
    pub gaps_after: Vec<usize>,
    /// Radians, positive to the left, NaN where there is none; one array for each version of the drive.
    pub steering_rad: Vec<Vec<f32>>,
}

/// What the RNN's training knows of the drives, besides their features.
pub struct Targets {
    /// The training drives.
    pub sequences: Vec<Sequence>,
    /// Number of validation drives.
    pub validation: usize,
    /// Squared error in rad^2.
    pub loss: Regression,
}

impl Targets {
    /// Of the training drives in all versions, and of the validation drives as recorded.
    ///
    /// # Errors
    /// [`TrainError::Target`] for an infinite angle.
    pub fn new(training: Vec<DriveAngles>, validation: Vec<DriveAngles>) -> Result<Self, TrainError> {
        let column = |angles: Vec<f32>| -> ArcArray2<f32> { Array1::from(angles).insert_axis(Axis(1)).into_shared() };
        let sequences = training.iter().map(|drive| Sequence {
            gaps_after: drive.gaps_after.clone(),
            versions: drive.steering_rad.len(),
            ..Sequence::new(drive.name.clone(), drive.steering_rad.first().map_or(0, Vec::len))
        });
        let (sequences, count) = (sequences.collect(), validation.len());
        let training = training.into_iter().map(|drive| drive.steering_rad.into_iter().map(column).collect()).collect();
        let validation = validation.into_iter().filter_map(|drive| drive.steering_rad.into_iter().next().map(column));
        let loss = Regression::new(training, validation.collect())?;
        Ok(Self { sequences, validation: count, loss })
    }
}
