//! Which windows a step learns from.

use rand::Rng;
use rand::seq::SliceRandom;

use super::data::{Sequence, Window};
use super::error::TrainError;
use super::random::stream_of;

/// Draws windows.
pub(super) enum Sampler {
    /// Of a fixed length, each start equally often.
    Windows(WindowSampler),
    /// Whole sequences, each once in an epoch.
    Sequences(SequenceSampler),
}

/// Draws windows of a fixed length.
pub(super) struct WindowSampler {
    /// Sequence, first frame, frames; without stretches that are too short to learn from.
    stretches: Vec<(usize, usize, usize)>,
    /// Running sum of the stretches' starts.
    starts: Vec<usize>,
    versions: Vec<usize>,
    window: usize,
}

impl WindowSampler {
    /// Checks the sequences and finds their unbroken stretches; those not longer than `burn_in` are left out.
    pub fn new(sequences: &[Sequence], window: usize, burn_in: usize) -> Result<Self, TrainError> {
        let mut stretches = Vec::new();
        let mut starts = Vec::new();
        let mut total = 0;
        for (index, sequence) in sequences.iter().enumerate() {
            check(sequence)?;
            let mut ends: Vec<usize> =
                sequence.gaps_after.iter().map(|gap| gap + 1).filter(|end| *end < sequence.frames).collect();
            ends.push(sequence.frames);
            ends.sort_unstable();
            let mut start = 0;
            for end in ends {
                if end > start + burn_in {
                    stretches.push((index, start, end - start));
                    total += (end - start).saturating_sub(window) + 1;
                    starts.push(total);
                }
                start = end;
            }
        }
        if total == 0 {
            let problem = format!("no unbroken stretch of more than {burn_in} frames (`burn_in`) to learn from");
            return Err(TrainError::Sequence { name: "all training sequences".into(), problem });
        }
        Ok(Self { stretches, starts, versions: sequences.iter().map(|s| s.versions).collect(), window })
    }

    /// The window that follows on `window`, if its stretch goes on for a whole window more.
    pub fn next(&self, window: &Window) -> Option<Window> {
        let start = window.start + window.frames;
        let goes_on = |(sequence, first, length): &(usize, usize, usize)| {
            *sequence == window.sequence && start >= *first && start + self.window <= first + length
        };
        let found = window.frames == self.window && self.stretches.iter().any(goes_on);
        found.then_some(Window { start, ..*window })
    }

    /// One window, the first of stream number `stream`.
    pub fn draw(&self, rng: &mut impl Rng, stream: u64) -> Window {
        let place = rng.random_range(0..self.starts[self.starts.len() - 1]);
        let found = self.starts.partition_point(|end| *end <= place);
        let (sequence, first, length) = self.stretches[found];
        let offset = place - if found == 0 { 0 } else { self.starts[found - 1] };
        let version = rng.random_range(0..self.versions[sequence]);
        Window { sequence, version, start: first + offset, frames: length.min(self.window), stream }
    }
}

/// Batches of whole sequences of similar length, in a new order every epoch.
pub(super) struct SequenceSampler {
    /// Frames and versions of each sequence.
    sequences: Vec<(usize, usize)>,
    batch: usize,
    seed: u64,
    /// The epoch in `batches`.
    epoch: Option<u64>,
    batches: Vec<Vec<usize>>,
}

/// Sequences are sorted by length within so many batches.
const POOL: usize = 8;

impl SequenceSampler {
    /// Checks the sequences.
    pub fn new(sequences: &[Sequence], batch: usize, seed: u64) -> Result<Self, TrainError> {
        sequences.iter().try_for_each(check)?;
        if sequences.is_empty() {
            let problem = "expected at least one".to_string();
            return Err(TrainError::Sequence { name: "all training sequences".into(), problem });
        }
        let sequences = sequences.iter().map(|s| (s.frames, s.versions)).collect();
        Ok(Self { sequences, batch, seed, epoch: None, batches: Vec::new() })
    }

