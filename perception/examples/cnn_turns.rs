//! Our half of `app/scripts/bench_peers_cnn.py`: times the trunk of a model file whenever a line on standard input asks for it.

use deltasteer_perception::{PerceptionConfig, PerceptionError, bench};

fn main() -> Result<(), PerceptionError> {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: cnn_turns MODEL.safetensors");
        std::process::exit(2);
    };
    let tensors = std::fs::read(&path)
        .map_err(|error| PerceptionError::File { path: path.clone(), reason: error.to_string() })?;
    bench::take_turns(&tensors, &PerceptionConfig::default(), std::io::stdin().lock(), std::io::stdout().lock())
}
