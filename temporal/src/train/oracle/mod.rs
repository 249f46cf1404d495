//! The oracle of forward and backward: scalar loops in f64, gradients by finite differences with the choice of what is transmitted
//! frozen; and figures from PyTorch (`goldens`).

mod goldens;

use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::data::Window;
use super::delta_encoder::DeltaCost;
use super::layer::{CellState, Events, LayerTechnique, round_to};
use super::loss::Loss;
use super::network::{NetworkTape, Part};
use super::parameters::{NetworkSize, Parameters};
use crate::{HeadConfig, Pooling, Rounding};

struct Case {
    size: NetworkSize,
    parameters: Parameters,
    part: Part,
    techniques: Vec<LayerTechnique>,
    burn_in: usize,
}

/// Squared error against a wave, without a target here and there.
struct Wave;

impl Wave {
    fn target(b: usize, t: usize, output: usize) -> Option<f32> {
        let i = b * 7 + t * 3 + output * 5;
        (i % 11 != 4).then(|| (i as f32 * 0.9).sin() * 0.5)
    }
}

impl Loss for Wave {
    fn loss(&self, window: &Window, y: ArrayView2<'_, f32>, mut gradient: ArrayViewMut2<'_, f32>) -> (f64, f64) {
        let (mut sum, mut weight) = (0.0, 0.0);
        for ((t, output), y) in y.indexed_iter() {
            if let Some(target) = Self::target(window.sequence, window.start + t, output) {
                sum += f64::from(y - target).powi(2);
                gradient[[t, output]] = 2.0 * (y - target);
                weight += 1.0;
            }
        }
        (sum, weight)
    }

    fn error(&self, _outputs: &[Array2<f32>]) -> f64 {
        0.0
    }
}

const FRAMES: usize = 9;

fn case(size: NetworkSize, lengths: [usize; 3], [theta_x, theta_h, l1]: [f32; 3]) -> Case {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut parameters = Parameters::random(size, &mut rng);
    // Biases are learned too.
    parameters.values.iter_mut().for_each(|w| *w += rng.random_range(-0.05..0.05f32));
    parameters.values[size.log_thetas()].fill(0.0);
    let n = 3 * size.input_size;
    let mut x = vec![0.0; FRAMES * n];
    for i in 0..x.len() {
        let before = if i >= n { x[i - n] } else { 0.0 };
        x[i] = (before + rng.random_range(-0.6..0.8f32)).max(0.0);
    }
    let window = |(b, frames): (usize, usize)| Window { sequence: b, version: 0, start: 0, frames, stream: 0 };
    let inputs = |layer: usize| size.inputs(layer);
    let cost = DeltaCost { l1, event: 0.0, width: 1.0 };
    // Dropout between layers.
    let gains = |layer: usize| (0..3 * inputs(layer)).map(|i| if i % 5 == 2 { 0.0 } else { 1.25 }).collect();
    Case {
        size,
        parameters,
        part: Part {
            windows: lengths.into_iter().enumerate().map(window).collect(),
            frames: FRAMES,
            lengths: lengths.into(),
            x,
            gains: (0..size.num_layers).map(|layer| if layer > 0 { gains(layer) } else { Vec::new() }).collect(),
            noise_x: vec![Vec::new(); size.num_layers],
            noise_h: vec![Vec::new(); size.cells()],
            start: (0..size.cells())
                .map(|i| CellState::cold(3, inputs(i / size.directions()), size.hidden_size))
                .collect(),
        },
        techniques: (0..size.num_layers)
            .map(|layer| LayerTechnique {
                theta_x: theta_x / (1 + layer) as f32,
                theta_h,
                cost_x: cost,
                cost_h: cost,
                rounding: None,
                burn_in: if size.bidirectional { 0 } else { 2 },
                smooth: false,
                sparse_below: 0.0,
            })
            .collect(),
        burn_in: if size.bidirectional || size.head.pooling != Pooling::None { 0 } else { 2 },
    }
}

fn single(settings: [f32; 3]) -> Case {
    let head = HeadConfig { output_size: 1, fc_size: None, pooling: Pooling::None };
    let size = NetworkSize { input_size: 5, hidden_size: 4, num_layers: 1, bidirectional: false, head };
    case(size, [FRAMES; 3], settings)
}

