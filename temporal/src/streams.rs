//! Several streams at once (cameras or drives) on one set of weights, each with its own state.

use std::{sync::Arc, thread};

use ndarray::{Array3, ArrayView3, ArrayViewMut3, Axis, s};

use crate::{DeltaRnn, RnnWeights, TemporalError, Thresholds};

/// Delta networks that share their weights.
#[derive(Debug, Clone)]
pub struct Streams {
    streams: Vec<DeltaRnn>,
}

impl Streams {
    /// `count` streams in their state before the first frame, with the thresholds of each layer.
    ///
    /// # Errors
    /// As [`DeltaRnn::new`]; [`TemporalError::Setting`] for a count of zero.
    pub fn new(weights: Arc<RnnWeights>, thresholds: &[Thresholds], count: usize) -> Result<Self, TemporalError> {
        if count == 0 {
            return Err(TemporalError::Setting { field: "streams", value: "0".to_string(), expected: "at least 1" });
        }
        Ok(Self { streams: vec![DeltaRnn::new(weights, thresholds)?; count] })
    }

    /// The streams, to look at their states and sums.
    pub fn streams(&self) -> &[DeltaRnn] {
        &self.streams
    }

    /// Moves every stream on by some frames: `features[frames, streams, input_size]` to `[frames, streams, output_size]`.
    /// Each of up to `threads` threads takes a share of the streams through all frames, one frame of all its streams
    /// after the other. The result is that of one stream at a time, on any number of threads.
    ///
    /// A frame with a NaN, infinite or absurdly large feature is refused for its stream only: the state stays, its
    /// output is the last one, and it is counted in that stream's [`Totals::refused`](crate::Totals::refused).
    ///
    /// # Errors
    /// [`TemporalError::Shape`]; [`TemporalError::Bidirectional`]; [`TemporalError::Setting`] for zero threads;
    /// [`TemporalError::Thread`] where none can be started.
    pub fn run(&mut self, features: ArrayView3<'_, f32>, threads: usize) -> Result<Array3<f32>, TemporalError> {
        let (frames, count) = (features.dim().0, self.streams.len());
        let (input_size, output_size) = {
            let weights = self.streams[0].weights();
            (weights.gru.input_size(), weights.output_size())
        };
        let (expected, found) = (vec![frames, count, input_size], features.shape().to_vec());
        if expected != found {
            return Err(TemporalError::Shape { what: "the features of all streams", expected, found });
        }
        if threads == 0 {
            return Err(TemporalError::Setting { field: "threads", value: "0".to_string(), expected: "at least 1" });
        }
        let share = count.div_ceil(threads.min(count));
        let mut outputs = Array3::zeros((frames, count, output_size));
        if share == count {
            run_share(&mut self.streams, features, outputs.view_mut())?;
            return Ok(outputs);
        }
        thread::scope(|scope| {
            let mut workers = Vec::new();
            for (index, streams) in self.streams.chunks_mut(share).enumerate() {
                let range = s![.., index * share..index * share + streams.len(), ..];
                let features = features.slice(range);
                // Each thread writes a piece of its own: pieces of one array would share cache lines.
                let mut piece = Array3::zeros((frames, streams.len(), output_size));
                let work = move || run_share(streams, features, piece.view_mut()).map(|()| piece);
                let worker = thread::Builder::new()
                    .name(format!("rnn-streams-{index}"))
                    .spawn_scoped(scope, work)
                    .map_err(|error| TemporalError::Thread { reason: error.to_string() })?;
                workers.push((index * share, worker));
            }
            for (first, worker) in workers {
                let piece =
                    worker.join().map_err(|_| TemporalError::Thread { reason: "it panicked".to_string() })??;
                outputs.slice_mut(s![.., first..first + piece.dim().1, ..]).assign(&piece);
            }
            Ok(outputs)
        })
    }
}

/// Some streams through all frames.
fn run_share(
    streams: &mut [DeltaRnn],
    features: ArrayView3<'_, f32>,
    mut outputs: ArrayViewMut3<'_, f32>,
) -> Result<(), TemporalError> {
    for (features, mut outputs) in features.axis_iter(Axis(0)).zip(outputs.axis_iter_mut(Axis(0))) {
        for ((stream, x), mut output) in streams.iter_mut().zip(features.rows()).zip(outputs.rows_mut()) {
            match stream.step(x) {
                // The stream itself counts a refused frame.
                Ok(_) | Err(TemporalError::InputNotFinite { .. }) => output.assign(&stream.output()),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
