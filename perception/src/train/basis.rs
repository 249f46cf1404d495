//! The subspace in which the feature layer learns: the leading principal components of the standardised cells.
//!
//! Ten minutes of driving say little about 2,560 weights a feature, but much about the few hundred directions in which the
//! cells really vary. After training the projection is folded into the layer's weights and costs nothing.

use super::product::{Matrix, product};
use crate::augment::normal;
use crate::error::PerceptionError;
use half::f16;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Columns beyond those asked for that steady the iteration, and its length (Halko, Martinsson and Tropp 2011).
const OVERSAMPLING: usize = 32;
const ITERATIONS: usize = 12;
/// A cell that hardly ever changes is not blown up beyond this deviation.
const LEAST_DEVIATION: f32 = 0.05;
/// Coordinates are divided by this, so that the largest are near 1.
const SCALE: f32 = 4.0;
/// Rows handled together.
const CHUNK: usize = 1024;

/// An affine map from pooled cells to coordinates.
#[derive(Debug, Clone, PartialEq)]
pub struct Basis {
    inputs: usize,
    components: usize,
    /// `[components][inputs]`
    directions: Vec<f32>,
    /// `[components]`, subtracted after the projection.
    offset: Vec<f32>,
}

impl Basis {
    /// Fits `components` directions to pooled rows. `plain` are rows of unaltered frames (their statistics standardise each
    /// cell), `varied` rows of all versions, both in blocks of `[rows][inputs]`. Take every n-th frame: neighbours are alike.
    ///
    /// # Errors
    /// [`PerceptionError::Option`] where there are fewer rows than components, or components than 1 or more than inputs;
    /// [`PerceptionError::Length`] where a block is not whole rows.
    pub fn fit(
        plain: &[&[f16]],
        varied: &[&[f16]],
        inputs: usize,
        components: usize,
        seed: u64,
    ) -> Result<Self, PerceptionError> {
        for block in plain.iter().chain(varied) {
            let expected = block.len() / inputs * inputs;
            crate::error::check_length("a block of pooled rows", block.len(), expected)?;
        }
        let rows = varied.iter().map(|block| block.len() / inputs).sum::<usize>();
        let bad = |found: String, expected| PerceptionError::Option { field: "components", found, expected };
        if components == 0 || components > inputs {
            return Err(bad(components.to_string(), "1 to the number of pooled values"));
        }
        if rows <= components || plain.iter().all(|block| block.is_empty()) {
            return Err(bad(format!("{components} for {rows} rows"), "fewer components than training rows"));
        }
        let (mean, deviation) = cell_statistics(plain, inputs);
        let inverse: Vec<f32> = deviation.iter().map(|d| 1.0 / d.max(LEAST_DEVIATION)).collect();
        let (covariance, centre) = covariance(varied, &mean, &inverse);
        let mut directions = leading_directions(&covariance, inputs, components, seed);
        let mut offset = vec![0.0; components];
        for (direction, offset) in directions.chunks_exact_mut(inputs).zip(&mut offset) {
            let mut shift = 0.0;
            for (i, value) in direction.iter_mut().enumerate() {
                shift += f64::from(*value * centre[i]);
                *value *= inverse[i] / SCALE;
                shift += f64::from(*value * mean[i] * SCALE);
            }
            *offset = shift as f32 / SCALE;
        }
        Ok(Self { inputs, components, directions, offset })
    }

    /// Length of a pooled row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Length of a row of coordinates.
    pub fn components(&self) -> usize {
        self.components
    }

