//! Frames of a drive through the frozen trunk, as recorded and altered, on all cores.

use std::sync::atomic::AtomicBool;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded};
use deltasteer_data::{Frame, Source};
use deltasteer_perception::CellExtractor;
use deltasteer_perception::augment::{DriveAugmentation, View};
use half::f16;
use ndarray::{Array1, Array2};

use crate::pipeline::FrameRange;
use crate::session::read_frames;

/// One version of a drive's frames after the trunk. Frames that could not be read are missing from both arrays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pooled {
    /// Place of each row's frame in the source.
    pub index: Vec<u32>,
    /// `[frames, cells]`.
    pub values: Array2<f16>,
}

/// Is told how much more is done.
pub type Done<'a> = &'a mut dyn FnMut(usize);

/// One frame's rows, one a version.
type Rows = (u32, Vec<Array1<f16>>);

/// Runs the frames of `range` through the trunk in each of the `versions`, each of `extractors` on a thread of its own; `done`
/// is told frames times versions.
///
/// # Errors
/// A source that fails, a trunk that refuses a picture, an interruption.
pub fn pool(
    source: &mut dyn Source,
    range: FrameRange,
    extractors: &mut [CellExtractor],
    versions: &[DriveAugmentation],
    stop: &AtomicBool,
    done: Done<'_>,
) -> anyhow::Result<Vec<Pooled>> {
    let stop = (stop, "interrupted; what is complete is in the cache");
    let (workers, cells) = (extractors.len(), extractors.first().map_or(0, CellExtractor::cell_count));
    let (frame_tx, frame_rx) = bounded::<Frame>(2 * workers);
    let (row_tx, row_rx) = bounded::<anyhow::Result<Rows>>(2 * workers);
    let mut rows = std::thread::scope(|scope| -> anyhow::Result<Vec<Rows>> {
        let reader = std::thread::Builder::new()
            .name("read".into())
            // Where nobody takes a frame any more, the workers have failed with an error of their own.
            .spawn_scoped(scope, move || read_frames(source, range, stop, |frame| Ok(frame_tx.send(frame).is_ok())))
            .context("thread read")?;
        for extractor in extractors {
            let (frames, rows) = (frame_rx.clone(), row_tx.clone());
            std::thread::Builder::new()
                .name("trunk".into())
                .spawn_scoped(scope, move || work(extractor, versions, &frames, &rows))
                .context("thread trunk")?;
        }
        drop((frame_rx, row_tx));
        let mut all = Vec::new();
        for row in row_rx {
            all.push(row?);
            done(versions.len());
        }
        reader.join().map_err(|_| anyhow::anyhow!("the thread that reads frames stopped by a fault"))??;
        Ok(all)
    })?;
    rows.sort_by_key(|row| row.0);
    let pooled = |version: usize| {
        let mut values = Array2::zeros((rows.len(), cells));
        values.rows_mut().into_iter().zip(&rows).for_each(|(mut to, (_, from))| to.assign(&from[version]));
        Pooled { index: rows.iter().map(|row| row.0).collect(), values }
    };
    Ok((0..versions.len()).map(pooled).collect())
}

/// Computes all versions of each frame that it gets.
fn work(
    extractor: &mut CellExtractor,
    versions: &[DriveAugmentation],
    frames: &Receiver<Frame>,
    rows: &Sender<anyhow::Result<Rows>>,
) {
    for frame in frames {
        let result = versions_of(extractor, versions, &frame);
        let failed = result.is_err();
        if rows.send(result).is_err() || failed {
            return;
        }
    }
}

fn versions_of(extractor: &mut CellExtractor, versions: &[DriveAugmentation], frame: &Frame) -> anyhow::Result<Rows> {
    let wide = extractor.wide_picture(frame.image.view())?;
    let mut rows = Vec::with_capacity(versions.len());
    for version in versions {
        let view = version.view(frame.index);
        let cells = match view == View::default() {
            true => extractor.cells(frame.image.view())?,
            false => extractor.cells_altered(&wide, &view)?,
        };
        rows.push(cells.mapv(f16::from_f32));
    }
    Ok((frame.index as u32, rows))
}
