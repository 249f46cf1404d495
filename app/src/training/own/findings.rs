//! What the figures of an own model say in words, and what would help.

use crate::metrics::ErrorFigures;
use crate::text::times;

/// Minutes of driving that the shipped model learned from: with less, more drives help most.
const SHIPPED_MINUTES: f64 = 8.0;
/// Training frames in a band of angles below which the model has hardly seen it: ten seconds at 20 Hz.
const FEW_FRAMES: usize = 200;

/// All figures of a finished training.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The delta network over the validation drives, as `eval` measures it.
    pub delta: ErrorFigures,
    /// The same weights run densely.
    pub dense: ErrorFigures,
    /// The CNN's own output, frame by frame.
    pub single_frame: ErrorFigures,
    /// Dense over executed multiply-accumulates of the RNN.
    pub savings: f64,
    /// The same of the whole network.
    pub network_savings: f64,
    /// What was asked for; 1 where it did not matter.
    pub budget: f64,
    /// Minutes of labelled driving to learn from.
    pub training_minutes: f64,
    /// Training frames in each band of |angle|, in the order of `delta.by_angle`.
    pub training_bands: Vec<usize>,
}

impl Figures {
    /// The figures in one sentence.
    pub fn sentence(&self) -> String {
        format!(
            "always zero {:.3}, the CNN alone {:.3}, your model {:.3} rad ({:.1} degrees), {} fewer RNN multiplications",
            self.delta.zero_rmse_rad,
            self.single_frame.rmse_rad,
            self.delta.rmse_rad,
            self.delta.rmse_rad.to_degrees(),
            times(self.savings, 1.0),
        )
    }

    /// Whether that is good.
    pub fn verdict(&self) -> &'static str {
        match self.delta.rmse_rad / self.delta.zero_rmse_rad.max(f64::MIN_POSITIVE) {
            share if share > 0.95 => "The model has learned nothing that holds on frames it has not seen.",
            share if share > 0.6 => "Weak: more than half of the movement of the wheel is missed.",
            share if share > 0.35 => "Usable: the model follows the road, and misses part of the curves.",
            _ => "Good: the error is a third or less of that of always going straight.",
        }
    }

    /// What would help, most helpful first.
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        if self.training_minutes < SHIPPED_MINUTES {
            advice.push(format!(
                "Train on more drives: these hold {:.1} minutes, the shipped model learned from {SHIPPED_MINUTES:.0}, and each \
                 further road helps more than the same road again.",
                self.training_minutes
            ));
        }
        for (band, &frames) in self.delta.by_angle.iter().zip(&self.training_bands) {
            if frames < FEW_FRAMES {
                advice.push(format!(
                    "Add drives with angles of {} degrees: only {frames} frames to learn from have one.",
                    band.band_deg
                ));
            }
        }
        if self.savings < self.budget {
            advice.push(format!(
                "The {:.0}x asked for were not reached; the thresholds are those with the best exchange of error for savings.",
                self.budget
            ));
        }
        if self.delta.rmse_rad > 1.1 * self.dense.rmse_rad {
            advice.push(format!(
                "Run densely, the same weights err {:.3} rad: ask for less savings (--savings, or --for accuracy) if the error \
                 matters more.",
                self.dense.rmse_rad
            ));
        }
        if self.delta.rmse_rad > 0.95 * self.delta.zero_rmse_rad {
            advice.push(
                "Check that the label file belongs to these videos, and look at a drive with deltasteer view."
                    .to_owned(),
            );
        }
        advice
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Figures of a made-up training: the errors at zero, of the CNN, dense, and as a delta network.
    pub fn figures(errors: [f32; 4], savings: f64) -> Figures {
        let of = |error: f32| {
            ErrorFigures::of((0..100).map(|i| (errors[0] * sign(i) + error, errors[0] * sign(i)))).unwrap()
        };
        let [_, single_frame, dense, delta] = errors.map(of);
        let (training_bands, training_minutes) = (vec![5000, 2000, 40], 4.0);
        Figures {
            delta,
            dense,
            single_frame,
            savings,
            network_savings: 11.0,
            budget: 100.0,
            training_minutes,
            training_bands,
        }
    }

    fn sign(i: usize) -> f32 {
        if i.is_multiple_of(2) { 1.0 } else { -1.0 }
    }

    #[test]
    fn the_words_follow_the_figures() {
        let good = figures([0.17, 0.108, 0.06, 0.061], 130.0);
        assert_eq!(
            good.sentence(),
            "always zero 0.170, the CNN alone 0.108, your model 0.061 rad (3.5 degrees), 130× fewer RNN multiplications"
        );
        assert!(good.verdict().starts_with("Usable"));
        let advice = good.advice().join("\n");
        assert!(advice.contains("4.0 minutes") && advice.contains("15+ degrees: only 40 frames"), "{advice}");
        assert!(!advice.contains("asked for") && !advice.contains("Run densely"), "{advice}");
        let bad = figures([0.17, 0.17, 0.12, 0.18], 80.0);
        assert!(bad.verdict().contains("nothing"));
        let advice = bad.advice().join("\n");
        assert!(
            advice.contains("100x asked for") && advice.contains("0.120") && advice.contains("belongs to"),
            "{advice}"
        );
    }
}
