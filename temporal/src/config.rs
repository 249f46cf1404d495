//! Sizes, thresholds and storage of the temporal network: the object `temporal` of a model's `config.json`.

use serde::{Deserialize, Serialize};

use crate::TemporalError;

/// By how much a value must have moved since it was last sent before it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// For the inputs, in units of a feature (features have a standard deviation of one).
    pub theta_x: f32,
    /// For the hidden state, whose values lie in (-1, 1).
    pub theta_h: f32,
}

impl Thresholds {
    /// Thresholds of zero: the delta GRU equals the dense one.
    pub const ZERO: Self = Self { theta_x: 0.0, theta_h: 0.0 };

    /// Both thresholds, checked.
    ///
    /// # Errors
    /// [`TemporalError::Threshold`] names the one that is negative, NaN or infinite.
    pub fn new(theta_x: f32, theta_h: f32) -> Result<Self, TemporalError> {
        let thresholds = Self { theta_x, theta_h };
        thresholds.check()?;
        Ok(thresholds)
    }

    /// Refuses what [`Thresholds::new`] refuses; for values that came from a file.
    pub fn check(&self) -> Result<(), TemporalError> {
        for (option, value) in [("theta_x", self.theta_x), ("theta_h", self.theta_h)] {
            if !value.is_finite() || value < 0.0 {
                return Err(TemporalError::Threshold { option, value });
            }
        }
        Ok(())
    }
}

/// How weights lie in memory while the cell runs. Arithmetic is always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// 4 bytes a weight.
    #[default]
    F32,
    /// 2 bytes a weight, 11 significant bits.
    F16,
    /// 2 bytes a weight, 8 significant bits.
    Bf16,
    /// 1 byte a weight, one scale for each column.
    Int8,
    /// Only the non-zero weights of a column, as f32, each with its row in 16 bits; for pruned networks.
    Sparse,
}

impl Storage {
    /// All of them, for tests and benches.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Bf16, Self::Int8, Self::Sparse];

    /// The name in config files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Sparse => "sparse",
        }
    }
}

/// A signed fixed-point format Qm.f for activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounding {
    /// Bits before the point, without the sign.
    pub integer_bits: u32,
    /// Bits after the point.
    pub fraction_bits: u32,
}

/// How the weights were trained. It changes nothing at run time, but weights of one technique under the config of
/// another would be a silent mix-up, so both are compared at loading.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Technique {
    /// Activations rounded in the forward pass of training, with a straight-through gradient.
    pub rounding: Option<Rounding>,
    /// Standard deviation of Gaussian noise on the activations while training.
    pub noise_std: f32,
    /// Thresholds active in the forward pass of training; absent: trained dense.
    pub delta_thresholds: Option<Thresholds>,
    /// Weight of the L1 cost on the input's deltas.
    pub l1_x: f32,
    /// Weight of the L1 cost on the hidden state's deltas.
    pub l1_h: f32,
    /// Share of the weights that were pruned to zero, 0 to 1.
    pub weight_sparsity: f32,
}

/// The object `temporal` of a model's `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemporalConfig {
    /// Number of features that enter the cell each frame.
    pub inputs: usize,
    /// Number of hidden units.
    pub hidden: usize,
    /// The thresholds that the model was chosen with.
    pub thresholds: Thresholds,
    /// How the weights lie in memory at run time.
    #[serde(default)]
    pub storage: Storage,
    /// How the weights were trained.
    #[serde(default)]
    pub technique: Technique,
}

impl TemporalConfig {
    /// A config of the given sizes: thresholds of zero, f32, trained dense.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        let technique = Technique::default();
        Self { inputs, hidden, thresholds: Thresholds::ZERO, storage: Storage::F32, technique }
    }

    /// Refuses sizes and thresholds that no cell can have.
    ///
    /// # Errors
    /// [`TemporalError::Size`] or [`TemporalError::Threshold`].
    pub fn check(&self) -> Result<(), TemporalError> {
        check_sizes(self.inputs, self.hidden)?;
        self.thresholds.check()
    }

    /// The weights' own record of their training, kept as safetensors metadata under `temporal`.
    pub(crate) fn fingerprint(&self) -> String {
        serde_json::to_string(&(self.inputs, self.hidden, self.technique)).unwrap_or_default()
    }

    /// Compares with a [`fingerprint`](Self::fingerprint) and names the first field that differs.
    pub(crate) fn compare(&self, fingerprint: &str) -> Result<(), TemporalError> {
        let (inputs, hidden, technique): (usize, usize, Technique) = serde_json::from_str(fingerprint)
            .map_err(|e| TemporalError::NotSafetensors { reason: format!("metadata `temporal`: {e}") })?;
        let t = &self.technique;
        let fields = [
            ("inputs", self.inputs.to_string(), inputs.to_string()),
            ("hidden", self.hidden.to_string(), hidden.to_string()),
            ("technique.rounding", format!("{:?}", t.rounding), format!("{:?}", technique.rounding)),
            ("technique.noise_std", t.noise_std.to_string(), technique.noise_std.to_string()),
            (
                "technique.delta_thresholds",
                format!("{:?}", t.delta_thresholds),
                format!("{:?}", technique.delta_thresholds),
            ),
            ("technique.l1_x", t.l1_x.to_string(), technique.l1_x.to_string()),
            ("technique.l1_h", t.l1_h.to_string(), technique.l1_h.to_string()),
            ("technique.weight_sparsity", t.weight_sparsity.to_string(), technique.weight_sparsity.to_string()),
        ];
        for (field, config, weights) in fields {
            if config != weights {
                return Err(TemporalError::ConfigField { field: field.to_string(), config, weights });
            }
        }
        Ok(())
    }
}

/// Refuses layers of size zero and those whose weights would not fit into the address space.
pub(crate) fn check_sizes(inputs: usize, hidden: usize) -> Result<(), TemporalError> {
    let size = |reason: &str| Err(TemporalError::Size { inputs, hidden, reason: reason.to_string() });
    if inputs == 0 || hidden == 0 {
        return size("both must be at least 1");
    }
    // A column's number is kept in 32 bits.
    if inputs > MAX_COLUMNS || hidden > MAX_COLUMNS {
        return size("at most 1,000,000,000 of each are possible");
    }
    match (inputs + hidden).checked_mul(12 * hidden.next_multiple_of(16)) {
        Some(bytes) if bytes <= isize::MAX as usize => Ok(()),
        _ => size("the weights would not fit into the address space"),
    }
}

/// Far beyond any network, and safely within the numbers that the kernels count with.
const MAX_COLUMNS: usize = 1_000_000_000;
