//! The locks of the channel; loom's in their place where the channel is model-checked (`--cfg strata_loom`).

#[cfg(not(strata_loom))]
pub(super) use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

#[cfg(strata_loom)]
pub(super) use loom::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

use std::{
    sync::{LockResult, PoisonError},
    time::Duration,
};

/// Locks, also where an earlier holder panicked: no user code runs under our locks.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    recover(mutex.lock())
}

fn recover<G>(result: LockResult<G>) -> G {
    result.unwrap_or_else(PoisonError::into_inner)
}

/// The end of a wait.
pub(super) use until::Until;

#[cfg(not(strata_loom))]
mod until {
    use std::time::Instant;

    use super::{Condvar, Duration, Mutex, MutexGuard, recover};

    pub(in super::super) struct Until(Option<Instant>);

    impl Until {
        pub(in super::super) const NEVER: Self = Self(None);

        pub(in super::super) fn after(time: Duration) -> Self {
            Self(Instant::now().checked_add(time))
        }

        /// Waits for a wake-up, perhaps a spurious one. When time is up, the guard is an error. (Loom needs the mutex.)
        pub(in super::super) fn wait<'a, T>(
            &mut self,
            _: &'a Mutex<T>,
            condvar: &Condvar,
            guard: MutexGuard<'a, T>,
        ) -> Result<MutexGuard<'a, T>, MutexGuard<'a, T>> {
            let Some(until) = self.0 else { return Ok(recover(condvar.wait(guard))) };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() { Err(guard) } else { Ok(recover(condvar.wait_timeout(guard, left)).0) }
        }
    }
}

/// A model has no clock: time is up at once, never, or whenever other threads have done something.
#[cfg(strata_loom)]
mod until {
    use super::{Condvar, Duration, Mutex, MutexGuard, lock, recover};

    pub(in super::super) enum Until {
        Never,
        Soon,
        Now,
    }

    impl Until {
        pub(in super::super) const NEVER: Self = Self::Never;

        pub(in super::super) fn after(time: Duration) -> Self {
            match time {
                Duration::ZERO => Self::Now,
                Duration::MAX => Self::Never,
                _ => Self::Soon,
            }
        }

        pub(in super::super) fn wait<'a, T>(
            &mut self,
            mutex: &'a Mutex<T>,
            condvar: &Condvar,
            guard: MutexGuard<'a, T>,
        ) -> Result<MutexGuard<'a, T>, MutexGuard<'a, T>> {
            match self {
                Self::Never => Ok(recover(condvar.wait(guard))),
                Self::Now => Err(guard),
                Self::Soon => {
                    *self = Self::Now;
                    drop(guard);
                    loom::thread::yield_now();
                    Ok(lock(mutex))
                }
            }
        }
    }
}
