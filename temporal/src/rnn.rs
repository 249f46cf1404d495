//! Layers and head together: features in, outputs and exact work out.

use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use crate::{
    DeltaGru, DenseGru, Gru, GruState, Head, PackedGru, Pooling, RnnConfig, StepCount, TemporalError, Thresholds,
    Totals,
    config::check_thresholds,
    gru::{Cell, with_input},
    kernels::{Aligned, LANES, LinearHead},
    weights,
};

/// The weights of layers and head, checked, and packed for the kernels. Shared by any number of networks.
#[derive(Debug)]
pub struct RnnWeights {
    /// Sizes, stored thresholds, storage, technique.
    pub config: RnnConfig,
    /// The layers as loaded, in f32.
    pub gru: Gru,
    /// The head; `None`: the outputs are the hidden states of the last layer.
    pub head: Option<Head>,
    packed: Vec<Arc<PackedGru>>,
    /// The output layer padded to whole vectors, where it can be computed in the step itself.
    fused: Aligned<f32>,
}

impl RnnWeights {
    /// Checks and packs weights made elsewhere, such as by training.
    ///
    /// # Errors
    /// As [`RnnConfig::check`], [`Gru::check`] and [`Head::check`]; [`TemporalError::ConfigField`] where the weights have other
    /// sizes than `config`.
    pub fn new(gru: Gru, head: Option<Head>, config: &RnnConfig) -> Result<Arc<Self>, TemporalError> {
        config.check()?;
        gru.check()?;
        if let Some(head) = &head {
            head.check(gru.output_size())?;
        }
        let of_weights = RnnConfig { technique: config.technique.clone(), ..RnnConfig::of(&gru, head.as_ref()) };
        config.compare(&of_weights.fingerprint())?;
        let packed = gru.cells.iter().map(|cell| Ok(Arc::new(PackedGru::new(cell, config.storage)?)));
        let packed: Vec<_> = packed.collect::<Result<_, TemporalError>>()?;
        let simple = head.as_ref().filter(|h| h.pooling == Pooling::None && h.fc.is_none() && !gru.bidirectional);
        let padded = packed[0].padded();
        let mut fused = Aligned::zeros(simple.map_or(0, |head| head.output.bias.len()) * padded);
        for (to, from) in fused.chunks_exact_mut(padded).zip(simple.iter().flat_map(|head| head.output.weight.rows())) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
        Ok(Arc::new(Self { config: config.clone(), gru, head, packed, fused }))
    }

    /// Reads `rnn.*` and `head.*` from the bytes of a model's safetensors file.
    ///
    /// # Errors
    /// As [`weights::load`].
    pub fn load(bytes: &[u8], config: &RnnConfig) -> Result<Arc<Self>, TemporalError> {
        let (gru, head) = weights::load(bytes, config)?;
        Self::new(gru, head, config)
    }

    /// A `torch.nn.GRU` without a head, from the bytes of a safetensors file.
    ///
    /// # Errors
    /// As [`weights::from_pytorch`].
    pub fn from_pytorch(bytes: &[u8], prefix: &str) -> Result<Arc<Self>, TemporalError> {
        let gru = weights::from_pytorch(bytes, prefix)?;
        let config = RnnConfig::of(&gru, None);
        Self::new(gru, None, &config)
    }

    /// The cells as the kernels read them, in the order of [`Gru::cells`].
    pub fn packed(&self) -> &[Arc<PackedGru>] {
        &self.packed
    }

    /// The work of one dense step of all layers.
    pub fn dense_count(&self) -> StepCount {
        self.packed.iter().fold(StepCount::default(), |mut sum, cell| {
            sum += *cell.dense_count();
            sum
        })
    }

    /// Number of outputs.
    pub fn output_size(&self) -> usize {
        self.head.as_ref().map_or(self.gru.output_size(), |head| head.output.bias.len())
    }

    /// The outputs `[frames or 1, output_size]` for the last layer's hidden states `[frames, directions * hidden_size]`.
    fn outputs(&self, hidden: Array2<f32>) -> Array2<f32> {
        match &self.head {
            Some(head) => head.forward(hidden.view(), self.gru.directions()),
            None => hidden,
        }
    }
}

/// The state of a network between two steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RnnState {
    /// Of each cell, in the order of [`Gru::cells`].
    pub cells: Vec<GruState>,
    /// Sum of the last layer's hidden states so far `[hidden_size]`, for [`Pooling::Mean`].
    pub hidden_sum: Array1<f32>,
    /// Frames in that sum.
    pub frames: u64,
    /// The outputs of the last step.
    pub output: Array1<f32>,
}

/// A network with its state and the sums of its work: [`DeltaRnn`] or [`DenseRnn`].
#[derive(Debug, Clone)]
pub struct Rnn<C> {
    weights: Arc<RnnWeights>,
    cells: Vec<C>,
    work: Vec<Work>,
    output: Vec<f32>,
    hidden_sum: Vec<f32>,
    frames: u64,
}

/// Layers of delta GRUs.
pub type DeltaRnn = Rnn<DeltaGru>;
/// The dense twin: the baseline that savings are measured against.
pub type DenseRnn = Rnn<DenseGru>;

