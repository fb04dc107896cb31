//! Whether this process is a child of the one in which something was made.
//!
//! A child of `fork` has copies of all buffers and queues, and none of the threads. What was held back before the fork is
//! the parent's to write; whoever holds something back notes the [`generation`] and gives up what is of an earlier one.

use std::{
    cell::Cell,
    fmt, process,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

static GENERATION: AtomicU64 = AtomicU64::new(0);
static PROCESS: AtomicU32 = AtomicU32::new(0);
static IS_WATCHED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// When this thread looked last, and until when that is good enough.
    static LOOKED: Cell<(SystemTime, SystemTime)> = const { Cell::new((UNIX_EPOCH, UNIX_EPOCH)) };
}

/// A fork takes longer than this: a thread that has looked as short a time ago has not been in one meanwhile.
/// (Copying the tables of a small process takes some ten times as long; asking for the process's id, a tenth.)
const BRIEF: Duration = Duration::from_micros(5);

/// From now on forks are looked for: something holds records back.
pub(crate) fn watch() {
    check();
    IS_WATCHED.store(true, Ordering::Relaxed);
}

/// How many forks are between the first process and this one, as far as they were found out.
#[inline]
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Finds out whether this is another process by now. `now` is the time, if it was asked for anyway.
#[inline]
pub(crate) fn look(now: Option<SystemTime>) {
    if IS_WATCHED.load(Ordering::Relaxed) {
        look_closer(now);
    }
}

#[inline]
fn look_closer(now: Option<SystemTime>) {
    let (from, until) = LOOKED.try_with(Cell::get).unwrap_or((UNIX_EPOCH, UNIX_EPOCH));
    // A clock that was set back is no reason not to look.
    if !now.is_some_and(|now| from <= now && now < until) {
        look_now(now);
    }
}

#[cold]
fn look_now(now: Option<SystemTime>) {
    check();
    if let Some(now) = now {
        let until = now.checked_add(BRIEF).unwrap_or(now);
        // A thread that is ending looks each time.
        LOOKED.try_with(|looked| looked.set((now, until))).unwrap_or_default();
    }
}

/// The id of this process, as it was last found out: asking the system costs more than rendering a record. Events look by
/// themselves, from the first call on.
#[inline]
pub(crate) fn process_id() -> u32 {
    if !IS_WATCHED.load(Ordering::Relaxed) {
        watch();
    }
    PROCESS.load(Ordering::Relaxed)
}

/// The same as [`look`], for certain; a system call.
pub(crate) fn check() {
    let id = process::id();
    let known = PROCESS.load(Ordering::Relaxed);
    if known != id && PROCESS.compare_exchange(known, id, Ordering::AcqRel, Ordering::Relaxed).is_ok() && known != 0 {
        GENERATION.fetch_add(1, Ordering::Release);
    }
}

/// A value behind a lock that a child of `fork` can use although a thread that it does not have may hold it.
pub(crate) struct Heirloom<T> {
    generation: AtomicU64,
    first: Heir<T>,
}

/// The value, or the one that took its place.
struct Heir<T> {
    value: Mutex<T>,
    next: OnceLock<Box<Heir<T>>>,
}

/// How long the lock may be held in a child by one of its own threads before it is taken for one of the parent's.
const PATIENCE: Duration = Duration::from_millis(100);

impl<T> Heirloom<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { generation: AtomicU64::new(generation()), first: Heir::new(value) }
    }

    /// One that is there from the beginning, in the first process.
    pub(crate) const fn first(value: T) -> Self {
        Self { generation: AtomicU64::new(0), first: Heir::new(value) }
    }

    /// Locks it. In a child, `start_over` gives up what the parent left, or, where the lock cannot be had, `fresh` makes a
    /// value in its stead.
    #[inline]
    pub(crate) fn lock(&self, start_over: impl FnOnce(&mut T), fresh: impl FnOnce() -> T) -> MutexGuard<'_, T> {
        let generation = generation();
        if self.generation.load(Ordering::Acquire) != generation {
            self.inherit(generation, start_over, fresh);
        }
        self.last().value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn inherit(&self, generation: u64, start_over: impl FnOnce(&mut T), fresh: impl FnOnce() -> T) {
        let began = Instant::now();
        loop {
            let mut value = match self.last().value.try_lock() {
                Ok(value) => value,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    // Somebody else was faster: then that one serves.
                    self.last().next.get_or_init(|| Box::new(Heir::new(fresh())));
                    self.generation.store(generation, Ordering::Release);
                    return;
                }
            };
            // Under the lock: once for all threads.
            if self.generation.load(Ordering::Acquire) != generation {
                start_over(&mut value);
                self.generation.store(generation, Ordering::Release);
            }
            return;
        }
    }

    #[inline]
    fn last(&self) -> &Heir<T> {
        let mut heir = &self.first;
        while let Some(next) = heir.next.get() {
            heir = next;
        }
        heir
    }
}

impl<T> Heir<T> {
    const fn new(value: T) -> Self {
        Self { value: Mutex::new(value), next: OnceLock::new() }
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
