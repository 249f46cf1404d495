//! Rows of a sweep as they are recorded in CSV, one for each model and pair of thresholds.

use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::output;

/// Columns of the file, in their order.
const COLUMNS: [&str; 27] = [
    "technique",
    "seed",
    "model",
    "weights",
    "source",
    "files",
    "from_s",
    "to_s",
    "inputs",
    "hidden",
    "own_theta_x",
    "own_theta_h",
    "theta_x",
    "theta_h",
    "frames",
    "rmse_rad",
    "dense_rmse_rad",
    "single_frame_rmse_rad",
    "zero_rmse_rad",
    "savings",
    "savings_after_weight_sparsity",
    "occupancy_x",
    "occupancy_h",
    "macs_delta_per_frame",
    "macs_dense_per_frame",
    "cnn_macs_per_frame",
    "network_savings",
];

/// One drive through one model at one pair of thresholds. Work is summed over all frames, the first included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// How the model was trained.
    pub technique: String,
    /// The training's seed, where the model tells it.
    pub seed: Option<u64>,
    /// The model folder's name.
    pub model: String,
    /// Start of the SHA-256 of the model's files, so that results of an older model are not taken for this one's.
    pub weights: String,
    /// The drive's absolute path, with `$DELTASTEER_DATA` for the folder that this variable names; or the built-in road.
    pub source: String,
    /// [`Fingerprint::sizes`](crate::fingerprint::Fingerprint) of the drive.
    pub files: String,
    /// Start of the part of the drive, seconds; empty: its beginning.
    pub from_s: Option<f64>,
    /// End of the part, seconds; empty: its end.
    pub to_s: Option<f64>,
    /// Features.
    pub inputs: usize,
    /// Hidden units.
    pub hidden: usize,
    /// The threshold on features that is stored with the model.
    pub own_theta_x: f32,
    /// The threshold on the hidden state that is stored with the model.
    pub own_theta_h: f32,
    /// The threshold on features of this row.
    pub theta_x: f32,
    /// The threshold on the hidden state of this row.
    pub theta_h: f32,
    /// Frames that went through the network.
    pub frames: usize,
    /// Error of the delta GRU over the labelled frames.
    pub rmse_rad: f64,
    /// Error of the same weights run densely.
    pub dense_rmse_rad: f64,
    /// Error of the CNN's own output, without any RNN.
    pub single_frame_rmse_rad: f64,
    /// Error of always saying "straight ahead".
    pub zero_rmse_rad: f64,
    /// The RNN's dense matrix-vector multiply-accumulates over those done.
    pub savings: f64,
    /// The same with zero weights left out.
    pub savings_after_weight_sparsity: f64,
    /// Share of the input columns sent.
    pub occupancy_x: f64,
    /// Share of the hidden columns sent.
    pub occupancy_h: f64,
    /// The RNN's multiply-accumulates done, mean of a frame.
    pub macs_delta_per_frame: f64,
    /// What the dense RNN would do.
    pub macs_dense_per_frame: f64,
    /// The CNN's multiply-accumulates.
    pub cnn_macs_per_frame: f64,
    /// CNN and dense RNN together over CNN and delta RNN together.
    pub network_savings: f64,
}

impl Row {
    /// The first field that no run can have produced.
    fn fault(&self) -> Option<&'static str> {
        let error = |value: f64| value.is_finite() && value >= 0.0;
        let share = |value: f64| (0.0..=1.0).contains(&value);
        // A drive on which nothing was ever sent saves infinitely much.
        let ratio = |value: f64| value > 0.0;
        let checks = [
            ("inputs", self.inputs > 0),
            ("hidden", self.hidden > 0),
            ("theta_x", self.theta_x.is_finite() && self.theta_x >= 0.0),
            ("theta_h", self.theta_h.is_finite() && self.theta_h >= 0.0),
            ("frames", self.frames > 0),
            ("rmse_rad", error(self.rmse_rad)),
            ("dense_rmse_rad", error(self.dense_rmse_rad)),
            ("single_frame_rmse_rad", error(self.single_frame_rmse_rad)),
            ("zero_rmse_rad", error(self.zero_rmse_rad)),
            ("savings", ratio(self.savings)),
            ("savings_after_weight_sparsity", ratio(self.savings_after_weight_sparsity)),
            ("occupancy_x", share(self.occupancy_x)),
            ("occupancy_h", share(self.occupancy_h)),
            ("macs_delta_per_frame", error(self.macs_delta_per_frame)),
            ("macs_dense_per_frame", error(self.macs_dense_per_frame)),
            ("cnn_macs_per_frame", error(self.cnn_macs_per_frame)),
            ("network_savings", ratio(self.network_savings)),
        ];
        checks.into_iter().find(|(_, fine)| !fine).map(|(field, _)| field)
    }
}

