//! Our side, and candle's, of `make bench-peers`. `app/scripts/bench_peers_rnn.py` starts it, sends one command a line on
//! standard input and reads one JSON object a line from standard output; so all peers take turns in one run.
//!
//! Commands: `check` (final hidden states over the input sequence), `dense`, `delta OCCUPANCY`, `candle` (each one
//! round: mean seconds of a step). Argument: a safetensors file with `rnn.*_l0` and the input sequence `x[frames, inputs]`.

use std::{
    error::Error,
    io::{BufRead, Write},
    sync::Arc,
    time::Instant,
};

use candle_core::{DType, Device, Tensor};
use candle_nn::{GRU, RNN, VarBuilder, rnn::GRUState};
use deltasteer::commands::bench::rnn::Driven;
use deltasteer_temporal::{DeltaGru, DenseGru, GruWeights, Kernel, PackedGru, Storage, Thresholds};
use ndarray::{Array2, ArrayView1};
use safetensors::SafeTensors;
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Steps of a dense peer's round.
const STEPS: usize = 8;

struct Peers {
    packed: Arc<PackedGru>,
    kernel: Kernel,
    dense: DenseGru,
    driven: Vec<(f64, Driven)>,
    candle: GRU,
    candle_state: GRUState,
    /// `[frames][inputs]`
    x: Vec<f32>,
    candle_x: Vec<Tensor>,
    next: usize,
}

fn main() -> Outcome<()> {
    // `cargo bench` passes `--bench`; without a file there is nothing to do here.
    let Some(path) = std::env::args().skip(1).find(|a| !a.starts_with('-')) else {
        println!("this bench is run by `make bench-peers`");
        return Ok(());
    };
    let mut peers = Peers::new(&std::fs::read(path)?)?;
    println!("{}", json!({ "kernel": peers.kernel.name() }));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["check"] => peers.check()?,
            ["dense"] => json!({ "seconds": peers.dense()? }),
            ["delta", occupancy] => peers.delta(occupancy.parse()?)?,
            ["candle"] => json!({ "seconds": peers.candle()? }),
            _ => return Err(format!("unknown command `{line}`").into()),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

impl Peers {
    fn new(bytes: &[u8]) -> Outcome<Self> {
        let file = SafeTensors::deserialize(bytes)?;
        let gru = deltasteer_temporal::weights::from_pytorch(bytes, "rnn.")?;
        let (weights, inputs) = (&gru.cells[0], gru.input_size());
        let view = file.tensor("x")?;
        let x: Vec<f32> = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let packed = Arc::new(PackedGru::new(weights, Storage::F32)?);
        let kernel = Kernel::choose()?;
        let candle = candle_gru(weights)?;
        let candle_x = x.chunks(inputs).map(|x| Tensor::from_slice(x, (1, inputs), &Device::Cpu));
        Ok(Self {
            dense: DenseGru::with_kernel(packed.clone(), kernel),
            driven: Vec::new(),
            candle_state: candle.zero_state(1)?,
            candle_x: candle_x.collect::<Result<_, _>>()?,
            candle,
            packed,
            kernel,
            x,
            next: 0,
        })
    }

    /// Hidden states after the whole sequence, from zero: the delta cell at thresholds of zero, the dense cell, candle.
    fn check(&self) -> Outcome<Value> {
        let mut delta = DeltaGru::with_kernel(self.packed.clone(), Thresholds::ZERO, self.kernel)?;
        let mut dense = DenseGru::with_kernel(self.packed.clone(), self.kernel);
        let mut state = self.candle.zero_state(1)?;
        for (x, candle_x) in self.x.chunks(self.packed.input_size()).zip(&self.candle_x) {
            delta.step(ArrayView1::from(x))?;
            dense.step(ArrayView1::from(x))?;
            state = self.candle.step(candle_x, &state)?;
        }
        let candle: Vec<f32> = state.h().flatten_all()?.to_vec1()?;
        Ok(json!({ "delta": delta.hidden().to_vec(), "dense": dense.hidden().to_vec(), "candle": candle }))
    }

    /// The place in the sequence, one further each time.
    fn advance(&mut self) -> usize {
        self.next = (self.next + 1) % self.candle_x.len();
        self.next
    }

    fn dense(&mut self) -> Outcome<f64> {
        self.round(|peers, at| {
            let inputs = peers.packed.input_size();
            peers.dense.step(ArrayView1::from(&peers.x[at * inputs..][..inputs]))?;
            Ok(())
        })
    }

    fn candle(&mut self) -> Outcome<f64> {
        self.round(|peers, at| {
            peers.candle_state = peers.candle.step(&peers.candle_x[at], &peers.candle_state)?;
            Ok(())
        })
    }

    /// Mean seconds of a step. The first step brings the weights back into the caches, which the other peers used in
    /// the meantime; it is not timed, for nobody.
    fn round(&mut self, mut step: impl FnMut(&mut Self, usize) -> Outcome<()>) -> Outcome<f64> {
        let at = self.advance();
        step(self, at)?;
        let start = Instant::now();
        for _ in 0..STEPS {
            let at = self.advance();
            step(self, at)?;
        }
        Ok(start.elapsed().as_secs_f64() / STEPS as f64)
    }

    fn delta(&mut self, occupancy: f64) -> Outcome<Value> {
        let place = match self.driven.iter().position(|(o, _)| *o == occupancy) {
            Some(place) => place,
            None => {
                self.driven.push((occupancy, Driven::new(self.packed.clone(), occupancy, self.kernel, 1)?));
                self.driven.len() - 1
            }
        };
        let driven = &mut self.driven[place].1;
        driven.round()?;
        let seconds = driven.round()?;
        let (count, dense) = (driven.count(), self.packed.dense_count());
        Ok(json!({ "seconds": seconds, "columns": count.columns_x + count.columns_h,
            "macs": count.macs, "macs_dense": dense.macs, "bytes": count.weight_bytes }))
    }
}

/// The same weights as candle's GRU.
fn candle_gru(weights: &GruWeights) -> Outcome<GRU> {
    let (inputs, hidden) = (weights.input_size(), weights.hidden_size());
    let matrix = |values: &Array2<f32>| Tensor::from_iter(values.iter().copied(), &Device::Cpu)?.reshape(values.dim());
    let bias = |values: &ndarray::Array1<f32>| Tensor::from_iter(values.iter().copied(), &Device::Cpu);
    let tensors = [
        ("weight_ih_l0", matrix(&weights.weight_ih)?),
        ("weight_hh_l0", matrix(&weights.weight_hh)?),
        ("bias_ih_l0", bias(&weights.bias_ih)?),
        ("bias_hh_l0", bias(&weights.bias_hh)?),
    ];
    let tensors = tensors.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect();
    let builder = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    Ok(candle_nn::gru(inputs, hidden, Default::default(), builder)?)
}
