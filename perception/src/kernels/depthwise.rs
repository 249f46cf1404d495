//! Depthwise convolution: each channel is filtered by its own small kernel. One output row at a time.

use super::simd::Simd;

/// Output pixels computed together: enough independent sums to hide the latency of a fused multiply-add.
const TOGETHER: usize = 4;

/// `output[x][c] = relu6(bias[c] + sum_ij rows[i][x * STRIDE + j][c] * weights[i][j][c])` for `width` pixels.
///
/// Every row starts with its left padding and ends with its right padding, so that no border needs a branch.
#[inline(always)]
pub(super) fn row<S: Simd, const KERNEL: usize, const STRIDE: usize>(
    simd: S,
    rows: &[&[f32]],
    weights: &[f32],
    bias: &[f32],
    width: usize,
    output: &mut [f32],
) {
    let channels = bias.len();
    assert!(rows.len() == KERNEL && channels.is_multiple_of(8) && weights.len() == KERNEL * KERNEL * channels);
    let reach = if width == 0 { 0 } else { ((width - 1) * STRIDE + KERNEL) * channels };
    assert!(rows.iter().all(|row| row.len() >= reach) && output.len() >= width * channels, "a row is too short");
    let rows: [*const f32; KERNEL] = std::array::from_fn(|i| rows[i].as_ptr());
    let strip = Strip { rows, weights: weights.as_ptr(), bias: bias.as_ptr(), output: output.as_mut_ptr(), channels };
    let mut channel = 0;
    // SAFETY: the asserts above bound all reads and writes of `width` pixels and `channels` channels.
    unsafe {
        while channel + S::LANES <= channels {
            strip.columns::<S, STRIDE>(simd, channel, width);
            channel += S::LANES;
        }
        while channel < channels {
            strip.columns::<S::Half, STRIDE>(simd.half(), channel, width);
            channel += 8;
        }
    }
}

/// One vector of channels along a row.
#[derive(Clone, Copy)]
struct Strip<const KERNEL: usize> {
    rows: [*const f32; KERNEL],
    weights: *const f32,
    bias: *const f32,
    output: *mut f32,
    channels: usize,
}

impl<const KERNEL: usize> Strip<KERNEL> {
    /// # Safety
    /// `channel..channel + LANES` must exist in all rows, weights, bias and output, for `width` pixels.
    #[inline(always)]
    unsafe fn columns<S: Simd, const STRIDE: usize>(self, simd: S, channel: usize, width: usize) {
        let mut x = 0;
        // SAFETY: passed on from the caller.
        unsafe {
            while x + TOGETHER <= width {
                self.block::<S, STRIDE, TOGETHER>(simd, channel, x);
                x += TOGETHER;
            }
            while x < width {
                self.block::<S, STRIDE, 1>(simd, channel, x);
                x += 1;
            }
        }
    }

    /// # Safety
    /// As [`Strip::columns`], for pixels `x..x + N`.
    #[inline(always)]
    unsafe fn block<S: Simd, const STRIDE: usize, const N: usize>(self, simd: S, channel: usize, x: usize) {
        // SAFETY: row offsets reach `(x + N - 1) * STRIDE + KERNEL - 1`, which the caller guarantees to exist.
        unsafe {
            let mut sums = [simd.load(self.bias.add(channel)); N];
            for i in 0..KERNEL {
                let row = self.rows[i].add(x * STRIDE * self.channels + channel);
                let w: [S::V; KERNEL] =
                    std::array::from_fn(|j| simd.load(self.weights.add((i * KERNEL + j) * self.channels + channel)));
                for t in 0..(N - 1) * STRIDE + KERNEL {
                    let value = simd.load(row.add(t * self.channels));
                    for n in 0..N {
                        // Input column t is tap j of output n where n * STRIDE + j == t.
                        if t >= n * STRIDE && t - n * STRIDE < KERNEL {
                            sums[n] = simd.mul_add(value, w[t - n * STRIDE], sums[n]);
                        }
                    }
                }
            }
            for n in 0..N {
                simd.store(self.output.add((x + n) * self.channels + channel), simd.relu6(sums[n]));
            }
        }
    }
}
