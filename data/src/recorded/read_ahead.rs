//! Threads that decode the next pictures while the caller works on this one. The order is kept by construction: thread
//! `k` of `n` decodes frames `first + k`, `first + k + n`, ... into its own bounded channel, and the reader takes from the
//! channels in turn.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use ndarray::Array3;

use super::pictures::Pictures;

/// Pictures that each thread may hold ready, if they are not huge.
const READY_PER_THREAD: usize = 3;

/// More threads would only wait for the CNN.
const MAX_THREADS: usize = 4;

/// All pictures that are ready or in the making together hold about this many bytes at most.
const MAX_BYTES: usize = 256 << 20;

type Decoded = Result<Array3<u8>, String>;

/// Decoding ahead from a given frame to the end. Dropping it ends the threads.
pub(super) struct ReadAhead {
    channels: Vec<Receiver<Decoded>>,
    next: usize,
}

impl ReadAhead {
    /// Starts decoding the pictures of `range`, of which the given rows are looked at, each of about `picture_bytes`.
    pub(super) fn start(
        pictures: &Arc<dyn Pictures>,
        range: Range<usize>,
        rows_of_480: [u32; 2],
        picture_bytes: usize,
    ) -> Self {
        let room = (MAX_BYTES / picture_bytes.max(1)).max(1);
        let threads = thread::available_parallelism().map_or(2, |n| n.get()).min(MAX_THREADS).min(room);
        let ready = (room / threads).saturating_sub(1).min(READY_PER_THREAD);
        let channels = (0..threads)
            .map(|k| spawn(Arc::clone(pictures), range.start + k..range.end, rows_of_480, threads, ready))
            .collect();
        Self { channels, next: 0 }
    }

    /// The next picture in order, or `None` if its thread could not be started or died.
    pub(super) fn next(&mut self) -> Option<Decoded> {
        let decoded = self.channels[self.next].recv().ok();
        self.next = (self.next + 1) % self.channels.len();
        decoded
    }
}

/// Starts one thread; if the system refuses, its channel is closed and the player decodes for itself.
fn spawn(
    pictures: Arc<dyn Pictures>,
    range: Range<usize>,
    rows_of_480: [u32; 2],
    step: usize,
    ready: usize,
) -> Receiver<Decoded> {
    let number = range.start % step;
    let (sender, receiver): (SyncSender<Decoded>, _) = sync_channel(ready);
    let decode_all = move || {
        for index in range.step_by(step) {
            if sender.send(pictures.picture(index, rows_of_480)).is_err() {
                return; // the reader has gone or has jumped elsewhere
            }
        }
    };
    let _ = thread::Builder::new().name(format!("decode-{}", number)).spawn(decode_all);
    receiver
}
