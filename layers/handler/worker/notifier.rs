//! Waking the listener, as seldom as it can be done.

use std::time::Duration;

use super::sync::{AtomicU8, Condvar, Mutex, Ordering, Until, lock};

/// It will look at the lanes by itself.
const AWAKE: u8 = 0;
/// It will look in a moment; what cannot wait rings.
const PARKED: u8 = 1;
/// Nothing comes before somebody rings.
const SLEEPING: u8 = 2;

/// While records come, the listener looks again and again, with pauses; callers pay nothing for it. Only when none has
/// come for a while it sleeps, and the first caller wakes it.
pub(crate) struct Notifier {
    state: AtomicU8,
    is_notified: Mutex<bool>,
    condvar: Condvar,
}

impl Notifier {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU8::new(AWAKE), is_notified: Mutex::new(false), condvar: Condvar::new() }
    }

    /// A caller has put something, which can wait for the listener's next look, or not.
    ///
    /// Not before the lane's lock is free: the listener says that it sleeps, then looks into all lanes once more. Either it
    /// sees what was put, or, as it had the lane's lock first, the caller sees that it sleeps.
    #[inline]
    pub(crate) fn notify_lazy(&self, is_urgent: bool) {
        let state = self.state.load(Ordering::Relaxed);
        if state != AWAKE && (state == SLEEPING || is_urgent) {
            self.wake(state);
        }
    }

    #[cold]
    fn wake(&self, state: u8) {
        // One of many callers does it.
        if self.state.compare_exchange(state, AWAKE, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.notify();
        }
    }

    /// Wakes the listener, or does not let it fall asleep.
    pub(crate) fn notify(&self) {
        *lock(&self.is_notified) = true;
        self.condvar.notify_one();
    }

    /// The listener pauses.
    pub(crate) fn park(&self, time: Duration) {
        self.state.store(PARKED, Ordering::Release);
        self.wait(Some(time));
        self.state.store(AWAKE, Ordering::Release);
    }

    /// The listener sleeps, unless something `is_there`, which is asked when every caller can see that it does.
    /// For no longer than `most`, if that is given.
    pub(crate) fn sleep(&self, most: Option<Duration>, is_there: impl FnOnce() -> bool) {
        self.state.store(SLEEPING, Ordering::Release);
        if !is_there() {
            self.wait(most);
        }
        self.state.store(AWAKE, Ordering::Release);
    }

    /// Until somebody rings, or has rung.
    fn wait(&self, most: Option<Duration>) {
        let mut until = most.map_or(Until::NEVER, Until::after);
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

    /// Callers need not ring.
    #[cfg(any(test, strata_loom))]
    pub(crate) fn is_awake(&self) -> bool {
        self.state.load(Ordering::Relaxed) == AWAKE
    }
}
