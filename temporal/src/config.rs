//! Sizes, thresholds and storage of a network: the object `temporal` of a model's `config.json`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Gru, Head, Pooling, TemporalError};

/// A value is transmitted when it differs from the value last transmitted by its threshold or more.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Thresholds {
    /// For the inputs, in units of an input (deltasteer's features have a standard deviation of one).
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
    ///
    /// # Errors
    /// [`TemporalError::Threshold`]
    pub fn check(&self) -> Result<(), TemporalError> {
        for (option, value) in [("theta_x", self.theta_x), ("theta_h", self.theta_h)] {
            if !value.is_finite() || value < 0.0 {
                return Err(TemporalError::Threshold { option, value });
            }
        }
        Ok(())
    }
}

/// How weights are stored in memory while the cell runs. Arithmetic is always f32.
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

/// How the weights were trained. It changes nothing at run time, but it is compared with the record in the weights' file, so
/// that a config is not used with the weights of another training.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Technique {
    /// Activations rounded in the forward pass of training, with a straight-through gradient.
    pub rounding: Option<Rounding>,
    /// Standard deviation of Gaussian noise on the activations while training.
    pub noise_std: f32,
    /// Thresholds of each layer in the forward pass of training; empty: trained dense.
    pub delta_thresholds: Vec<Thresholds>,
    /// Weight of the L1 cost on the deltas of the inputs.
    pub l1_x: f32,
    /// Weight of the L1 cost on the deltas of the hidden states.
    pub l1_h: f32,
    /// Share of the weights that were pruned to zero, 0 to 1.
    pub weight_sparsity: f32,
}

/// The size of a [`Head`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadConfig {
    /// Number of outputs.
    pub output_size: usize,
    /// Units of a fully connected layer with ReLU before the outputs; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fc_size: Option<usize>,
    /// What the head sees of the hidden states.
    #[serde(default)]
    pub pooling: Pooling,
}

/// The object `temporal` of a model's `config.json`. Sizes are called as in `torch.nn.GRU`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RnnConfig {
    /// Number of input features.
    pub input_size: usize,
    /// Hidden units of every layer (in each direction).
    pub hidden_size: usize,
    /// Stacked layers.
    #[serde(default = "one")]
    pub num_layers: usize,
    /// Whether every layer has a second cell that reads the sequence backwards.
    #[serde(default)]
    pub bidirectional: bool,
    /// The head; absent: the outputs are the hidden states of the last layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadConfig>,
    /// The thresholds of each layer that the model was chosen with.
    pub thresholds: Vec<Thresholds>,
    /// How the weights are stored in memory at run time.
    #[serde(default)]
    pub storage: Storage,
    /// How the weights were trained.
    #[serde(default)]
    pub technique: Technique,
}

fn one() -> usize {
    1
}

impl RnnConfig {
    /// One layer with a linear head of one output: thresholds of zero, f32, trained dense.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bidirectional: false,
            head: Some(HeadConfig { output_size: 1, fc_size: None, pooling: Pooling::None }),
            thresholds: vec![Thresholds::ZERO],
            storage: Storage::F32,
            technique: Technique::default(),
        }
    }

    /// The config of these weights: thresholds of zero, f32, trained dense.
    pub fn of(gru: &Gru, head: Option<&Head>) -> Self {
        Self {
            num_layers: gru.num_layers(),
            bidirectional: gru.bidirectional,
            head: head.map(Head::config),
            thresholds: vec![Thresholds::ZERO; gru.num_layers()],
            ..Self::new(gru.input_size(), gru.hidden_size())
        }
    }

    /// Refuses sizes and thresholds that no network can have.
    ///
    /// # Errors
    /// [`TemporalError::Size`], [`TemporalError::Threshold`], [`TemporalError::LayerThresholds`] or
    /// [`TemporalError::Setting`].
    pub fn check(&self) -> Result<(), TemporalError> {
        check_sizes(self.input_size, self.hidden_size)?;
        check_sizes(2 * self.hidden_size, self.hidden_size)?;
        let head = self.head.map_or((1, 1), |head| (head.output_size, head.fc_size.unwrap_or(1)));
        for (field, value) in [("num_layers", self.num_layers), ("output_size", head.0), ("fc_size", head.1)] {
            if !(1..=MAX_COLUMNS).contains(&value) {
                return Err(TemporalError::Setting { field, value: value.to_string(), expected: "at least 1" });
            }
        }
        check_thresholds(&self.thresholds, self.num_layers)
    }

    /// What the weights' file records of their training, as safetensors metadata under `temporal`: everything but the choices
    /// of run time.
    pub(crate) fn fingerprint(&self) -> String {
        // Through text, where an f32 has its shortest digits: as f64 it would have others than the file.
        let text = serde_json::to_string(self).unwrap_or_default();
        let mut record: Value = serde_json::from_str(&text).unwrap_or_default();
        if let Value::Object(fields) = &mut record {
            fields.remove("thresholds");
            fields.remove("storage");
        }
        record.to_string()
    }

    /// Compares with a [`fingerprint`](Self::fingerprint) and names the first field that differs.
    pub(crate) fn compare(&self, fingerprint: &str) -> Result<(), TemporalError> {
        let parse = |text: &str| serde_json::from_str::<Value>(text);
        let (config, weights) = parse(&self.fingerprint())
            .and_then(|config| Ok((config, parse(fingerprint)?)))
            .map_err(|e| TemporalError::NotSafetensors { reason: format!("metadata `temporal`: {e}") })?;
        match first_difference(&config, &weights) {
            Some((field, config, weights)) => Err(TemporalError::ConfigField { field, config, weights }),
            None => Ok(()),
        }
    }
}

/// Checks the thresholds of all layers.
pub(crate) fn check_thresholds(thresholds: &[Thresholds], num_layers: usize) -> Result<(), TemporalError> {
    if thresholds.len() != num_layers {
        return Err(TemporalError::LayerThresholds { expected: num_layers, found: thresholds.len() });
    }
    thresholds.iter().try_for_each(Thresholds::check)
}

/// The path of the first field in which two JSON objects differ, with both values.
pub(crate) fn first_difference(a: &Value, b: &Value) -> Option<(String, String, String)> {
    let (Some(left), Some(right)) = (a.as_object(), b.as_object()) else {
        return (a != b).then(|| (String::new(), a.to_string(), b.to_string()));
    };
    left.keys().chain(right.keys()).find_map(|key| {
        let of = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or_default();
        let (path, a, b) = first_difference(&of(left), &of(right))?;
        Some((if path.is_empty() { key.clone() } else { format!("{key}.{path}") }, a, b))
    })
}

/// Refuses layers of size zero and those whose weights would not fit into the address space.
pub(crate) fn check_sizes(input_size: usize, hidden_size: usize) -> Result<(), TemporalError> {
    let size = |reason: &str| Err(TemporalError::Size { input_size, hidden_size, reason: reason.to_string() });
    if input_size == 0 || hidden_size == 0 {
        return size("both must be at least 1");
    }
    // The index of a column has 32 bits.
    if input_size > MAX_COLUMNS || hidden_size > MAX_COLUMNS {
        return size("at most 1,000,000,000 of each are possible");
    }
    match (input_size + hidden_size).checked_mul(12 * hidden_size.next_multiple_of(16)) {
        Some(bytes) if bytes <= isize::MAX as usize => Ok(()),
        _ => size("the weights would not fit into the address space"),
    }
}

/// Far beyond any network, and safely within the numbers that the kernels count with.
const MAX_COLUMNS: usize = 1_000_000_000;