fn forward(case: &Case) -> NetworkTape {
    let mut tape = NetworkTape::default();
    tape.forward(&case.parameters, &case.part, &case.techniques);
    tape
}

/// Loss and gradients by the code under test: `(loss, by parameters, by features)`.
fn by_bptt(case: &Case) -> (f64, Vec<f32>, Vec<f32>) {
    let mut tape = forward(case);
    let outputs = case.size.head.output_size;
    let rows = tape.outputs.len() / (3 * outputs);
    let (mut loss, mut weight) = (0.0, 0.0);
    let mut d_outputs = vec![0.0; tape.outputs.len()];
    for (b, window) in case.part.windows.iter().enumerate() {
        let range = if rows == 1 { 0..1 } else { case.burn_in..window.frames };
        let window = Window { start: range.start, ..*window };
        let y = Array2::from_shape_fn((range.len(), outputs), |(t, o)| {
            tape.outputs[((range.start + t) * 3 + b) * outputs + o]
        });
        let mut d = Array2::zeros(y.dim());
        let (value, count) = Wave.loss(&window, y.view(), d.view_mut());
        (loss, weight) = (loss + value, weight + count);
        d.indexed_iter().for_each(|((t, o), d)| d_outputs[((range.start + t) * 3 + b) * outputs + o] = *d);
    }
    d_outputs.iter_mut().for_each(|d| *d /= weight as f32);
    let mut gradient = Parameters::zeros(case.size);
    let dx = tape.backward(&case.parameters, &case.part, &case.techniques, &d_outputs, &mut gradient, true);
    let events: Events = tape.events(case.techniques[0].burn_in);
    let costs = f64::from(case.techniques[0].cost_x.l1) * (events.magnitude[0] + events.magnitude[1]);
    (loss / weight + costs, gradient.values, dx)
}

/// What was transmitted, in the order of the oracle's questions.
type Choices = Vec<bool>;

/// The same loss, one scalar at a time. `frozen` replaces the comparisons with those of an earlier run.
fn scalar_loss(case: &Case, values: &[f64], x: &[f64], frozen: Option<&Choices>) -> (f64, Choices) {
    let (size, n) = (case.size, case.size.hidden_size);
    let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
    let (mut choices, mut costs, mut loss, mut weight) = (Vec::new(), 0.0, 0.0, 0.0);
    for (b, length) in case.part.lengths.iter().enumerate() {
        let row = |t: usize| x[(t * 3 + b) * size.input_size..][..size.input_size].to_vec();
        let mut input: Vec<Vec<f64>> = (0..*length).map(row).collect();
        for (layer, technique) in case.techniques.iter().enumerate() {
            let mut output = vec![Vec::new(); *length];
            if let Some(gains) = case.part.gains.get(layer).filter(|gains| !gains.is_empty()) {
                let gains = &gains[b * size.inputs(layer)..][..size.inputs(layer)];
                input.iter_mut().for_each(|row| row.iter_mut().zip(gains).for_each(|(x, g)| *x *= f64::from(*g)));
            }
            for direction in 0..size.directions() {
                let cell = &values[size.cell_range(layer * size.directions() + direction)];
                let inputs = size.inputs(layer);
                let (w_x, rest) = cell.split_at(inputs * 3 * n);
                let (w_h, rest) = rest.split_at(n * 3 * n);
                let (b_x, b_h) = rest.split_at(3 * n);
                let (mut x_ref, mut h_ref, mut h) = (vec![0.0; inputs], vec![0.0; n], vec![0.0; n]);
                for step in 0..*length {
                    let t = if direction == 0 { step } else { length - 1 - step };
                    let mut transmit = |value: f64, reference: &mut f64, theta: f32| {
                        let active = match frozen {
                            Some(frozen) => frozen[choices.len()],
                            None => (value - *reference).abs() >= f64::from(theta),
                        };
                        choices.push(active);
                        if active {
                            let on = if step >= technique.burn_in { f64::from(technique.cost_x.l1) } else { 0.0 };
                            costs += on * (value - *reference).abs();
                            *reference = value;
                        }
                    };
                    input[t].iter().zip(&mut x_ref).for_each(|(x, r)| transmit(*x, r, technique.theta_x));
                    h.iter().zip(&mut h_ref).for_each(|(h, r)| transmit(*h, r, technique.theta_h));
                    let dot = |reference: &[f64], w: &[f64], row: usize| -> f64 {
                        reference.iter().enumerate().map(|(i, v)| v * w[i * 3 * n + row]).sum()
                    };
                    let old = h.clone();
                    for j in 0..n {
                        let m_x = |gate: usize| b_x[gate * n + j] + dot(&x_ref, w_x, gate * n + j);
                        let m_h = |gate: usize| b_h[gate * n + j] + dot(&h_ref, w_h, gate * n + j);
                        let (r, z) = (sigmoid(m_x(0) + m_h(0)), sigmoid(m_x(1) + m_h(1)));
                        h[j] = (1.0 - z) * (m_x(2) + r * m_h(2)).tanh() + z * old[j];
                    }
                    output[t].extend(&h);
                }
            }
            input = output;
        }
        let pooled: Vec<Vec<f64>> = match size.head.pooling {
            Pooling::None => input,
            Pooling::Last => {
                let back = if size.bidirectional { &input[0][n..] } else { &[] };
                vec![[&input[length - 1][..n], back].concat()]
            }
            Pooling::Mean => {
                let mean = |i: usize| input.iter().map(|row| row[i]).sum::<f64>() / *length as f64;
                vec![(0..input[0].len()).map(mean).collect()]
            }
        };
        let first = if pooled.len() == 1 { 0 } else { case.burn_in };
        for (t, row) in pooled.into_iter().enumerate().skip(first) {
            let linears = size.linears();
            let last = linears.len() - 1;
            let y = linears.into_iter().enumerate().fold(row, |row, (index, (inputs, outputs, range))| {
                let (w, bias) = values[range].split_at(inputs * outputs);
                let of = |o: usize| bias[o] + row.iter().zip(&w[o * inputs..]).map(|(x, w)| x * w).sum::<f64>();
                (0..outputs).map(of).map(|y| if index < last { y.max(0.0) } else { y }).collect()
            });
            for (output, y) in y.iter().enumerate() {
                if let Some(target) = Wave::target(b, t, output) {
                    loss += (y - f64::from(target)).powi(2);
                    weight += 1.0;
                }
            }
        }
    }
    (loss / weight + costs, choices)
}

