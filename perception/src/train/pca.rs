//! The subspace in which the feature layer learns: the leading principal components of the standardised cells.
//!
//! Ten minutes of driving say little about 2,560 weights a feature, but much about the few hundred directions in which the
//! cells really vary. After training the projection is folded into the layer's weights and costs nothing.

use crate::augment::normal;
use crate::error::{PerceptionError, check_shape};
use candle_core::{Device, Result as CandleResult, Tensor};
use half::f16;
use ndarray::{Array1, Array2, ArrayView2};
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

/// An affine map from cells to coordinates.
#[derive(Debug, Clone)]
pub struct Pca {
    /// `[components, inputs]`
    directions: Tensor,
    /// `[components]`, subtracted after the projection.
    offset: Tensor,
}

impl Pca {
    /// Fits `components` directions to rows of cells `[rows, inputs]`. `plain` are rows of unaltered frames (their statistics
    /// standardise each cell), `varied` rows of all versions. Take every n-th frame: neighbours are alike.
    ///
    /// # Errors
    /// [`PerceptionError::Option`] where there are fewer rows than components, or components than 1 or more than inputs;
    /// [`PerceptionError::Shape`] where blocks differ in width.
    pub fn fit(
        plain: &[ArrayView2<'_, f16>],
        varied: &[ArrayView2<'_, f16>],
        components: usize,
        seed: u64,
    ) -> Result<Self, PerceptionError> {
        let inputs = plain.first().map_or(0, |block| block.ncols());
        for block in plain.iter().chain(varied) {
            check_shape("a block of cells", block.shape(), &[block.nrows(), inputs])?;
        }
        let rows = varied.iter().map(|block| block.nrows()).sum::<usize>();
        let bad = |found: String, expected| PerceptionError::Option { field: "components", found, expected };
        if components == 0 || components > inputs {
            return Err(bad(components.to_string(), "1 to the number of cells"));
        }
        if rows <= components || plain.iter().all(|block| block.is_empty()) {
            return Err(bad(format!("{components} for {rows} rows"), "fewer components than training rows"));
        }
        let (mean, deviation) = cell_statistics(plain, inputs);
        let inverse: Vec<f32> = deviation.iter().map(|d| 1.0 / d.max(LEAST_DEVIATION)).collect();
        let (covariance, centre) = covariance(varied, &mean, &inverse)?;
        let mut directions = leading_directions(&covariance, components, seed)?;
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
        Ok(Self {
            directions: Tensor::from_vec(directions, (components, inputs), &Device::Cpu)?,
            offset: Tensor::from_vec(offset, components, &Device::Cpu)?,
        })
    }

    /// Length of a row of coordinates.
    pub fn components(&self) -> usize {
        self.directions.dims()[0]
    }

    /// The coordinates `[rows, components]` of cells `[rows, inputs]`.
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] where the rows have another length.
    pub fn project(&self, cells: ArrayView2<'_, f16>) -> Result<Array2<f16>, PerceptionError> {
        let (rows, components) = (cells.nrows(), self.components());
        check_shape("the cells", cells.shape(), &[rows, self.directions.dims()[1]])?;
        let mut coordinates = Vec::with_capacity(rows * components);
        for block in cells.axis_chunks_iter(ndarray::Axis(0), CHUNK) {
            let projected = tensor(block, |_, value| value)?.matmul(&self.directions.t()?)?;
            let projected: Vec<f32> = projected.broadcast_sub(&self.offset)?.flatten_all()?.to_vec1()?;
            coordinates.extend(projected.into_iter().map(f16::from_f32));
        }
        Ok(Array2::from_shape_vec((rows, components), coordinates).unwrap_or_default())
    }

    /// A layer over coordinates (`weight [features, components]`, `bias [features]`) as one over cells:
    /// `weight [features, inputs]` and `bias [features]`.
    pub(super) fn fold(&self, weight: &Tensor, bias: &Tensor) -> CandleResult<(Array2<f32>, Array1<f32>)> {
        let folded = weight.matmul(&self.directions)?;
        let (features, inputs) = folded.dims2()?;
        let shift = weight.matmul(&self.offset.unsqueeze(1)?)?.squeeze(1)?;
        let bias: Vec<f32> = (bias - shift)?.to_vec1()?;
        let folded = Array2::from_shape_vec((features, inputs), folded.flatten_all()?.to_vec1()?).unwrap_or_default();
        Ok((folded, bias.into()))
    }
}

/// A block as a tensor, each value seen through `map(column, value)`.
fn tensor(block: ArrayView2<'_, f16>, map: impl Fn(usize, f32) -> f32) -> CandleResult<Tensor> {
    let values: Vec<f32> = block.indexed_iter().map(|((_, column), value)| map(column, value.to_f32())).collect();
    Tensor::from_vec(values, block.dim(), &Device::Cpu)
}

/// Mean and standard deviation of each cell.
fn cell_statistics(blocks: &[ArrayView2<'_, f16>], inputs: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut sum, mut squares, mut rows) = (vec![0.0f64; inputs], vec![0.0f64; inputs], 0.0f64);
    for row in blocks.iter().flat_map(|block| block.rows()) {
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

/// Covariance `[inputs, inputs]` of the standardised rows, and their mean.
fn covariance(blocks: &[ArrayView2<'_, f16>], mean: &[f32], inverse: &[f32]) -> CandleResult<(Tensor, Vec<f32>)> {
    let inputs = mean.len();
    let mut matrix = Tensor::zeros((inputs, inputs), candle_core::DType::F32, &Device::Cpu)?;
    let (mut sums, mut rows) = (Tensor::zeros(inputs, candle_core::DType::F32, &Device::Cpu)?, 0);
    for block in blocks.iter().flat_map(|block| block.axis_chunks_iter(ndarray::Axis(0), CHUNK)) {
        let standardised = tensor(block, |column, value| (value - mean[column]) * inverse[column])?;
        matrix = (matrix + standardised.t()?.matmul(&standardised)?)?;
        sums = (sums + standardised.sum(0)?)?;
        rows += block.nrows();
    }
    let centre = (sums / rows as f64)?;
    let outer = centre.unsqueeze(1)?.matmul(&centre.unsqueeze(0)?)?;
    Ok((((matrix / rows as f64)? - outer)?, centre.to_vec1()?))
}

/// The leading `count` orthonormal directions `[count][inputs]` by block power iteration from a seeded start.
fn leading_directions(matrix: &Tensor, count: usize, seed: u64) -> CandleResult<Vec<f32>> {
    let inputs = matrix.dim(0)?;
    let width = (count + OVERSAMPLING).min(inputs);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut block: Vec<f32> = (0..width * inputs).map(|_| normal(&mut rng)).collect();
    orthonormalise(&mut block, inputs);
    for _ in 0..ITERATIONS {
        // The covariance is symmetric: rows times it are its products with the directions.
        block = Tensor::from_vec(block, (width, inputs), &Device::Cpu)?.matmul(matrix)?.flatten_all()?.to_vec1()?;
        orthonormalise(&mut block, inputs);
    }
    block.truncate(count * inputs);
    Ok(block)
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
    fn rows(count: usize) -> Array2<f16> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut values = Vec::new();
        for _ in 0..count {
            let (a, b) = (normal(&mut rng), normal(&mut rng));
            values.extend((0..12).map(|i| f16::from_f32(1.0 + a * (i as f32).sin() + b * (i as f32 * 0.5).cos())));
        }
        Array2::from_shape_vec((count, 12), values).unwrap()
    }

    fn fit(rows: &Array2<f16>, components: usize) -> Result<Pca, PerceptionError> {
        Pca::fit(&[rows.view()], &[rows.view()], components, 1)
    }

    #[test]
    fn two_directions_hold_what_varies_in_two() {
        let rows = rows(400);
        let spread = |components: usize| {
            let coordinates = fit(&rows, components).unwrap().project(rows.view()).unwrap();
            coordinates.iter().map(|value| value.to_f32().powi(2)).sum::<f32>() / 400.0
        };
        assert!((spread(2) / spread(6) - 1.0).abs() < 1e-3, "{} {}", spread(2), spread(6));
        assert_eq!(spread(2), spread(2));
    }

    #[test]
    fn a_folded_layer_gives_the_same() {
        let rows = rows(50);
        let pca = fit(&rows, 3).unwrap();
        let weight = Tensor::new(&[[0.3f32, -0.2, 0.9], [0.1, 0.4, -0.7]], &Device::Cpu).unwrap();
        let (folded, bias) = pca.fold(&weight, &Tensor::new(&[0.5f32, -0.1], &Device::Cpu).unwrap()).unwrap();
        let weight = ndarray::arr2(&[[0.3, -0.2, 0.9], [0.1, 0.4, -0.7]]);
        let coordinates = pca.project(rows.view()).unwrap().mapv(f16::to_f32);
        let inner = coordinates.dot(&weight.t()) + ndarray::arr1(&[0.5, -0.1]);
        let outer = rows.mapv(f16::to_f32).dot(&folded.t()) + bias;
        assert!((inner - outer).iter().all(|difference| difference.abs() < 5e-3));
    }

    #[test]
    fn too_few_rows_are_refused() {
        let error = fit(&rows(4), 5).unwrap_err().to_string();
        assert!(error.contains("components is 5 for 4 rows"), "{error}");
        assert!(fit(&rows(20), 13).is_err());
    }
}
