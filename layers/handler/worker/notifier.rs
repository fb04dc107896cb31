//! Wakes the worker, as seldom as possible.

use std::time::Duration;

use super::sync::{AtomicU8, Condvar, Mutex, Ordering, Until, lock};

/// The worker will look at the shards by itself.
const AWAKE: u8 = 0;
/// It will look in a moment; only urgent items notify it.
const PARKED: u8 = 1;
/// It looks only when it is notified.
const SLEEPING: u8 = 2;

/// While records come, the worker looks again and again, with pauses, and callers pay nothing. After a while without
/// records it sleeps, and the first caller wakes it.
pub(crate) struct Notifier {
    state: AtomicU8,
    is_notified: Mutex<bool>,
    condvar: Condvar,
}

impl Notifier {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU8::new(AWAKE), is_notified: Mutex::new(false), condvar: Condvar::new() }
    }

    /// A caller has put an item in, which can wait for the worker's next look unless it is urgent.
    ///
    /// To be called after the shard's lock is released: the worker marks itself as sleeping, then looks into all shards
    /// once more. Either it sees the item, or it had the lock first and the caller sees that it sleeps.
    #[inline]
    pub(crate) fn notify_lazy(&self, is_urgent: bool) {
        let state = self.state.load(Ordering::Relaxed);
        if state != AWAKE && (state == SLEEPING || is_urgent) {
            self.wake(state);
        }
    }

    #[cold]
    fn wake(&self, state: u8) {
        // Only one of many callers does it.
        if self.state.compare_exchange(state, AWAKE, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.notify();
        }
    }

    /// Wakes the worker, or keeps it from sleeping.
    pub(crate) fn notify(&self) {
        *lock(&self.is_notified) = true;
        self.condvar.notify_one();
    }

    /// The worker pauses.
    pub(crate) fn park(&self, time: Duration) {
        self.state.store(PARKED, Ordering::Release);
        self.wait(Some(time));
        self.state.store(AWAKE, Ordering::Release);
    }

    /// The worker sleeps, unless `has_items` once every caller can see that it sleeps. For `max` at most, if given.
    pub(crate) fn sleep(&self, max: Option<Duration>, has_items: impl FnOnce() -> bool) {
        self.state.store(SLEEPING, Ordering::Release);
        if !has_items() {
            self.wait(max);
        }
        self.state.store(AWAKE, Ordering::Release);
    }

    /// Until it is or was notified.
    fn wait(&self, max: Option<Duration>) {
        let mut until = max.map_or(Until::NEVER, Until::after);
        let mut is_notified = lock(&self.is_notified);
        while !*is_notified {
            match until.wait(&self.is_notified, &self.condvar, is_notified) {
                Ok(again) => is_notified = again,
                Err(over) => {
                    is_notified = over;
                    break;
                }
            }
        }
        *is_notified = false;
    }

    /// Callers need not notify it.
    #[cfg(any(test, strata_loom))]
    pub(crate) fn is_awake(&self) -> bool {
        self.state.load(Ordering::Relaxed) == AWAKE
    }
}
