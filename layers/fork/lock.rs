//! Locks that a child of `fork` can take even if a thread of the parent held them.
//!
//! A child has all locks of its parent as they were, but only the thread that forked. A lock that another thread held stays
//! locked for ever. These locks know which process owns them: a child that cannot get one abandons it for a new one.
//!
//! Taking a free lock costs two loads more than std's. A thread that has to wait first checks for a fork, with a system
//! call.

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

use super::{check, generation, note_process};

/// How long a child waits for a lock before it assumes that the parent held it.
const TIMEOUT: Duration = Duration::from_millis(100);
/// How often to spin before each new attempt, and before blocking.
const SPINS: [u32; 6] = [1, 2, 4, 8, 16, 32];
/// Set in the generation while a thread claims the lock for its process. Others wait meanwhile.
const CLAIMED: u64 = 1 << 63;

/// A lock and its replacements. The last one is in use.
struct LockChain<L> {
    /// The fork generation of the process that owns it.
    generation: AtomicU64,
    first: Node<L>,
}

struct Node<L> {
    lock: L,
    next: OnceLock<Box<Node<L>>>,
}

impl<L> LockChain<L> {
    const fn new(generation: u64, lock: L) -> Self {
        Self { generation: AtomicU64::new(generation), first: Node { lock, next: OnceLock::new() } }
    }

    #[inline]
    fn is_of_this_process(&self) -> bool {
        self.generation.load(Ordering::Acquire) == generation()
    }

    #[inline]
    fn last_node(&self) -> &Node<L> {
        let mut node = &self.first;
        while let Some(next) = node.next.get() {
            node = next;
        }
        node
    }

    #[inline]
    fn last(&self) -> &L {
        &self.last_node().lock
    }

    /// Only for the thread that holds the claim.
    fn append(&self, lock: L) {
        self.last_node().next.get_or_init(|| Box::new(Node { lock, next: OnceLock::new() }));
    }

    /// Tries for a moment. `None` if the lock is held, or belongs to another process.
    #[inline]
    fn spin<'a, G>(&'a self, try_lock: impl Fn(&'a L) -> TryLockResult<G>) -> Option<G> {
        if !self.is_of_this_process() {
            return None;
        }
        let lock = self.last();
        unpoisoned(try_lock(lock)).or_else(|| {
            let again = SPINS.iter().find_map(|spins| {
                (0..*spins).for_each(|_| hint::spin_loop());
                unpoisoned(try_lock(lock))
            });
            if again.is_none() {
                check();
            }
            again
        })
    }

    /// In a child: claims the lock and calls `reset_in_child`, or appends a lock made by `fresh` if the parent held it.
    #[cold]
    fn inherit<'a, G>(
        &'a self,
        try_lock: impl Fn(&'a L) -> TryLockResult<G>,
        reset_in_child: impl FnOnce(&mut G),
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
            let mut guard = unpoisoned(try_lock(self.last()));
            if guard.is_none() && began.elapsed() < TIMEOUT {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            // One thread claims it for all.
            if self.generation.compare_exchange(known, now | CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                let _release = ReleaseClaim(&self.generation, now);
                match &mut guard {
                    Some(guard) => reset_in_child(guard),
                    None => self.append(fresh()),
                }
                return;
            }
        }
    }
}

/// Ends the claim, even if the closure panics.
struct ReleaseClaim<'a>(&'a AtomicU64, u64);

impl Drop for ReleaseClaim<'_> {
    fn drop(&mut self) {
        self.0.store(self.1, Ordering::Release);
    }
}

