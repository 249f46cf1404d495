//! Our half of `app/scripts/bench_peers_cnn.py`: for each line `FRAMES` on standard input it runs the trunk of a model file that
//! often on one picture, and answers with one line of JSON, `{"ms": [...], "cells": [...]}`.

use deltasteer_perception::{CellExtractor, Device, PerceptionConfig};
use std::io::Write;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: peers MODEL.safetensors")?;
    let config = PerceptionConfig::default();
    let mut extractor = CellExtractor::load(&std::fs::read(path)?, &config, Device::Cpu)?;
    for line in std::io::stdin().lines() {
        let frames: usize = line?.trim().parse()?;
        let (mut ms, mut cells) = (Vec::with_capacity(frames), ndarray::Array1::default(0));
        for _ in 0..frames {
            let picture = test_picture(&config);
            let start = Instant::now();
            cells = extractor.cells_of_picture(picture)?;
            ms.push(start.elapsed().as_secs_f64() * 1e3);
        }
        println!("{}", serde_json::json!({ "ms": ms, "cells": cells.to_vec() }));
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// The picture that every runtime gets: `[input_height][input_width][3]`, normalised.
fn test_picture(config: &PerceptionConfig) -> Vec<f32> {
    let pixel = |y: usize, x: usize| [(x * 3 + y) % 256, (x * y / 7) % 256, (x / 16 * 40 + y / 16 * 90) % 256];
    let rows = (0..config.input_height).flat_map(|y| (0..config.input_width).flat_map(move |x| pixel(y, x)));
    rows.map(|colour| (colour as f32 - config.pixel_mean) / config.pixel_scale).collect()
}
