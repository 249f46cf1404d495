//! Converts the published EfficientNet-Lite0 checkpoint: `cargo run --example backbone -- FILE.pth OUT.safetensors`.

use std::path::Path;

fn main() -> Result<(), deltasteer_perception::PerceptionError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        eprintln!("usage: backbone FILE.pth OUT.safetensors");
        std::process::exit(2);
    };
    deltasteer_perception::convert::write_trunk(Path::new(from), Path::new(to))
}
