//! The naive f64 oracle of forward and backward: scalar loops, gradients by finite differences with the choice of what is
//! transmitted frozen; and figures from PyTorch (`goldens/train_gru.py`).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bptt::{Carried, Part, Tape, Technique, round_to};
use super::hold::DeltaCost;
use super::loss::{self, Targets};
use super::parameters::Parameters;
use super::settings::LossSettings;
use crate::Rounding;

struct Case {
    parameters: Parameters,
    part: Part,
    technique: Technique,
    targets: Targets,
    loss: LossSettings,
}

const BURN_IN: usize = 2;

fn case(theta_x: f32, theta_h: f32, l1: f32) -> Case {
    let (inputs, hidden, frames, batch) = (5, 4, 9, 3);
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let parameters = Parameters::random(inputs, hidden, &mut rng);
    let mut x = vec![0.0; frames * batch * inputs];
    for i in 0..x.len() {
        let before = if i >= batch * inputs { x[i - batch * inputs] } else { 0.0 };
        x[i] = (before + rng.random_range(-0.6..0.8f32)).max(0.0);
    }
    let mut steering_rad: Vec<f32> = (0..frames * batch).map(|_| rng.random_range(-0.4..0.4)).collect();
    steering_rad[4 * batch + 1] = f32::NAN;
    let cost = DeltaCost { l1, event: 0.0, width: 1.0 };
    Case {
        parameters,
        part: Part {
            frames,
            batch,
            x,
            start: Carried::cold(batch, inputs, hidden),
            gains: Vec::new(),
            noise_h: Vec::new(),
        },
        technique: Technique {
            theta_x: vec![theta_x; inputs],
            theta_h: vec![theta_h; hidden],
            cost_x: cost,
            cost_h: cost,
            rounding: None,
            burn_in: BURN_IN,
            smooth: false,
            want_dx: true,
            sparse_below: 0.0,
        },
        targets: Targets { teacher_rad: vec![f32::NAN; steering_rad.len()], steering_rad },
        loss: LossSettings { curve_weight: 5.0, ..LossSettings::default() },
    }
}

fn forward(case: &Case) -> Tape {
    let mut tape = Tape::default();
    tape.forward(&case.parameters, &case.part, &case.technique);
    tape
}

/// Loss and gradients by the code under test: `(loss, by parameters, by features)`.
fn by_bptt(case: &Case) -> (f64, Vec<f32>, Vec<f32>) {
    let total = loss::total_weight(&case.loss, &case.targets, BURN_IN * case.part.batch);
    let mut tape = forward(case);
    let from = BURN_IN * case.part.batch;
    let (loss, d_steering) = loss::loss(&case.loss, &case.targets, &tape.steering_rad, from, total);
    let mut gradient = Parameters::zeros(case.parameters.inputs(), case.parameters.hidden());
    let dx = tape.backward(&case.parameters, &case.technique, &d_steering, &mut gradient);
    let events = tape.events(BURN_IN);
    let costs = f64::from(case.technique.cost_x.l1) * events.magnitude[0]
        + f64::from(case.technique.cost_h.l1) * events.magnitude[1];
    (loss + costs, gradient.values, dx)
}

/// What was transmitted, in the order of the oracle's questions.
type Choices = Vec<bool>;

/// The same loss, one scalar at a time in f64. `frozen` replaces the comparisons with those of an earlier run.
fn naive_loss(case: &Case, values: &[f64], x: &[f64], frozen: Option<&Choices>) -> (f64, Choices) {
    let p = &case.parameters;
    let (n_in, n, batch) = (p.inputs(), p.hidden(), case.part.batch);
    let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
    let (w_x, w_h) = (&values[p.w_x_range()], &values[p.w_h_range()]);
    let (b_x, b_h) = (&values[p.b_x_range()], &values[p.b_h_range()]);
    let (head_w, head_b) = (&values[p.head_w_range()], values[p.head_b_range().start]);
    let total = loss::total_weight(&case.loss, &case.targets, BURN_IN * batch);
    let mut choices = Vec::new();
    let mut sum = 0.0;
    let mut transmit = |value: f64, reference: &mut f64, theta: f32| {
        let send = match frozen {
            Some(frozen) => frozen[choices.len()],
            None => (value - *reference).abs() >= f64::from(theta),
        };
        choices.push(send);
        let moved = if send { (value - *reference).abs() } else { 0.0 };
        if send {
            *reference = value;
        }
        moved
    };
    for b in 0..batch {
        let (mut x_ref, mut h_ref, mut h) = (vec![0.0; n_in], vec![0.0; n], vec![0.0; n]);
        for t in 0..case.part.frames {
            let on = if t >= BURN_IN { 1.0 } else { 0.0 };
            for i in 0..n_in {
                let moved = transmit(x[(t * batch + b) * n_in + i], &mut x_ref[i], case.technique.theta_x[i]);
                sum += on * f64::from(case.technique.cost_x.l1) * moved;
            }
            for i in 0..n {
                let moved = transmit(h[i], &mut h_ref[i], case.technique.theta_h[i]);
                sum += on * f64::from(case.technique.cost_h.l1) * moved;
            }
            let dot = |reference: &[f64], w: &[f64], gate: usize| -> f64 {
                reference.iter().enumerate().map(|(i, v)| v * w[i * 3 * n + gate]).sum()
            };
            let old = h.clone();
            for j in 0..n {
                let m_x = |gate: usize| b_x[gate * n + j] + dot(&x_ref, w_x, gate * n + j);
                let m_h = |gate: usize| b_h[gate * n + j] + dot(&h_ref, w_h, gate * n + j);
                let r = sigmoid(m_x(0) + m_h(0));
                let u = sigmoid(m_x(1) + m_h(1));
                let c = (m_x(2) + r * m_h(2)).tanh();
                h[j] = (1.0 - u) * c + u * old[j];
            }
            let label = case.targets.steering_rad[t * batch + b];
            if t >= BURN_IN && !label.is_nan() {
                let steering = head_b + h.iter().zip(head_w).map(|(h, w)| h * w).sum::<f64>();
                let weight = f64::from(1.0 + case.loss.curve_weight * label.abs());
                sum += weight * (steering - f64::from(label)).powi(2) / total;
            }
        }
    }
    (sum, choices)
}