    /// The coordinates `[rows][components]` of pooled `[rows][inputs]`.
    ///
    /// # Errors
    /// [`PerceptionError::Length`] where `pooled` is not whole rows.
    pub fn project(&self, pooled: &[f16]) -> Result<Vec<f16>, PerceptionError> {
        let rows = pooled.len() / self.inputs;
        crate::error::check_length("the pooled rows", pooled.len(), rows * self.inputs)?;
        let mut coordinates = Vec::with_capacity(rows * self.components);
        let mut block = vec![0.0; CHUNK * self.components];
        for chunk in pooled.chunks(CHUNK * self.inputs) {
            let values: Vec<f32> = chunk.iter().map(|value| value.to_f32()).collect();
            let rows = values.len() / self.inputs;
            let block = &mut block[..rows * self.components];
            let directions = Matrix::new(&self.directions, self.components, self.inputs);
            product(Matrix::new(&values, rows, self.inputs), directions.t(), false, block);
            for row in block.chunks_exact(self.components) {
                coordinates.extend(row.iter().zip(&self.offset).map(|(value, offset)| f16::from_f32(value - offset)));
            }
        }
        Ok(coordinates)
    }

    /// A layer over coordinates (`weight[features][components]`, `bias[features]`) as one over pooled cells:
    /// `weight[features][inputs]` and `bias[features]`.
    pub(crate) fn fold(&self, weight: &[f32], bias: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let features = bias.len();
        let mut folded = vec![0.0; features * self.inputs];
        let directions = Matrix::new(&self.directions, self.components, self.inputs);
        product(Matrix::new(weight, features, self.components), directions, false, &mut folded);
        let shifted = |(bias, row): (&f32, &[f32])| {
            let shift: f64 = row.iter().zip(&self.offset).map(|(w, offset)| f64::from(w * offset)).sum();
            bias - shift as f32
        };
        (folded, bias.iter().zip(weight.chunks_exact(self.components)).map(shifted).collect())
    }
}

/// Mean and standard deviation of each cell.
fn cell_statistics(blocks: &[&[f16]], inputs: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut sum, mut squares, mut rows) = (vec![0.0f64; inputs], vec![0.0f64; inputs], 0.0f64);
    for row in blocks.iter().flat_map(|block| block.chunks_exact(inputs)) {
        for (i, value) in row.iter().enumerate() {
            sum[i] += value.to_f64();
            squares[i] += value.to_f64().powi(2);
        }
        rows += 1.0;
    }
    let mean: Vec<f64> = sum.iter().map(|sum| sum / rows).collect();
    let deviation = squares.iter().zip(&mean).map(|(s, m)| (s / rows - m * m).max(0.0).sqrt() as f32).collect();
    (mean.iter().map(|m| *m as f32).collect(), deviation)
}

/// Covariance `[inputs][inputs]` of the standardised rows, and their mean.
fn covariance(blocks: &[&[f16]], mean: &[f32], inverse: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let inputs = mean.len();
    let (mut sums, mut matrix, mut rows) = (vec![0.0f64; inputs], vec![0.0; inputs * inputs], 0);
    let mut block = Vec::new();
    for chunk in blocks.iter().flat_map(|block| block.chunks(CHUNK * inputs)) {
        block.clear();
        for row in chunk.chunks_exact(inputs) {
            let standardised = |(i, value): (usize, &f16)| (value.to_f32() - mean[i]) * inverse[i];
            block.extend(row.iter().enumerate().map(standardised));
        }
        for row in block.chunks_exact(inputs) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let chunk = Matrix::new(&block, block.len() / inputs, inputs);
        product(chunk.t(), chunk, true, &mut matrix);
        rows += block.len() / inputs;
    }
    let centre: Vec<f32> = sums.iter().map(|sum| (sum / rows as f64) as f32).collect();
    for (i, row) in matrix.chunks_exact_mut(inputs).enumerate() {
        row.iter_mut().zip(&centre).for_each(|(value, c)| *value = *value / rows as f32 - centre[i] * c);
    }
    (matrix, centre)
}

