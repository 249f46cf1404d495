//! A page about one drive that needs no network: figures in tables, curves as SVG, a few frames as JPEG.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deltasteer_data::{CameraGeometry, SourceInfo};

use super::charts::Curves;
use super::kind::Export;
use super::mcap::jpeg;
use super::paint;
use crate::drive::Drive;
use crate::metrics::ErrorFigures;
use crate::model::Model;
use crate::output::OutputFile;
use crate::pipeline::FrameResult;
use crate::text;

/// Steps after a cold start whose error is not taken for the network's: a second at 20 Hz.
const COLD_STEPS: u64 = 20;

/// The page being gathered.
pub(super) struct Report {
    file: OutputFile,
    source: String,
    format: String,
    model: String,
    thresholds: String,
    camera: CameraGeometry,
    /// Columns and rows that the camera's geometry is of.
    size: (usize, usize),
    curves: Curves,
    /// The frame with the largest error, the sharpest curve, and the most work behind the first.
    worst: Option<FrameResult>,
    sharpest: Option<FrameResult>,
    busiest: Option<FrameResult>,
}

impl Report {
    pub fn create(path: &Path, info: &SourceInfo, model: &Model) -> anyhow::Result<Self> {
        Ok(Self {
            file: OutputFile::create(path)?,
            source: info.name.clone(),
            format: format!("{}, {}x{}, {:.2} Hz", info.format, info.width, info.height, info.rate_hz),
            model: model.folder().display().to_string(),
            thresholds: String::new(),
            camera: info.camera,
            size: (info.width, info.height),
            curves: Curves::new(),
            worst: None,
            sharpest: None,
            busiest: None,
        })
    }

    fn page(&self, drive: &Drive) -> anyhow::Result<String> {
        let mut page = String::new();
        let totals = &drive.totals;
        let savings = text::times(totals.macs_dense as f64, totals.macs as f64);
        write!(
            page,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{0}</title>\n<style>{STYLE}</style></head>\n\
             <body><h1>{0}</h1>\n<p>{1}. Model {2}, thresholds {3}.</p>\n\
             <p class=\"headline\"><b>{savings}</b> fewer RNN operations over {4} frames, the first included</p>\n",
            escaped(&self.source),
            escaped(&self.format),
            escaped(&self.model),
            self.thresholds,
            drive.frames,
        )?;
        page += &errors(drive)?;
        page += &work(drive)?;
        page += "<h2>Angles</h2>\n";
        write!(page, "<div class=\"chart\">{}</div>", self.curves.angles()?)?;
        page += "<h2>RNN multiplications of each frame</h2>\n";
        write!(page, "<div class=\"chart\">{}</div>", self.curves.work(totals.macs_dense / totals.steps.max(1))?)?;
        page += "<h2>Frames</h2>\n<div class=\"frames\">";
        for (title, frame) in
            [("largest error", &self.worst), ("sharpest curve", &self.sharpest), ("most work", &self.busiest)]
        {
            if let Some(frame) = frame {
                page += &self.picture(title, frame)?;
            }
        }
        page += "</div>\n</body></html>\n";
        Ok(page)
    }

    /// A frame with its overlays, inside the page.
    fn picture(&self, title: &str, frame: &FrameResult) -> anyhow::Result<String> {
        let drawn = FrameResult { image: Arc::new(paint::overlaid(frame, &self.camera, self.size)?), ..frame.clone() };
        let data = STANDARD.encode(jpeg(&drawn)?);
        let (width, height) = self.size;
        Ok(format!(
            "<figure><img width=\"{width}\" height=\"{height}\" alt=\"{title}\" src=\"data:image/jpeg;base64,{data}\">\
             <figcaption>{title}: frame {} at {}</figcaption></figure>",
            frame.index,
            text::clock(frame.time_s)
        ))
    }
}

impl Export for Report {
    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        if self.thresholds.is_empty() {
            let thresholds = result.thresholds;
            self.thresholds = format!("{} (features) and {} (hidden state)", thresholds.theta_x, thresholds.theta_h);
        }
        self.curves.add(result);
        let error = |frame: &FrameResult| frame.steering_true_rad.map(|truth| (truth - frame.steering_rad).abs());
        // A state that is still cold says nothing of the network.
        if result.totals.steps > COLD_STEPS {
            keep_larger(&mut self.worst, result, error);
        }
        keep_larger(&mut self.sharpest, result, |frame| {
            Some(frame.steering_true_rad.unwrap_or(frame.steering_rad).abs())
        });
        if result.totals.steps > 1 {
            keep_larger(&mut self.busiest, result, |frame| Some(frame.count.macs as f32));
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, drive: &Drive) -> anyhow::Result<()> {
        let page = self.page(drive)?;
        self.file.write_all(page.as_bytes()).context("writing the report")?;
        self.file.finish()
    }
}

