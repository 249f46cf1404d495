//! Messages to the user.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a message stays: good news, and faults.
const STAYS: [Duration; 2] = [Duration::from_secs(7), Duration::from_secs(30)];
/// Messages kept.
const KEPT: usize = 4;

/// What is wrong, or worth knowing, in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When it came.
    pub since: Instant,
    /// True if something is wrong.
    pub bad: bool,
    /// One sentence or two.
    pub text: String,
}

impl Notice {
    fn stays(&self) -> Duration {
        STAYS[usize::from(self.bad)]
    }
}

/// The messages that are shown, newest last.
#[derive(Debug, Default)]
pub struct Notices(VecDeque<Notice>);

impl Notices {
    /// Adds a message, once.
    pub fn say(&mut self, bad: bool, text: impl Into<String>) {
        let notice = Notice { since: Instant::now(), bad, text: text.into() };
        self.0.retain(|old| old.text != notice.text);
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(notice);
    }

    /// Takes away what everybody has read. How long until the next is due, if there is one.
    pub fn fade(&mut self, now: Instant) -> Option<Duration> {
        self.0.retain(|notice| now.duration_since(notice.since) < notice.stays());
        self.0.iter().map(|notice| notice.stays().saturating_sub(now.duration_since(notice.since))).min()
    }

    /// Takes all of them away.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The messages, newest last.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Notice> {
        self.0.iter()
    }

    /// True if there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_said_once_and_faults_stay_longer() {
        let mut notices = Notices::default();
        notices.say(false, "done");
        notices.say(true, "no such folder");
        notices.say(true, "no such folder");
        assert_eq!(notices.iter().count(), 2);
        assert!(notices.fade(Instant::now()).is_some());
        notices.fade(Instant::now() + Duration::from_secs(10));
        assert_eq!(notices.iter().map(|n| n.text.as_str()).collect::<Vec<_>>(), ["no such folder"]);
        assert_eq!(notices.fade(Instant::now() + Duration::from_secs(40)), None);
        assert!(notices.is_empty());
    }
}
