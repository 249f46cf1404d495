//! A `torch.nn.GRU` of one's own as a delta network: weights in, thresholds set, savings printed.
//!
//! `cargo run --release -p deltasteer-temporal --example from_pytorch -- [WEIGHTS.safetensors [PREFIX]]`

use deltasteer_temporal::{DeltaRnn, RnnWeights, Thresholds};
use ndarray::Array2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/gru_two_layers.safetensors");
    let (path, prefix) = (std::env::args().nth(1), std::env::args().nth(2));
    let bytes = std::fs::read(path.as_deref().unwrap_or(golden))?;
    let weights = RnnWeights::from_pytorch(&bytes, prefix.as_deref().unwrap_or("gru."))?;
    let thresholds = vec![Thresholds::new(0.1, 0.05)?; weights.gru.num_layers()];
    // A slow signal; take a sequence of your own.
    let x = Array2::from_shape_fn((500, weights.gru.input_size()), |(t, i)| (0.02 * t as f32 + i as f32).sin());
    let mut rnn = DeltaRnn::new(weights, &thresholds)?;
    let outputs = rnn.run(x.view())?;
    for (layer, totals) in rnn.layer_totals().iter().enumerate() {
        println!("layer {layer}: {:.1}x fewer multiplications", totals.savings());
    }
    println!("outputs {:?}, {:.1}x fewer multiplications in all", outputs.shape(), rnn.totals().savings());
    Ok(())
}
