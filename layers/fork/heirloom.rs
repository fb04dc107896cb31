//! Locks that a child of `fork` can take although a thread that it does not have holds them.
//!
//! A child has all locks of the process as they were, and of its threads only the one that forked. What another one held
//! stays locked for ever. These locks note the process that took them over: in a child, one that cannot be had is given up,
//! and a new one takes its place.
//!
//! Where nobody else wants the lock that costs two loads. Whoever has to wait finds out first whether this is another
//! process by now: a system call, where one waits anyway.

use std::{
    fmt, hint,
    sync::{
        Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
        TryLockResult,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{check, generation, note};

/// How long a lock may be held in a child by one of its own threads before it is taken for one of the parent's.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long it is spun before a lock is tried again, and at last waited for.
const SPINS: [u32; 6] = [1, 2, 4, 8, 16, 32];
/// A thread is about to take over: others wait for it.
const CLAIMED: u64 = 1 << 63;

/// A lock, or the one that took its place.
struct Line<L> {
    /// The process that has taken it over.
    generation: AtomicU64,
    first: Heir<L>,
}

struct Heir<L> {
    lock: L,
    next: OnceLock<Box<Heir<L>>>,
}

impl<L> Line<L> {
    const fn new(generation: u64, lock: L) -> Self {
        Self { generation: AtomicU64::new(generation), first: Heir { lock, next: OnceLock::new() } }
    }

    #[inline]
    fn is_of_this_process(&self) -> bool {
        self.generation.load(Ordering::Acquire) == generation()
    }

    #[inline]
    fn last(&self) -> &L {
        let mut heir = &self.first;
        while let Some(next) = heir.next.get() {
            heir = next;
        }
        &heir.lock
    }

    /// Only by whoever has the claim.
    fn append(&self, lock: L) {
        let mut heir = &self.first;
        while let Some(next) = heir.next.get() {
            heir = next;
        }
        heir.next.get_or_init(|| Box::new(Heir { lock, next: OnceLock::new() }));
    }

    /// None if it cannot be had now, or is of another process. Spins for a moment.
    #[inline]
    fn try_this<'a, G>(&'a self, try_lock: impl Fn(&'a L) -> TryLockResult<G>) -> Option<G> {
        if !self.is_of_this_process() {
            return None;
        }
        let lock = self.last();
        had(try_lock(lock)).or_else(|| {
            let again = SPINS.iter().find_map(|spins| {
                (0..*spins).for_each(|_| hint::spin_loop());
                had(try_lock(lock))
            });
            if again.is_none() {
                check();
            }
            again
        })
    }

    /// In a child: takes the lock over with `start_over`, or puts in its place what `fresh` makes.
    #[cold]
    fn inherit<'a, G>(
        &'a self,
        try_lock: impl Fn(&'a L) -> TryLockResult<G>,
        start_over: impl FnOnce(&mut G),
        fresh: impl FnOnce() -> L,
    ) {
        let now = generation();
        let began = Instant::now();
        loop {
            let known = self.generation.load(Ordering::Acquire);
            if known == now {
                return;
            }
            if known == now | CLAIMED {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            let mut guard = had(try_lock(self.last()));
            if guard.is_none() && began.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            // One of all threads does it.
            let claim = (known, now | CLAIMED, Ordering::AcqRel, Ordering::Relaxed);
            if self.generation.compare_exchange(claim.0, claim.1, claim.2, claim.3).is_ok() {
                let _taken_over = TakenOver(&self.generation, now);
                match &mut guard {
                    Some(guard) => start_over(guard),
                    None => self.append(fresh()),
                }
                return;
            }
        }
    }
}

/// Whatever happens, nobody waits for a claim for ever.
struct TakenOver<'a>(&'a AtomicU64, u64);

impl Drop for TakenOver<'_> {
    fn drop(&mut self) {
        self.0.store(self.1, Ordering::Release);
    }
}

#[inline]
fn had<G>(result: TryLockResult<G>) -> Option<G> {
    match result {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A value behind a lock, for one thread at a time.
pub(crate) struct Heirloom<T>(Line<(Mutex<T>, Condvar)>);

impl<T> Heirloom<T> {
    pub(crate) const fn of(generation: u64, value: T) -> Self {
        Self(Line::new(generation, (Mutex::new(value), Condvar::new())))
    }

    pub(crate) fn new(value: T) -> Self {
        note();
        Self::of(generation(), value)
    }

    /// One that is there from the beginning, in the first process.
    pub(crate) const fn first(value: T) -> Self {
        Self::of(0, value)
    }

    /// Locks it. In a child, `start_over` gives up what the parent left, or, where the lock cannot be had, `fresh` makes a
    /// value in its stead.
    #[inline]
    pub(crate) fn lock(&self, start_over: impl FnOnce(&mut T), fresh: impl FnOnce() -> T) -> MutexGuard<'_, T> {
        if let Some(guard) = self.0.try_this(|(lock, _)| lock.try_lock()) {
            return guard;
        }
        if !self.0.is_of_this_process() {
            self.0.inherit(
                |(lock, _)| lock.try_lock(),
                |guard| start_over(guard),
                || (Mutex::new(fresh()), Condvar::new()),
            );
        }
        self.0.last().0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for what serves the child as well, or is made again as if it were new.
    #[inline]
    pub(crate) fn get(&self) -> MutexGuard<'_, T>
    where
        T: Default,
    {
        self.lock(|_| {}, T::default)
    }

    /// Waits for [`notify_all`](Self::notify_all) as long as it is `busy`, or until time is up: then it is true.
    pub(crate) fn wait_while<'a>(
        &'a self,
        guard: MutexGuard<'a, T>,
        most: Duration,
        busy: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, bool) {
        let changed = &self.0.last().1;
        let (guard, late) = changed.wait_timeout_while(guard, most, busy).unwrap_or_else(PoisonError::into_inner);
        (guard, late.timed_out())
    }

    pub(crate) fn notify_all(&self) {
        self.0.last().1.notify_all();
    }
}

impl<T: Default> Default for Heirloom<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Heirloom<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heirloom")
    }
}

