//! Jumps: from which frame on to read, so that the frame asked for is answered as the full run would.

use deltasteer_perception::CnnSchedule;

use super::Drive;
use crate::pipeline::Command;
use crate::window::whatif::runner::WARM_UP_FRAMES;

/// A jump to a frame that lies no further than this behind the last one answered runs over the frames between.
const REACH_FRAMES: usize = 200;

impl Drive {
    /// Shows frame `index` as the full run would answer it where that is known or near; else with a warmed-up RNN.
    pub fn seek(&mut self, index: usize) {
        let from = self.aligned(self.read_from(index));
        self.certain &= from == 0 || !self.schedules().any(|schedule| schedule.needs_motion());
        self.pipeline.send(Command::Seek { index, from });
    }

    /// The first frame to read for an answer at `index`.
    fn read_from(&self, index: usize) -> usize {
        let cold = index.saturating_sub(WARM_UP_FRAMES as usize + 1);
        let Some(main) = &self.lanes[0] else { return cold };
        let known = main.track().get(index);
        if known.is_some_and(|point| point.exact) {
            return index;
        }
        let kept = main.track().below(index).iter().rev().find(|point| self.store.get(point.index).is_some());
        let kept = kept.map(|point| (point.index, point.exact));
        let saved = main.runner().exact_state_before(index).map(|index| (index, true));
        let last = kept.max(saved).filter(|(last, _)| index - last <= REACH_FRAMES);
        match last {
            Some((last, exact)) if exact || known.is_none() => last,
            _ if known.is_some() => index,
            _ if index <= REACH_FRAMES => 0,
            _ => cold,
        }
    }

    /// The rules by which the CNNs run.
    fn schedules(&self) -> impl Iterator<Item = CnnSchedule> {
        let main = self.lanes[0].as_ref().map(|run| run.wanted().model.clone());
        let second = self.lanes[1].as_ref().filter(|_| self.second_eye.is_some()).map(|run| run.wanted().model.clone());
        main.into_iter().chain(second).filter_map(|model| model.schedule(None).ok())
    }

    /// The last frame up to `from` on which the full run's CNNs run: after a jump they run on the first frame that is read,
    /// and what they run on later follows from it.
    fn aligned(&self, from: usize) -> usize {
        let every = self.schedules().map(|schedule| if let CnnSchedule::Every(n) = schedule { n.max(1) } else { 1 });
        let common = |a: usize, b: usize| (1..=b).map(|times| times * a).find(|product| product % b == 0).unwrap_or(a);
        let every = every.fold(1, common);
        // A frame that could not be read moves all later ones: what was seen says where they are.
        let seen = |index: &usize| self.store.get(*index).is_some_and(|kept| kept.cnn.looked);
        let seen = (from.saturating_sub(every - 1)..=from).rev().find(seen);
        seen.filter(|_| self.second_eye.is_none()).unwrap_or(from - from % every)
    }
}
