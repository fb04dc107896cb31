//! Memory of records that are done with, to be used again.

use std::{
    cell::RefCell,
    sync::{Arc, MutexGuard},
    thread::LocalKey,
};

use super::Record;
use crate::fork::{self, ForkMutex};

/// How many change hands at once. A thread has up to two such lists, so that one that takes and gives in turn does not
/// go to the depot for each.
pub(super) const MAGAZINE: usize = 64;
/// What a depot holds at most, in bytes.
const DEPOT_BYTES: usize = 16 << 20;

type Magazine<T> = Vec<T>;

/// A record in one of the two kinds of memory: one's own, or shared.
pub(super) trait Poolable: Sized + 'static {
    /// The thread's own, and where it gets more.
    const HERE: &'static LocalKey<RefCell<ThreadCache<Self>>>;
    /// A thread may have it open at the moment of a fork; the child has that lock, and not the thread.
    const DEPOT: &'static ForkMutex<Depot<Self>>;

    fn record(&self) -> &Record;
}

thread_local! {
    static UNIQUE: RefCell<ThreadCache<Box<Record>>> = const { RefCell::new(ThreadCache::NONE) };
    static SHARED: RefCell<ThreadCache<Arc<Record>>> = const { RefCell::new(ThreadCache::NONE) };
}

static UNIQUE_DEPOT: ForkMutex<Depot<Box<Record>>> = ForkMutex::first(Depot::EMPTY);
static SHARED_DEPOT: ForkMutex<Depot<Arc<Record>>> = ForkMutex::first(Depot::EMPTY);

impl Poolable for Box<Record> {
    const HERE: &'static LocalKey<RefCell<ThreadCache<Self>>> = &UNIQUE;
    const DEPOT: &'static ForkMutex<Depot<Self>> = &UNIQUE_DEPOT;

    fn record(&self) -> &Record {
        self
    }
}

impl Poolable for Arc<Record> {
    const HERE: &'static LocalKey<RefCell<ThreadCache<Self>>> = &SHARED;
    const DEPOT: &'static ForkMutex<Depot<Self>> = &SHARED_DEPOT;

    fn record(&self) -> &Record {
        self
    }
}

/// An empty record, if there is one.
#[inline]
pub(super) fn take<T: Poolable>() -> Option<T> {
    T::HERE.try_with(|cache| cache.try_borrow_mut().ok()?.take()).ok().flatten()
}

/// Leaves an empty record for another time.
#[inline]
pub(super) fn put<T: Poolable>(record: T) {
    // A thread that is ending has no use for spares.
    T::HERE
        .try_with(|cache| {
            if let Ok(mut cache) = cache.try_borrow_mut() {
                cache.put(record);
            }
        })
        .unwrap_or_default();
}

/// A thread's own.
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

/// A thread that ends leaves what it has.
impl<T: Poolable> Drop for ThreadCache<T> {
    fn drop(&mut self) {
        for magazine in [&mut self.hot, &mut self.cold] {
            if !magazine.is_empty() {
                Depot::deposit(magazine);
            }
        }
    }
}

/// Where a thread that only drops records, such as a queue's listener, leaves them for those that capture. Whole lists are
/// exchanged, so that its lock is never held for long.
pub(super) struct Depot<T> {
    /// Lists of some records, with the memory they take.
    full: Vec<(Magazine<T>, usize)>,
    bytes: usize,
    /// Lists of none.
    empty: Vec<Magazine<T>>,
}

impl<T: Poolable> Depot<T> {
    const EMPTY: Self = Self { full: Vec::new(), bytes: 0, empty: Vec::new() };

    fn open() -> MutexGuard<'static, Self> {
        // A record's own look comes after its capture, for which this may be opened.
        fork::check();
        // Spare memory belongs to nobody: what is there serves the child as well.
        T::DEPOT.lock(|_| {}, || Self::EMPTY)
    }

    /// Leaves some records in exchange for an empty list.
    fn deposit(magazine: &mut Magazine<T>) {
        let bytes = magazine.iter().map(|record| record.record().held_bytes()).sum();
        let mut depot = Self::open();
        if depot.bytes + bytes <= DEPOT_BYTES {
            depot.bytes += bytes;
            let empty = depot.empty.pop().unwrap_or_default();
            depot.full.push((std::mem::replace(magazine, empty), bytes));
            // Those that fetch them leave a list each, and are not to wait for memory.
            let full = depot.full.len();
            depot.empty.reserve(full);
        }
        drop(depot);
        // What there was no place for.
        magazine.clear();
    }

    /// Fetches some records in exchange for an empty list. Those that came last are the likeliest to be in a cache yet.
    fn fetch(magazine: &mut Magazine<T>) {
        let mut depot = Self::open();
        if let Some((full, bytes)) = depot.full.pop() {
            depot.bytes -= bytes;
            let empty = std::mem::replace(magazine, full);
            depot.empty.push(empty);
        }
    }
}
