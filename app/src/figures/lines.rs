//! From rows to lines: one for each technique and size, averaged over training seeds.

use std::collections::BTreeMap;

use super::results::Row;

/// The technique of a model that was trained without any.
pub const DENSE: &str = "dense-trained";

/// A pair of thresholds, averaged over the models that differ only by their seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Geometric mean of the savings.
    pub savings: f64,
    /// Mean error.
    pub rmse_rad: f64,
    /// Lowest error of a seed.
    pub lowest_rad: f64,
    /// Highest error of a seed.
    pub highest_rad: f64,
}

/// One technique at one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The technique, with the size where it is not the usual one.
    pub label: String,
    /// Number of models.
    pub seeds: usize,
    /// Every pair of thresholds, by rising savings.
    pub points: Vec<Point>,
    /// What is drawn as a line, by rising savings: all of them where each threshold on x has one on h beside it; of a grid those
    /// that no other pair beats in both error and savings.
    pub path: Vec<Point>,
}

/// What the lines are compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct References {
    /// What `dense_rad` is of: dense-trained GRUs of the usual size or, without any, all models of that size.
    pub dense_name: &'static str,
    /// Mean error of those models run densely.
    pub dense_rad: f64,
    /// The CNN's own single-frame output: mean error.
    pub single_frame_rad: f64,
}

/// All lines, in the order in which the techniques first occur; models of the size that occurs most often first.
pub fn lines(rows: &[Row]) -> Vec<Line> {
    let usual = usual_size(rows);
    let mut groups: Vec<(&str, (usize, usize), Vec<&Row>)> = Vec::new();
    for row in rows {
        let size = (row.inputs, row.hidden);
        match groups.iter_mut().find(|group| group.0 == row.technique && group.1 == size) {
            Some(group) => group.2.push(row),
            None => groups.push((&row.technique, size, vec![row])),
        }
    }
    groups.sort_by_key(|group| Some(group.1) != usual);
    groups.into_iter().map(|(technique, size, rows)| line(technique, size, usual, &rows)).collect()
}

/// The references, from dense-trained models where there are some, else from all; `None` without rows.
pub fn references(rows: &[Row]) -> Option<References> {
    let usual = usual_size(rows)?;
    let of_size: Vec<&Row> = rows.iter().filter(|row| (row.inputs, row.hidden) == usual).collect();
    let dense: Vec<&Row> = of_size.iter().copied().filter(|row| row.technique == DENSE).collect();
    let (dense_name, chosen) =
        if dense.is_empty() { ("the same weights run densely, 1x", of_size) } else { ("dense-trained GRU, 1x", dense) };
    // Each model counts once, however many thresholds it was run with.
    let models: BTreeMap<&str, &Row> = chosen.iter().map(|row| (row.weights.as_str(), *row)).collect();
    let mean = |value: fn(&Row) -> f64| models.values().map(|row| value(row)).sum::<f64>() / models.len() as f64;
    Some(References {
        dense_name,
        dense_rad: mean(|row| row.dense_rmse_rad),
        single_frame_rad: mean(|row| row.single_frame_rmse_rad),
    })
}

/// Features and hidden units that occur most often; of two, the larger.
fn usual_size(rows: &[Row]) -> Option<(usize, usize)> {
    let mut counts = BTreeMap::new();
    rows.iter().for_each(|row| *counts.entry((row.inputs, row.hidden)).or_insert(0usize) += 1);
    counts.into_iter().max_by_key(|&(size, count)| (count, size)).map(|(size, _)| size)
}

fn line(technique: &str, size: (usize, usize), usual: Option<(usize, usize)>, rows: &[&Row]) -> Line {
    let by_thresholds = settings(rows);
    let mut points: Vec<Point> = by_thresholds
        .values()
        .filter(|rows| rows.iter().all(|row| row.savings.is_finite()))
        .map(|rows| point(rows))
        .collect();
    points.sort_by(|a, b| a.savings.total_cmp(&b.savings));
    let mut models: Vec<&str> = rows.iter().map(|row| row.weights.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    let label = if Some(size) == usual { technique.to_owned() } else { format!("{technique} {}-{}", size.0, size.1) };
    let mut thetas_x: Vec<u32> = by_thresholds.keys().map(|key| key.0).collect();
    thetas_x.dedup();
    let path = if thetas_x.len() == by_thresholds.len() { points.clone() } else { front(&points) };
    Line { label, seeds: models.len(), path, points }
}

/// A threshold in thousandths of the model's own.
fn thousandths(theta: f32, own: f32) -> f32 {
    (theta / own.max(f32::MIN_POSITIVE) * 1e3).round()
}

/// Rows of the same setting of different models: the same thresholds or, where each model has thresholds of its own (learned ones),
/// the same multiple of them.
fn settings<'a>(rows: &[&'a Row]) -> BTreeMap<(u32, u32), Vec<&'a Row>> {
    let grouped = |key: fn(&Row) -> (f32, f32)| {
        let mut groups: BTreeMap<(u32, u32), Vec<&Row>> = BTreeMap::new();
        for row in rows {
            let (x, h) = key(row);
            // Bits of floats of zero or more sort as the floats do.
            groups.entry((x.to_bits(), h.to_bits())).or_default().push(row);
        }
        groups
    };
    let same = grouped(|row| (row.theta_x, row.theta_h));
    let multiples =
        grouped(|row| (thousandths(row.theta_x, row.own_theta_x), thousandths(row.theta_h, row.own_theta_h)));
    // A dense-trained model's own thresholds are zero: nothing is a multiple of them.
    let own = rows.iter().all(|row| row.own_theta_x > 0.0 && row.own_theta_h > 0.0);
    if own && multiples.len() < same.len() { multiples } else { same }
}

