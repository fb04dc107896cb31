//! What the hand-over is made of; a model's in its place where the hand-over is checked (`--cfg strata_loom`).

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

/// The lock, whatever became of who had it before: no code of users runs under ours.
#[inline]
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    recover(mutex.lock())
}

pub(super) fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    recover(condvar.wait(guard))
}

pub(super) fn wait_for<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, time: Duration) -> MutexGuard<'a, T> {
    recover(condvar.wait_timeout(guard, time)).0
}

fn recover<G>(result: LockResult<G>) -> G {
    result.unwrap_or_else(PoisonError::into_inner)
}
