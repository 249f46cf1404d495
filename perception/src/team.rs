//! A second pair of hands: one helper thread that runs the other half of a loop.
//!
//! Between the halves of one frame's layers the helper spins for some microseconds, between frames it sleeps.
#![allow(unsafe_code)] // a borrowed closure is lent to the helper for the length of one call

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Spins before the helper (or the caller that waits for it) gives up its time slice or goes to sleep.
const SPINS: usize = 4000;

/// Work for both threads; the argument is 0 for the caller and 1 for the helper.
type Job = &'static (dyn Fn(usize) + Sync);

#[derive(Default)]
struct Shared {
    /// Jobs handed out; `usize::MAX` ends the helper.
    given: AtomicUsize,
    /// Jobs the helper has finished.
    done: AtomicUsize,
    /// Whether the helper panicked in its last job.
    failed: AtomicUsize,
    job: Mutex<Option<Job>>,
    wake: Condvar,
}

/// A caller with one helper thread.
pub(crate) struct Team {
    shared: Arc<Shared>,
    helper: Option<JoinHandle<()>>,
}

impl Team {
    /// Starts the helper.
    pub fn new() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let helper = std::thread::Builder::new().name("cnn-helper".into()).spawn(move || own.help())?;
        Ok(Self { shared, helper: Some(helper) })
    }

    /// Runs `job(0)` here and `job(1)` on the helper; returns when both are done.
    ///
    /// # Panics
    /// Where either of them does.
    pub fn run(&mut self, job: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime changes. The helper uses the reference for job number `given` only, and this function
        // neither returns nor unwinds (`Finish` waits on drop) before the helper has said that it is done with it.
        let lent: Job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        *self.shared.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(lent);
        let number = self.shared.given.fetch_add(1, Ordering::Release) + 1;
        self.shared.wake.notify_one();
        let finish = Finish { shared: &self.shared, number };
        job(0);
        drop(finish);
        assert!(self.shared.failed.load(Ordering::Acquire) == 0, "the CNN's helper thread panicked");
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        {
            let _guard = self.shared.job.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.given.store(usize::MAX, Ordering::Release);
        }
        self.shared.wake.notify_one();
        if let Some(helper) = self.helper.take() {
            let _ = helper.join();
        }
    }
}

impl std::fmt::Debug for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Team")
    }
}

/// Waits for the helper when dropped.
struct Finish<'a> {
    shared: &'a Shared,
    number: usize,
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        spin_until(|| self.shared.done.load(Ordering::Acquire) == self.number, usize::MAX);
    }
}

impl Shared {
    fn help(&self) {
        let mut number = 0;
        loop {
            let arrived = || self.given.load(Ordering::Acquire) != number;
            spin_until(arrived, SPINS);
            let mut slot = self.job.lock().unwrap_or_else(PoisonError::into_inner);
            while !arrived() {
                slot = self.wake.wait(slot).unwrap_or_else(PoisonError::into_inner);
            }
            let given = self.given.load(Ordering::Acquire);
            let Some(job) = slot.take().filter(|_| given != usize::MAX) else { return };
            drop(slot);
            number = given;
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(1))).is_err() {
                self.failed.store(1, Ordering::Release);
            }
            self.done.store(number, Ordering::Release);
        }
    }
}

/// Spins until `ready` or, after `limit` rounds, returns anyway; gives up the time slice every now and then, because
/// the other thread may be waiting for this very core.
fn spin_until(ready: impl Fn() -> bool, limit: usize) {
    let mut round = 0usize;
    while !ready() && round < limit {
        round = round.wrapping_add(1);
        if round.is_multiple_of(SPINS) { std::thread::yield_now() } else { std::hint::spin_loop() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_run_every_time() {
        let mut team = Team::new().unwrap();
        let counts = [AtomicUsize::new(0), AtomicUsize::new(0)];
        for round in 1..2000 {
            team.run(&|part| {
                counts[part].fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(counts.each_ref().map(|count| count.load(Ordering::Relaxed)), [round; 2]);
            if round % 500 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(5)); // long enough for the helper to sleep
            }
        }
    }

    #[test]
    #[should_panic(expected = "helper thread panicked")]
    fn a_panic_of_the_helper_reaches_the_caller() {
        Team::new().unwrap().run(&|part| assert!(part == 0));
    }
}