/// The sums of a cell's work.
#[derive(Debug, Clone, Default)]
struct Work {
    active: Totals,
    /// Idle steps: their work is known, and adding it up in each would take as long as the rest of the step.
    idle: u64,
}

impl DeltaRnn {
    /// A network in its state before the first frame, with the thresholds of each layer.
    ///
    /// # Errors
    /// [`TemporalError::LayerThresholds`], [`TemporalError::Threshold`] or [`TemporalError::Kernel`].
    pub fn new(weights: Arc<RnnWeights>, thresholds: &[Thresholds]) -> Result<Self, TemporalError> {
        check_thresholds(thresholds, weights.gru.num_layers())?;
        let of = |index: usize| thresholds[index / weights.gru.directions()];
        let cells = weights.packed.iter().enumerate().map(|(index, packed)| DeltaGru::new(packed.clone(), of(index)));
        let cells = cells.collect::<Result<_, _>>()?;
        Ok(Self::with_cells(weights, cells))
    }

    /// Changes the thresholds of each layer from the next step on; the state goes on.
    ///
    /// # Errors
    /// [`TemporalError::LayerThresholds`] or [`TemporalError::Threshold`]; the old ones then stay.
    pub fn set_thresholds(&mut self, thresholds: &[Thresholds]) -> Result<(), TemporalError> {
        check_thresholds(thresholds, self.weights.gru.num_layers())?;
        let directions = self.weights.gru.directions();
        let mut cells = self.cells.iter_mut().enumerate();
        cells.try_for_each(|(index, cell)| cell.set_thresholds(thresholds[index / directions]))
    }
}

impl DenseRnn {
    /// A network in its state before the first frame.
    ///
    /// # Errors
    /// [`TemporalError::Kernel`]
    pub fn new(weights: Arc<RnnWeights>) -> Result<Self, TemporalError> {
        let cells = weights.packed.iter().map(|packed| DenseGru::new(packed.clone())).collect::<Result<_, _>>()?;
        Ok(Self::with_cells(weights, cells))
    }
}

impl<C: Cell> Rnn<C> {
    fn with_cells(weights: Arc<RnnWeights>, cells: Vec<C>) -> Self {
        let work = vec![Work::default(); cells.len()];
        let hidden_sum = vec![0.0; weights.gru.output_size()];
        let mut rnn = Self { weights, cells, work, output: Vec::new(), hidden_sum, frames: 0 };
        rnn.reset();
        rnn
    }

    /// One frame of a stream: `x[input_size]` in, the new outputs in [`output`](Self::output), the work of all layers out.
    ///
    /// # Errors
    /// [`TemporalError::Shape`]; [`TemporalError::Bidirectional`]; [`TemporalError::InputNotFinite`], which leaves the state as
    /// it was and is counted in [`Totals::refused`].
    #[inline]
    pub fn step(&mut self, x: ArrayView1<'_, f32>) -> Result<StepCount, TemporalError> {
        if self.weights.gru.bidirectional {
            return Err(TemporalError::Bidirectional);
        }
        with_input(x, self.weights.gru.input_size(), |x| self.step_slice(x))
    }

    fn step_slice(&mut self, x: &[f32]) -> Result<StepCount, TemporalError> {
        let Self { weights, cells, work, output, hidden_sum, frames } = self;
        let mut count = StepCount::default();
        for layer in 0..cells.len() {
            let (before, rest) = cells.split_at_mut(layer);
            let x = before.last().map_or(x, C::hidden_slice);
            let head = match &weights.head {
                Some(head) if layer + 1 == weights.packed.len() && !weights.fused.is_empty() => LinearHead {
                    rows: weights.fused.vectors(),
                    bias: head.output.bias.as_slice().unwrap_or_default(),
                    output,
                },
                _ => LinearHead::none(),
            };
            let step = work[layer].step(&mut rest[0], x, head)?;
            if layer == 0 {
                count = step;
            } else {
                count += step;
            }
        }
        if weights.fused.is_empty() {
            let hidden = cells.last().map_or(&[][..], C::hidden_slice);
            hidden_sum.iter_mut().zip(hidden).for_each(|(sum, h)| *sum += h);
        }
        *frames += 1;
        Ok(count)
    }

