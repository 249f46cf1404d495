//! AdamW (Loshchilov and Hutter 2019), gradient clipping, the learning rate's course and averaging.

use super::settings::OptimiserSettings;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.99; // a short memory: runs are a few hundred to a few thousand steps
const EPSILON: f32 = 1e-8;

/// The optimiser's memory and each number's own rate and decay; all arrays are as long as the trained numbers.
pub(super) struct AdamW {
    /// Running mean of the gradient.
    pub moment1: Vec<f32>,
    /// Running mean of its square.
    pub moment2: Vec<f32>,
    /// Factor on the learning rate.
    rate: Vec<f32>,
    /// Decay per unit of learning rate.
    decay: Vec<f32>,
}

impl AdamW {
    /// Starts with empty memory.
    pub fn new(rate: Vec<f32>, decay: Vec<f32>) -> Self {
        Self { moment1: vec![0.0; rate.len()], moment2: vec![0.0; rate.len()], rate, decay }
    }

    /// One step, number `step` from 0, with learning rate `rate` along `clip` times `gradient`.
    pub fn step(&mut self, rate: f32, clip: f32, step: u64, values: &mut [f32], gradient: &[f32]) {
        let t = step as f64 + 1.0;
        let correct1 = 1.0 / (1.0 - f64::from(BETA1).powf(t)) as f32;
        let correct2 = 1.0 / (1.0 - f64::from(BETA2).powf(t)) as f32;
        for i in 0..values.len() {
            let g = gradient[i] * clip;
            self.moment1[i] = BETA1 * self.moment1[i] + (1.0 - BETA1) * g;
            self.moment2[i] = BETA2 * self.moment2[i] + (1.0 - BETA2) * g * g;
            let direction = self.moment1[i] * correct1 / ((self.moment2[i] * correct2).sqrt() + EPSILON);
            values[i] -= rate * self.rate[i] * (direction + self.decay[i] * values[i]);
        }
    }
}

/// Linear warm-up, then a cosine down to `final_share` of the highest rate.
pub(super) fn learning_rate(settings: &OptimiserSettings, step: u64, steps: u64) -> f32 {
    if step < settings.warmup_steps {
        return settings.learning_rate * (step + 1) as f32 / settings.warmup_steps as f32;
    }
    let done = (step - settings.warmup_steps) as f64 / steps.saturating_sub(settings.warmup_steps).max(1) as f64;
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos()) as f32;
    settings.learning_rate * (settings.final_share + (1.0 - settings.final_share) * cosine)
}

/// The factor on a gradient whose norm is cut to `clip_norm`.
pub(super) fn clip_factor(norm: f64, clip_norm: f32) -> f32 {
    (f64::from(clip_norm) / norm.max(1e-12)).min(1.0) as f32
}

/// Share of the average that stays at step `step`. Early steps weigh more, so that the average does not remember the random
/// start.
pub(super) fn keep(decay: f32, step: u64) -> f32 {
    if decay == 0.0 { 0.0 } else { decay.min((1.0 + step as f32) / (10.0 + step as f32)) }
}

/// Draws `average` towards `values`.
pub(super) fn update_average(average: &mut [f32], values: &[f32], keep: f32) {
    for (mean, value) in average.iter_mut().zip(values) {
        *mean = keep * *mean + (1.0 - keep) * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_minimum_of_a_bowl() {
        let settings = OptimiserSettings { learning_rate: 0.05, weight_decay: 0.0, ..OptimiserSettings::default() };
        let mut values = vec![1.0, -2.0];
        let mut adam = AdamW::new(vec![1.0; 2], vec![0.0; 2]);
        for step in 0..600 {
            let gradient = [2.0 * (values[0] - 0.3), 20.0 * (values[1] - 0.7)];
            adam.step(learning_rate(&settings, step, 600), 1.0, step, &mut values, &gradient);
        }
        assert!((values[0] - 0.3).abs() < 1e-3 && (values[1] - 0.7).abs() < 1e-3, "{values:?}");
    }

    #[test]
    fn rate_warms_up_and_falls() {
        let settings =
            OptimiserSettings { learning_rate: 1.0, warmup_steps: 10, final_share: 0.1, ..Default::default() };
        assert!((learning_rate(&settings, 0, 100) - 0.1).abs() < 1e-6);
        assert!((learning_rate(&settings, 10, 100) - 1.0).abs() < 1e-6);
        assert!((learning_rate(&settings, 55, 100) - 0.55).abs() < 1e-3);
        assert!(learning_rate(&settings, 99, 100) < 0.11);
    }
}
