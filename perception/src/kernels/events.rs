//! One layer of the CNN run on changes: only values that moved since they were last sent are multiplied.

use super::simd::Simd;

/// The shape of a convolution that runs on changes. A fully connected layer is a 1x1 convolution over one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventShape {
    /// Input rows.
    pub height: usize,
    /// Input columns.
    pub width: usize,
    /// Input channels.
    pub inputs: usize,
    /// Output channels; equal to `inputs` in a depthwise layer.
    pub outputs: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// Rows and columns of padding before the input.
    pub pad: usize,
    /// Each channel has its own kernel and meets no other.
    pub depthwise: bool,
}

impl EventShape {
    /// Rows and columns of the output.
    pub fn output_size(&self) -> (usize, usize) {
        (self.height / self.stride, self.width / self.stride)
    }

    fn weights(&self) -> usize {
        self.kernel * self.kernel * self.inputs * if self.depthwise { 1 } else { self.outputs }
    }
}

/// Values sent on, and multiply-accumulates done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EventCount {
    pub sent: u64,
    pub macs: u64,
}

/// Adds to `sums[row][column][output]` what follows from the inputs that moved by `theta` or more since they were sent.
///
/// `values[row][column][input]` are the inputs, of which `relu6` is taken first where asked; `sent` is what the layer knows
/// of them. `weights` is `[kernel][kernel][inputs][outputs]`, without the last axis for a depthwise layer. `list` is scratch
/// of one entry per input channel.
#[inline(always)]
pub(super) fn layer<S: Simd>(
    _simd: S,
    shape: EventShape,
    weights: &[f32],
    values: &[f32],
    relu6: bool,
    theta: f32,
    sent: &mut [f32],
    sums: &mut [f32],
    list: &mut [(u32, f32)],
) -> EventCount {
    let EventShape { width, inputs, outputs, .. } = shape;
    let (rows_out, columns_out) = shape.output_size();
    assert!(values.len() == shape.height * width * inputs && sent.len() == values.len() && list.len() >= inputs);
    assert!(sums.len() == rows_out * columns_out * outputs && weights.len() == shape.weights());
    let mut count = EventCount::default();
    for (pixel, (values, sent)) in values.chunks_exact(inputs).zip(sent.chunks_exact_mut(inputs)).enumerate() {
        let events = changes(values, relu6, theta, sent, list);
        if events.is_empty() {
            continue;
        }
        count.sent += events.len() as u64;
        let (y, x) = (pixel / width + shape.pad, pixel % width + shape.pad);
        for (ky, out_y) in taps(y, shape.kernel, shape.stride, rows_out) {
            for (kx, out_x) in taps(x, shape.kernel, shape.stride, columns_out) {
                let at = (out_y * columns_out + out_x) * outputs;
                let (sums, tap) = (&mut sums[at..at + outputs], ky * shape.kernel + kx);
                if shape.depthwise {
                    let weights = &weights[tap * inputs..(tap + 1) * inputs];
                    for (channel, delta) in events {
                        sums[*channel as usize] += delta * weights[*channel as usize];
                    }
                    count.macs += events.len() as u64;
                } else {
                    let weights = &weights[tap * inputs * outputs..(tap + 1) * inputs * outputs];
                    for (channel, delta) in events {
                        let weights = &weights[*channel as usize * outputs..(*channel as usize + 1) * outputs];
                        sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += delta * weight);
                    }
                    count.macs += (events.len() * outputs) as u64;
                }
            }
        }
    }
    count
}

/// Lists the channels of one pixel that moved, with their change, and notes them as sent.
#[inline(always)]
fn changes<'a>(
    values: &[f32],
    relu6: bool,
    theta: f32,
    sent: &mut [f32],
    list: &'a mut [(u32, f32)],
) -> &'a [(u32, f32)] {
    let mut found = 0;
    for (channel, (value, sent)) in values.iter().zip(sent).enumerate() {
        let value = if relu6 { value.clamp(0.0, 6.0) } else { *value };
        let delta = value - *sent;
        // No branch: the entry is overwritten by the next unless it counts. A change of 0 is never sent.
        let moved = delta.abs() >= theta && delta != 0.0;
        list[found] = (channel as u32, delta);
        *sent = if moved { value } else { *sent };
        found += usize::from(moved);
    }
    &list[..found]
}

/// Kernel positions and outputs along one axis that an input at `at` (padding included) reaches.
#[inline(always)]
fn taps(at: usize, kernel: usize, stride: usize, outputs: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..kernel).filter_map(move |tap| {
        let from = at.checked_sub(tap)?;
        (from.is_multiple_of(stride) && from / stride < outputs).then_some((tap, from / stride))
    })
}