/// Compares every gradient with finite differences of the oracle, with whole products and with those of events alone.
fn check(mut case: Case) {
    check_products(&case);
    case.technique.sparse_below = 2.0;
    check_products(&case);
}

fn check_products(case: &Case) {
    let (loss, gradient, dx) = by_bptt(case);
    let values: Vec<f64> = case.parameters.values.iter().map(|v| f64::from(*v)).collect();
    let x: Vec<f64> = case.part.x.iter().map(|v| f64::from(*v)).collect();
    let (expected, choices) = naive_loss(case, &values, &x, None);
    assert!((loss - expected).abs() < 1e-5 * expected, "loss {loss}, expected {expected}");
    let slope = |values: &[f64], x: &[f64], i: usize, in_x: bool| {
        let at = |d: f64| {
            let (mut values, mut x) = (values.to_vec(), x.to_vec());
            if in_x {
                x[i] += d
            } else {
                values[i] += d
            }
            naive_loss(case, &values, &x, Some(&choices)).0
        };
        (at(1e-5) - at(-1e-5)) / 2e-5
    };
    let largest = gradient.iter().fold(0.0f32, |m, g| m.max(g.abs()));
    assert!(largest > 0.1, "the case has hardly any gradient");
    for i in 0..case.parameters.head_b_range().end {
        let expected = slope(&values, &x, i, false);
        assert!(
            (f64::from(gradient[i]) - expected).abs() < 2e-5 + 1e-4 * expected.abs(),
            "parameter {i}: {} {expected}",
            gradient[i]
        );
    }
    for i in 0..x.len() {
        let expected = slope(&values, &x, i, true);
        assert!(
            (f64::from(dx[i]) - expected).abs() < 2e-5 + 1e-4 * expected.abs(),
            "feature {i}: {} {expected}",
            dx[i]
        );
    }
}

#[test]
fn dense_gradients_equal_finite_differences() {
    check(case(0.0, 0.0, 0.0));
}

#[test]
fn delta_gradients_equal_finite_differences_with_frozen_choices() {
    let case = case(0.3, 0.08, 0.0);
    let tape = forward(&case);
    let events = tape.events(0);
    let all = [case.part.x.len() as u64, (case.part.frames * case.part.batch * 4) as u64];
    for i in 0..2 {
        assert!(
            events.columns[i] > all[i] / 8 && events.columns[i] < all[i] * 7 / 8,
            "the case must both send and hold: {events:?}"
        );
    }
    check(case);
}

#[test]
fn gradients_of_the_l1_costs_equal_finite_differences() {
    check(case(0.3, 0.08, 0.05));
}

/// From a state that was carried over, too, the products of events alone are the whole ones.
#[test]
fn events_alone_give_the_whole_products_from_any_start() {
    let mut case = case(0.3, 0.08, 0.05);
    let fill = |array: &mut Vec<f32>, step: f32| {
        array.iter_mut().enumerate().for_each(|(i, value)| *value = (i as f32 * step).sin() * 0.4);
    };
    let start = &mut case.part.start;
    [&mut start.h, &mut start.h_ref, &mut start.x_ref].into_iter().zip([0.7, 1.1, 1.7]).for_each(|(a, s)| fill(a, s));
    let whole = by_bptt(&case);
    case.technique.sparse_below = 2.0;
    let events = by_bptt(&case);
    assert!((whole.0 - events.0).abs() < 1e-6);
    for (whole, events) in whole.1.iter().zip(&events.1).chain(whole.2.iter().zip(&events.2)) {
        assert!((whole - events).abs() < 1e-5 + 1e-4 * whole.abs(), "{whole} {events}");
    }
}