    /// The outputs `[output_size]` after the last step: for a pooled head those of the sequence so far.
    pub fn output(&mut self) -> ArrayView1<'_, f32> {
        if self.weights.fused.is_empty() {
            let pooling = self.weights.head.as_ref().map_or(Pooling::None, |head| head.pooling);
            let hidden = match pooling {
                Pooling::Mean => self.hidden_sum.iter().map(|sum| sum / self.frames.max(1) as f32).collect(),
                _ => self.cells.last().map_or(Vec::new(), |cell| cell.hidden_slice().to_vec()),
            };
            let hidden = Array1::from(hidden).insert_axis(Axis(0));
            self.output = self.weights.outputs(hidden).into_iter().collect();
        }
        ArrayView1::from(&self.output)
    }

    /// A whole sequence `[frames, input_size]` from a cold start: the outputs `[frames or 1, output_size]`. The work is added
    /// to the totals.
    ///
    /// # Errors
    /// [`TemporalError::Shape`], or [`TemporalError::Frame`] for a frame that is refused.
    pub fn run(&mut self, sequence: ArrayView2<'_, f32>) -> Result<Array2<f32>, TemporalError> {
        let (gru, frames) = (&self.weights.gru, sequence.nrows());
        let (expected, found) = (vec![frames, gru.input_size()], sequence.shape().to_vec());
        if expected != found {
            return Err(TemporalError::Shape { what: "the sequence", expected, found });
        }
        let (directions, hidden) = (gru.directions(), gru.hidden_size());
        let mut x = sequence.as_standard_layout().into_owned();
        for (layer, cells) in self.cells.chunks_exact_mut(directions).enumerate() {
            let mut states = Array2::zeros((frames, directions * hidden));
            for (direction, cell) in cells.iter_mut().enumerate() {
                cell.reset();
                let work = &mut self.work[layer * directions + direction];
                for t in 0..frames {
                    let frame = if direction == 0 { t } else { frames - 1 - t };
                    let x = x.row(frame);
                    work.step(cell, x.as_slice().unwrap_or_default(), LinearHead::none())
                        .map_err(|source| TemporalError::Frame { frame, source: Box::new(source) })?;
                    let state = ArrayView1::from(cell.hidden_slice());
                    states.slice_mut(s![frame, direction * hidden..(direction + 1) * hidden]).assign(&state);
                }
            }
            x = states;
        }
        self.hidden_sum = x.sum_axis(Axis(0)).to_vec();
        self.frames = frames as u64;
        Ok(self.weights.outputs(x))
    }

    /// The cells, in the order of [`Gru::cells`].
    pub fn cells(&self) -> &[C] {
        &self.cells
    }

    /// The shared weights.
    pub fn weights(&self) -> &Arc<RnnWeights> {
        &self.weights
    }

    /// The work of all layers since the last [`reset`](Self::reset).
    pub fn totals(&self) -> Totals {
        self.layer_totals().iter().fold(Totals::default(), |mut sum, layer| {
            sum.add_cell(layer);
            sum
        })
    }

    /// The work of each layer since the last [`reset`](Self::reset).
    pub fn layer_totals(&self) -> Vec<Totals> {
        let cells: Vec<Totals> =
            self.work.iter().zip(&self.weights.packed).map(|(work, cell)| work.totals(cell)).collect();
        cells
            .chunks_exact(self.weights.gru.directions())
            .map(|cells| {
                let mut sum = cells[0];
                cells[1..].iter().for_each(|cell| sum.add_cell(cell));
                sum
            })
            .collect()
    }

    /// Back to the state before the first frame, sums at zero.
    pub fn reset(&mut self) {
        self.cells.iter_mut().for_each(C::reset);
        self.work.fill(Work::default());
        self.hidden_sum.fill(0.0);
        self.frames = 0;
        let bias = self.weights.head.as_ref().map(|head| head.output.bias.to_vec());
        self.output = bias.unwrap_or_default();
    }

    /// The state, to be kept; it can be stored with serde.
    pub fn state(&self) -> RnnState {
        let cells = self.cells.iter().map(C::state).collect();
        let (hidden_sum, output) = (self.hidden_sum.clone().into(), self.output.clone().into());
        RnnState { cells, hidden_sum, frames: self.frames, output }
    }

    /// Goes on from a state that [`state`](Self::state) gave; the sums of the work stay as they are.
    ///
    /// # Errors
    /// [`TemporalError::Shape`] for the state of a network of other sizes.
    pub fn restore(&mut self, state: &RnnState) -> Result<(), TemporalError> {
        if state.cells.len() != self.cells.len() {
            let (expected, found) = (vec![self.cells.len()], vec![state.cells.len()]);
            return Err(TemporalError::Shape { what: "the states of the cells", expected, found });
        }
        weights::check_length("the sum of hidden states", self.hidden_sum.len(), state.hidden_sum.view())?;
        self.cells.iter_mut().zip(&state.cells).try_for_each(|(cell, state)| cell.restore(state))?;
        self.hidden_sum = state.hidden_sum.to_vec();
        self.frames = state.frames;
        self.output = state.output.to_vec();
        Ok(())
    }
}

impl Work {
    #[inline]
    fn step<C: Cell>(&mut self, cell: &mut C, x: &[f32], head: LinearHead<'_>) -> Result<StepCount, TemporalError> {
        match cell.step_slice(x, head) {
            Ok(Some(count)) => {
                self.active.add(&count, cell.weights().dense_count());
                Ok(count)
            }
            Ok(None) => {
                self.idle += 1;
                Ok(*cell.weights().idle_count())
            }
            Err(error) => {
                self.active.refused += u64::from(matches!(error, TemporalError::InputNotFinite { .. }));
                Err(error)
            }
        }
    }

    fn totals(&self, cell: &PackedGru) -> Totals {
        let mut totals = self.active;
        totals.add_many(self.idle, cell.idle_count(), cell.dense_count());
        totals
    }
}

const _: () = assert!(LANES == 16, "the padding of `RnnWeights::fused`");