/// Reads a recorded file whole.
///
/// # Errors
/// A file that is missing, or was not written by a sweep, or is damaged: with the line and what was expected.
pub fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let name = path.display();
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("{name}: cannot be read"))?;
    let header = reader.headers().with_context(|| format!("{name}: line 1"))?;
    if !header.iter().eq(COLUMNS) {
        bail!("{name}: line 1 is not the header of a sweep's results; expected {}", COLUMNS.join(","));
    }
    let mut rows = Vec::new();
    for record in reader.deserialize::<Row>() {
        let line = rows.len() + 2;
        let row =
            record.with_context(|| format!("{name}: row {line} is damaged; remove it and it is computed anew"))?;
        if let Some(field) = row.fault() {
            bail!(
                "{name}: row {line}: {field} is no figure that a sweep writes; remove the row and it is computed anew"
            );
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Writes all rows in one go: the file is either the old one or the new one, never half of one.
///
/// # Errors
/// What the operating system says, with the path.
pub fn write(path: &Path, rows: &[Row]) -> anyhow::Result<()> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for row in rows {
        writer.serialize(row)?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    output::write_whole(path, &bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A row as a sweep could have written it.
    pub fn row(technique: &str, seed: u64, theta_x: f32, rmse_rad: f64, savings: f64) -> Row {
        Row {
            technique: technique.into(),
            seed: Some(seed),
            model: format!("{technique}-{seed}"),
            weights: format!("{technique}-{seed}"),
            source: "road:1".into(),
            files: String::new(),
            from_s: None,
            to_s: Some(29.0),
            inputs: 32,
            hidden: 32,
            own_theta_x: 1.0,
            own_theta_h: 0.3,
            theta_x,
            theta_h: 0.3,
            frames: 580,
            rmse_rad,
            dense_rmse_rad: 0.07,
            single_frame_rmse_rad: 0.11,
            zero_rmse_rad: 0.2,
            savings,
            savings_after_weight_sparsity: savings,
            occupancy_x: 1.0 / savings,
            occupancy_h: 1.0 / savings,
            macs_delta_per_frame: 6144.0 / savings,
            macs_dense_per_frame: 6144.0,
            cnn_macs_per_frame: 56e6,
            network_savings: 1.0001,
        }
    }

    #[test]
    fn rows_survive_the_file_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        let mut rows = vec![row("delta", 1, 0.1, 0.1 + 0.2, 1.0 / 3.0), row("dense", 2, 1e-7, 0.07, f64::INFINITY)];
        (rows[1].seed, rows[1].to_s) = (None, None);
        (rows[1].occupancy_x, rows[1].occupancy_h) = (0.0, 0.0);
        (rows[0].occupancy_x, rows[0].occupancy_h) = (0.5, 0.25);
        write(&path, &rows).unwrap();
        assert_eq!(read(&path).unwrap(), rows);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().next().unwrap(), COLUMNS.join(","));
    }

    #[test]
    fn a_damaged_file_is_named_with_its_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        write(&path, &[row("delta", 1, 0.1, 0.07, 10.0), row("delta", 2, 0.1, 0.0815, 16.0)]).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        let cut = &whole[..whole.len() - 40];
        for (text, named) in [
            (cut.to_owned(), "row 3"),
            (whole.replace("0.0815", "NaN"), "rmse_rad"),
            (whole.replace("0.0815", "small"), "row 3"),
            (whole.replacen("technique", "method", 1), "line 1"),
            (String::new(), "line 1"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let message = format!("{:#}", read(&path).unwrap_err());
            assert!(message.contains("results.csv") && message.contains(named), "{message}\n{text}");
        }
    }
}
