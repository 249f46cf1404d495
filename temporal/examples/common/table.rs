//! The results: one row a network and pair of thresholds.

use std::path::Path;

use anyhow::Context;

/// One measured point of one trained network.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub split: String,
    pub technique: String,
    pub seed: u64,
    pub theta_x: f32,
    pub theta_h: f32,
    /// Test decisions (recordings, or labels of the reference).
    pub decisions: usize,
    pub wrong: usize,
    pub frames: u64,
    /// Active input and hidden columns of all layers.
    pub columns_x: u64,
    pub columns_h: u64,
    pub macs: u64,
    pub macs_dense: u64,
    pub step_us_delta: f64,
    pub step_us_dense: f64,
}

const HEADER: &str = "split,technique,seed,theta_x,theta_h,decisions,wrong,frames,columns_x,columns_h,macs,macs_dense,step_us_delta,step_us_dense";

/// Reads a table that [`write`] wrote.
pub fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let rows = text.lines().skip(1).map(|line| {
        let parts: Vec<&str> = line.split(',').collect();
        let [
            split,
            technique,
            seed,
            theta_x,
            theta_h,
            decisions,
            wrong,
            frames,
            columns_x,
            columns_h,
            macs,
            macs_dense,
            delta,
            dense,
        ] = parts[..]
        else {
            anyhow::bail!("{}: expected 14 columns: {line}", path.display());
        };
        Ok(Row {
            split: split.to_owned(),
            technique: technique.to_owned(),
            seed: seed.parse()?,
            theta_x: theta_x.parse()?,
            theta_h: theta_h.parse()?,
            decisions: decisions.parse()?,
            wrong: wrong.parse()?,
            frames: frames.parse()?,
            columns_x: columns_x.parse()?,
            columns_h: columns_h.parse()?,
            macs: macs.parse()?,
            macs_dense: macs_dense.parse()?,
            step_us_delta: delta.parse()?,
            step_us_dense: dense.parse()?,
        })
    });
    rows.collect()
}

/// Writes a table under a name of its own, then renames it.
pub fn write(path: &Path, rows: &[Row]) -> anyhow::Result<()> {
    let mut text = format!("{HEADER}\n");
    for r in rows {
        text += &format!(
            "{},{},{},{},{},{},{},{},{},{},{},{},{:.3},{:.3}\n",
            r.split,
            r.technique,
            r.seed,
            r.theta_x,
            r.theta_h,
            r.decisions,
            r.wrong,
            r.frames,
            r.columns_x,
            r.columns_h,
            r.macs,
            r.macs_dense,
            r.step_us_delta,
            r.step_us_dense
        );
    }
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text)
        .and_then(|()| std::fs::rename(&partial, path))
        .with_context(|| path.display().to_string())
}

/// One line of the summary: a technique at a pair of thresholds, over all splits and seeds.
#[derive(Debug)]
pub struct Line {
    pub technique: String,
    pub theta_x: f32,
    pub theta_h: f32,
    pub seeds: usize,
    /// Wrong over all decisions.
    pub error: f64,
    /// Lowest and highest error of a seed.
    pub spread: (f64, f64),
    pub savings: f64,
    pub step_us: (f64, f64),
}

/// Sums over splits and seeds, in the order of first appearance.
pub fn summary(rows: &[Row]) -> Vec<Line> {
    let mut keys: Vec<(String, f32, f32)> = Vec::new();
    for row in rows {
        let key = (row.technique.clone(), row.theta_x, row.theta_h);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let line = |(technique, theta_x, theta_h): (String, f32, f32)| {
        let of: Vec<&Row> =
            rows.iter().filter(|r| r.technique == technique && (r.theta_x, r.theta_h) == (theta_x, theta_h)).collect();
        let mut seeds: Vec<u64> = of.iter().map(|r| r.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let share = |rows: &mut dyn Iterator<Item = &&Row>| {
            let (wrong, all) = rows.fold((0, 0), |(wrong, all), r| (wrong + r.wrong, all + r.decisions));
            wrong as f64 / all.max(1) as f64
        };
        let of_seeds: Vec<f64> = seeds.iter().map(|seed| share(&mut of.iter().filter(|r| r.seed == *seed))).collect();
        let mean = |f: fn(&Row) -> f64| of.iter().map(|r| f(r)).sum::<f64>() / of.len() as f64;
        Line {
            seeds: seeds.len(),
            error: share(&mut of.iter()),
            spread: (
                of_seeds.iter().copied().fold(f64::INFINITY, f64::min),
                of_seeds.iter().copied().fold(0.0, f64::max),
            ),
            savings: of.iter().map(|r| r.macs_dense as f64).sum::<f64>()
                / of.iter().map(|r| r.macs as f64).sum::<f64>().max(1.0),
            step_us: (mean(|r| r.step_us_delta), mean(|r| r.step_us_dense)),
            technique,
            theta_x,
            theta_h,
        }
    };
    keys.into_iter().map(line).collect()
}

/// Prints the summary.
pub fn print(rows: &[Row]) {
    println!("technique      theta_x theta_h seeds   error %  lowest-highest  savings  delta us  dense us");
    for l in summary(rows) {
        println!(
            "{:14} {:7} {:7} {:5} {:9.2} {:7.2}-{:<7.2} {:7.1}x {:9.2} {:9.2}",
            l.technique,
            l.theta_x,
            l.theta_h,
            l.seeds,
            100.0 * l.error,
            100.0 * l.spread.0,
            100.0 * l.spread.1,
            l.savings,
            l.step_us.0,
            l.step_us.1
        );
    }
}
