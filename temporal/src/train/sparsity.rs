//! Weight sparsity by magnitude, rising slowly (Zhu and Gupta 2017) and kept through fine-tuning.

use std::ops::Range;

use super::settings::SparsitySettings;

/// Steps between two prunings while the share rises.
const EVERY: u64 = 10;

/// Share of weights that are zero at `step` of `steps`.
pub(super) fn share_at(settings: &SparsitySettings, step: u64, steps: u64) -> f32 {
    let done = step as f32 / steps as f32;
    if done < settings.from {
        return 0.0;
    }
    let rise = ((done - settings.from) / (settings.to - settings.from).max(1e-6)).min(1.0);
    settings.share * (1.0 - (1.0 - rise).powi(3))
}

/// Marks the smallest weights of each matrix as dead where pruning is due before `step`.
pub(super) fn prune(
    settings: &SparsitySettings,
    step: u64,
    steps: u64,
    matrices: [Range<usize>; 2],
    values: &[f32],
    alive: &mut [f32],
) {
    let end = (settings.to * steps as f32) as u64;
    if step.is_multiple_of(EVERY) && step <= end || step == end {
        for matrix in matrices {
            prune_matrix(share_at(settings, step, steps), &values[matrix.clone()], &mut alive[matrix]);
        }
    }
}

fn prune_matrix(share: f32, values: &[f32], alive: &mut [f32]) {
    let dead = (share * values.len() as f32).round() as usize;
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Dead weights are zero, so they sort first and stay dead; equal weights fall by their index.
    order.sort_unstable_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()).then(a.cmp(b)));
    for i in &order[..dead] {
        alive[*i] = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_weights_die_and_stay_dead() {
        let settings = SparsitySettings { share: 0.5, from: 0.0, to: 0.5 };
        let mut values = vec![0.4, -0.1, 0.3, 0.2, 9.0, -8.0, 0.01, 7.0];
        let mut alive = vec![1.0; 8];
        prune(&settings, 50, 100, [0..4, 4..8], &values, &mut alive);
        assert_eq!(alive, [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        values.iter_mut().zip(&alive).for_each(|(v, a)| *v *= a);
        let before = alive.clone();
        prune(&settings, 60, 100, [0..4, 4..8], &values, &mut alive);
        assert_eq!(alive, before);
        assert_eq!((share_at(&settings, 0, 100), share_at(&settings, 80, 100)), (0.0, 0.5));
    }
}