/// Compares every gradient with finite differences of the oracle, with dense and with sparse products.
fn check(mut case: Case) {
    for sparse_below in [0.0, 2.0] {
        case.techniques.iter_mut().for_each(|technique| technique.sparse_below = sparse_below);
        let (loss, gradient, dx) = by_bptt(&case);
        let values: Vec<f64> = case.parameters.values.iter().map(|v| f64::from(*v)).collect();
        let x: Vec<f64> = case.part.x.iter().map(|v| f64::from(*v)).collect();
        let (expected, choices) = scalar_loss(&case, &values, &x, None);
        assert!((loss - expected).abs() < 1e-5 * expected, "loss {loss}, expected {expected}");
        let slope = |i: usize, in_x: bool| {
            let at = |d: f64| {
                let (mut values, mut x) = (values.clone(), x.clone());
                if in_x {
                    x[i] += d
                } else {
                    values[i] += d
                }
                scalar_loss(&case, &values, &x, Some(&choices)).0
            };
            (at(1e-5) - at(-1e-5)) / 2e-5
        };
        let largest = gradient.iter().fold(0.0f32, |m, g| m.max(g.abs()));
        assert!(largest > 0.03, "the case has hardly any gradient: {largest}");
        for (found, in_x) in [(&gradient[..case.size.log_thetas().start], false), (&dx, true)] {
            for (i, found) in found.iter().enumerate() {
                let expected = slope(i, in_x);
                let close = (f64::from(*found) - expected).abs() < 2e-5 + 2e-4 * expected.abs();
                assert!(close, "{} {i}: {found} {expected}", if in_x { "feature" } else { "parameter" });
            }
        }
    }
}

#[test]
fn gradients_of_one_layer_equal_finite_differences() {
    let delta = single([0.3, 0.08, 0.0]);
    let events = forward(&delta).events(0);
    let all = [delta.part.x.len() as u64, (FRAMES * 3 * 4) as u64];
    for i in 0..2 {
        assert!(
            events.columns[i] > all[i] / 8 && events.columns[i] < all[i] * 7 / 8,
            "the case must have idle and active columns: {events:?}"
        );
    }
    for settings in [[0.0, 0.0, 0.0], [0.3, 0.08, 0.0], [0.3, 0.08, 0.05]] {
        check(single(settings));
    }
}

