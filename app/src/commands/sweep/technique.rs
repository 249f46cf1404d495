//! How a model was trained, from its config: a name for tables and pictures, and the seed.

use serde_json::Value;

use crate::figures::lines::DENSE;
use crate::model::ModelConfig;

/// The techniques of the last phase, joined by plus signs; `dense-trained` where there was none.
pub fn technique(config: &ModelConfig) -> String {
    let Some(technique) = config.temporal.as_ref().map(|temporal| &temporal.technique) else {
        return "unknown".to_owned();
    };
    let phase = last_phase(&config.training);
    let number = |path: &str| phase.and_then(|phase| phase.pointer(path)).and_then(Value::as_f64).unwrap_or(0.0);
    let mut words: Vec<String> = Vec::new();
    if technique.rounding.is_some() {
        words.push("rounding".into());
    }
    if technique.noise_std > 0.0 {
        words.push("noise".into());
    }
    if !technique.delta_thresholds.is_empty() {
        words.push("delta".into());
        if technique.l1_x > 0.0 || technique.l1_h > 0.0 {
            words.push("L1".into());
        }
        let savings = number("/rnn/delta/target_savings");
        // Learned thresholds are held at a budget by a cost on events; to name all three would say it thrice.
        if phase.and_then(|phase| phase.pointer("/rnn/learned_thresholds")).is_some_and(Value::is_object) {
            words.push("learned thresholds".into());
        } else {
            if number("/rnn/delta/event_cost") > 0.0 {
                words.push("event cost".into());
            }
            if savings > 0.0 {
                words.push(format!("budget {savings:.0}x"));
            }
        }
    }
    if smoothness_l1(&config.training) > 0.0 {
        words.push("quiet features".into());
    }
    if technique.weight_sparsity > 0.0 {
        words.push(format!("{:.0}% zero weights", 100.0 * technique.weight_sparsity));
    }
    if !config.perception.schedule.is_every_frame() {
        words.push(format!("CNN {}", config.perception.schedule));
    }
    if words.is_empty() { DENSE.to_owned() } else { words.join(" + ") }
}

/// The seed of the last training.
pub fn seed(config: &ModelConfig) -> Option<u64> {
    last_phase(&config.training)?.pointer("/rnn/seed")?.as_u64()
}

/// The last phase of the last training of an RNN.
fn last_phase(training: &Value) -> Option<&Value> {
    phases(training)?.last()
}

/// The highest cost, over the phases, of features that move.
fn smoothness_l1(training: &Value) -> f64 {
    let costs =
        phases(training).into_iter().flatten().filter_map(|phase| phase.pointer("/layer/smoothness_l1")?.as_f64());
    costs.fold(0.0, f64::max)
}

/// The phases of the last training of an RNN.
fn phases(training: &Value) -> Option<&Vec<Value>> {
    training.as_array()?.iter().rev().find_map(|entry| entry.pointer("/recipe/phases")?.as_array())
}

#[cfg(test)]
mod tests {
    use deltasteer_temporal::Thresholds;
    use serde_json::json;

    use super::*;

    fn config(training: Value) -> ModelConfig {
        let temporal = json!({ "input_size": 4, "hidden_size": 4, "thresholds": [{ "theta_x": 0.0, "theta_h": 0.0 }] });
        ModelConfig {
            perception: deltasteer_perception::PerceptionConfig::default(),
            temporal: Some(serde_json::from_value(temporal).unwrap()),
            view: None,
            training,
        }
    }

    #[test]
    fn techniques_are_named_by_what_was_done() {
        let phase = |delta: Value| json!([{ "recipe": { "phases": [{ "rnn": { "seed": 7 } }, { "rnn": { "seed": 3, "delta": delta } }] } }]);
        let mut config = config(phase(json!({ "l1_x": 0.001, "target_savings": 100.0 })));
        assert_eq!(technique(&config), "dense-trained");
        assert_eq!(seed(&config), Some(3));
        let quiet =
            json!([{ "recipe": { "phases": [{ "layer": { "smoothness_l1": 0.1 } }, { "rnn": { "seed": 3 } }] } }]);
        assert_eq!(technique(&ModelConfig { training: quiet, ..config.clone() }), "quiet features");
        let temporal = config.temporal.as_mut().unwrap();
        temporal.technique.delta_thresholds = vec![Thresholds { theta_x: 1.0, theta_h: 0.3 }];
        temporal.technique.l1_x = 0.001;
        temporal.technique.weight_sparsity = 0.5;
        assert_eq!(technique(&config), "delta + L1 + budget 100x + 50% zero weights");
        config.perception.schedule = "every:12".parse().unwrap();
        assert_eq!(technique(&config), "delta + L1 + budget 100x + 50% zero weights + CNN every:12");
    }

    #[test]
    fn a_model_that_tells_nothing_has_no_seed() {
        let config = config(Value::Null);
        assert_eq!((technique(&config).as_str(), seed(&config)), ("dense-trained", None));
    }
}
