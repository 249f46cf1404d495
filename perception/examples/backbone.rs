//! Converts a published EfficientNet-Lite checkpoint: `cargo run --example backbone -- NAME BLOCKS FILE.pth OUT.safetensors`.

use deltasteer_perception::{BackboneName, convert};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, blocks, from, to] = arguments.as_slice() else {
        eprintln!("usage: backbone NAME BLOCKS FILE.pth OUT.safetensors, such as efficientnet-lite0 8 ...");
        std::process::exit(2);
    };
    let name: BackboneName = serde_json::from_value(name.as_str().into())?;
    convert::write_trunk(Path::new(from), name, blocks.parse()?, Path::new(to))?;
    Ok(())
}
