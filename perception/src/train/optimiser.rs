//! AdamW (Loshchilov and Hutter 2019) with clipped gradients.

/// Decay rates of the running means of gradient and squared gradient.
const BETA: (f32, f32) = (0.9, 0.99);
const EPSILON: f32 = 1e-8;
/// A longer gradient is shortened to this norm.
const LONGEST: f64 = 1.0;

/// Running means for each parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AdamW {
    pub moment1: Vec<f32>,
    pub moment2: Vec<f32>,
}

impl AdamW {
    pub fn new(parameters: usize) -> Self {
        Self { moment1: vec![0.0; parameters], moment2: vec![0.0; parameters] }
    }

    /// Step number `step`, from 0. `decays(i)` says which parameters the weight decay holds for.
    pub fn step(
        &mut self,
        step: u64,
        rate: f32,
        weight_decay: f32,
        decays: impl Fn(usize) -> bool,
        parameters: &mut [f32],
        gradient: &[f32],
    ) {
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let clip = (LONGEST / norm.max(1e-12)).min(1.0) as f32;
        let corrected = |beta: f32| 1.0 / (1.0 - f64::from(beta).powf(step as f64 + 1.0)) as f32;
        let (correct1, correct2) = (corrected(BETA.0), corrected(BETA.1));
        for (i, value) in parameters.iter_mut().enumerate() {
            let g = gradient[i] * clip;
            self.moment1[i] += (1.0 - BETA.0) * (g - self.moment1[i]);
            self.moment2[i] += (1.0 - BETA.1) * (g * g - self.moment2[i]);
            let direction = self.moment1[i] * correct1 / ((self.moment2[i] * correct2).sqrt() + EPSILON);
            let decay = if decays(i) { weight_decay * *value } else { 0.0 };
            *value -= rate * (direction + decay);
        }
    }
}

/// A short linear warm-up, then half a cosine down to zero.
pub(super) fn learning_rate(highest: f32, step: u64, steps: u64) -> f32 {
    let warm = ((step + 1) as f32 / 50.0).min(1.0);
    warm * highest * 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos()) as f32
}

/// Moves `average` towards `values`; early steps weigh more, so that the random start is forgotten.
pub(super) fn average(average: &mut [f32], values: &[f32], keep: f32, step: u64) {
    let keep = keep.min((step + 1) as f32 / (step + 10) as f32);
    average.iter_mut().zip(values).for_each(|(mean, value)| *mean = keep * *mean + (1.0 - keep) * value);
}
