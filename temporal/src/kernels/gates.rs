//! Sigmoid, tanh and the gates' update, fused into one pass over the sums.

use super::{aligned::LANES, simd::Simd};

/// Taylor-like coefficients of `2^f` for `f` in [-1/2, 1/2] with the constant fixed at 1, fitted for the smallest
/// largest relative error, which is 1.1e-7.
const POWER: [f32; 5] = [0.693_147, 0.240_222_42, 0.055_507_336, 0.009_671_513, 0.001_326_472_7];

/// `log2(e)`.
const LOG2_E: f32 = std::f32::consts::LOG2_E;

/// `2^t` for `t` up to 60, and `2^60` beyond: two such factors can still be multiplied. Relative error below
/// 2e-7 + 6e-8 |t|, of which the second part is the rounding of `t` itself.
#[inline(always)]
fn power_of_two<S: Simd>(simd: S, t: S::V) -> S::V {
    let t = simd.min(t, simd.splat(60.0));
    let n = simd.round(t);
    let f = simd.sub(t, n);
    let [a, b, c, d, e] = POWER;
    let mut p = simd.fma(simd.splat(e), f, simd.splat(d));
    p = simd.fma(p, f, simd.splat(c));
    p = simd.fma(p, f, simd.splat(b));
    p = simd.fma(p, f, simd.splat(a));
    p = simd.fma(p, f, simd.splat(1.0));
    simd.scale(p, n)
}

/// The arrays of the gates' update, each of the same number of vectors.
pub(crate) struct Gates<'a> {
    /// `h`, read and replaced.
    pub(crate) hidden: &'a mut [[f32; LANES]],
    /// `u`, how much of `h` is kept.
    pub(crate) keep: &'a mut [[f32; LANES]],
    /// `(1 - u) * c`, what is added.
    pub(crate) push: &'a mut [[f32; LANES]],
}

/// From the sums `[M_r | M_u | M_xc | M_hc]`: `h <- u * h + (1 - u) * c`, with `u` and `(1 - u) * c` kept for
/// [`glide`].
///
/// With `a = e^-M_u` and `b = e^(2 (M_xc + r M_hc))`: `u = 1 / (1 + a)`, `1 - u = a / (1 + a)`,
/// `c = (b - 1) / (b + 1)`; the two divisions become one. The new `h` differs from the exact one by less than
/// [`GATE_ERROR`] for any sums of magnitude up to 100.
#[inline(always)]
pub(crate) fn update<S: Simd>(simd: S, sums: &[[f32; LANES]], gates: Gates<'_>) {
    let Gates { hidden, keep, push } = gates;
    let count = hidden.len();
    let (m_r, rest) = sums.split_at(count);
    let (m_u, rest) = rest.split_at(count);
    let (m_xc, rest) = rest.split_at(count);
    let m_hc = &rest[..count];
    let (keep, push) = (&mut keep[..count], &mut push[..count]);
    let one = simd.splat(1.0);
    let negative = simd.splat(-LOG2_E);
    let double = simd.splat(2.0 * LOG2_E);
    for i in 0..count {
        let r = simd.reciprocal(simd.add(one, power_of_two(simd, simd.mul(simd.load(&m_r[i]), negative))));
        let a = power_of_two(simd, simd.mul(simd.load(&m_u[i]), negative));
        let candidate = simd.fma(r, simd.load(&m_hc[i]), simd.load(&m_xc[i]));
        let b = power_of_two(simd, simd.mul(candidate, double));
        let b_plus = simd.add(b, one);
        let both = simd.reciprocal(simd.mul(simd.add(one, a), b_plus));
        let u = simd.mul(b_plus, both);
        let p = simd.mul(simd.mul(a, simd.sub(b, one)), both);
        simd.store(&mut keep[i], u);
        simd.store(&mut push[i], p);
        let h = simd.fma(u, simd.load(&hidden[i]), p);
        simd.store(&mut hidden[i], h);
    }
}

/// The update where no column was sent: the sums are what they were, so `u` and `c` are too. Exactly what [`update`]
/// would compute.
#[inline(always)]
pub(crate) fn glide<S: Simd>(simd: S, gates: Gates<'_>) {
    let Gates { hidden, keep, push } = gates;
    for ((h, u), p) in hidden.iter_mut().zip(keep).zip(push) {
        let new = simd.fma(simd.load(u), simd.load(h), simd.load(p));
        simd.store(h, new);
    }
}

/// Bound of the absolute error of [`update`]'s hidden state; tested against f64.
#[cfg(test)]
pub(crate) const GATE_ERROR: f64 = 5e-7;
