//! Reuses the memory of dropped records: magazines per thread, and a depot that all threads share.

use std::{
    cell::RefCell,
    sync::{Arc, MutexGuard},
    thread::LocalKey,
};

use super::Record;
use crate::fork::{self, ForkMutex};

/// Records per magazine. A thread has two magazines, so that taking and putting in turn does not need the depot each time.
pub(super) const MAGAZINE: usize = 64;
/// Memory that a depot holds at most, in bytes.
const DEPOT_BYTES: usize = 16 << 20;

type Magazine<T> = Vec<T>;

/// A record in one of the two kinds of memory: with a single owner, or shared.
pub(super) trait Poolable: Sized + 'static {
    const CACHE: &'static LocalKey<RefCell<ThreadCache<Self>>>;
    /// A thread may hold its lock during a fork.
    const DEPOT: &'static ForkMutex<Depot<Self>>;

    fn record(&self) -> &Record;
}

thread_local! {
    static UNIQUE: RefCell<ThreadCache<Box<Record>>> = const { RefCell::new(ThreadCache::NONE) };
    static SHARED: RefCell<ThreadCache<Arc<Record>>> = const { RefCell::new(ThreadCache::NONE) };
}

static UNIQUE_DEPOT: ForkMutex<Depot<Box<Record>>> = ForkMutex::for_static(Depot::EMPTY);
static SHARED_DEPOT: ForkMutex<Depot<Arc<Record>>> = ForkMutex::for_static(Depot::EMPTY);

impl Poolable for Box<Record> {
    const CACHE: &'static LocalKey<RefCell<ThreadCache<Self>>> = &UNIQUE;
    const DEPOT: &'static ForkMutex<Depot<Self>> = &UNIQUE_DEPOT;

    fn record(&self) -> &Record {
        self
    }
}

impl Poolable for Arc<Record> {
    const CACHE: &'static LocalKey<RefCell<ThreadCache<Self>>> = &SHARED;
    const DEPOT: &'static ForkMutex<Depot<Self>> = &SHARED_DEPOT;

    fn record(&self) -> &Record {
        self
    }
}

/// An empty record, if there is one.
#[inline]
pub(super) fn take<T: Poolable>() -> Option<T> {
    T::CACHE.try_with(|cache| cache.try_borrow_mut().ok()?.take()).ok().flatten()
}

/// Puts an empty record back.
#[inline]
pub(super) fn put<T: Poolable>(record: T) {
    // A thread that is ending drops it.
    T::CACHE
        .try_with(|cache| {
            if let Ok(mut cache) = cache.try_borrow_mut() {
                cache.put(record);
            }
        })
        .unwrap_or_default();
}

/// A thread's spares: `hot` is in use, `cold` is full or empty.
pub(super) struct ThreadCache<T: Poolable> {
    hot: Magazine<T>,
    cold: Magazine<T>,
}

impl<T: Poolable> ThreadCache<T> {
    const NONE: Self = Self { hot: Vec::new(), cold: Vec::new() };

    #[inline]
    fn take(&mut self) -> Option<T> {
        if self.hot.is_empty() {
            self.fetch();
        }
        self.hot.pop()
    }

    #[cold]
    fn fetch(&mut self) {
        std::mem::swap(&mut self.hot, &mut self.cold);
        if self.hot.is_empty() {
            Depot::fetch(&mut self.hot);
        }
    }

    #[inline]
    fn put(&mut self, record: T) {
        if self.hot.len() >= MAGAZINE {
            self.deposit();
        }
        self.hot.push(record);
    }

    #[cold]
    fn deposit(&mut self) {
        std::mem::swap(&mut self.hot, &mut self.cold);
        if !self.hot.is_empty() {
            Depot::deposit(&mut self.hot);
        }
    }
}

/// A thread that ends leaves its spares to others.
impl<T: Poolable> Drop for ThreadCache<T> {
    fn drop(&mut self) {
        for magazine in [&mut self.hot, &mut self.cold] {
            if !magazine.is_empty() {
                Depot::deposit(magazine);
            }
        }
    }
}

/// Where threads that only drop records, such as a queue's worker, leave them for those that capture. Threads exchange whole
/// magazines, so its lock is never held for long.
pub(super) struct Depot<T> {
    /// Filled magazines, with their memory.
    full: Vec<(Magazine<T>, usize)>,
    bytes: usize,
    /// Empty magazines.
    empty: Vec<Magazine<T>>,
}

impl<T: Poolable> Depot<T> {
    const EMPTY: Self = Self { full: Vec::new(), bytes: 0, empty: Vec::new() };

    fn open() -> MutexGuard<'static, Self> {
        // Forks are otherwise looked for only after the capture, which may get here first.
        fork::check();
        // Spare memory is as good in a forked child.
        T::DEPOT.lock(|_| {}, || Self::EMPTY)
    }

    /// Deposits a magazine in exchange for an empty one.
    fn deposit(magazine: &mut Magazine<T>) {
        let bytes = magazine.iter().map(|record| record.record().held_bytes()).sum();
        let mut depot = Self::open();
        if depot.bytes + bytes <= DEPOT_BYTES {
            depot.bytes += bytes;
            let empty = depot.empty.pop().unwrap_or_default();
            depot.full.push((std::mem::replace(magazine, empty), bytes));
            // Each fetch gives an empty magazine back, and must not wait for an allocation.
            let full = depot.full.len();
            depot.empty.reserve(full);
        }
        drop(depot);
        // Not empty only if the depot was full.
        magazine.clear();
    }

    /// Fetches a magazine in exchange for an empty one. The last deposited is the most likely to be in a CPU cache.
    fn fetch(magazine: &mut Magazine<T>) {
        let mut depot = Self::open();
        if let Some((full, bytes)) = depot.full.pop() {
            depot.bytes -= bytes;
            let empty = std::mem::replace(magazine, full);
            depot.empty.push(empty);
        }
    }
}
