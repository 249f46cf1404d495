//! Loss and gradients against figures from PyTorch (`tests/goldens/make_train.py`).

use super::*;

#[derive(serde::Deserialize)]
struct Golden {
    inputs: usize,
    hidden: usize,
    frames: usize,
    batch: usize,
    cases: Vec<GoldenCase>,
}

#[derive(serde::Deserialize)]
struct GoldenCase {
    theta_x: f32,
    theta_h: f32,
    beta_x: f32,
    beta_h: f32,
    sent: u64,
    mse: f64,
    x: Vec<f32>,
    target: Vec<f32>,
    outputs: Vec<f32>,
    parameters: Vec<f32>,
    gradient: Vec<f32>,
    dx: Vec<f32>,
}

#[test]
fn loss_and_gradients_equal_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/goldens/train.json")).unwrap();
    let (frames, batch) = (golden.frames, golden.batch);
    let head = HeadConfig { output_size: 1, fc_size: None, pooling: Pooling::None };
    let (input_size, hidden_size) = (golden.inputs, golden.hidden);
    let size = NetworkSize { input_size, hidden_size, num_layers: 1, bidirectional: false, head };
    for g in golden.cases {
        let mut parameters = Parameters::zeros(size);
        parameters.values[..g.parameters.len()].copy_from_slice(&g.parameters);
        let cost = |beta: f32| DeltaCost { l1: beta / (frames * batch) as f32, event: 0.0, width: 1.0 };
        let technique = LayerTechnique {
            theta_x: g.theta_x,
            theta_h: g.theta_h,
            cost_x: cost(g.beta_x),
            cost_h: cost(g.beta_h),
            rounding: None,
            burn_in: 0,
            smooth: false,
            sparse_below: 0.0,
        };
        let part = Part {
            windows: vec![Window { sequence: 0, version: 0, start: 0, frames, stream: 0 }; batch],
            frames,
            lengths: vec![frames; batch],
            x: g.x,
            gains: vec![Vec::new()],
            noise_x: vec![Vec::new()],
            noise_h: vec![Vec::new()],
            start: vec![CellState::cold(batch, input_size, hidden_size)],
        };
        let mut tape = NetworkTape::default();
        tape.forward(&parameters, &part, &[technique]);
        let close = |found: &[f32], expected: &[f32], what: &str| {
            for (i, (f, e)) in found.iter().zip(expected).enumerate() {
                assert!((f - e).abs() < 1e-6 + 1e-4 * e.abs(), "{what} {i}: {f} {e}");
            }
        };
        close(&tape.outputs, &g.outputs, "output");
        let errors = || tape.outputs.iter().zip(&g.target).map(|(y, target)| y - target);
        let n = (frames * batch) as f32;
        let mse = errors().map(|e| f64::from(e * e)).sum::<f64>() / f64::from(n);
        assert!((mse - g.mse).abs() < 1e-6);
        if g.theta_x > 0.0 {
            let events = tape.events(0);
            assert_eq!(events.columns[0] + events.columns[1], g.sent);
        }
        let d_outputs: Vec<f32> = errors().map(|e| 2.0 * e / n).collect();
        let mut gradient = Parameters::zeros(size);
        let dx = tape.backward(&parameters, &part, &[technique], &d_outputs, &mut gradient, true);
        close(&gradient.values, &g.gradient, "gradient");
        close(&dx, &g.dx, "dx");
    }
}
