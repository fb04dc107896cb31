//! Waking the listener, as seldom as it can be done.

use std::time::Duration;

use super::sync::{AtomicU8, Condvar, Mutex, Ordering, Until, lock};

/// It will look at the lanes by itself.
const AWAKE: u8 = 0;
/// It will look in a moment; what cannot wait rings.
const DOZES: u8 = 1;
/// Nothing comes before somebody rings.
const SLEEPS: u8 = 2;

/// While records come, the listener looks again and again, with pauses; callers pay nothing for it. Only when none has
/// come for a while it sleeps, and the first caller wakes it.
pub(crate) struct Bell {
    state: AtomicU8,
    has_rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU8::new(AWAKE), has_rung: Mutex::new(false), rings: Condvar::new() }
    }

    /// A caller has put something, which can wait for the listener's next look, or not.
    ///
    /// Not before the lane's lock is free: the listener says that it sleeps, then looks into all lanes once more. Either it
    /// sees what was put, or, as it had the lane's lock first, the caller sees that it sleeps.
    #[inline]
    pub(crate) fn nudge(&self, is_urgent: bool) {
        let state = self.state.load(Ordering::Relaxed);
        if state != AWAKE && (state == SLEEPS || is_urgent) {
            self.wake(state);
        }
    }

    #[cold]
    fn wake(&self, state: u8) {
        // One of many callers does it.
        if self.state.compare_exchange(state, AWAKE, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.ring();
        }
    }

    /// Wakes the listener, or does not let it fall asleep.
    pub(crate) fn ring(&self) {
        *lock(&self.has_rung) = true;
        self.rings.notify_one();
    }

    /// The listener pauses.
    pub(crate) fn doze(&self, time: Duration) {
        self.state.store(DOZES, Ordering::Release);
        self.wait(Some(time));
        self.state.store(AWAKE, Ordering::Release);
    }

    /// The listener sleeps, unless something `is_there`, which is asked when every caller can see that it does.
    /// For no longer than `most`, if that is given.
    pub(crate) fn sleep(&self, most: Option<Duration>, is_there: impl FnOnce() -> bool) {
        self.state.store(SLEEPS, Ordering::Release);
        if !is_there() {
            self.wait(most);
        }
        self.state.store(AWAKE, Ordering::Release);
    }

    /// Until somebody rings, or has rung.
    fn wait(&self, most: Option<Duration>) {
        let mut until = most.map_or(Until::NEVER, Until::after);
        let mut has_rung = lock(&self.has_rung);
        while !*has_rung {
            match until.wait(&self.has_rung, &self.rings, has_rung) {
                Ok(again) => has_rung = again,
                Err(over) => {
                    has_rung = over;
                    break;
                }
            }
        }
        *has_rung = false;
    }

    /// Callers need not ring.
    #[cfg(any(test, strata_loom))]
    pub(crate) fn is_awake(&self) -> bool {
        self.state.load(Ordering::Relaxed) == AWAKE
    }
}
