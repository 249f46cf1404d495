//! The standard deviations by which a stored layer divides its features.

/// Gathers rows of features as they come.
#[derive(Debug, Clone)]
pub struct Deviations {
    sums: Vec<f64>,
    squares: Vec<f64>,
    rows: f64,
}

impl Deviations {
    /// For rows of `features` values.
    pub fn new(features: usize) -> Self {
        Self { sums: vec![0.0; features], squares: vec![0.0; features], rows: 0.0 }
    }

    /// Adds `rows[frames][features]`.
    pub fn add(&mut self, rows: &[f32]) {
        for row in rows.chunks_exact(self.sums.len()) {
            self.rows += 1.0;
            for (place, &value) in row.iter().enumerate() {
                self.sums[place] += f64::from(value);
                self.squares[place] += f64::from(value) * f64::from(value);
            }
        }
    }

    /// One a feature; 1 where a feature never moves.
    pub fn std(&self) -> Vec<f32> {
        let deviation = |(sum, squares): (&f64, &f64)| {
            let std = (squares / self.rows - (sum / self.rows).powi(2)).max(0.0).sqrt() as f32;
            if std > 1e-6 { std } else { 1.0 }
        };
        self.sums.iter().zip(&self.squares).map(deviation).collect()
    }
}