    /// The windows of step `step`.
    pub fn draw(&mut self, step: u64, rng: &mut impl Rng) -> Vec<Window> {
        let per_epoch = self.sequences.len().div_ceil(self.batch) as u64;
        let epoch = step / per_epoch;
        if self.epoch != Some(epoch) {
            let mut rng = stream_of(self.seed ^ 0x6570_6f63, epoch);
            let mut order: Vec<usize> = (0..self.sequences.len()).collect();
            order.shuffle(&mut rng);
            order.chunks_mut(POOL * self.batch).for_each(|pool| pool.sort_by_key(|index| self.sequences[*index].0));
            self.batches = order.chunks(self.batch).map(<[usize]>::to_vec).collect();
            self.batches.shuffle(&mut rng);
            self.epoch = Some(epoch);
        }
        let batch = &self.batches[(step % per_epoch) as usize];
        let window = |(place, sequence): (usize, &usize)| {
            let (frames, versions) = self.sequences[*sequence];
            let (version, stream) = (rng.random_range(0..versions), step * self.batch as u64 + place as u64);
            Window { sequence: *sequence, version, start: 0, frames, stream }
        };
        batch.iter().enumerate().map(window).collect()
    }
}

fn check(sequence: &Sequence) -> Result<(), TrainError> {
    let fail = |problem: &str| Err(TrainError::Sequence { name: sequence.name.clone(), problem: problem.into() });
    match (sequence.frames, sequence.versions) {
        (0, _) => fail("no frames"),
        (_, 0) => fail("no version"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn windows_never_cross_a_gap_and_reach_every_frame() {
        let of = |frames, gaps_after| Sequence { gaps_after, versions: 2, ..Sequence::new("test", frames) };
        let sampler = WindowSampler::new(&[of(50, vec![19, 22]), of(5, vec![])], 8, 3).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut seen = [vec![false; 50], vec![false; 5]];
        let mut followed = 0;
        for _ in 0..3000 {
            let w = sampler.draw(&mut rng, 0);
            let next = sampler.next(&w);
            let last = w.frame(7);
            assert!(w.version < 2);
            assert!(w.sequence == 1 || last <= 19 || w.start >= 23, "{w:?} crosses a gap");
            if let Some(next) = next {
                assert_eq!((next.start, next.sequence, next.version), (w.start + 8, w.sequence, w.version));
                assert!(next.start + 8 <= 20 || next.start >= 23, "{next:?} crosses a gap");
                followed += 1;
            }
            (w.start..=last).for_each(|frame| seen[w.sequence][frame] = true);
        }
        let unseen: Vec<usize> = (0..50).filter(|f| !seen[0][*f]).collect();
        assert_eq!(unseen, [20, 21, 22], "only the stretch of three frames is too short");
        assert!(followed > 1000 && followed < 2999, "{followed}");
        assert!(seen[1].iter().all(|s| *s));
    }

    #[test]
    fn an_epoch_has_every_sequence_once_in_batches_of_similar_length() {
        let sequences: Vec<_> = (0..103).map(|i| Sequence::new(i.to_string(), 10 + (i * 37) % 90)).collect();
        let mut sampler = SequenceSampler::new(&sequences, 8, 5).unwrap();
        let mut epochs = Vec::new();
        for epoch in 0..2 {
            let (mut seen, mut padding) = (vec![0; 103], 0);
            for step in 0..13 {
                let windows = sampler.draw(13 * epoch + step, &mut ChaCha8Rng::seed_from_u64(step));
                let longest = windows.iter().map(|w| w.frames).max().unwrap();
                padding += windows.iter().map(|w| longest - w.frames).sum::<usize>();
                windows.iter().for_each(|w| seen[w.sequence] += 1);
            }
            assert!(seen.iter().all(|n| *n == 1));
            assert!(padding < 103 * 12, "{padding}: in random batches it is about 40 frames a sequence");
            epochs.push(sampler.batches.clone());
        }
        assert_ne!(epochs[0], epochs[1]);
        assert!(
            WindowSampler::new(&[Sequence::new("empty", 0)], 8, 0)
                .err()
                .unwrap()
                .to_string()
                .contains("`empty`: no frames")
        );
    }
}