/// Keeps whichever frame has the larger figure; a frame without one never replaces another.
fn keep_larger(kept: &mut Option<FrameResult>, frame: &FrameResult, figure: impl Fn(&FrameResult) -> Option<f32>) {
    let Some(new) = figure(frame) else { return };
    if kept.as_ref().and_then(&figure).is_none_or(|old| new > old) {
        *kept = Some(frame.clone());
    }
}

fn errors(drive: &Drive) -> anyhow::Result<String> {
    let Some(delta) = drive.delta.figures() else {
        return Ok("<p>No true angles are known.</p>\n".to_owned());
    };
    let mut table = format!("<h2>Error over {} labelled frames</h2>\n<table>", delta.frames);
    table += "<tr><th></th><th>RMSE rad</th><th>MAE rad</th><th>explained variance</th></tr>";
    let mut line = |name: &str, figures: &ErrorFigures| {
        let eva = figures.eva.map_or("–".to_owned(), |eva| format!("{eva:.3}"));
        let (rmse, mae) = (figures.rmse_rad, figures.mae_rad);
        write!(table, "<tr><td>{name}</td><td>{rmse:.4}</td><td>{mae:.4}</td><td>{eva}</td></tr>")
    };
    line("delta GRU", &delta)?;
    let others = [("the same weights, dense", &drive.dense), ("the CNN alone, frame by frame", &drive.single_frame)];
    for (name, figures) in others.into_iter().filter_map(|(name, errors)| Some((name, errors.figures()?))) {
        line(name, &figures)?;
    }
    writeln!(table, "<tr><td>always zero</td><td>{:.4}</td><td></td><td></td></tr></table>", delta.zero_rmse_rad)?;
    Ok(table)
}

fn work(drive: &Drive) -> anyhow::Result<String> {
    let (totals, cnn) = (&drive.totals, drive.cnn_work);
    let mut table = "<h2>Work</h2>\n<table><tr><th></th><th>delta</th><th>dense</th><th>less</th></tr>".to_owned();
    let mut line = |name: &str, delta: u64, dense: u64| {
        let less = text::times(dense as f64, delta as f64);
        let (delta, dense) = (text::grouped(delta), text::grouped(dense));
        write!(table, "<tr><td>{name}</td><td>{delta}</td><td>{dense}</td><td>{less}</td></tr>")
    };
    line("RNN multiplications", totals.macs, totals.macs_dense)?;
    line("RNN weight bytes fetched", totals.weight_bytes, totals.weight_bytes_dense)?;
    line("CNN multiplications", cnn.macs, cnn.macs_dense)?;
    line("whole network", totals.macs + cnn.macs, totals.macs_dense + cnn.macs_dense)?;
    let share = totals.macs_dense as f64 / (totals.macs_dense + cnn.macs_dense).max(1) as f64;
    write!(
        table,
        "</table>\n<p>The RNN is {} of the dense network's work. {} of the features and {} of the hidden state were sent. \
         {} frames could not be read, {} were refused, {} live frames were dropped.</p>\n",
        text::percent(share),
        text::percent(totals.occupancy_x()),
        text::percent(totals.occupancy_h()),
        drive.end.skipped.count,
        drive.end.refused.count,
        drive.end.dropped,
    )?;
    for note in &drive.end.notes {
        writeln!(table, "<p>Note: {}</p>", escaped(note))?;
    }
    Ok(table)
}

/// Text that may hold any character, for the inside of an element.
pub(crate) fn escaped(text: &str) -> String {
    text::one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(crate) const STYLE: &str = "body{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}\
    table{border-collapse:collapse}td,th{padding:.25rem .9rem;text-align:right;border-bottom:1px solid #ddd}\
    td:first-child{text-align:left}.headline{font-size:1.4rem}.headline b{color:#b35900;font-size:2.4rem}\
    img{max-width:100%;height:auto}table,.chart{display:block;overflow-x:auto}svg{min-width:40rem;max-width:100%;height:auto}\
    @media(max-width:40rem){body{margin:1rem auto}td,th{padding:.25rem .4rem}.headline b{font-size:2rem}}.frames{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;flex:1 1 18rem}";