/// A value behind a lock that many read and that changes now and then. A child has it as it was, whoever was reading it;
/// it is made anew only if the process was forked in the midst of a change.
pub(crate) struct Common<T>(Line<RwLock<T>>);

impl<T> Common<T> {
    pub(crate) fn new(value: T) -> Self {
        note();
        Self(Line::new(generation(), RwLock::new(value)))
    }

    /// One that is there from the beginning, in the first process.
    pub(crate) const fn first(value: T) -> Self {
        Self(Line::new(0, RwLock::new(value)))
    }
}

impl<T: Clone + Default> Common<T> {
    #[inline]
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        if let Some(guard) = self.0.try_this(RwLock::try_read) {
            return guard;
        }
        self.inherit();
        self.0.last().read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Short, and without user code: this is what a fork must not come across.
    #[inline]
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        if let Some(guard) = self.0.try_this(RwLock::try_write) {
            return guard;
        }
        self.inherit();
        self.0.last().write().unwrap_or_else(PoisonError::into_inner)
    }

    fn inherit(&self) {
        if !self.0.is_of_this_process() {
            let copy = || RwLock::new(had(self.0.last().try_read()).map(|value| value.clone()).unwrap_or_default());
            self.0.inherit(RwLock::try_write, |_| {}, copy);
        }
    }

    /// A copy.
    pub(crate) fn get(&self) -> T {
        self.read().clone()
    }

    /// Gives what was there before, whose end may be user code: let it come when nothing is locked.
    pub(crate) fn set(&self, value: T) -> T {
        std::mem::replace(&mut self.write(), value)
    }
}

impl<T: Default> Default for Common<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Common<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Common")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a child finds it: made by a process before this one.
    const PARENT: u64 = u64::MAX >> 2;

    #[test]
    fn what_can_be_had_starts_over_once() {
        let lock = Heirloom::of(PARENT, 7);
        assert_eq!(*lock.lock(|value| *value += 1, || 0), 8);
        assert_eq!(*lock.lock(|value| *value += 1, || 0), 8);
        let lock = Heirloom::new(7);
        assert_eq!(*lock.lock(|value| *value += 1, || 0), 7);
    }

    #[test]
    fn one_for_all_threads_takes_the_place_of_what_is_held() {
        let lock = Heirloom::of(PARENT, 7);
        std::mem::forget(lock.0.first.lock.0.lock());
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| *lock.lock(|_| {}, || 0) += 1);
            }
        });
        assert_eq!(*lock.get(), 8);
    }

    #[test]
    fn a_value_that_is_read_is_there_and_can_be_changed() {
        let common = Common(Line::new(PARENT, RwLock::new(7)));
        std::mem::forget(common.0.first.lock.read());
        assert_eq!(common.get(), 7);
        common.set(8);
        assert_eq!(common.get(), 8);
        let common = Common(Line::new(PARENT, RwLock::new(7)));
        std::mem::forget(common.0.first.lock.write());
        assert_eq!(common.get(), 0);
    }

    #[test]
    fn waiting_goes_on_with_the_one_that_took_the_place() {
        let lock = Heirloom::of(PARENT, true);
        std::mem::forget(lock.0.first.lock.0.lock());
        let guard = lock.get();
        assert!(!*guard);
        let (guard, late) = lock.wait_while(guard, Duration::from_millis(1), |value| !*value);
        assert!(late);
        drop(guard);
        thread::scope(|scope| {
            scope.spawn(|| {
                *lock.get() = true;
                lock.notify_all();
            });
            assert!(!lock.wait_while(lock.get(), Duration::from_secs(60), |value| !*value).1);
        });
    }
}