/// The leading `count` orthonormal directions `[count][inputs]` by block power iteration from a seeded start.
fn leading_directions(matrix: &[f32], inputs: usize, count: usize, seed: u64) -> Vec<f32> {
    let width = (count + OVERSAMPLING).min(inputs);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut block: Vec<f32> = (0..width * inputs).map(|_| normal(&mut rng)).collect();
    let mut next = vec![0.0; block.len()];
    orthonormalise(&mut block, inputs);
    for _ in 0..ITERATIONS {
        // The covariance is symmetric: rows times it are its products with the directions.
        product(Matrix::new(&block, width, inputs), Matrix::new(matrix, inputs, inputs), false, &mut next);
        std::mem::swap(&mut block, &mut next);
        orthonormalise(&mut block, inputs);
    }
    block.truncate(count * inputs);
    block
}

/// Gram-Schmidt, each row against all before it, twice for accuracy.
fn orthonormalise(rows: &mut [f32], inputs: usize) {
    for row in 0..rows.len() / inputs {
        let (before, rest) = rows.split_at_mut(row * inputs);
        let current = &mut rest[..inputs];
        for _ in 0..2 {
            for other in before.chunks_exact(inputs) {
                let overlap = dot(current, other);
                current.iter_mut().zip(other).for_each(|(value, other)| *value -= overlap * other);
            }
        }
        let norm = dot(current, current).sqrt().max(f32::MIN_POSITIVE);
        current.iter_mut().for_each(|value| *value /= norm);
    }
}

/// A dot product with eight independent sums: quick, and always in the same order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that vary in two directions only.
    fn rows(count: usize) -> Vec<f16> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut values = Vec::new();
        for _ in 0..count {
            let (a, b) = (normal(&mut rng), normal(&mut rng));
            values.extend((0..12).map(|i| f16::from_f32(1.0 + a * (i as f32).sin() + b * (i as f32 * 0.5).cos())));
        }
        values
    }

    #[test]
    fn two_directions_hold_what_varies_in_two() {
        let rows = rows(400);
        let basis = Basis::fit(&[&rows], &[&rows], 12, 2, 1).unwrap();
        let all = Basis::fit(&[&rows], &[&rows], 12, 6, 1).unwrap();
        let spread = |basis: &Basis| -> f32 {
            basis.project(&rows).unwrap().iter().map(|value| value.to_f32().powi(2)).sum::<f32>() / 400.0
        };
        assert!((spread(&basis) / spread(&all) - 1.0).abs() < 1e-3, "{} {}", spread(&basis), spread(&all));
        assert_eq!(basis, Basis::fit(&[&rows], &[&rows], 12, 2, 1).unwrap());
    }

    #[test]
    fn a_folded_layer_gives_the_same() {
        let rows = rows(50);
        let basis = Basis::fit(&[&rows], &[&rows], 12, 3, 1).unwrap();
        let (weight, bias) = ([0.3, -0.2, 0.9, 0.1, 0.4, -0.7], [0.5, -0.1]);
        let (folded, folded_bias) = basis.fold(&weight, &bias);
        let coordinates = basis.project(&rows).unwrap();
        for (row, coordinates) in rows.chunks_exact(12).zip(coordinates.chunks_exact(3)) {
            for f in 0..2 {
                let inner: f32 = (0..3).map(|k| weight[f * 3 + k] * coordinates[k].to_f32()).sum::<f32>() + bias[f];
                let outer: f32 = (0..12).map(|i| folded[f * 12 + i] * row[i].to_f32()).sum::<f32>() + folded_bias[f];
                assert!((inner - outer).abs() < 5e-3, "{inner} {outer}");
            }
        }
    }

    #[test]
    fn too_few_rows_are_refused() {
        let rows = rows(4);
        let error = Basis::fit(&[&rows], &[&rows], 12, 5, 1).unwrap_err().to_string();
        assert!(error.contains("components is 5 for 4 rows"), "{error}");
        assert!(Basis::fit(&[&rows[..7]], &[&rows], 12, 2, 1).is_err());
    }
}
