//! Sigmoid, tanh and the gates' update, fused into one pass over the pre-activations.

use super::{aligned::LANES, simd::Simd};

/// Taylor-like coefficients of `2^f` for `f` in [-1/2, 1/2] with the constant fixed at 1, fitted for the smallest
/// largest relative error, which is 1.1e-7.
const POWER: [f32; 5] = [std::f32::consts::LN_2, 0.240_222_42, 0.055_507_336, 0.009_671_513, 0.001_326_472_7];

/// `log2(e)`.
const LOG2_E: f32 = std::f32::consts::LOG2_E;

/// `2^t` for `t` up to 60, and `2^60` beyond: two such factors can still be multiplied. Relative error below
/// 2e-7 + 6e-8 |t|, of which the second part is the rounding of `t` itself. `U` vectors at once, operation by
/// operation, because each waits for the one before.
#[inline(always)]
fn power_of_two<S: Simd, const U: usize>(simd: S, mut t: [S::V; U]) -> [S::V; U] {
    let [a, b, c, d, e] = POWER;
    let (mut n, mut p) = (t, [simd.splat(e); U]);
    for k in 0..U {
        t[k] = simd.min(t[k], simd.splat(60.0));
    }
    for k in 0..U {
        n[k] = simd.round(t[k]);
    }
    for k in 0..U {
        t[k] = simd.sub(t[k], n[k]);
    }
    for coefficient in [d, c, b, a, 1.0] {
        for k in 0..U {
            p[k] = simd.fma(p[k], t[k], simd.splat(coefficient));
        }
    }
    for k in 0..U {
        p[k] = simd.scale(p[k], n[k]);
    }
    p
}

/// The arrays of the gates' update, each of the same number of vectors.
pub(crate) struct Gates<'a> {
    /// `h`, read and replaced.
    pub(crate) hidden: &'a mut [[f32; LANES]],
    /// `z`
    pub(crate) z: &'a mut [[f32; LANES]],
    /// `(1 - z) * n`
    pub(crate) zn: &'a mut [[f32; LANES]],
}

/// From the pre-activations `[M_r | M_z | M_xn | M_hn]`: `h <- z * h + (1 - z) * n`; `z` and `(1 - z) * n` are stored for
/// [`idle_update`].
///
/// With `a = e^-M_z` and `b = e^(2 (M_xn + r M_hn))`: `z = 1 / (1 + a)`, `1 - z = a / (1 + a)`,
/// `n = (b - 1) / (b + 1)`; the two divisions become one. The new `h` differs from the exact one by less than
/// [`GATE_ERROR`] for any pre-activations of magnitude up to 100.
#[inline(always)]
pub(crate) fn update<S: Simd>(simd: S, pre: &[[f32; LANES]], gates: Gates<'_>) {
    let Gates { hidden, z, zn } = gates;
    let count = hidden.len();
    let (m_r, rest) = pre.split_at(count);
    let (m_z, rest) = rest.split_at(count);
    let (m_xn, rest) = rest.split_at(count);
    let m_hn = &rest[..count];
    let (z, zn) = (&mut z[..count], &mut zn[..count]);
    let pre = [m_r, m_z, m_xn, m_hn];
    let mut at = 0;
    if S::UNROLL >= 4 {
        at = blocks::<S, 4>(simd, pre, [hidden, z, zn], at);
    }
    if S::UNROLL >= 2 {
        at = blocks::<S, 2>(simd, pre, [hidden, z, zn], at);
    }
    blocks::<S, 1>(simd, pre, [hidden, z, zn], at);
}

/// As many blocks of `U` vectors as fit behind vector `at`; where they end.
#[inline(always)]
fn blocks<S: Simd, const U: usize>(
    simd: S,
    pre: [&[[f32; LANES]]; 4],
    [hidden, z, zn]: [&mut [[f32; LANES]]; 3],
    mut at: usize,
) -> usize {
    let [m_r, m_z, m_xn, m_hn] = pre;
    while hidden.len() - at >= U {
        let pre = [&m_r[at..], &m_z[at..], &m_xn[at..], &m_hn[at..]];
        block::<S, U>(simd, pre, [&mut hidden[at..], &mut z[at..], &mut zn[at..]]);
        at += U;
    }
    at
}

/// The update of `U` vectors. `pre` are M_r, M_z, M_xn, M_hn; `state` is h, z and (1 - z) n.
#[inline(always)]
fn block<S: Simd, const U: usize>(simd: S, pre: [&[[f32; LANES]]; 4], state: [&mut [[f32; LANES]]; 3]) {
    let [m_r, m_z, m_xn, m_hn] = pre.map(|pre| &pre[..U]);
    let [hidden, z, zn] = state.map(|state| &mut state[..U]);
    let one = simd.splat(1.0);
    let (mut r, mut a, mut b) = ([one; U], [one; U], [one; U]);
    for k in 0..U {
        r[k] = simd.mul(simd.load(&m_r[k]), simd.splat(-LOG2_E));
        a[k] = simd.mul(simd.load(&m_z[k]), simd.splat(-LOG2_E));
    }
    r = power_of_two::<S, U>(simd, r);
    for k in 0..U {
        r[k] = simd.reciprocal(simd.add(r[k], one));
    }
    for k in 0..U {
        let gate_n = simd.fma(r[k], simd.load(&m_hn[k]), simd.load(&m_xn[k]));
        b[k] = simd.mul(gate_n, simd.splat(2.0 * LOG2_E));
    }
    a = power_of_two::<S, U>(simd, a);
    b = power_of_two::<S, U>(simd, b);
    for k in 0..U {
        let b_plus = simd.add(b[k], one);
        let both = simd.reciprocal(simd.mul(simd.add(a[k], one), b_plus));
        let new_z = simd.mul(b_plus, both);
        let p = simd.mul(simd.mul(a[k], simd.sub(b[k], one)), both);
        simd.store(&mut z[k], new_z);
        simd.store(&mut zn[k], p);
        let h = simd.fma(new_z, simd.load(&hidden[k]), p);
        simd.store(&mut hidden[k], h);
    }
}

/// The update of an idle step: the pre-activations have not changed, so neither have `z` and `n`. Exactly what [`update`]
/// would compute.
#[inline(always)]
pub(crate) fn idle_update<S: Simd>(simd: S, gates: Gates<'_>) {
    let Gates { hidden, z, zn } = gates;
    for ((h, z), p) in hidden.iter_mut().zip(z).zip(zn) {
        let new = simd.fma(simd.load(z), simd.load(h), simd.load(p));
        simd.store(h, new);
    }
}

/// Bound of the absolute error of [`update`]'s hidden state; tested against f64.
#[cfg(test)]
pub(crate) const GATE_ERROR: f64 = 5e-7;