fn point(rows: &[&Row]) -> Point {
    let count = rows.len() as f64;
    let errors = || rows.iter().map(|row| row.rmse_rad);
    Point {
        savings: (rows.iter().map(|row| row.savings.ln()).sum::<f64>() / count).exp(),
        rmse_rad: errors().sum::<f64>() / count,
        lowest_rad: errors().fold(f64::INFINITY, f64::min),
        highest_rad: errors().fold(0.0, f64::max),
    }
}

/// Of points by rising savings, those with a lower error than all that save more.
fn front(points: &[Point]) -> Vec<Point> {
    let mut best = f64::INFINITY;
    let mut front: Vec<Point> = Vec::new();
    for point in points.iter().rev() {
        if point.rmse_rad < best {
            best = point.rmse_rad;
            front.push(point.clone());
        }
    }
    front.reverse();
    front
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::row;
    use super::*;

    #[test]
    fn models_with_thresholds_of_their_own_meet_at_multiples_of_them() {
        let of = |seed, own: f32, times: f32, rmse| Row {
            own_theta_x: own,
            own_theta_h: own,
            theta_x: own * times,
            theta_h: own * times,
            ..row("learned", seed, 1.0, rmse, 10.0 * f64::from(times))
        };
        let rows = [of(1, 0.31, 1.0, 0.08), of(2, 0.47, 1.0, 0.10), of(1, 0.31, 1.5, 0.1), of(2, 0.47, 1.5, 0.1)];
        let line = &lines(&rows)[0];
        assert_eq!((line.seeds, line.path.len()), (2, 2));
        assert!((line.path[0].rmse_rad - 0.09).abs() < 1e-12);
    }

    #[test]
    fn dense_trained_models_meet_at_the_same_thresholds() {
        let of = |seed, theta: f32, rmse| Row {
            own_theta_x: 0.0,
            own_theta_h: 0.0,
            theta_x: theta,
            theta_h: theta,
            ..row("dense-trained", seed, 1.0, rmse, 10.0)
        };
        let line = &lines(&[of(1, 0.0, 0.1), of(2, 0.0, 0.1), of(1, 0.2, 0.1), of(2, 0.2, 0.2), of(1, 0.4, 0.3)])[0];
        assert_eq!((line.seeds, line.points.len()), (2, 3));
    }

    #[test]
    fn seeds_of_one_technique_become_one_line_with_its_spread() {
        let rows = [
            row("dense-trained", 1, 0.5, 0.08, 10.0),
            row("dense-trained", 2, 0.5, 0.10, 40.0),
            row("dense-trained", 1, 1.0, 0.12, 50.0),
            row("dense-trained", 2, 1.0, 0.12, 50.0),
            row("delta", 1, 1.0, 0.07, 90.0),
        ];
        let lines = lines(&rows);
        assert_eq!(
            lines.iter().map(|line| (line.label.as_str(), line.seeds)).collect::<Vec<_>>(),
            [("dense-trained", 2), ("delta", 1)]
        );
        let first = &lines[0].points[0];
        assert!((first.savings - 20.0).abs() < 1e-9 && (first.rmse_rad - 0.09).abs() < 1e-12, "{first:?}");
        assert_eq!((first.lowest_rad, first.highest_rad), (0.08, 0.10));
    }

    #[test]
    fn the_front_of_a_grid_leaves_out_what_is_beaten_in_both() {
        let mut rows: Vec<Row> = [(0.1, 0.07, 5.0), (0.2, 0.09, 10.0), (0.3, 0.08, 20.0), (0.4, 0.10, 40.0)]
            .map(|(theta, rmse, savings)| row("delta", 1, theta, rmse, savings))
            .to_vec();
        let savings = |rows: &[Row]| lines(rows)[0].path.iter().map(|point| point.savings.round()).collect::<Vec<_>>();
        assert_eq!(savings(&rows), [5.0, 10.0, 20.0, 40.0], "one threshold after the other is a path");
        (rows[1].theta_x, rows[1].theta_h) = (0.1, 0.6);
        assert_eq!(savings(&rows), [5.0, 20.0, 40.0], "a grid has a front");
    }

    #[test]
    fn another_size_is_another_line_and_no_reference() {
        let mut rows = vec![
            row("dense-trained", 1, 0.0, 0.07, 1.4),
            row("dense-trained", 2, 0.0, 0.08, 1.4),
            row("dense-trained", 3, 0.0, 0.2, 1.2),
        ];
        (rows[2].inputs, rows[2].hidden, rows[2].dense_rmse_rad) = (8, 8, 0.2);
        assert_eq!(lines(&rows)[1].label, "dense-trained 8-8");
        let dense = references(&rows).unwrap();
        assert!((dense.dense_rad - 0.07).abs() < 1e-12 && dense.dense_name.starts_with("dense-trained"));
        let others = references(&[row("delta", 1, 0.0, 0.07, 1.4)]).unwrap();
        assert!(others.dense_name.starts_with("the same weights"));
    }
}
