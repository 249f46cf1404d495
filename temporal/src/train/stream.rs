//! Validation: a drive streamed frame by frame from a cold start through the delta GRU, walking only transmitted columns.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::parameters::Parameters;

/// Thresholds as they are used: one for each column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnThresholds {
    /// `[inputs]`
    pub theta_x: Vec<f32>,
    /// `[hidden]`
    pub theta_h: Vec<f32>,
}

impl ColumnThresholds {
    /// The thresholds `theta_x` and `theta_h` times the factors that `parameters` has learned.
    pub fn of(parameters: &Parameters, theta_x: f32, theta_h: f32) -> Self {
        let times = |theta: f32, logs: &[f32]| logs.iter().map(|log| theta * log.exp()).collect();
        Self { theta_x: times(theta_x, parameters.log_theta_x()), theta_h: times(theta_h, parameters.log_theta_h()) }
    }
}

/// What streaming one or more drives did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamCount {
    /// Frames, the first of each drive included.
    pub frames: u64,
    /// Transmitted columns of x, and those that a dense GRU multiplies.
    pub columns_x: [u64; 2],
    /// The same of h.
    pub columns_h: [u64; 2],
}

impl StreamCount {
    /// Dense over executed multiply-accumulates of the GRU's two matrix-vector products.
    pub fn savings(&self) -> f64 {
        (self.columns_x[1] + self.columns_h[1]) as f64 / (self.columns_x[0] + self.columns_h[0]).max(1) as f64
    }

    /// Adds another drive's count.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        for i in 0..2 {
            self.columns_x[i] += other.columns_x[i];
            self.columns_h[i] += other.columns_h[i];
        }
    }
}

/// Streams `features[frames, inputs]`; returns the angle of every frame, radians, and the work done.
pub fn stream(
    parameters: &Parameters,
    thresholds: &ColumnThresholds,
    features: ArrayView2<'_, f32>,
) -> (Vec<f32>, StreamCount) {
    let (inputs, hidden) = (parameters.inputs(), parameters.hidden());
    let mut cell = Streaming {
        p: parameters,
        m_x: parameters.b_x().to_vec(),
        m_h: parameters.b_h().to_vec(),
        x_ref: vec![0.0; inputs],
        h_ref: vec![0.0; hidden],
        h: vec![0.0; hidden],
    };
    let mut count = StreamCount::default();
    let features = features.as_standard_layout();
    let steering = features.as_slice().unwrap_or_default().chunks_exact(inputs).map(|x| {
        count.frames += 1;
        count.columns_x[0] += send(x, &mut cell.x_ref, &thresholds.theta_x, parameters.w_x(), &mut cell.m_x);
        count.columns_h[0] += send(&cell.h, &mut cell.h_ref, &thresholds.theta_h, parameters.w_h(), &mut cell.m_h);
        cell.update()
    });
    let steering = steering.collect();
    count.columns_x[1] = count.frames * inputs as u64;
    count.columns_h[1] = count.frames * hidden as u64;
    (steering, count)
}

struct Streaming<'a> {
    p: &'a Parameters,
    m_x: Vec<f32>,
    m_h: Vec<f32>,
    x_ref: Vec<f32>,
    h_ref: Vec<f32>,
    h: Vec<f32>,
}

impl Streaming<'_> {
    fn update(&mut self) -> f32 {
        let n = self.h.len();
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        for i in 0..n {
            let r = sigmoid(self.m_x[i] + self.m_h[i]);
            let u = sigmoid(self.m_x[n + i] + self.m_h[n + i]);
            let c = (self.m_x[2 * n + i] + r * self.m_h[2 * n + i]).tanh();
            self.h[i] = (1.0 - u) * c + u * self.h[i];
        }
        self.p.head_b() + self.h.iter().zip(self.p.head_w()).map(|(h, w)| h * w).sum::<f32>()
    }
}

/// Transmits what moved by its threshold or more; returns the number of columns walked.
fn send(values: &[f32], reference: &mut [f32], theta: &[f32], w: &[f32], memory: &mut [f32]) -> u64 {
    let mut columns = 0;
    for (i, column) in w.chunks_exact(memory.len()).enumerate() {
        let delta = values[i] - reference[i];
        if delta.abs() >= theta[i] && delta != 0.0 {
            reference[i] = values[i];
            memory.iter_mut().zip(column).for_each(|(m, w)| *m += delta * w);
            columns += 1;
        }
    }
    columns
}