/// Every pooling and head, layers in one and both directions, sequences of different lengths.
#[test]
fn gradients_of_stacks_equal_finite_differences() {
    for (layers, bidirectional, pooling, fc_size, outputs) in [
        (2, false, Pooling::None, None, 3),
        (2, true, Pooling::None, Some(4), 2),
        (1, false, Pooling::Last, Some(3), 2),
        (2, true, Pooling::Last, None, 3),
        (2, true, Pooling::Mean, Some(4), 3),
    ] {
        let head = HeadConfig { output_size: outputs, fc_size, pooling };
        let size = NetworkSize { input_size: 3, hidden_size: 3, num_layers: layers, bidirectional, head };
        for settings in [[0.0, 0.0, 0.0], [0.3, 0.06, 0.02]] {
            check(case(size, [9, 4, 7], settings));
        }
    }
}

/// From a state that was carried over, too, sparse products equal the dense ones.
#[test]
fn sparse_products_equal_dense_ones_from_any_start() {
    let mut case = single([0.3, 0.08, 0.05]);
    let fill = |array: &mut Vec<f32>, step: f32| {
        array.iter_mut().enumerate().for_each(|(i, value)| *value = (i as f32 * step).sin() * 0.4);
    };
    let start = &mut case.part.start[0];
    [&mut start.h, &mut start.h_ref, &mut start.x_ref].into_iter().zip([0.7, 1.1, 1.7]).for_each(|(a, s)| fill(a, s));
    let dense = by_bptt(&case);
    case.techniques[0].sparse_below = 2.0;
    let sparse = by_bptt(&case);
    assert!((dense.0 - sparse.0).abs() < 1e-6);
    for (dense, sparse) in dense.1.iter().zip(&sparse.1).chain(dense.2.iter().zip(&sparse.2)) {
        assert!((dense - sparse).abs() < 1e-5 + 1e-4 * dense.abs(), "{dense} {sparse}");
    }
}

/// Two windows, the second from the state after the first, are one long window.
#[test]
fn a_carried_state_continues_the_window() {
    let mut case = single([0.3, 0.08, 0.0]);
    let whole = forward(&case);
    let (x, cut) = (case.part.x.clone(), 4 * 3 * 5);
    let mut outputs = Vec::new();
    for x in [&x[..cut], &x[cut..]] {
        case.part.frames = x.len() / 15;
        case.part.lengths = vec![case.part.frames; 3];
        case.part.x = x.to_vec();
        let tape = forward(&case);
        outputs.extend_from_slice(&tape.outputs);
        case.part.start = tape.end();
    }
    assert_eq!(case.part.start, whole.end());
    outputs.iter().zip(&whole.outputs).for_each(|(found, expected)| assert!((found - expected).abs() < 1e-6));
}

#[test]
fn rounding_is_straight_through() {
    let mut rounded = single([0.0, 0.0, 0.0]);
    let q = Rounding { integer_bits: 1, fraction_bits: 3 };
    rounded.techniques[0].rounding = Some(q);
    // With the rounding error added as constant noise, nothing differs but the order of operations.
    let mut noisy = single([0.0, 0.0, 0.0]);
    let n = 3 * 4;
    noisy.part.noise_h[0] = vec![0.0; FRAMES * n];
    for t in 1..FRAMES {
        let end = |case: &Case, frames: usize| {
            let mut short = single([0.0, 0.0, 0.0]);
            short.part.noise_h[0] = case.part.noise_h[0][..frames * n].to_vec();
            short.part.x.truncate(frames * 15);
            (short.part.frames, short.part.lengths) = (frames, vec![frames; 3]);
            forward(&short).end()[0].h.clone()
        };
        let h = end(&noisy, t);
        noisy.part.noise_h[0][t * n..][..n].iter_mut().zip(&h).for_each(|(noise, h)| *noise = round_to(q, *h) - h);
    }
    let (expected_loss, expected, _) = by_bptt(&noisy);
    let (loss, gradient, _) = by_bptt(&rounded);
    assert!((loss - expected_loss).abs() < 1e-5, "{loss} {expected_loss}");
    gradient.iter().zip(&expected).for_each(|(g, e)| assert!((g - e).abs() < 1e-4, "{g} {e}"));
}
