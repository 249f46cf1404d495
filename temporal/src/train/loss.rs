//! What an error costs, and its gradient.

use super::settings::LossSettings;

/// Targets of one part of the batch, each `[frames][batch]`, radians; NaN: none.
pub(super) struct Targets {
    pub steering_rad: Vec<f32>,
    pub teacher_rad: Vec<f32>,
}

/// Weight of frame `i`'s label and of its teacher's angle.
fn weights(settings: &LossSettings, targets: &Targets, i: usize) -> (f32, f32) {
    let (label, teacher) = (targets.steering_rad[i], targets.teacher_rad[i]);
    let angle = if label.is_nan() { teacher } else { label };
    if angle.is_nan() {
        return (0.0, 0.0);
    }
    let curve = (1.0 + settings.curve_weight * angle.abs()).min(settings.curve_weight_limit.max(1.0));
    let share = if teacher.is_nan() { 0.0 } else { settings.teacher_share };
    (if label.is_nan() { 0.0 } else { curve * (1.0 - share) }, curve * share)
}

/// Sum of all weights from element `from` on: what the summed loss is divided by.
pub(super) fn total_weight(settings: &LossSettings, targets: &Targets, from: usize) -> f64 {
    (from..targets.steering_rad.len())
        .map(|i| {
            let (label, teacher) = weights(settings, targets, i);
            f64::from(label) + f64::from(teacher)
        })
        .sum()
}

/// Weighted loss from element `from` on, divided by `total`, and its gradient by each predicted angle.
pub(super) fn loss(
    settings: &LossSettings,
    targets: &Targets,
    predicted_rad: &[f32],
    from: usize,
    total: f64,
) -> (f64, Vec<f32>) {
    let mut gradient = vec![0.0; predicted_rad.len()];
    let mut sum = 0.0;
    for i in from..predicted_rad.len() {
        let (label, teacher) = weights(settings, targets, i);
        for (weight, target) in [(label, targets.steering_rad[i]), (teacher, targets.teacher_rad[i])] {
            if weight > 0.0 {
                let (cost, slope) = penalty(settings, predicted_rad[i] - target);
                sum += f64::from(weight * cost);
                gradient[i] += (f64::from(weight * slope) / total) as f32;
            }
        }
    }
    (sum / total, gradient)
}

/// `e^2`, or Huber's linear continuation of it; and its derivative by `e`.
fn penalty(settings: &LossSettings, e: f32) -> (f32, f32) {
    match settings.huber_rad {
        Some(edge) if e.abs() > edge => (edge * (2.0 * e.abs() - edge), 2.0 * edge * e.signum()),
        _ => (e * e, 2.0 * e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_is_the_slope_and_unlabelled_frames_are_free() {
        let settings =
            LossSettings { huber_rad: Some(0.1), curve_weight: 9.0, teacher_share: 0.3, ..Default::default() };
        let nan = f32::NAN;
        let targets =
            Targets { steering_rad: vec![0.0, 0.3, nan, nan, -0.4], teacher_rad: vec![nan, 0.2, nan, 0.1, nan] };
        let predicted = [9.0, 0.25, 5.0, 0.15, 0.1];
        let total = total_weight(&settings, &targets, 1);
        let (_, gradient) = loss(&settings, &targets, &predicted, 1, total);
        assert_eq!((gradient[0], gradient[2]), (0.0, 0.0), "burn-in and unlabelled frames");
        for i in [1, 3, 4] {
            let at = |d: f32| {
                let mut moved = predicted;
                moved[i] += d;
                loss(&settings, &targets, &moved, 1, total).0
            };
            let slope = (at(1e-3) - at(-1e-3)) / 2e-3;
            assert!((slope - f64::from(gradient[i])).abs() < 2e-3 * slope.abs(), "{i}: {slope} {}", gradient[i]);
        }
    }
}
