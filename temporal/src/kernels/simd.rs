//! What the kernels ask of a vector instruction set.

use super::aligned::LANES;

/// Sixteen f32 values in one register, or in the few that it takes.
///
/// A value of an implementing type is the proof that the processor has the instructions: it can be made only by a
/// check at run time. That is what makes these methods safe to call. They compile to single instructions only inside
/// [`Simd::run`], so every kernel is an [`Op`] whose functions are `#[inline(always)]`.
pub(crate) trait Simd: Copy {
    /// The vector.
    type V: Copy;

    /// How many vectors a long chain of operations takes side by side: as many as the registers hold.
    const UNROLL: usize = 1;

    /// Runs `op` with this instruction set switched on for the compiler.
    fn run<O: Op>(self, op: O) -> O::Output;

    fn splat(self, value: f32) -> Self::V;
    fn load(self, from: &[f32; LANES]) -> Self::V;
    fn store(self, to: &mut [f32; LANES], v: Self::V);

    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the processor can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The smaller one.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `1 / a` within 1.5 units in the last place, for `a` between 2^-120 and 2^120.
    fn reciprocal(self, a: Self::V) -> Self::V;
    /// The nearest whole number.
    fn round(self, a: Self::V) -> Self::V;
    /// `a * 2^n` for a whole number `n` up to 126; 0 (or next to it) for `n` below -126.
    fn scale(self, a: Self::V, n: Self::V) -> Self::V;

    /// One bit for each lane where `|delta| >= theta` and `delta != 0`.
    fn moved(self, delta: Self::V, theta: Self::V) -> u16;
    /// Whether not `|a| <= limit` in any lane of `a`; NaN is such a lane.
    fn beyond(self, a: Self::V, limit: f32) -> bool;
    /// Lane by lane the one of larger magnitude; a NaN counts as larger than any number.
    fn larger(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a` where the bit is set, `b` elsewhere.
    fn select(self, mask: u16, a: Self::V, b: Self::V) -> Self::V;

    /// IEEE half precision.
    fn load_f16(self, from: &[u16; LANES]) -> Self::V;
    /// The upper half of an f32.
    fn load_bf16(self, from: &[u16; LANES]) -> Self::V;
    /// Whole numbers.
    fn load_i8(self, from: &[i8; LANES]) -> Self::V;

    /// Writes the lanes of `delta` whose bit is set side by side, and `first` plus their lanes likewise. What lies
    /// behind them in the arrays is overwritten.
    fn compress(self, mask: u16, delta: Self::V, first: u32, deltas: &mut [f32; LANES], columns: &mut [u32; LANES]) {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes, delta);
        let (mut rest, mut place) = (mask, 0);
        while rest != 0 {
            let lane = rest.trailing_zeros();
            columns[place] = first + lane;
            deltas[place] = lanes[lane as usize % LANES];
            place += 1;
            rest &= rest - 1;
        }
    }

    /// The sum of all lanes.
    #[inline(always)]
    fn sum(self, a: Self::V) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes, a);
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
            width /= 2;
        }
        lanes[0]
    }
}

/// A computation written once for every instruction set.
pub(crate) trait Op {
    /// What it returns.
    type Output;
    /// Computes it; `#[inline(always)]`, so that it is compiled anew inside [`Simd::run`].
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}
