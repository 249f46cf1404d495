//! Weight sparsity by magnitude, rising slowly (Zhu and Gupta 2017) and kept through fine-tuning.

use std::ops::Range;

use super::settings::SparsitySettings;

/// Steps between two prunings while the share rises.
const EVERY: u64 = 10;

/// Share of weights that are zero at `step` of `steps`.
pub(super) fn share_at(settings: &SparsitySettings, step: u64, steps: u64) -> f32 {
    let done = step as f32 / steps as f32;
    if done < settings.begin {
        return 0.0;
    }
    let rise = ((done - settings.begin) / (settings.end - settings.begin).max(1e-6)).min(1.0);
    settings.final_sparsity * (1.0 - (1.0 - rise).powi(3))
}

/// Masks the smallest weights of each matrix where pruning is due before `step`.
pub(super) fn prune(
    settings: &SparsitySettings,
    step: u64,
    steps: u64,
    matrices: &[Range<usize>],
    values: &[f32],
    mask: &mut [f32],
) {
    let end = (settings.end * steps as f32) as u64;
    if step.is_multiple_of(EVERY) && step <= end || step == end {
        for matrix in matrices {
            prune_matrix(share_at(settings, step, steps), &values[matrix.clone()], &mut mask[matrix.clone()]);
        }
    }
}

fn prune_matrix(share: f32, values: &[f32], mask: &mut [f32]) {
    let masked = (share * values.len() as f32).round() as usize;
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Masked weights are zero, so they sort first and stay masked; equal weights fall by their index.
    order.sort_unstable_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()).then(a.cmp(b)));
    for i in &order[..masked] {
        mask[*i] = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_weights_are_masked_for_good() {
        let settings = SparsitySettings { final_sparsity: 0.5, begin: 0.0, end: 0.5 };
        let mut values = vec![0.4, -0.1, 0.3, 0.2, 9.0, -8.0, 0.01, 7.0];
        let mut mask = vec![1.0; 8];
        prune(&settings, 50, 100, &[0..4, 4..8], &values, &mut mask);
        assert_eq!(mask, [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        values.iter_mut().zip(&mask).for_each(|(v, a)| *v *= a);
        let before = mask.clone();
        prune(&settings, 60, 100, &[0..4, 4..8], &values, &mut mask);
        assert_eq!(mask, before);
        assert_eq!((share_at(&settings, 0, 100), share_at(&settings, 80, 100)), (0.0, 0.5));
    }
}