/// Two windows, the second from the state after the first, are one long window.
#[test]
fn a_carried_state_continues_the_window() {
    let case = case(0.3, 0.08, 0.0);
    let whole = forward(&case);
    let cut = 4 * case.part.batch;
    let mut start = case.part.start.clone();
    let mut angles = Vec::new();
    for x in [&case.part.x[..cut * 5], &case.part.x[cut * 5..]] {
        let frames = x.len() / (5 * case.part.batch);
        let part =
            Part { frames, batch: case.part.batch, x: x.to_vec(), start, gains: Vec::new(), noise_h: Vec::new() };
        let mut tape = Tape::default();
        tape.forward(&case.parameters, &part, &case.technique);
        angles.extend_from_slice(&tape.steering_rad);
        start = tape.end();
    }
    assert_eq!(start, whole.end());
    for (found, expected) in angles.iter().zip(&whole.steering_rad) {
        assert!((found - expected).abs() < 1e-6);
    }
}

#[test]
fn rounding_is_straight_through() {
    let mut rounded = case(0.0, 0.0, 0.0);
    let q = Rounding { integer_bits: 1, fraction_bits: 3 };
    rounded.technique.rounding = Some(q);
    let tape = forward(&rounded);
    // With the rounding error added as constant noise, nothing differs but the order of operations.
    let mut noisy = case(0.0, 0.0, 0.0);
    let n = noisy.part.batch * 4;
    noisy.part.noise_h = vec![0.0; noisy.part.frames * n];
    for t in 0..noisy.part.frames {
        let plain = forward(&noisy);
        for i in t * n..(t + 1) * n {
            let h = plain.state(i);
            noisy.part.noise_h[i] = round_to(q, h) - h;
        }
    }
    let (expected_loss, expected, _) = by_bptt(&noisy);
    let (loss, gradient, _) = by_bptt(&rounded);
    assert!(tape.steering_rad.iter().all(|s| s.is_finite()));
    assert!((loss - expected_loss).abs() < 1e-5, "{loss} {expected_loss}");
    for (g, e) in gradient.iter().zip(&expected) {
        assert!((g - e).abs() < 1e-4, "{g} {e}");
    }
}

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
    label: Vec<f32>,
    angles: Vec<f32>,
    parameters: Vec<f32>,
    gradient: Vec<f32>,
    dx: Vec<f32>,
}

#[test]
fn loss_and_gradients_equal_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/goldens/train.json")).unwrap();
    let (frames, batch) = (golden.frames, golden.batch);
    for g in golden.cases {
        let mut parameters = Parameters::zeros(golden.inputs, golden.hidden);
        parameters.values[..g.parameters.len()].copy_from_slice(&g.parameters);
        let cost = |beta: f32| DeltaCost { l1: beta / (frames * batch) as f32, event: 0.0, width: 1.0 };
        let technique = Technique {
            theta_x: vec![g.theta_x; golden.inputs],
            theta_h: vec![g.theta_h; golden.hidden],
            cost_x: cost(g.beta_x),
            cost_h: cost(g.beta_h),
            rounding: None,
            burn_in: 0,
            smooth: false,
            want_dx: true,
            sparse_below: 0.0,
        };
        let start = Carried::cold(batch, golden.inputs, golden.hidden);
        let part = Part { frames, batch, x: g.x, start, gains: Vec::new(), noise_h: Vec::new() };
        let mut tape = Tape::default();
        tape.forward(&parameters, &part, &technique);
        let close = |found: &[f32], expected: &[f32], what: &str| {
            for (i, (f, e)) in found.iter().zip(expected).enumerate() {
                assert!((f - e).abs() < 1e-6 + 1e-4 * e.abs(), "{what} {i}: {f} {e}");
            }
        };
        close(&tape.steering_rad, &g.angles, "angle");
        let targets = Targets { teacher_rad: vec![f32::NAN; g.label.len()], steering_rad: g.label };
        let settings = LossSettings { curve_weight: 0.0, huber_rad: None, ..LossSettings::default() };
        let total = loss::total_weight(&settings, &targets, 0);
        let (mse, d_steering) = loss::loss(&settings, &targets, &tape.steering_rad, 0, total);
        assert!((mse - g.mse).abs() < 1e-6);
        if g.theta_x > 0.0 {
            let events = tape.events(0);
            assert_eq!(events.columns[0] + events.columns[1], g.sent);
        }
        let mut gradient = Parameters::zeros(golden.inputs, golden.hidden);
        let dx = tape.backward(&parameters, &technique, &d_steering, &mut gradient);
        close(&gradient.values, &g.gradient, "gradient");
        close(&dx, &g.dx, "dx");
    }
}