#[inline]
fn unpoisoned<G>(result: TryLockResult<G>) -> Option<G> {
    match result {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A mutex with a condition variable that survives a fork.
pub(crate) struct ForkMutex<T>(LockChain<(Mutex<T>, Condvar)>);

impl<T> ForkMutex<T> {
    const fn of(generation: u64, value: T) -> Self {
        Self(LockChain::new(generation, (Mutex::new(value), Condvar::new())))
    }

    pub(crate) fn new(value: T) -> Self {
        note_process();
        Self::of(generation(), value)
    }

    /// For statics: it belongs to the first process.
    pub(crate) const fn for_static(value: T) -> Self {
        Self::of(0, value)
    }

    /// Locks it. In a child, `reset_in_child` first discards what belongs to the parent, or `fresh` makes a new value if the
    /// parent held the lock.
    #[inline]
    pub(crate) fn lock(&self, reset_in_child: impl FnOnce(&mut T), fresh: impl FnOnce() -> T) -> MutexGuard<'_, T> {
        if let Some(guard) = self.0.spin(|(lock, _)| lock.try_lock()) {
            return guard;
        }
        if !self.0.is_of_this_process() {
            self.0.inherit(
                |(lock, _)| lock.try_lock(),
                |guard| reset_in_child(guard),
                || (Mutex::new(fresh()), Condvar::new()),
            );
        }
        self.0.last().0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// [`lock`](Self::lock) for a value that a child can use as it is, or as new.
    #[inline]
    pub(crate) fn get(&self) -> MutexGuard<'_, T>
    where
        T: Default,
    {
        self.lock(|_| {}, T::default)
    }

    /// Waits for [`notify_all`](Self::notify_all) while `busy` returns true. The flag tells whether it timed out.
    pub(crate) fn wait_while<'a>(
        &'a self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
        busy: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, bool) {
        let changed = &self.0.last().1;
        let (guard, late) = changed.wait_timeout_while(guard, timeout, busy).unwrap_or_else(PoisonError::into_inner);
        (guard, late.timed_out())
    }

    pub(crate) fn notify_all(&self) {
        self.0.last().1.notify_all();
    }
}

impl<T: Default> Default for ForkMutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for ForkMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForkMutex")
    }
}

/// A read-write lock that survives a fork. A child finds the value as it was, even if another thread was reading it. A fork
/// in the middle of a write resets it to the default.
pub(crate) struct ForkRwLock<T>(LockChain<RwLock<T>>);

impl<T> ForkRwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        note_process();
        Self(LockChain::new(generation(), RwLock::new(value)))
    }

    /// For statics: it belongs to the first process.
    pub(crate) const fn for_static(value: T) -> Self {
        Self(LockChain::new(0, RwLock::new(value)))
    }
}

impl<T: Clone + Default> ForkRwLock<T> {
    #[inline]
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        if let Some(guard) = self.0.spin(RwLock::try_read) {
            return guard;
        }
        self.inherit();
        self.0.last().read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hold the guard briefly and run no user code: a fork meanwhile loses the value.
    #[inline]
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        if let Some(guard) = self.0.spin(RwLock::try_write) {
            return guard;
        }
        self.inherit();
        self.0.last().write().unwrap_or_else(PoisonError::into_inner)
    }

    fn inherit(&self) {
        if !self.0.is_of_this_process() {
            let copy = || RwLock::new(unpoisoned(self.0.last().try_read()).map(|v| v.clone()).unwrap_or_default());
            self.0.inherit(RwLock::try_write, |_| {}, copy);
        }
    }

    /// A copy.
    pub(crate) fn get(&self) -> T {
        self.read().clone()
    }

    /// Returns the old value. Dropping it may run user code: hold no lock.
    pub(crate) fn set(&self, value: T) -> T {
        std::mem::replace(&mut self.write(), value)
    }
}

impl<T: Default> Default for ForkRwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for ForkRwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForkRwLock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generation of a process before this one.
    const PARENT: u64 = u64::MAX >> 2;

    #[test]
    fn a_free_lock_is_reset_once() {
        let lock = ForkMutex::of(PARENT, 7);
        assert_eq!(*lock.lock(|value| *value += 1, || 0), 8);
        assert_eq!(*lock.lock(|value| *value += 1, || 0), 8);
        let lock = ForkMutex::new(7);
        assert_eq!(*lock.lock(|value| *value += 1, || 0), 7);
    }

    #[test]
    fn one_new_lock_for_all_threads_replaces_a_held_one() {
        let lock = ForkMutex::of(PARENT, 7);
        std::mem::forget(lock.0.first.lock.0.lock());
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| *lock.lock(|_| {}, || 0) += 1);
            }
        });
        assert_eq!(*lock.get(), 8);
    }

    #[test]
    fn a_value_that_was_being_read_survives_and_can_be_changed() {
        let lock = ForkRwLock(LockChain::new(PARENT, RwLock::new(7)));
        std::mem::forget(lock.0.first.lock.read());
        assert_eq!(lock.get(), 7);
        lock.set(8);
        assert_eq!(lock.get(), 8);
        let lock = ForkRwLock(LockChain::new(PARENT, RwLock::new(7)));
        std::mem::forget(lock.0.first.lock.write());
        assert_eq!(lock.get(), 0);
    }

    #[test]
    fn waiting_uses_the_new_lock() {
        let lock = ForkMutex::of(PARENT, true);
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
